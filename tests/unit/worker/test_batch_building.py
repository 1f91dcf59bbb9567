"""Source rows with labels become result rows, counts and digests."""

from collections import Counter

import pytest

from labeltask_contract.task_document import TaskDocument
from labeltask_store.authors import digest_of
from labeltask_store.batches import Batch
from labeltask_store.rule_hits import HitCounts, RuleKey
from labeltask_store.source_access import Position
from labeltask_store.source_rows import SourceRows
from labeltask_worker import batch_building
from labeltask_worker.batch_building import BATCH_BYTES, BatchBuilder, BatchInMaking, Portion
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
            "id": f"id{number}",
            "s_id": "WH_F0045",
            "post_time": "2020-01-01 00:00:00",
            "author": f"author{number}",
            "text": f"Text {number}",
            **change,
        }
        for number, change in enumerate(changes, 1)
    ]
    read = [tuple(value.encode() for value in row.values()) for row in made]
    return SourceRows(read, [row[-1] for row in read], by_id=False)


def labelling(*labelled: LabelledText) -> Labelling:
    return Labelling(0, labelled)


def test_a_portion_holds_labelled_rows_with_their_tables_how_many_were_read_and_the_last_position() -> None:
    builder = BatchBuilder(TASK, ["女性", "x"])
    read = rows({"author": " A "}, {"s_id": "??", "post_time": "2020-01-01 00:00:00.999999"}, {})
    portion = builder.build(read, labelling((0, (0, 1)), (1, (1,))))
    midnight = b"2020-01-01 00:00:00"
    assert portion == Portion(
        Batch(Position("2020-01-01 00:00:00", "id3"), rows_read=3, digests=portion.batch.digests),
        ["fbfans", "fbfans", "other"],
        [
            (b"id1", b"WH_F0045_ A", b"/female", midnight, b"WH_F0045", b"Text 1"),
            (b"id1", b"WH_F0045_ A", b"/x", midnight, b"WH_F0045", b"Text 1"),
            (b"id2", b"??_author2", b"/x", midnight, b"??", b"Text 2"),
        ],
    )
    assert {table: sorted(found) for table, found in portion.batch.digests.items()} == {
        "fbfans": sorted([digest_of(b"WH_F0045_ A"), digest_of(b"WH_F0045_author3")]),
        "other": [digest_of(b"??_author2")],
    }


def test_the_position_in_a_slice_that_is_read_by_id_is_an_id_alone() -> None:
    by_time = rows({}, {})
    assert SourceRows(by_time.rows, by_time.texts, by_id=True).last == Position(None, "id2")


def test_a_batch_counts_the_rules_that_match_where_they_are_wanted() -> None:
    found = Labelling(2, [(0, (0,)), (1, (1,))], [(0, {(0, 3), (1, 0)}), (1, {(1, 0)})])
    batch = BatchBuilder(TASK, ["x", "y"]).build(rows({}, {}), found).batch
    any_label, x, y, x3, y0 = RuleKey(-1, -1), RuleKey(0, -1), RuleKey(1, -1), RuleKey(0, 3), RuleKey(1, 0)
    assert batch.rule_hits == HitCounts(
        Counter({any_label: 2, x: 1, y: 2, x3: 1, y0: 2}), Counter({any_label: 1, x: 1, y: 1, x3: 1, y0: 1})
    )
    assert BatchBuilder(TASK, ["x"]).build(rows({}), labelling()).batch.rule_hits is None


def test_two_labels_with_one_panel_give_one_row() -> None:
    portion = BatchBuilder(TASK, ["女性", "female"]).build(rows({}), labelling((0, (0, 1))))
    assert [panel for _, _, panel, *_ in portion.results] == [b"/female"]


@pytest.mark.parametrize("space", [" ", "\u3000", "\x1c", "\t", "\u00a0", "\u2028", "\x85"])
def test_white_space_around_source_and_author_is_stripped_as_python_strips_it(space: str) -> None:
    portion = BatchBuilder(TASK, ["x"]).build(
        rows({"s_id": f"{space}a", "author": f"b{space} {space}"}), labelling((0, (0,)))
    )
    assert [source_author for _, source_author, *_ in portion.results] == [b"a_b"]
    assert portion.batch.digests == {"other": [digest_of(b"a_b")]}


