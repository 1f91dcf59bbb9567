"""Source rows with labels become result rows, counts and digests."""

from collections import Counter

import pytest

from labeltask_contract.task_document import TaskDocument
from labeltask_store.authors import digest_of
from labeltask_store.batches import Batch
from labeltask_store.result_tables import NewRow
from labeltask_store.rule_hits import HitCounts, RuleKey
from labeltask_store.source_access import Position
from labeltask_store.source_rows import SourceRows
from labeltask_worker import batch_building
from labeltask_worker.batch_building import BatchBuilder
from labeltask_worker.matching import LabelledText, Labelling

TASK = TaskDocument.model_validate(
    {
        "task_id": "a" * 32,
        "model_type": "keyword_model",
        "predict_type": "content",
        "start_time": "2020-01-01",
        "end_time": "2020-02-01",
        "pattern_sha256": "0" * 64,
        "input_schema": "i",
        "output_schema": "o",
    }
)


def rows(*changes: dict[str, str]) -> SourceRows:
    made = [
        {
            "ids": f"id{number}",
            "s_ids": "WH_F0045",
            "authors": f"author{number}",
            "post_times": "2020-01-01 00:00:00",
            "texts": f"Text {number}",
            **change,
        }
        for number, change in enumerate(changes, 1)
    ]
    return SourceRows(**{name: tuple(row[name].encode() for row in made) for name in made[0]})


def labelling(*labelled: LabelledText) -> Labelling:
    return Labelling(0, labelled)


def test_a_batch_holds_labelled_rows_by_table_counts_of_all_rows_and_the_last_position() -> None:
    builder = BatchBuilder(TASK, ["女性", "x"])
    read = rows({"authors": " A "}, {"s_ids": "??", "post_times": "2020-01-01 00:00:00.999999"}, {})
    batch = builder.build(read, labelling((0, (0, 1)), (1, (1,))))
    midnight = b"2020-01-01 00:00:00"
    assert batch == Batch(
        behind=Position("2020-01-01 00:00:00", "id3"),
        rows_read={"fbfans": 2, "other": 1},
        results={
            "fbfans": [
                NewRow(b"id1", b"WH_F0045_ A", b"/female", midnight, b"WH_F0045", b"Text 1"),
                NewRow(b"id1", b"WH_F0045_ A", b"/x", midnight, b"WH_F0045", b"Text 1"),
            ],
            "other": [NewRow(b"id2", b"??_author2", b"/x", midnight, b"??", b"Text 2")],
        },
        digests=batch.digests,
    )
    assert batch.digests["other"] == digest_of(b"??_author2")
    assert {batch.digests["fbfans"][:16], batch.digests["fbfans"][16:]} == {
        digest_of(b"WH_F0045_ A"),
        digest_of(b"WH_F0045_author3"),
    }


def test_a_batch_counts_the_rules_that_match_where_they_are_wanted() -> None:
    found = Labelling(2, [(0, (0,)), (1, (1,))], [(0, {(0, 3), (1, 0)}), (1, {(1, 0)})])
    batch = BatchBuilder(TASK, ["x", "y"]).build(rows({}, {}), found)
    any_label, x, y, x3, y0 = RuleKey(-1, -1), RuleKey(0, -1), RuleKey(1, -1), RuleKey(0, 3), RuleKey(1, 0)
    assert batch.rule_hits == HitCounts(
        Counter({any_label: 2, x: 1, y: 2, x3: 1, y0: 2}), Counter({any_label: 1, x: 1, y: 1, x3: 1, y0: 1})
    )
    assert BatchBuilder(TASK, ["x"]).build(rows({}), labelling()).rule_hits is None


def test_two_labels_with_one_panel_give_one_row() -> None:
    batch = BatchBuilder(TASK, ["女性", "female"]).build(rows({}), labelling((0, (0, 1))))
    assert [result.panel for result in batch.results["fbfans"]] == [b"/female"]


@pytest.mark.parametrize("space", [" ", "\u3000", "\x1c", "\t", "\u00a0", "\u2028", "\x85"])
def test_white_space_around_source_and_author_is_stripped_as_python_strips_it(space: str) -> None:
    batch = BatchBuilder(TASK, ["x"]).build(
        rows({"s_ids": f"{space}a", "authors": f"b{space} {space}"}), labelling((0, (0,)))
    )
    assert [row.source_author for row in batch.results["other"]] == [b"a_b"]
    assert batch.digests == {"other": digest_of(b"a_b")}


def test_an_author_is_left_out_of_later_batches_but_not_of_one_that_must_stand_alone() -> None:
    builder = BatchBuilder(TASK, ["x"])
    first = builder.build(rows({}), labelling())
    assert first.digests == {"fbfans": digest_of(b"WH_F0045_author1")}
    assert builder.build(rows({}), labelling()).digests == {}
    assert builder.build(rows({}), labelling(), remember=False).digests == first.digests
    assert builder.build(rows({"s_ids": "??"}), labelling()).digests == {"other": digest_of(b"??_author1")}


def test_pairs_of_source_and_author_that_read_alike_when_joined_are_both_counted() -> None:
    read = rows({"s_ids": "WH", "authors": "F0045_a"}, {"s_ids": "WH_F0045", "authors": "a"})
    assert BatchBuilder(TASK, ["x"]).build(read, labelling()).digests == {
        "other": digest_of(b"WH_F0045_a"),
        "fbfans": digest_of(b"WH_F0045_a"),
    }


def test_authors_are_forgotten_when_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_building, "AUTHORS_REMEMBERED", 0)
    builder = BatchBuilder(TASK, ["x"])
    first = builder.build(rows({}), labelling())
    assert builder.build(rows({}), labelling()).digests == first.digests
