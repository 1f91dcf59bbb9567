"""What the demo shows of the database, read with SQL as other programs do."""

from pymysql.cursors import DictCursor
from rich.console import Console
from rich.table import Table

from labeltask_testing.cluster_database import ClusterDatabase

STATE_COLUMNS = (
    "task_id, stat, prod_stat, model_type, predict_type, length_receive_table AS rows_read, "
    "length_output_table AS labelled, result, length_prod_table, uniq_source_author, rate_of_label, run_time, "
    "peak_memory, error_message"
)


def show_state(console: Console, database: ClusterDatabase, task_ids: list[str]) -> None:
    """Show the tasks' rows of the state table, one column a task."""
    sql = f"SELECT {STATE_COLUMNS} FROM `{database.output_schema}`.state WHERE task_id IN %s"
    with database.as_root() as connection, connection.cursor(DictCursor) as cursor:
        cursor.execute(sql, (task_ids,))
        rows = sorted(cursor.fetchall(), key=lambda row: task_ids.index(row["task_id"]))
    table = Table(title=f"{database.output_schema}.state", show_header=False, show_lines=True)
    for name in rows[0]:
        table.add_row(f"[bold]{name}[/bold]", *(str(row[name]).replace(",", ", ") for row in rows))
    console.print(table)


def show_labelled_sample(console: Console, database: ClusterDatabase, task_id: str, rows_each: int = 2) -> None:
    """Show a few rows of each result table of a task."""
    schema = database.output_schema
    table = Table(title=f"labelled by task {task_id}")
    for name in ("table", "source_author", "panel", "create_time", "match_content"):
        table.add_column(name, overflow="fold")
    with database.as_root() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT result FROM `{schema}`.state WHERE task_id = %s", (task_id,))
        (found,) = cursor.fetchall()
        for name in (found[0] or "").split(",")[:4]:
            cursor.execute(
                "SELECT source_author, panel, create_time, LEFT(match_content, 60) "
                f"FROM `{schema}`.`{name}` WHERE task_id = %s ORDER BY panel, id LIMIT %s",
                (task_id, rows_each),
            )
            for row in cursor.fetchall():
                table.add_row(name, *map(str, row))
    console.print(table)
