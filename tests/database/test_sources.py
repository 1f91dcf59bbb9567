"""Source tables of every shape: skewed in time, without a key, with ids that a collation takes for equal."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from database.worker_runs import Stage, eventually, rows_committed
from labeltask_testing.source_rows import Post, generate_posts


def crowd(count: int) -> Iterator[Post]:
    """Posts of which nine in ten lie in one hour."""
    hour = datetime(2020, 1, 15, 10)
    for number, post in enumerate(generate_posts(count, seed=1)):
        seconds = 3_600 * number // count
        moment = post.post_time if number % 10 == 0 else hour + timedelta(seconds=seconds)
        yield post._replace(post_time=moment)


def test_a_table_with_most_of_its_rows_in_one_hour_is_shared_evenly(stage: Stage) -> None:
    stage.load(crowd(6_000))
    task = stage.task(slice_rows=300, batch_rows=100, parallelism=2, policy="all")
    with task.hold(rows=1) as hold:
        first, second = (task.start(index=index) for index in range(2))
        # Each with its first slice: a worker may do all before the next one has started.
        hold.reached(workers=2)
    assert [run.wait().code for run in (first, second)] == [0, 0]
    task.check()
    slices = stage.server.execute(
        f"SELECT COUNT(*), MAX(rows_read), COUNT(DISTINCT owner_index) FROM `{stage.output_schema}`.label_slice"
    )
    count, most, owners = slices[0]
    assert count >= 6_000 / 300
    assert most <= 300
    assert owners == 2


@pytest.mark.parametrize("collation", ["utf8mb4_bin", "utf8mb4_general_ci", "utf8mb4_unicode_ci"])
def test_ids_that_differ_in_case_only_are_read_once_each_in_a_table_without_a_key(stage: Stage, collation: str) -> None:
    table = f"`{stage.input_schema}`.ts_page_content"
    stage.server.execute(f"ALTER TABLE {table} DROP PRIMARY KEY, CONVERT TO CHARACTER SET utf8mb4 COLLATE {collation}")
    moment = datetime(2020, 1, 15)
    ids = [f"row_{number}_{letter}" for number in range(50) for letter in ("a", "A", "á", "ａ")]
    stage.load(Post(id_, "WH_F0045", "x", "女孩", "t", "c", moment) for id_ in ids)
    # Batches end between ids that the collation takes for one another.
    task = stage.task(batch_rows=3)
    task.run_to_success()
    assert task.check().state["length_receive_table"] == len(ids)


def test_a_worker_that_goes_on_in_the_middle_of_such_ids_reads_each_once(stage: Stage) -> None:
    table = f"`{stage.input_schema}`.ts_page_content"
    stage.server.execute(
        f"ALTER TABLE {table} DROP PRIMARY KEY, CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
    )
    moment = datetime(2020, 1, 15)
    ids = [f"row_{number:04d}_{letter}" for number in range(1_000) for letter in ("a", "A")]
    stage.load(Post(id_, "WH_F0045", "x", "女孩", "t", "c", moment) for id_ in ids)
    task = stage.task(batch_rows=3)
    for threshold in (100, 400, 900):
        run = task.start()
        eventually(lambda: rows_committed(task) >= threshold)  # noqa: B023
        run.kill()
    task.run_to_success()
    assert task.check().state["length_receive_table"] == len(ids)
