"""The ``state`` table: one row a task, read with SQL by other teams, so names and meanings stay.

Written by the worker (progress, outcome), by the operator (PENDING, and what a dead worker can't say); read by gateway
and operator. Each function ends its own transaction and may be repeated at will. labelling.md, "The `state` table".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar

from labeltask_contract.stat import ProdStat, Stat, is_final
from labeltask_contract.task_document import TaskDocument
from labeltask_store.connection import DbConnection, changed_by, error_code, rows_of
from labeltask_store.sql import marks, qualified

STATE_TABLE = "state"
SLICE_TABLE = "label_slice"

MAX_MESSAGE_CHARACTERS = 4_000

_NOT_FINAL = (
    "COALESCE(stat, '') NOT IN ('FAILURE', 'BREAK') AND NOT (COALESCE(stat, '') = 'SUCCESS' AND prod_stat IS NOT NULL)"
)
"""``labeltask_contract.stat.is_final``, negated, in SQL."""


@dataclass(frozen=True)
class StateRow:
    """One row of ``state``; a column of an old table that holds NULL is None here."""

    task_id: str
    stat: Stat | None
    prod_stat: ProdStat | None
    model_type: str | None
    predict_type: str | None
    date_range: str | None
    target_table: str | None
    create_time: datetime | None
    peak_memory: float | None
    length_receive_table: int | None
    length_output_table: int | None
    length_prod_table: str | None
    result: str | None
    uniq_source_author: str | None
    rate_of_label: str | None
    run_time: float | None
    check_point: datetime | None
    error_message: str | None

    @property
    def is_final(self) -> bool:
        """Tell whether nothing may change any more."""
        return is_final(self.stat, self.prod_stat)


@dataclass(frozen=True)
class StoredProgress:
    """A task's row with what the slice ledger adds. Rows are 0 and estimates None until the range has been cut."""

    state: StateRow
    rows_read: int
    rows_labelled: int
    rows_estimated: int | None
    seconds_since_heartbeat: float | None
    """Age of the last commit or claim of any worker, on the database's clock."""


_COLUMNS = tuple(field.name for field in fields(StateRow))
_TEXTS = ("length_prod_table", "result", "uniq_source_author", "rate_of_label")


def ensure_state_table(db: DbConnection, schema: str) -> None:
    """Have a ``state`` table in ``schema``; an older one keeps its rows and types and gets ``error_message`` added."""
    table = qualified(schema, STATE_TABLE)
    found = _columns_of(db, schema)
    if not found:
        _tolerant(db, f"CREATE TABLE IF NOT EXISTS {table} {_DEFINITION}", 1050)
    elif "error_message" not in found:
        # Of twenty workers that start at once one wins; 1060 (duplicate column) is the others' success.
        _tolerant(db, f"ALTER TABLE {table} ADD COLUMN error_message LONGTEXT {_TEXT}", 1060)
    db.commit()


_TEXT = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
_DEFINITION = """(
  task_id VARCHAR(32) NOT NULL,
  stat VARCHAR(32),
  prod_stat VARCHAR(10),
  model_type VARCHAR(32),
  predict_type VARCHAR(32),
  date_range VARCHAR(64),
  target_table VARCHAR(64),
  create_time DATETIME,
  peak_memory FLOAT,
  length_receive_table BIGINT,
  length_output_table BIGINT,
  length_prod_table TEXT,
  result TEXT,
  uniq_source_author TEXT,
  rate_of_label TEXT,
  run_time FLOAT,
  check_point DATETIME,
  error_message LONGTEXT,
  PRIMARY KEY (task_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"""


def insert_pending(db: DbConnection, schema: str, task: TaskDocument) -> None:
    """Have a row for ``task``: PENDING when there was none; an existing row stays as it is."""
    values: dict[str, Any] = {
        "task_id": task.task_id,
        "stat": Stat.PENDING.value,
        "model_type": task.model_type.value,
        "predict_type": task.predict_type.value,
        "date_range": task.date_range,
        "target_table": task.input_schema,
    }
    statement = (
        f"INSERT INTO {qualified(schema, STATE_TABLE)} ({', '.join(values)}, create_time) "  # noqa: S608
        f"VALUES ({marks(len(values))}, NOW()) ON DUPLICATE KEY UPDATE task_id = task_id"
    )
    changed_by(db, statement, tuple(values.values()))
    db.commit()


def read_state(db: DbConnection, schema: str, task_id: str) -> StateRow | None:
    """Return the task's row as committed now; None when row or table are missing."""
    return read_states(db, schema, [task_id]).get(task_id)


def read_progress(db: DbConnection, schema: str, task_ids: Sequence[str]) -> dict[str, StoredProgress]:
    """Return the tasks that have a row, by task id, in two queries however many they are."""
    states = read_states(db, schema, task_ids)
    ledger = _read_ledger(db, schema, list(states)) if states else {}
    return {
        task_id: StoredProgress(
            state,
            *ledger.get(task_id, (state.length_receive_table or 0, state.length_output_table or 0, None, None)),
        )
        for task_id, state in states.items()
    }


