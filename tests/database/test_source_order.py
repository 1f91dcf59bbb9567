"""Where ids follow time a slice is read as the table lies, in the order of ids; elsewhere by time; each row once."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest

from database.worker_runs import Stage
from labeltask_contract.task_document import TaskDocument
from labeltask_store.connection import DbConnection, open_connection
from labeltask_store.source_access import Access, Position, find_access
from labeltask_store.source_order import plan_reading
from labeltask_store.source_rows import FETCH_ROWS, PORTION_BYTES, PORTION_ROWS, RowStream, open_slice
from labeltask_testing.source_rows import Post, generate_posts, with_ids_in_no_order

BEGIN, UNTIL = "2020-01-10 00:00:00", "2020-01-12 00:00:00"
"""A slice: two of the 31 days that the posts lie in."""
BY_ID, BY_TIME = "id", "post_time, id"

Made = Callable[[Iterator[Post]], Iterator[Post]]


class Seen(NamedTuple):
    """A source row as it was read."""

    id: str
    s_id: str
    post_time: str
    author: str
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


def opened(
    stage: Stage,
    stream: DbConnection,
    behind: Position | None = None,
    predict_type: str = "author_name",
    *,
    end: str = UNTIL,
    batch_rows: int = 100,
) -> RowStream:
    task = stage.task(batch_rows=batch_rows, predict_type=predict_type).document
    return open_slice(stream, task, access_to(stage, task), BEGIN, end, behind)


def read(rows: RowStream, *, own_text: bool = False) -> tuple[list[Seen], list[int]]:
    """Return a slice's rows, in the order in which they came, and how many came at a time."""
    seen: list[Seen] = []
    sizes = []
    for portion in rows.portions():
        for row, text in zip(portion.rows, portion.texts, strict=True):
            assert len(row) == 4 + own_text
            id_, s_id, post_time, author = (value.decode() for value in row[:4])
            seen.append(Seen(id_, s_id, post_time, author, text.decode()))
        sizes.append(len(portion))
    return seen, sizes


def stored(stage: Stage, order: str, column: str = "author", end: str = UNTIL) -> list[Seen]:
    """Return the slice's rows by a plain statement, in the order in which they should come."""
    rows = stage.server.execute(
        f"SELECT id, s_id, CAST(post_time AS CHAR(26)), author, `{column}` FROM `{stage.input_schema}`.ts_page_content "
        f"WHERE post_time >= '{BEGIN}' AND post_time < '{end}' AND s_id IS NOT NULL AND author IS NOT NULL "
        f"ORDER BY {order}"
    )
    return [Seen(*row) for row in rows]


def is_read_by_id(stage: Stage, stream: DbConnection, end: str = UNTIL) -> bool:
    task = stage.task().document
    planned = plan_reading(stream, task, access_to(stage, task), BEGIN, end, None)
    # It sees what is there now, not later.
    stream.rollback()
    return planned.by_id


def shuffled_by_id(posts: Iterable[Post]) -> Iterator[Post]:
    """Yield posts whose ids follow time, but for the order within each hour."""
    for post in posts:
        hour = f"{post.post_time:%Y%m%d%H}" if post.post_time else "0"
        yield post._replace(id=hour + next(with_ids_in_no_order([post])).id[:20])


ORDERS = pytest.mark.parametrize(
    ("made", "order"),
    [(iter, BY_ID), (shuffled_by_id, BY_ID), (with_ids_in_no_order, BY_TIME)],
    ids=["ids follow time", "ids follow time by the hour", "ids in no order"],
)


@ORDERS
def test_each_row_of_a_slice_comes_once(stage: Stage, stream: DbConnection, made: Made, order: str) -> None:
    stage.load(made(generate_posts(20_000, seed=1)))
    assert is_read_by_id(stage, stream) is (order == BY_ID)
    rows, sizes = read(opened(stage, stream))
    assert rows == stored(stage, order)
    assert max(sizes) <= 100


