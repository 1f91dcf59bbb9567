"""What the worker's benchmarks read: a big table of realistic posts, and rules that label a set share of them.

Deterministic in rows and seed. Contents are about 200 characters of published reviews; keywords are cut from such texts
and shuffled, so that they have real letters and hit hardly anything, but for a few frequent words that make the share.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any
from zlib import crc32

from labeltask_testing.mariadb import Server
from labeltask_testing.source_rows import Post, create_source_table, generate_posts, load_posts

SCHEMA = "bench_in"
START, END = datetime(2020, 1, 1), datetime(2021, 1, 1)
CONTENT_CHARACTERS = 200
AUTHORS = 97_770
SHARE = 0.15
HOME_PERCENT = 70
_HOMES = ("WH_F0045", "WH_F0001", "WH_F0116", "WH_N0001", "WH_F0147", "WH_F0183", "WH_F0157", "WH_F0165", "wh_v001")
_MATCH_TYPES = ["partially", "partially", "absolutely", "start", "end", ["start", "end"]]


def posts(rows: int, *, seed: int = 1, end: datetime = END, characters: int = CONTENT_CHARACTERS) -> Iterator[Post]:
    """Yield posts of one year; contents grow to about ``characters`` by the texts of the posts before."""
    before = ""
    for post in generate_posts(rows, seed, start=START, end=end, authors=min(AUTHORS, max(5, rows // 10))):
        # Most of what an author writes stands in one place.
        if post.author and post.s_id and post.content and crc32(post.content.encode()) % 100 < HOME_PERCENT:
            post = post._replace(s_id=_HOMES[crc32(post.author.encode()) % len(_HOMES)])
        content = post.content
        if content is not None:
            before = (content + before)[:characters]
            content = before
        yield post._replace(content=content)


def ensure_table(server: Server, rows: int, table: str | None = None, **shape: Any) -> str:
    """Have a table with that many posts, filled once; return its name."""
    name = table or f"posts_{rows}"
    with server.admin() as db:
        create_source_table(db, SCHEMA, name)
        with db.cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*) FROM `{SCHEMA}`.`{name}`")
            if cursor.fetchall() != ((rows,),):
                cursor.execute(f"TRUNCATE TABLE `{SCHEMA}`.`{name}`")
                db.begin()
                load_posts(db, SCHEMA, name, posts(rows, **shape))
            cursor.execute(f"ANALYZE TABLE `{SCHEMA}`.`{name}`")
    return name


def repeat_rows(server: Server, table: str, times: int) -> str:
    """Have a table with each row that many times under other ids, in the order of time; return its name."""
    name = f"{table}_times_{times}"
    server.execute(
        "SET SESSION join_cache_level = 0",
        f"DROP TABLE IF EXISTS `{SCHEMA}`.`{name}`",
        f"CREATE TABLE `{SCHEMA}`.`{name}` LIKE `{SCHEMA}`.`{table}`",
        f"INSERT INTO `{SCHEMA}`.`{name}` (id, s_id, s_area_id, author, title, content, post_time) "
        "SELECT STRAIGHT_JOIN CONCAT(p.id, '_', n.seq), s_id, s_area_id, author, title, content, post_time "
        f"FROM `{SCHEMA}`.`{table}` p FORCE INDEX (PRIMARY), `{SCHEMA}`.seq_1_to_{times} n",
        f"ANALYZE TABLE `{SCHEMA}`.`{name}`",
    )
    return name


def sample_texts(server: Server, table: str, share: float) -> tuple[list[str], list[str]]:
    """Return authors and contents of about that share of a table's rows, from all over it."""
    rows = server.execute(
        f"SELECT author, content FROM `{SCHEMA}`.`{table}` WHERE CRC32(id) < {int(min(share, 1.0) * 2**32)} ORDER BY id"
    )
    return [author for author, _ in rows if author], [content for _, content in rows if content]


def keywords(
    texts: Sequence[str], count: int, *, share: float = SHARE, labels: int = 8, seed: int = 2
) -> dict[str, Any]:
    """Return a keyword_model of ``count`` keywords of mixed match types that labels about ``share`` of ``texts``."""
    chance = random.Random(seed)
    lowered = [text.lower() for text in texts]
    whole = "\n".join(lowered)
    pattern: dict[str, list[Any]] = {f"標籤{number}": [] for number in range(labels)}
    rules = list(pattern.values())
    seen: set[str] = set()
    while len(seen) < count:
        letters = list(chance.choice(texts).strip())
        first = chance.randrange(len(letters)) if letters else 0
        cut = letters[first : first + chance.choice((2, 3, 3, 4, 6))]
        chance.shuffle(cut)
        word = "".join(cut) + ("" if len(cut) > 2 else str(len(seen)))
        if word.strip() and word not in seen and word.lower() not in whole:
            seen.add(word)
            chance.choice(rules).append([word, chance.choice(_MATCH_TYPES)])
    labelled: set[int] = set()
    for word in islice(_frequent_words(lowered, chance), 1_000):
        if len(labelled) >= SHARE * len(texts):
            break
        hits = {number for number, text in enumerate(lowered) if word in text}
        if len(labelled | hits) <= 1.1 * SHARE * len(texts):
            labelled |= hits
            chance.choice(rules).append([word, "partially"])
    return pattern


def expressions(texts: Sequence[str], *, count: int = 50, labels: int = 4, seed: int = 3) -> dict[str, Any]:
    """Return a rule_model of ``count`` expressions of the kinds that people write; one of them has no literal."""
    chance = random.Random(seed)
    lowered = [text.lower() for text in texts]
    words = list(islice(_frequent_words(lowered[:2_000], chance, most=0.004), 150))
    shapes = ["{0}({1}|{2})", "{0}.{{0,6}}{1}", "(?<={0}){1}", "{0}|{1}", "^{0}|{0}$", "{0}\\s*\\d+", "[{0}]{1}{2}"]
    pattern: dict[str, list[str]] = {f"規則{number}": [] for number in range(labels)}
    made = [chance.choice(shapes).format(*chance.sample(words, 3)) for _ in range(count - 1)]
    for number, expression in enumerate([*made, r"\d{4}[-/]\d{2}"]):
        pattern[f"規則{number % labels}"].append(expression)
    return pattern


def _frequent_words(texts: Sequence[str], chance: random.Random, most: float = 0.02) -> Iterator[str]:
    """Yield pairs of letters that stand in some of the texts, but in no more than a share of ``most``."""
    while True:
        text = chance.choice(texts)
        if len(text) < 2:
            continue
        first = chance.randrange(len(text) - 1)
        word = text[first : first + 2]
        if word.isalnum() and 0 < sum(word in other for other in texts) <= most * len(texts):
            yield word
