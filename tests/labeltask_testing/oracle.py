"""An independent relabelling, slow and plain: what a task's tables must hold, worked out with pandas and ``re``.

It shares no code with the product and imports none of it; rules and settings come in as a caller writes them.
labelling.md is its only source.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

import pandas as pd

TABLES = {
    "WH_F0045": "fbfans", "WH_F0001": "Ptt", "WH_F0116": "forum", "WH_N0001": "news", "WH_B0002": "blog",
    "WH_F0147": "Youtube", "WH_F0183": "Comment", "WH_F0157": "Instagram", "WH_F0501": "Tiktok",
    "WH_F0127": "Twitter", "WH_F0165": "fbgroup", "WH_F0071": "fbkol", "WH_F0072": "fbpm",
    "WH_F0167": "fbprivategroup", "WH_F0038": "plurk", "wh_v001": "video",
}  # fmt: skip
PREFIXES = (("WH_N", "news"), ("WH_B", "blog"), ("WH_F", "forum"))
TRANSLATIONS = {
    "男性": "male", "女性": "female", "未婚": "unmarried", "已婚": "married", "孩子": "child", "有子女": "parenting",
    "青年": "young", "上班族": "employee", "學生": "student",
}  # fmt: skip
GROUPS = (("/male", "/female"), ("/unmarried", "/married"))
COLUMN_OF = {"author_name": "author", "content": "content", "s_area_id": "s_area_id", "title": "title"}

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Expected:
    """Rows by table, each (id, task_id, source_author, panel, create_time, field_content, match_content), sorted."""

    results: dict[str, list[Row]]
    production: dict[str, list[Row]]
    state: dict[str, Any]


def relabel(
    posts: Iterable[Sequence[Any]],
    pattern: Mapping[str, Sequence[Any]],
    *,
    task_id: str,
    model_type: str,
    predict_type: str,
    policy: str,
    start: datetime,
    end: datetime,
) -> Expected:
    """Return what the tables hold then; a post is (id, s_id, s_area_id, author, title, content, post_time)."""
    records: list[Any] = [list(post) for post in posts]
    names = ["id", "s_id", "s_area_id", "author", "title", "content", "post_time"]
    frame = pd.DataFrame(records, columns=names, dtype=object)
    column = COLUMN_OF[predict_type]
    frame = frame.dropna(subset=["s_id", "author", column, "post_time"])
    frame = frame.loc[pd.Series([start <= moment < end for moment in frame["post_time"]], frame.index, dtype=bool)]
    texts: list[Any] = list(frame[column])
    panels: list[Any] = [_panels(text, pattern, model_type, policy) for text in texts]
    frame = frame.assign(
        table=[_table(source) for source in frame["s_id"]],
        source_author=[f"{s}_{a}".strip() for s, a in zip(frame["s_id"], frame["author"], strict=True)],
        panels=panels,
    )
    labelled = frame.explode("panels").dropna(subset=["panels"])
    columns = ["table", "id", "source_author", "panels", "post_time", "s_id", column]
    rows = [
        (table, (id_, task_id, author, panel, moment.replace(microsecond=0), source, text))
        for table, id_, author, panel, moment, source, text in zip(*(labelled[name] for name in columns), strict=True)
    ]
    results: dict[str, list[Row]] = {}
    for table, row in rows:
        results.setdefault(table, []).append(row)
    results = {table: sorted(results[table], key=_key) for table in sorted(results)}
    production = {table: _reduce(group) for table, group in results.items()}
    authors = {table: frame[frame["table"] == table]["source_author"].nunique() for table in results}
    rates = [_rate(len(production[table]), authors[table]) for table in results]
    state = {
        "stat": "SUCCESS",
        "prod_stat": "finish" if results else "no_data",
        "length_receive_table": len(frame),
        "length_output_table": len(rows),
        "result": ",".join(results) or None,
        "length_prod_table": ",".join(str(len(production[table])) for table in results) or None,
        "uniq_source_author": ",".join(str(authors[table]) for table in results) or None,
        "rate_of_label": ",".join(rates) or None,
        "error_message": None,
    }
    return Expected(results, production, state)


def _table(source: str) -> str:
    if source in TABLES:
        return TABLES[source]
    return next((table for prefix, table in PREFIXES if source.startswith(prefix)), "other")


def _panels(text: str, pattern: Mapping[str, Sequence[Any]], model_type: str, policy: str) -> list[str]:
    count = _keyword_count if model_type == "keyword_model" else _rule_count
    counts = [(label, count(text.lower(), rules)) for label, rules in pattern.items()]
    hits = [(label, number) for label, number in counts if number > 0]
    if policy == "first":
        hits = hits[:1]
    elif policy == "most" and hits:
        most = max(number for _, number in hits)
        hits = [hit for hit in hits if hit[1] == most][:1]
    return list(dict.fromkeys("/" + TRANSLATIONS.get(label, label) for label, _ in hits))


def _keyword_count(text: str, rules: Sequence[Any]) -> int:
    anywhere = False
    others = 0
    for keyword, matches in rules:
        word = keyword.lower()
        for match in [matches] if isinstance(matches, str) else matches:
            if match == "partially":
                anywhere = anywhere or text.find(word) >= 0
            elif match in ("absolutely", "exactly"):
                others += text == word
            elif match == "start":
                others += text[: len(word)] == word
            elif match == "end":
                others += len(text) >= len(word) and text[len(text) - len(word) :] == word
            else:
                raise ValueError(match)
    return int(anywhere) + others


def _rule_count(text: str, rules: Sequence[str]) -> int:
    return sum(re.search(rule, text) is not None for rule in rules)


def _reduce(rows: Sequence[Row]) -> list[Row]:
    latest: dict[tuple[str, str], Row] = {}
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row[2], row[3])
        counts[key] = counts.get(key, 0) + 1
        if key not in latest or (row[4], row[0]) > (latest[key][4], latest[key][0]):
            latest[key] = row
    kept = dict(latest)
    for author, panel in latest:
        for group in GROUPS:
            rivals = [counts.get((author, other), 0) for other in group if other != panel]
            if panel in group and max(rivals) >= counts[author, panel]:
                kept.pop((author, panel), None)
    return sorted(kept.values(), key=_key)


def _rate(produced: int, authors: int) -> str:
    hundredths = int(Fraction(100 * 100 * produced, authors) + Fraction(1, 2))
    return f"{hundredths / 100:.2f}"


def _key(row: Row) -> tuple[str, str]:
    return (row[0], row[3])
