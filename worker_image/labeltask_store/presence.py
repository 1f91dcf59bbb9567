"""What is there, asked in a way that tells "does not exist" from "may not be read"."""

from collections.abc import Sequence

from labeltask_store.connection import DbConnection, error_code, rows_of
from labeltask_store.sql import qualified


def database_now(db: DbConnection) -> str:
    """Return the database's clock, to the second, as every other ``create_time`` that it gives."""
    return str(rows_of(db, "SELECT CAST(NOW() AS CHAR(19))")[0][0])


def has_table(db: DbConnection, schema: str, table: str, columns: Sequence[str] = ()) -> bool:
    """Tell whether a table exists and can be read.

    information_schema would not do: it hides tables that the account may not read, which would look like none.

    :raises Exception: the driver's error, for a refused right or a missing column.
    """
    wanted = ", ".join(columns) or "1"
    try:
        rows_of(db, f"SELECT {wanted} FROM {qualified(schema, table)} LIMIT 0")  # noqa: S608
    except Exception as error:
        if error_code(error) != 1146:
            raise
        return False
    finally:
        db.rollback()
    return True


def has_schema(db: DbConnection, schema: str) -> bool:
    """Tell whether a schema exists for this account."""
    found = rows_of(db, "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", (schema,))
    db.rollback()
    return bool(found)
