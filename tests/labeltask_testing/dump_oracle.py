"""What a dump shall hold, by pandas and from the wording of the contract alone: nothing of the product is imported.

labelling.md, "dump_result". Rows are (source_author, panel, create_time); NOW stands for the moment of the dump.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import pandas as pd

NOW = datetime(1999, 9, 9)
DumpRow = tuple[str | None, str | None, datetime | None]
PANELS = {"GENDER": ["/male", "/female"], "MARRIAGE": ["/unmarried", "/married"]}
SHELVES = {
    "fb": ["fbfans", "fbgroup", "fbkol", "fbpm", "fbprivategroup"],
    "forum": ["forum", "Dcard"],
    "bbs": ["Ptt"],
    "social": ["Instagram", "Tiktok", "Twitter", "plurk"],
    "comment": ["Comment"],
    "youtube": ["Youtube"],
    "news": ["news"],
    "Blog": ["blog"],
}


def dump(
    produced: Mapping[str, Iterable[tuple[str, str]]],
    previous: Mapping[str, Iterable[DumpRow]],
    group: str,
) -> dict[str, list[DumpRow]]:
    """Return every dump table's rows, sorted.

    ``produced``: (source_author, panel) of the tasks' production rows by result table, a pair as often as tasks gave
    it; ``previous``: rows by shelf table, a table that does not exist left out.
    """
    return {
        shelf: sorted(
            _merge(
                [pair for table in tables for pair in produced.get(table, ())],
                list(previous.get(shelf, ())),
                PANELS[group],
            ),
            key=repr,
        )
        for shelf, tables in SHELVES.items()
    }


def _merge(produced: Sequence[tuple[str, str]], previous: Sequence[DumpRow], panels: Sequence[str]) -> list[DumpRow]:
    new = _elected(produced, panels)
    given = {author: panel for author, panel in new if panel in panels}
    merged: list[DumpRow] = []
    old_panels = {(author, panel) for author, panel, _ in previous}
    for author, panel, time in previous:
        conflicting = panel in panels and author in given and given[author] != panel
        if not conflicting:
            merged.append((author, panel, time))
    merged += [(author, panel, NOW) for author, panel in new if (author, panel) not in old_panels]
    return merged


def _elected(produced: Sequence[tuple[str, str]], panels: Sequence[str]) -> list[tuple[str, str]]:
    """Each pair once; of the group's panels of one author the one that most rows have, none where two are level."""
    frame = pd.DataFrame(produced, columns=["author", "panel"], dtype=object)
    if frame.empty:
        return []
    counts = frame.groupby(["author", "panel"], sort=True).size().reset_index(name="rows")
    outside = counts[~counts["panel"].isin(panels)]
    inside = counts[counts["panel"].isin(panels)]
    most = inside.groupby("author")["rows"].transform("max")
    winners = inside[inside["rows"] == most]
    winners = winners[~winners["author"].duplicated(keep=False)]
    chosen = pd.concat([outside, winners])
    return [(str(author), str(panel)) for author, panel in zip(chosen["author"], chosen["panel"], strict=True)]
