"""Source rows with labels become result rows, counts and digests."""

from typing import Any

from labeltask_contract.task_document import TaskDocument
from labeltask_store.authors import digest_of
from labeltask_store.batches import Batch
from labeltask_store.result_tables import ResultRow
from labeltask_store.source_rows import Position, SourceRow
from labeltask_worker.batch_building import BatchBuilder

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


def row(number: int, **changes: Any) -> SourceRow:
    made = SourceRow(f"id{number}", "WH_F0045", f"author{number}", "2020-01-01 00:00:00", f"Text {number}")
    return made._replace(**changes)


def test_a_batch_holds_labelled_rows_by_table_counts_of_all_rows_and_the_last_position() -> None:
    builder = BatchBuilder(TASK, ["女性", "x"])
    rows = [row(1, author=" A "), row(2, s_id="??", post_time="2020-01-01 00:00:00.999999"), row(3)]
    batch, authors = builder.build(rows, [(0, 1), (1,), ()])
    assert batch == Batch(
        behind=Position("2020-01-01 00:00:00", "id3"),
        rows_read={"fbfans": 2, "other": 1},
        results={
            "fbfans": [
                ResultRow("id1", "a" * 32, "WH_F0045_ A", "/female", "2020-01-01 00:00:00", "WH_F0045", "Text 1"),
                ResultRow("id1", "a" * 32, "WH_F0045_ A", "/x", "2020-01-01 00:00:00", "WH_F0045", "Text 1"),
            ],
            "other": [ResultRow("id2", "a" * 32, "??_author2", "/x", "2020-01-01 00:00:00", "??", "Text 2")],
        },
        digests=batch.digests,
    )
    assert authors == {"fbfans": {"WH_F0045_ A", "WH_F0045_author3"}, "other": {"??_author2"}}
    assert batch.digests["other"] == digest_of("??_author2")
    assert len(batch.digests["fbfans"]) == 2 * 16


def test_two_labels_with_one_panel_give_one_row() -> None:
    batch, _ = BatchBuilder(TASK, ["女性", "female"]).build([row(1)], [(0, 1)])
    assert [result.panel for result in batch.results["fbfans"]] == ["/female"]


def test_authors_are_left_out_only_once_they_are_committed() -> None:
    builder = BatchBuilder(TASK, ["x"])
    first, authors = builder.build([row(1)], [()])
    again, _ = builder.build([row(1)], [()])
    assert first.digests == again.digests == {"fbfans": digest_of("WH_F0045_author1")}
    builder.remember(authors)
    assert builder.build([row(1)], [()])[0].digests == {}
    assert builder.build([row(1, s_id="??")], [()])[0].digests == {"other": digest_of("??_author1")}
