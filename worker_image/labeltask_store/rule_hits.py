"""The rule report: how often each label and rule of a task matched, exactly, whatever is killed or runs side by side.

What a batch counted is appended to ``label_rule_hit_part`` in the batch's own transaction. At the end the sums, which
can be made any number of times, become the rows of ``label_rule_hit`` that people read; the parts go with the task's
last transaction. labelling.md, "Rule report".
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from labeltask_store.connection import DbConnection, changed_by, rows_of
from labeltask_store.sql import marks, qualified
from labeltask_store.workers import Fenced, Worker, is_registered

REPORT_TABLE = "label_rule_hit"
PART_TABLE = "label_rule_hit_part"
_TEXT = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
REPORT_TABLES = {
    REPORT_TABLE: f"""(
  task_id VARCHAR(32) NOT NULL,
  label_no INT NOT NULL,
  rule_no INT NOT NULL,
  label VARCHAR(200) NOT NULL,
  rule TEXT,
  rows_matched BIGINT NOT NULL,
  rows_conflicting BIGINT NOT NULL,
  PRIMARY KEY (task_id, label_no, rule_no)
) {_TEXT}""",
    PART_TABLE: f"""(
  task_id VARCHAR(32) NOT NULL,
  slice_no INT NOT NULL,
  batch_no BIGINT NOT NULL,
  part_no INT NOT NULL,
  counts LONGTEXT NOT NULL,
  PRIMARY KEY (task_id, slice_no, batch_no, part_no)
) {_TEXT}""",
}

WHOLE = -1
"""Stands for a rule's number in the count of its label, and for the label's too in the count of all rows."""
COUNTS_IN_A_PART = 10_000
"""About 200 KB: below the smallest max_allowed_packet that servers come with."""
_LINES_IN_A_STATEMENT = 50


class RuleKey(NamedTuple):
    """A rule by its label's and its own position in the pattern, both from 0; see ``WHOLE``."""

    label: int
    rule: int


@dataclass(frozen=True)
class HitCounts:
    """Rows that a rule, a label or any label matches, and those of them that several labels match."""

    matched: Counter[RuleKey] = field(default_factory=Counter)
    conflicting: Counter[RuleKey] = field(default_factory=Counter)

    def __add__(self, other: "HitCounts") -> "HitCounts":
        """Both together."""
        return HitCounts(self.matched + other.matched, self.conflicting + other.conflicting)


class ReportLine(NamedTuple):
    """One row of the report; ``rule`` is None for a whole label, ``label`` empty for all rows."""

    key: RuleKey
    label: str
    rule: str | None
    matched: int
    conflicting: int


def append_hits(
    db: DbConnection, schema: str, task_id: str, slice_no: int, batch_no: int, counts: HitCounts | None
) -> None:
    """Store a batch's counts, inside the caller's transaction; None where the task wants no report."""
    if counts is None:
        return
    entries = [[*key, matched, counts.conflicting[key]] for key, matched in counts.matched.items()]
    for part_no, first in enumerate(range(0, len(entries), COUNTS_IN_A_PART)):
        text = json.dumps(entries[first : first + COUNTS_IN_A_PART], separators=(",", ":"))
        changed_by(
            db,
            f"INSERT INTO {qualified(schema, PART_TABLE)} (task_id, slice_no, batch_no, part_no, counts) "  # noqa: S608
            f"VALUES ({marks(5)})",
            (task_id, slice_no, batch_no, part_no, text),
        )


def sum_hits(db: DbConnection, schema: str, task_id: str) -> HitCounts:
    """Return the sums over all of a task's batches, reading a slice's at a time."""
    table = qualified(schema, PART_TABLE)
    total = HitCounts()
    slices = rows_of(db, f"SELECT DISTINCT slice_no FROM {table} WHERE task_id = %s", (task_id,))  # noqa: S608
    for (slice_no,) in slices:
        for (text,) in rows_of(
            db,
            f"SELECT counts FROM {table} WHERE task_id = %s AND slice_no = %s",  # noqa: S608
            (task_id, slice_no),
        ):
            for label, rule, matched, conflicting in json.loads(text):
                key = RuleKey(label, rule)
                total.matched[key] += matched
                total.conflicting[key] += conflicting
    db.rollback()
    return total


def write_report(db: DbConnection, schema: str, worker: Worker, lines: Sequence[ReportLine]) -> None:
    """Replace the task's rows of the report, and commit.

    :raises Fenced: when ``worker`` is not registered any more; nothing has changed then.
    """
    table = qualified(schema, REPORT_TABLE)
    db.rollback()
    if not is_registered(db, schema, worker, lock=True):
        db.rollback()
        raise Fenced
    changed_by(db, f"DELETE FROM {table} WHERE task_id = %s", (worker.task_id,))  # noqa: S608
    for first in range(0, len(lines), _LINES_IN_A_STATEMENT):
        chunk = lines[first : first + _LINES_IN_A_STATEMENT]
        places = ", ".join([f"({marks(7)})"] * len(chunk))
        changed_by(
            db,
            f"INSERT INTO {table} (task_id, label_no, rule_no, label, rule, rows_matched, rows_conflicting) "  # noqa: S608
            f"VALUES {places}",
            [
                value
                for line in chunk
                for value in (worker.task_id, *line.key, line.label, line.rule, line.matched, line.conflicting)
            ],
        )
    db.commit()


def delete_parts(db: DbConnection, schema: str, task_id: str) -> None:
    """Remove the task's parts, inside the caller's transaction."""
    changed_by(db, f"DELETE FROM {qualified(schema, PART_TABLE)} WHERE task_id = %s", (task_id,))  # noqa: S608