def digests(builder: BatchBuilder, read: SourceRows, *, remember: bool = True) -> dict[str, list[bytes]]:
    found = builder.build(read, labelling(), remember=remember).batch.digests
    return {table: sorted(of_table) for table, of_table in found.items()}


def test_an_author_is_left_out_of_later_batches_but_not_of_one_that_must_stand_alone() -> None:
    builder = BatchBuilder(TASK, ["x"])
    author = digest_of(b"WH_F0045_author1")
    assert digests(builder, rows({})) == {"fbfans": [author]}
    assert digests(builder, rows({})) == {}
    assert digests(builder, rows({}), remember=False) == {"fbfans": [author]}
    assert digests(builder, rows({"s_id": "??"})) == {"other": [digest_of(b"??_author1")]}
    builder.forget()
    assert digests(builder, rows({})) == {"fbfans": [author]}


def test_pairs_of_source_and_author_that_read_alike_when_joined_are_both_counted() -> None:
    read = rows({"s_id": "WH", "author": "F0045_a"}, {"s_id": "WH_F0045", "author": "a"})
    alike = [digest_of(b"WH_F0045_a")]
    assert digests(BatchBuilder(TASK, ["x"]), read) == {"other": alike, "fbfans": alike}


@pytest.mark.parametrize(("limit", "most"), [("AUTHORS_REMEMBERED", 2), ("AUTHOR_BYTES_REMEMBERED", 40)])
def test_authors_are_forgotten_when_they_are_too_many_or_too_long(
    limit: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_building, limit, most)
    builder = BatchBuilder(TASK, ["x"])
    names = [{"author": f"author{number}"} for number in range(1, 4)]
    first, second, third = ({"fbfans": [digest_of(f"WH_F0045_author{number}".encode())]} for number in range(1, 4))
    assert [digests(builder, rows(name)) for name in (names[0], names[1])] == [first, second]
    assert digests(builder, rows(names[0])) == {}
    assert digests(builder, rows(names[2])) == third
    assert digests(builder, rows(names[0])) == first


def test_sources_are_looked_up_again_when_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_building, "SOURCES_REMEMBERED", 1)
    builder = BatchBuilder(TASK, ["x"])
    read = rows({}, {"s_id": "WH_F0001"}, {"s_id": "WH_F0001"})
    assert builder.build(read, labelling((0, (0,)), (1, (0,)), (2, (0,)))).tables == ["fbfans", "Ptt", "Ptt"]


def batch(number: int, rows_read: int = 1, values: list[bytes] | None = None) -> Batch:
    return Batch(Position(None, f"id{number}"), rows_read, {"t": values} if values else {})


def test_a_batch_in_the_making_is_what_its_portions_are_in_their_order() -> None:
    making = BatchInMaking(most_rows=10, most_seconds=60)
    assert making.take() is None
    key, other = RuleKey(0, 0), RuleKey(0, 1)
    making.add(Batch(Position(None, "a"), 2, {"t": [b"1"], "u": [b"2"]}, {"t": [b"x"]}, HitCounts(Counter([key]))))
    making.add(Batch(Position(None, "b"), 3, {"t": [b"3"]}, {"v": [b"y"]}, HitCounts(Counter([key, other]))))
    assert making.take() == Batch(
        Position(None, "b"),
        5,
        {"t": [b"1", b"3"], "u": [b"2"]},
        {"t": [b"x"], "v": [b"y"]},
        HitCounts(Counter({key: 2, other: 1})),
    )
    assert making.take() is None


def is_full(making: BatchInMaking) -> bool:
    return making.is_full


def test_a_batch_is_full_by_rows_by_bytes_or_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    making = BatchInMaking(most_rows=10, most_seconds=2)
    making.add(batch(1, rows_read=9))
    assert not is_full(making)
    making.add(batch(2))
    assert is_full(making)
    making.take()
    making.add(batch(3, values=[b"x" * (BATCH_BYTES - 1)]))
    assert not is_full(making)
    making.add(batch(4, values=[b"x"]))
    assert is_full(making)
    making.take()
    making.add(batch(5))
    now[0] = 1.9
    assert not is_full(making)
    now[0] = 2.0
    assert is_full(making)