def end_task(db: DbConnection, schema: str, task_id: str, stat: Stat, error_message: str) -> bool:
    """Make the row FAILURE or BREAK unless it is final already; return whether this call did.

    A row that is missing stays missing. The message is cut at 4,000 characters. The counters become the ledger's: the
    last that a worker wrote into the row may be a second old.
    """
    if stat not in (Stat.FAILURE, Stat.BREAK):
        raise ValueError(f"a task is ended as FAILURE or BREAK, not as {stat}")
    values: dict[str, object] = {"stat": stat.value, "error_message": cut_message(error_message)}
    for rows_read, rows_labelled, *_ in _read_ledger(db, schema, [task_id]).values():
        values |= {"length_receive_table": rows_read, "length_output_table": rows_labelled}
    return update_state(db, schema, task_id, values)


def cut_message(message: str) -> str:
    """Return ``message`` short enough for an ``error_message``."""
    return message if len(message) <= MAX_MESSAGE_CHARACTERS else message[: MAX_MESSAGE_CHARACTERS - 1] + "…"


def update_state(db: DbConnection, schema: str, task_id: str, values: Mapping[str, object]) -> bool:
    """Set columns of a row that is not final, and commit; return whether the row was changed."""
    assignments = ", ".join(f"{_checked(column)} = %s" for column in values)
    changed = changed_by(
        db,
        f"UPDATE {qualified(schema, STATE_TABLE)} SET {assignments} WHERE task_id = %s AND {_NOT_FINAL}",  # noqa: S608
        (*values.values(), task_id),
    )
    db.commit()
    return changed > 0


def start_task(db: DbConnection, schema: str, task_id: str) -> None:
    """Make a PENDING row STARTED; any other row stays as it is."""
    changed_by(
        db,
        f"UPDATE {qualified(schema, STATE_TABLE)} SET stat = %s "  # noqa: S608
        "WHERE task_id = %s AND COALESCE(stat, 'PENDING') = 'PENDING'",
        (Stat.STARTED.value, task_id),
    )
    db.commit()


def _checked(column: str) -> str:
    if column not in _COLUMNS:
        raise ValueError(f"state has no column {column}")
    return column


def _columns_of(db: DbConnection, schema: str) -> set[str]:
    statement = "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"
    return {str(name).lower() for (name,) in rows_of(db, statement, (schema, STATE_TABLE))}


def _tolerant(db: DbConnection, statement: str, harmless_code: int) -> None:
    try:
        changed_by(db, statement)
    except Exception as error:
        if error_code(error) != harmless_code:
            raise


def read_states(db: DbConnection, schema: str, task_ids: Sequence[str]) -> dict[str, StateRow]:
    """Return the rows of the tasks that have one, by task id, as committed now."""
    # `SELECT *`: an older table has no error_message until a worker or the operator has added it.
    statement = f"SELECT * FROM {qualified(schema, STATE_TABLE)} WHERE task_id IN ({marks(len(task_ids))})"  # noqa: S608
    return {row.task_id: row for row in map(_state_row, _fresh_rows(db, statement, task_ids))}


def _read_ledger(
    db: DbConnection, schema: str, task_ids: Sequence[str]
) -> dict[str, tuple[int, int, int, float | None]]:
    statement = (
        "SELECT task_id, SUM(rows_read) AS rows_read, SUM(rows_labelled) AS rows_labelled, "  # noqa: S608
        # What a finished slice held is known; an estimate made before may differ.
        "SUM(IF(done_at IS NULL, GREATEST(rows_estimated, rows_read), rows_read)) AS rows_estimated, "
        "TIMESTAMPDIFF(MICROSECOND, MAX(heartbeat_at), UTC_TIMESTAMP(6)) / 1000000 AS age "
        f"FROM {qualified(schema, SLICE_TABLE)} WHERE task_id IN ({marks(len(task_ids))}) GROUP BY task_id"
    )
    return {
        row["task_id"]: (
            int(row["rows_read"]),
            int(row["rows_labelled"]),
            int(row["rows_estimated"]),
            None if row["age"] is None else float(row["age"]),
        )
        for row in _fresh_rows(db, statement, task_ids)
    }


def _fresh_rows(db: DbConnection, statement: str, values: Sequence[object]) -> list[dict[str, Any]]:
    """Rows by column name, as committed now: whatever transaction the connection is in ends before and after."""
    if not values:
        return []
    db.rollback()
    cursor = db.cursor()
    try:
        cursor.execute(statement, tuple(values))
        names = [column[0].lower() for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except Exception as error:
        if error_code(error) in (1146, 1049):
            return []
        raise
    finally:
        cursor.close()
        db.rollback()


def _state_row(found: Mapping[str, Any]) -> StateRow:
    values: dict[str, Any] = {column: found.get(column) for column in _COLUMNS}
    for column in _TEXTS:
        values[column] = None if values[column] is None else str(values[column])
    values["stat"] = word_of(Stat, values["stat"])
    values["prod_stat"] = word_of(ProdStat, values["prod_stat"])
    return StateRow(**values)


Word = TypeVar("Word", Stat, ProdStat)


def word_of(words: type[Word], value: object) -> Word | None:
    """The enum's member, None for NULL and for words that only a predecessor's row may hold."""
    return next((word for word in words if word.value == value), None)