@ORDERS
def test_reading_goes_on_behind_any_row(stage: Stage, stream: DbConnection, made: Made, order: str) -> None:
    # Five posts of each second, so that a place is often among rows of one time.
    stage.load(
        post._replace(post_time=datetime(2020, 1, 10) + timedelta(seconds=number // 5))
        for number, post in enumerate(made(generate_posts(600, seed=2)))
    )
    # Others, so that rows of this slice are not all there are.
    stage.load(
        post._replace(id=f"{'9' if order == BY_ID else ''}{post.id}"[:32])
        for post in made(generate_posts(6_000, seed=3, start=datetime(2020, 1, 20)))
    )
    assert is_read_by_id(stage, stream) is (order == BY_ID)
    whole = stored(stage, order)
    for number in range(0, len(whole), 37):
        behind = Position(None if order == BY_ID else whole[number].post_time, whole[number].id)
        assert read(opened(stage, stream, behind))[0] == whole[number + 1 :]
    last = Position(None if order == BY_ID else whole[-1].post_time, whole[-1].id)
    assert read(opened(stage, stream, last)) == ([], [])


@ORDERS
def test_a_position_is_that_of_the_last_row(stage: Stage, stream: DbConnection, made: Made, order: str) -> None:
    stage.load(made(generate_posts(5_000, seed=4)))
    portions = list(opened(stage, stream).portions())
    last = portions[-1].rows[-1]
    expected = Position(None if order == BY_ID else last[2].decode(), last[0].decode())
    assert portions[-1].last == expected


def test_a_slice_whose_rows_are_gone_when_it_is_taken_up_again_is_empty(stage: Stage, stream: DbConnection) -> None:
    stage.load(posts_of_slice("a", "b"))
    stage.server.execute(f"DELETE FROM `{stage.input_schema}`.ts_page_content")
    assert read(opened(stage, stream, Position(None, "a"))) == ([], [])


def test_fractions_of_a_second_are_a_place_too(stage: Stage, stream: DbConnection) -> None:
    stage.server.execute(f"ALTER TABLE `{stage.input_schema}`.ts_page_content MODIFY post_time DATETIME(3)")
    stage.load(
        post._replace(post_time=datetime(2020, 1, 11) + timedelta(milliseconds=number // 3))
        for number, post in enumerate(generate_posts(1_500, seed=3))
    )
    whole = stored(stage, BY_TIME)
    behind = Position(whole[700].post_time + "000", whole[700].id)
    assert read(opened(stage, stream, behind))[0] == whole[701:]


@pytest.mark.parametrize("end", [UNTIL, "2020-01-10 00:00:01"], ids=[BY_ID, BY_TIME])
def test_rows_keep_the_order_that_the_database_gives_their_ids(stage: Stage, stream: DbConnection, end: str) -> None:
    stage.server.execute(
        f"ALTER TABLE `{stage.input_schema}`.ts_page_content MODIFY id VARCHAR(32) COLLATE utf8mb4_general_ci NOT NULL"
    )
    moment = datetime(2020, 1, 10)
    stage.load(post._replace(post_time=moment) for post in posts_of_slice("b", "C", "a", "D", "é", "F"))
    rows, _ = read(opened(stage, stream, end=end))
    assert [row.id for row in rows] == ["a", "b", "C", "D", "é", "F"]
    behind = Position(None if end == UNTIL else str(moment), "b")
    assert [row.id for row in read(opened(stage, stream, behind, end=end))[0]] == ["C", "D", "é", "F"]


def test_a_slice_of_one_second_which_may_be_of_any_size_is_read_by_time(stage: Stage, stream: DbConnection) -> None:
    stage.load(
        post._replace(post_time=datetime(2020, 1, 10)) for post in posts_of_slice(*(f"{n:04d}" for n in range(350)))
    )
    second = "2020-01-10 00:00:01"
    assert not is_read_by_id(stage, stream, end=second)
    rows, sizes = read(opened(stage, stream, end=second))
    assert ([row.id for row in rows], sizes) == ([f"{n:04d}" for n in range(350)], [100, 100, 100, 50])


def test_a_few_ids_far_from_the_others_have_a_slice_of_a_large_table_read_by_time(
    stage: Stage, stream: DbConnection
) -> None:
    stage.load(generate_posts(20_000, seed=1))
    assert is_read_by_id(stage, stream)
    stage.load(posts_of_slice("0", "z"))
    assert not is_read_by_id(stage, stream)
    assert read(opened(stage, stream))[0] == stored(stage, BY_TIME)


def test_portions_end_where_batches_do(stage: Stage, stream: DbConnection) -> None:
    stage.load(generate_posts(60_000, seed=1))
    rows, sizes = read(opened(stage, stream, batch_rows=PORTION_ROWS + 700))
    assert sizes == [PORTION_ROWS, 700, len(rows) - PORTION_ROWS - 700]


def test_texts_that_are_larger_than_those_before_are_read_in_smaller_portions(
    stage: Stage, stream: DbConnection
) -> None:
    small, large = [f"a{n:04d}" for n in range(2 * FETCH_ROWS)], [f"b{n:04d}" for n in range(FETCH_ROWS)]
    stage.load(posts_of_slice(*small))
    text = PORTION_BYTES // 16
    for number in range(0, FETCH_ROWS, 32):
        first = datetime(2020, 1, 11) + timedelta(seconds=number)
        stage.load(posts_of_slice(*large[number : number + 32], first=first, content="x" * text))
    rows, sizes = read(opened(stage, stream, predict_type="content", batch_rows=10_000), own_text=True)
    assert [row.id for row in rows] == small + large
    assert rows == stored(stage, BY_ID, "content")
    # What is fetched once can't be known before; the next ones are as small as they should be.
    longest, *others = sizes
    assert len(small) <= longest <= len(small) + FETCH_ROWS
    assert all(size * text <= 2 * PORTION_BYTES for size in others)


def test_authors_as_long_as_texts_count_too(stage: Stage, stream: DbConnection) -> None:
    author = "x" * 50_000
    stage.load(post._replace(author=author) for post in posts_of_slice(*(f"a{n:04d}" for n in range(100))))
    _, sizes = read(opened(stage, stream, predict_type="content", batch_rows=10_000), own_text=True)
    assert max(sizes) * len(author) <= 2 * PORTION_BYTES
    assert sum(sizes) == 100


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
    assert not is_read_by_id(stage, stream)
    assert read(opened(stage, stream))[0] == stored(stage, BY_TIME)


def test_a_slice_that_is_read_by_id_tells_how_many_rows_are_left(stage: Stage, stream: DbConnection) -> None:
    stage.load(posts_of_slice(*(f"m{n:04d}" for n in range(250))))
    stage.load(post._replace(author=None) for post in posts_of_slice(*(f"n{n:04d}" for n in range(50))))
    rows = opened(stage, stream)
    assert [rows.rows_left for _ in rows.portions()] == [200, 100, 0]


def test_how_many_rows_are_left_of_a_slice_that_is_read_by_time_is_known_at_its_end(
    stage: Stage, stream: DbConnection
) -> None:
    stage.load(with_ids_in_no_order(generate_posts(20_000, seed=1)))
    rows = opened(stage, stream)
    left = [rows.rows_left for _ in rows.portions()]
    assert left == [None] * (len(left) - 1) + [0]


@pytest.mark.parametrize("id_", ["a0000", "m0150x", "z0000"])
def test_a_row_written_while_its_slice_is_read_is_in_no_part_of_it(
    stage: Stage, stream: DbConnection, id_: str
) -> None:
    stage.load(posts_of_slice(*(f"m{n:04d}" for n in range(300))))
    portions = opened(stage, stream).portions()
    found = [row[0].decode() for row in next(portions).rows]
    stage.load(posts_of_slice(id_, first=datetime(2020, 1, 11)))
    found += [row[0].decode() for portion in portions for row in portion.rows]
    assert found == [f"m{n:04d}" for n in range(300)]
