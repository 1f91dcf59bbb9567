"""Where ids follow time, slices are read as the table lies, window by window; elsewhere by time; each row once."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

import pytest

from database.worker_runs import Stage
from labeltask_contract.task_document import TaskDocument
from labeltask_store.connection import DbConnection, open_connection
from labeltask_store.source_access import Access, Position, find_access
from labeltask_store.source_rows import BATCH_BYTES, SourceReader
from labeltask_store.source_windows import find_window
from labeltask_testing.source_rows import Post, generate_posts, with_ids_in_no_order

BEGIN, UNTIL = "2020-01-10 00:00:00", "2020-01-12 00:00:00"
"""A slice: two of the 31 days that the posts lie in."""
IN_SLICE = f"post_time >= '{BEGIN}' AND post_time < '{UNTIL}' AND s_id IS NOT NULL AND author IS NOT NULL"


Made = Callable[[Iterator[Post]], Iterator[Post]]


class Seen(NamedTuple):
    """A source row as it was read."""

    id: str
    s_id: str
    author: str
    post_time: str
    text: str


@pytest.fixture
def stream(stage: Stage) -> Iterator[DbConnection]:
    opened = open_connection(stage.connection, "mysqlclient", stream=True)
    yield opened
    opened.close()


def posts_of_slice(*ids: str, first: datetime = datetime(2020, 1, 10), content: str = "content") -> Iterator[Post]:
    for number, id_ in enumerate(ids):
        moment = first + timedelta(seconds=number)
        yield Post(id_, "WH_F0045", "area", "author", "title", content, moment)


def access_to(stage: Stage, task: TaskDocument) -> Access:
    db = open_connection(stage.connection, "mysqlclient")
    access = find_access(db, task)
    db.close()
    return access


def reader(stage: Stage, predict_type: str = "author_name") -> SourceReader:
    task = stage.task(batch_rows=100, predict_type=predict_type).document
    return SourceReader(task, access_to(stage, task))


def read(
    stage: Stage, stream: DbConnection, behind: Position | None = None, predict_type: str = "author_name"
) -> tuple[list[Seen], list[int]]:
    """Return the slice's rows, in the order in which they came, and how many came at a time."""
    rows: list[Seen] = []
    sizes = []
    for batch in reader(stage, predict_type).iter_batches(stream, BEGIN, UNTIL, behind):
        columns = (batch.ids, batch.s_ids, batch.authors, batch.post_times, batch.texts)
        rows += [Seen(*(value.decode() for value in row)) for row in zip(*columns, strict=True)]
        sizes.append(len(batch))
    return rows, sizes


def stored(stage: Stage, column: str = "author") -> list[Seen]:
    """Return the slice's rows by a plain statement, in the order in which they should come."""
    rows = stage.server.execute(
        f"SELECT id, s_id, author, CAST(post_time AS CHAR(26)), `{column}` FROM `{stage.input_schema}`.ts_page_content "
        f"WHERE {IN_SLICE} ORDER BY post_time, id"
    )
    return [Seen(*row) for row in rows]


def is_read_in_windows(stage: Stage, stream: DbConnection) -> bool:
    task = stage.task().document
    access = access_to(stage, task)
    return bool(
        access.lies_by_id and access.index and find_window(stream, task, access.index, BEGIN, UNTIL, most_rows=100)
    )


def shuffled_by_id(posts: Iterable[Post]) -> Iterator[Post]:
    """Yield posts whose ids follow time, but for the order within each hour."""
    for post in posts:
        hour = f"{post.post_time:%Y%m%d%H}" if post.post_time else "0"
        yield post._replace(id=hour + next(with_ids_in_no_order([post])).id[:20])


@pytest.mark.parametrize(
    ("made", "in_windows"),
    [(iter, True), (shuffled_by_id, True), (with_ids_in_no_order, False)],
    ids=["ids follow time", "ids follow time by the hour", "ids in no order"],
)
def test_a_slice_comes_in_the_order_of_time_whatever_the_order_of_the_table(
    stage: Stage, stream: DbConnection, made: Made, in_windows: bool
) -> None:
    stage.load(made(generate_posts(20_000, seed=1)))
    assert is_read_in_windows(stage, stream) is in_windows
    rows, sizes = read(stage, stream)
    assert rows == stored(stage)
    assert max(sizes) <= 100


