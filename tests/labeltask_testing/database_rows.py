"""What a task left in the output schema, whole, to be compared with the oracle both ways."""

from typing import Any

from labeltask_testing.oracle import Expected, Row

PRODUCTION_PREFIX = "wh_panel_mapping_"
ROW_COLUMNS = "id, task_id, source_author, panel, create_time, field_content, match_content"


def assert_as_expected(db: Any, schema: str, task_id: str, expected: Expected) -> None:
    """Compare every row of the task in every table, and its state, with the oracle's; nothing more, nothing less."""
    stored = labelled_rows(db, schema, task_id)
    results = {table: rows for table, rows in stored.items() if not table.startswith(PRODUCTION_PREFIX)}
    production = {
        table.removeprefix(PRODUCTION_PREFIX): rows
        for table, rows in stored.items()
        if table.startswith(PRODUCTION_PREFIX)
    }
    assert results == {table: rows for table, rows in expected.results.items() if rows}
    assert production == {table: rows for table, rows in expected.production.items() if rows}
    found = state(db, schema, task_id)
    assert {name: found[name] for name in expected.state} == expected.state


def labelled_rows(db: Any, schema: str, task_id: str) -> dict[str, list[Row]]:
    """All rows of a task by table: result tables and production tables, sorted by id and panel."""
    with db.cursor() as cursor:
        cursor.execute(
            # Not by `panel`: dump tables have one too, and no task.
            "SELECT table_name FROM information_schema.columns "
            "WHERE table_schema = %s AND column_name = 'match_content'",
            (schema,),
        )
        tables = sorted(name for (name,) in cursor.fetchall())
        found: dict[str, list[Row]] = {}
        for table in tables:
            cursor.execute(f"SELECT {ROW_COLUMNS} FROM `{schema}`.`{table}` WHERE task_id = %s", (task_id,))
            rows = sorted(cursor.fetchall(), key=lambda row: (row[0], row[3]))
            if rows:
                found[table] = rows
    return found


def state(db: Any, schema: str, task_id: str) -> dict[str, Any]:
    """The task's one row of the state table, by column."""
    with db.cursor() as cursor:
        cursor.execute(f"SELECT * FROM `{schema}`.state WHERE task_id = %s", (task_id,))
        (row,) = cursor.fetchall()
        return dict(zip((column[0] for column in cursor.description), row, strict=True))
