"""Result rows on their way into INSERT statements: checked, escaped, and put together in few statements.

A row is checked and escaped where it was made, so that one which does not fit is known before anything is sent; the
statements are put together when a batch is committed.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from labeltask_contract.errors import LabelTaskError
from labeltask_store.connection import DbConnection, Escape, escaper
from labeltask_store.result_tables import ResultTable
from labeltask_store.sql import qualified

STATEMENT_BYTES = 4 * 1024 * 1024
"""Most bytes of one INSERT of several rows, whatever the server takes."""
COLUMNS = ("id", "source_author", "panel", "create_time", "field_content", "match_content")

NewRow = tuple[bytes, bytes, bytes, bytes, bytes, bytes]
"""One labelled row to be written, in UTF-8, by ``COLUMNS``; the task's id comes with the statement."""
Values = bytes
"""A row as it stands in a statement, between the quotes of its first and of its last value."""

_PACKET_OVERHEAD_BYTES = 16
_TASK_ID_BYTES = len("('") + 32 + len("','")
_TAIL = b"') ON DUPLICATE KEY UPDATE task_id = task_id"
"""Only a task whose source holds an id twice, or whose ledger was lost, meets the key; the row is there once then."""
_VALUE_SEPARATOR = b"\xff"
_ROW_SEPARATOR = b"\xfe"
"""No bytes of UTF-8: nothing in a row looks like them, and escaping leaves them alone."""


class RowDoesNotFit(LabelTaskError):
    """One row exceeds a limit of the database; ``row_id`` is the source row's id."""

    def __init__(self, row_id: bytes, message: str) -> None:
        self.row_id = row_id
        super().__init__(message)


def encode_rows(
    escape: Escape,
    schema: str,
    tables: Mapping[str, ResultTable],
    names: Sequence[str],
    rows: Sequence[NewRow],
    packet_bytes: int,
) -> dict[str, list[Values]]:
    """Return ``rows`` escaped, by table; ``names`` has the table of each, and ``tables`` has it.

    :raises RowDoesNotFit: naming the first row that exceeds the packet or a column.
    """
    if not rows:
        return {}
    # All text is escaped at once.
    text = escape(_ROW_SEPARATOR.join(map(_VALUE_SEPARATOR.join, rows)))
    encoded = text.replace(_VALUE_SEPARATOR, b"','").split(_ROW_SEPARATOR)
    _check_fit(schema, tables, names, rows, encoded, packet_bytes)
    values: dict[str, list[Values]] = defaultdict(list)
    for name, row in zip(names, encoded, strict=True):
        values[name].append(row)
    return values


def insert_rows(
    db: DbConnection, schema: str, table: str, task_id: str, values: Sequence[Values], packet_bytes: int
) -> int:
    """Write rows of :func:`encode_rows`, inside the caller's transaction; return how many were not there yet."""
    begin = _begin(escaper(db), task_id)
    head, separator = _head(schema, table) + begin, b"')," + begin

    def build(some: Sequence[Values]) -> list[bytes]:
        statement = b"".join((head, separator.join(some), _TAIL))
        if len(some) == 1 or len(statement) + _PACKET_OVERHEAD_BYTES <= min(packet_bytes, STATEMENT_BYTES):
            return [statement]
        half = len(some) // 2
        return build(some[:half]) + build(some[half:])

    cursor = db.cursor()
    added = 0
    try:
        for statement in build(values):
            cursor.execute(statement)
            added += cursor.rowcount
    finally:
        cursor.close()
    return added


def _head(schema: str, table: str) -> bytes:
    return f"INSERT INTO {qualified(schema, table)} (task_id, {', '.join(COLUMNS)}) VALUES ".encode()  # noqa: S608


def _begin(escape: Escape, task_id: str) -> bytes:
    return b"('" + escape(task_id.encode()) + b"','"


def _check_fit(
    schema: str,
    tables: Mapping[str, ResultTable],
    names: Sequence[str],
    rows: Sequence[NewRow],
    encoded: Sequence[Values],
    packet_bytes: int,
) -> None:
    used = [tables[name] for name in set(names)]
    longest = max((table.name for table in used), key=len)
    fixed = len(_head(schema, longest)) + _TASK_ID_BYTES + len(_TAIL) + _PACKET_OVERHEAD_BYTES
    # Most often no value is as long in bytes as the tightest column, and no row as long as a packet.
    fits = fixed + max(map(len, encoded)) <= packet_bytes
    for place, column in enumerate(COLUMNS):
        most = min(table.surely_fitting_bytes(column) for table in used)
        fits = fits and max(len(row[place]) for row in rows) <= most
    if fits:
        return
    for name, row, values in zip(names, rows, encoded, strict=True):
        _check_row_fits(f"{schema}.{name}", tables[name], row)
        size = fixed + len(values)
        if size > packet_bytes:
            message = (
                f"the source row {row[0].decode()} needs a statement of {size:,} bytes for {schema}.{name}, "
                f"the server's max_allowed_packet is {packet_bytes:,}; raise it or exclude the row"
            )
            raise RowDoesNotFit(row[0], message)


def _check_row_fits(where: str, table: ResultTable, row: NewRow) -> None:
    for name, value in zip(COLUMNS, row, strict=True):
        column = table.limits.get(name)
        if column is None:
            continue
        characters = len(value.decode())
        # For VARCHAR the limit is characters, for TEXT it is bytes, which information_schema gives as both.
        if characters > (column.characters or 0) or len(value) > (column.octets or 0):
            message = (
                f"the source row {row[0].decode()} has {characters:,} characters ({len(value):,} bytes) "
                f"for {where}.{name}, which holds {column.characters:,}; widen the column or exclude the row"
            )
            raise RowDoesNotFit(row[0], message)