@pytest.mark.parametrize("made", [iter, shuffled_by_id, with_ids_in_no_order])
def test_reading_goes_on_behind_any_row(stage: Stage, stream: DbConnection, made: Made) -> None:
    # Five posts of each second, so that a place is often among rows of one time.
    stage.load(
        post._replace(post_time=datetime(2020, 1, 10) + timedelta(seconds=number // 5))
        for number, post in enumerate(made(generate_posts(600, seed=2)))
    )
    whole = stored(stage)
    for number in range(0, len(whole), 37):
        rows, _ = read(stage, stream, Position(whole[number].post_time, whole[number].id))
        assert rows == whole[number + 1 :]
    assert read(stage, stream, Position(whole[-1].post_time, whole[-1].id)) == ([], [])


def test_fractions_of_a_second_are_a_place_too(stage: Stage, stream: DbConnection) -> None:
    stage.server.execute(f"ALTER TABLE `{stage.input_schema}`.ts_page_content MODIFY post_time DATETIME(3)")
    stage.load(
        post._replace(post_time=datetime(2020, 1, 11) + timedelta(milliseconds=number // 3))
        for number, post in enumerate(generate_posts(1_500, seed=3))
    )
    whole = stored(stage)
    assert read(stage, stream)[0] == whole
    behind = Position(whole[700].post_time + "000", whole[700].id)
    assert read(stage, stream, behind)[0] == whole[701:]


def test_rows_of_one_time_keep_the_order_that_the_database_gives_their_ids(stage: Stage, stream: DbConnection) -> None:
    stage.server.execute(
        f"ALTER TABLE `{stage.input_schema}`.ts_page_content MODIFY id VARCHAR(32) COLLATE utf8mb4_general_ci NOT NULL"
    )
    moment = datetime(2020, 1, 10)
    stage.load(post._replace(post_time=moment) for post in posts_of_slice("b", "C", "a", "D", "é", "F"))
    rows, _ = read(stage, stream)
    assert [row.id for row in rows] == ["a", "b", "C", "D", "é", "F"]
    behind, _ = read(stage, stream, Position(str(moment), "b"))
    assert [row.id for row in behind] == ["C", "D", "é", "F"]


def test_more_rows_of_one_time_than_a_batch_may_hold_are_read_in_several(stage: Stage, stream: DbConnection) -> None:
    stage.load(
        post._replace(post_time=datetime(2020, 1, 10, 5)) for post in posts_of_slice(*(f"{n:04d}" for n in range(350)))
    )
    rows, sizes = read(stage, stream)
    assert ([row.id for row in rows], sizes) == ([f"{n:04d}" for n in range(350)], [100, 100, 100, 50])


def test_texts_that_are_larger_than_those_before_are_read_in_smaller_batches(
    stage: Stage, stream: DbConnection
) -> None:
    small, large = [f"a{n:04d}" for n in range(250)], [f"b{n:04d}" for n in range(60)]
    stage.load(posts_of_slice(*small))
    stage.load(posts_of_slice(*large, first=datetime(2020, 1, 11), content="x" * (BATCH_BYTES // 16)))
    rows, sizes = read(stage, stream, predict_type="content")
    assert [row.id for row in rows] == small + large
    assert rows == stored(stage, "content")
    texts = iter(len(row.text) for row in rows)
    # A batch ends with the fetch that reaches its limit.
    assert max(sum(islice(texts, size)) for size in sizes) <= 2 * BATCH_BYTES


def test_rows_that_can_not_be_read_say_nothing_of_the_size_of_those_that_can(
    stage: Stage, stream: DbConnection
) -> None:
    stage.load(post._replace(author=None) for post in posts_of_slice(*(f"a{n:04d}" for n in range(250))))
    stage.load(posts_of_slice(*(f"b{n:04d}" for n in range(250)), first=datetime(2020, 1, 11)))
    rows, sizes = read(stage, stream)
    assert ([row.id for row in rows], sizes) == ([f"b{n:04d}" for n in range(250)], [50, 100, 100])


@pytest.mark.parametrize(
    "change",
    ["DROP PRIMARY KEY", "DROP PRIMARY KEY, ADD UNIQUE KEY (id)", "DROP PRIMARY KEY, ADD PRIMARY KEY (id, post_time)"],
)
def test_a_table_that_does_not_lie_in_the_order_of_ids_is_read_by_time(
    stage: Stage, stream: DbConnection, change: str
) -> None:
    stage.server.execute(
        f"ALTER TABLE `{stage.input_schema}`.ts_page_content MODIFY post_time DATETIME NOT NULL, {change}"
    )
    stage.load(generate_posts(2_000, seed=5))
    assert not is_read_in_windows(stage, stream)
    assert read(stage, stream)[0] == stored(stage)


def test_a_row_written_while_its_slice_is_read_is_in_no_part_of_it_or_in_the_one_it_belongs_to(
    stage: Stage, stream: DbConnection
) -> None:
    stage.load(posts_of_slice(*(f"m{n:04d}" for n in range(300))))
    batches = reader(stage).iter_batches(stream, BEGIN, UNTIL, None)
    found = [id_.decode() for id_ in next(batches).ids]
    # Before all ids and behind all times: no window that was found by then has room for it.
    stage.load(posts_of_slice("a0000", first=datetime(2020, 1, 11)))
    found += [id_.decode() for batch in batches for id_ in batch.ids]
    assert found == [f"m{n:04d}" for n in range(300)]
