"""Run ``dump-result`` as a process on the private MariaDB, with tasks and previous tables made by hand."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from database.worker_runs import Ended, Running, Stage
from labeltask_contract.dump_document import DumpDocument
from labeltask_contract.dump_status import DumpTable, unpack_outcome
from labeltask_store.result_tables import TABLE_DEFINITION
from labeltask_testing.dump_oracle import NOW, PANELS, SHELVES, DumpRow, dump

OLD = datetime(2020, 5, 6, 7, 8, 9)
Pairs = Mapping[str, Sequence[tuple[str, str]]]

# At its n-th change of the database the process ends by SIGKILL, before or after it, or waits there in the server.
_STOPPED_AT = """
import os, signal
from labeltask_store import shelf_tables
from labeltask_worker.commands import app
number, how = int(os.environ["STOP_AT"]), os.environ["STOP_HOW"]
change, done = shelf_tables.changed_by, 0
def changed_by(*arguments):
    global done
    done += 1
    if done == number and how == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    if done == number and how == "waits":
        shelf_tables.rows_of(arguments[0], "SELECT SLEEP(600)")
    result = change(*arguments)
    if done == number and how == "after":
        os.kill(os.getpid(), signal.SIGKILL)
    return result
shelf_tables.changed_by = changed_by
app()
"""


def task_id(number: int) -> str:
    """Id of a task."""
    return f"{number:032x}"


@dataclass
class DumpStage:
    """The tasks of one dump, the previous tables, and what the oracle says of them."""

    stage: Stage
    previous_schema: str = ""
    produced: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    previous: dict[str, list[DumpRow]] = field(default_factory=dict)
    tasks: list[str] = field(default_factory=list)
    runs: int = 0

    def __post_init__(self) -> None:
        self.previous_schema = self.previous_schema or self.stage.input_schema
        self.stage.server.execute(
            f"CREATE TABLE `{self.stage.output_schema}`.state (task_id VARCHAR(32) PRIMARY KEY, stat VARCHAR(32), "
            "prod_stat VARCHAR(10), result TEXT, length_prod_table TEXT)"
        )

    def add_task(self, rows: Pairs, stat: str = "SUCCESS", prod_stat: str | None = "finish") -> str:
        """Have a task with these production rows by result table."""
        made = task_id(len(self.tasks) + 1)
        self.tasks.append(made)
        with self.stage.server.admin() as db, db.cursor() as cursor:
            schema = self.stage.output_schema
            cursor.execute(
                f"INSERT INTO `{schema}`.state VALUES (%s, %s, %s, %s, %s)",
                (made, stat, prod_stat, ",".join(rows), ",".join(str(len(found)) for found in rows.values())),
            )
            for table, pairs in rows.items():
                cursor.execute(f"CREATE TABLE IF NOT EXISTS `{schema}`.`wh_panel_mapping_{table}` {TABLE_DEFINITION}")
                cursor.executemany(
                    f"INSERT INTO `{schema}`.`wh_panel_mapping_{table}` VALUES (%s, %s, %s, %s, %s, 's', 'text')",
                    [(f"{n}_{table}", made, author, panel, OLD) for n, (author, panel) in enumerate(pairs)],
                )
                self.produced.setdefault(table, []).extend(pairs)
        return made

    def add_previous(
        self, shelf: str, rows: Iterable[DumpRow], definition: str = "CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci"
    ) -> None:
        """Have a previous table."""
        made = list(rows)
        self.previous[shelf] = made
        table = f"`{self.previous_schema}`.`wh_panel_mapping_{shelf}`"
        with self.stage.server.admin() as db, db.cursor() as cursor:
            cursor.execute(
                f"CREATE TABLE {table} (id BIGINT AUTO_INCREMENT PRIMARY KEY, source_author TEXT, panel VARCHAR(200), "
                f"create_time DATETIME) {definition}"
            )
            cursor.executemany(f"INSERT INTO {table} (source_author, panel, create_time) VALUES (%s, %s, %s)", made)

    def document(self, group: str = "GENDER", **changes: Any) -> DumpDocument:
        """The dump of all tasks."""
        values = {
            "dump_id": task_id(0xD),
            "group": group,
            "panels": tuple(PANELS[group]),
            "task_ids": tuple(self.tasks),
            "previous_schema": self.previous_schema,
            "output_schema": self.stage.output_schema,
            **changes,
        }
        return DumpDocument.model_validate(values)

    def start(
        self,
        document: DumpDocument,
        stop_at: int | None = None,
        how: str = "before",
        account: Mapping[str, object] | None = None,
    ) -> Running:
        """Start a worker, to be stopped at its n-th change of the database (before, after, waits) if told so."""
        self.runs += 1
        folder = self.stage.folder / f"dump-{self.runs}"
        folder.mkdir(parents=True)
        (folder / "dump.json").write_bytes(document.to_json())
        config = self.stage.server.site_config(**(account or {}))
        (folder / "connection.json").write_text(json.dumps(config))
        program = ["-m", "labeltask_worker"] if stop_at is None else ["-c", _STOPPED_AT]
        environment = {
            **os.environ,
            "LABELTASK_TERMINATION_LOG": str(folder / "termination-log"),
            "STOP_AT": str(stop_at),
            "STOP_HOW": how,
        }
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *program, "dump-result", "--task-dir", str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )
        running = Running(process, folder)
        self.stage.runs.append(running)
        return running

    def run(self, document: DumpDocument, **account: object) -> Ended:
        """Run a worker to its end."""
        return self.start(document, account=account).wait()

    def run_to_success(self, document: DumpDocument) -> dict[str, DumpTable]:
        """Run a worker, which must succeed; return its counts by shelf table."""
        running = self.start(document)
        ended = running.wait()
        assert ended.code == 0, ended.log
        tables = unpack_outcome((running.folder / "termination-log").read_text())
        assert tables is not None
        assert [table.name for table in tables] == list(document.shelves)
        return {table.name: table for table in tables}

    def expected(self, group: str = "GENDER") -> dict[str, list[DumpRow]]:
        """Ask the oracle."""
        return dump(self.produced, self.previous, group)

    def stored(self) -> dict[str, list[DumpRow]]:
        """Return every dump table, its rows sorted, the moment of the dump as the oracle writes it."""
        found: dict[str, list[DumpRow]] = {}
        with self.stage.server.admin() as db, db.cursor() as cursor:
            cursor.execute("SELECT NOW()")
            (now,) = cursor.fetchone() or (NOW,)
            for shelf in SHELVES:
                table = f"wh_panel_mapping_{shelf}_dump"
                if table not in self.tables():
                    continue
                cursor.execute(f"SELECT * FROM `{self.stage.output_schema}`.`{table}`")
                rows = [
                    (author, panel, NOW if time is not None and (now - time).total_seconds() < 3_600 else time)
                    for author, panel, time in cursor.fetchall()
                ]
                found[shelf] = sorted(rows, key=repr)
        return found

    def tables(self) -> set[str]:
        """Return the names of all tables of the output schema."""
        return {name for (name,) in self.stage.server.execute(f"SHOW TABLES FROM `{self.stage.output_schema}`")}

    def leftovers(self) -> set[str]:
        """Return what is there that no finished dump leaves."""
        return {name for name in self.tables() if name.endswith(("_new", "_old", "_replaced"))}
