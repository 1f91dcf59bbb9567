"""Run the real worker program on the private MariaDB, and read back what it left."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pymysql

from labeltask_contract.connection import Connection, parse_connection
from labeltask_contract.pattern import ModelType, Pattern, pack_pattern, parse_rest_pattern, pattern_digest
from labeltask_contract.spec import Policy, PredictType
from labeltask_contract.task_document import TaskDocument
from labeltask_store.state_table import StateRow, StoredProgress, read_progress, read_state
from labeltask_testing.holds import Hold, hold_commits
from labeltask_testing.mariadb import PASSWORD, Server
from labeltask_testing.oracle import Expected, relabel
from labeltask_testing.source_rows import END, START, create_source_table, load_posts

KEYWORDS: dict[str, Any] = {
    "女性": [
        ["太太", "partially"], ["小姐", "partially"], ["女孩", "end"], ["Lady", ["end", "absolutely"]],
        ["女生", "partially"],
    ],
    "男性": [["先生", "partially"], ["man", "end"], ["男孩", "end"], ["男生", "partially"], ["老婆", "partially"]],
    "已婚": [["太太", "partially"], ["老公", "partially"], ["已婚", "partially"], ["老婆", "partially"]],
    "未婚": [["單身", "partially"], ["男孩", "partially"], ["我是男", "start"]],
    "有子女": [
        ["媽媽", "partially"], ["爸爸", "partially"], ["👩‍👧", "partially"], ["寶寶", "exactly"],
        ["小孩", "partially"],
    ],
    "學生": [["學生", "partially"], ["🙈", "end"], ["dcard", "start"]],
    "討論": [["talk", "end"], ["gossiping", "partially"], ["ptt_marriage", "absolutely"]],
}  # fmt: skip
EXPRESSIONS: dict[str, Any] = {
    "女性": [r"女(生|孩)", r"(?<=我是)女生", "lady$", "太太|小姐"],
    "男性": ["男(生|孩)", r"\bman\b|man$", "我老婆"],
    "已婚": ["已婚|老公|老婆", r"^ptt_marriage$"],
    "有子女": ["[媽爸]{2}", "小孩", "宝宝|孩子", r"(.)\1{3}"],
    "數字": [r"\d{3,}", "_talk$"],
}


@dataclass(frozen=True)
class Ended:
    """How a worker ended."""

    code: int
    log: str
    termination: dict[str, str] | None


@dataclass
class Running:
    """A worker process."""

    process: subprocess.Popen[bytes]
    folder: Path

    def wait(self, seconds: float = 60) -> Ended:
        """Wait for the end; every run is a canary test."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the worker did not end within {seconds} s:\n{self.log()}") from None
        log = self.log()
        assert PASSWORD not in log
        message = self.folder / "termination-log"
        text = message.read_text() if message.exists() else ""
        assert PASSWORD not in text
        return Ended(code, log, json.loads(text) if text else None)

    def log(self) -> str:
        """Return what the worker wrote so far, standard output included."""
        return (self.folder / "log").read_text(errors="replace")

    def kill(self) -> None:
        """Send SIGKILL."""
        self.process.kill()
        self.process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)


@dataclass
class Stage:
    """Two schemas of one test, its task, and the workers that run it."""

    server: Server
    folder: Path
    input_schema: str
    output_schema: str
    runs: list[Running] = field(default_factory=list)
    posts: list[Sequence[Any]] = field(default_factory=list)

    def create(self) -> None:
        """Have the schemas and an empty source table."""
        with self.server.admin() as db:
            create_source_table(db, self.input_schema)
        self.server.execute(f"CREATE DATABASE `{self.output_schema}`")

    def drop(self) -> None:
        """End what still runs and drop the schemas."""
        for run in self.runs:
            if run.process.poll() is None:
                run.kill()
        self.server.execute(
            f"DROP DATABASE IF EXISTS `{self.input_schema}`", f"DROP DATABASE IF EXISTS `{self.output_schema}`"
        )

    def load(self, posts: Iterable[Sequence[Any]]) -> None:
        """Put posts into the source table, and keep them for the oracle."""
        rows = [tuple(post) for post in posts]
        self.posts += rows
        with self.server.admin() as db:
            db.begin()
            load_posts(db, self.input_schema, "ts_page_content", rows)

    @property
    def connection(self) -> Connection:
        """The test account."""
        return parse_connection(self.server.site_config())

    def task(self, pattern: Mapping[str, Any] | None = None, number: int = 1, **changes: Any) -> "Task":
        """Return a task with defaults fit for tests: keyword_model on authors, no countdown."""
        settings: dict[str, Any] = {
            "model_type": ModelType.KEYWORD_MODEL,
            "predict_type": PredictType.AUTHOR_NAME,
            "policy": Policy.FIRST,
            "start_time": START.isoformat(sep=" "),
            "end_time": END.isoformat(sep=" "),
            "input_schema": self.input_schema,
            "output_schema": self.output_schema,
            "countdown_seconds": 0,
            "task_id": f"{number:032x}",
            **changes,
        }
        settings["model_type"] = ModelType(settings["model_type"])
        rules = KEYWORDS if settings["model_type"] is ModelType.KEYWORD_MODEL else EXPRESSIONS
        wanted = dict(rules if pattern is None else pattern)
        parsed = parse_rest_pattern(wanted, settings["model_type"])
        settings.setdefault("pattern_sha256", pattern_digest(parsed))
        return Task(self, TaskDocument(**settings), wanted, parsed)


@dataclass
class Task:
    """One task, ready to be run by any number of workers."""

    stage: Stage
    document: TaskDocument
    wanted: Mapping[str, Any]
    pattern: Pattern
    site_config: dict[str, object] | None = None

    def start(
        self, index: int = 0, pod_uid: str = "", program: str = "-mlabeltask_worker", **environment: str
    ) -> Running:
        """Start a worker process; each call is another pod."""
        number = len(self.stage.runs)
        folder = self.stage.folder / f"pod_{number}"
        task_dir = self.write_files(folder / "task")
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, program, "run", "--task-dir", str(task_dir)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    **os.environ,
                    "POD_UID": pod_uid or f"pod-{number}",
                    "JOB_COMPLETION_INDEX": str(index),
                    "LABELTASK_TERMINATION_LOG": str(folder / "termination-log"),
                    **environment,
                },
            )
        running = Running(process, folder)
        self.stage.runs.append(running)
        return running

    def write_files(self, task_dir: Path) -> Path:
        """Write what a pod finds mounted; return the folder."""
        task_dir.mkdir(parents=True)
        config = self.stage.server.site_config() if self.site_config is None else self.site_config
        (task_dir / "task.json").write_bytes(self.document.to_json())
        (task_dir / "connection.json").write_text(json.dumps(config))
        (task_dir / "pattern.json.gz").write_bytes(pack_pattern(self.pattern))
        return task_dir

    def run(self, seconds: float = 60) -> Ended:
        """Run one worker to its end."""
        return self.start().wait(seconds)

    def hold(self, rows: int) -> AbstractContextManager[Hold]:
        """Hold every commit that takes a slice to ``rows`` rows or more while the block lasts."""
        return hold_commits(self.stage.server.admin, self.stage.output_schema, self.document.task_id, rows)

    def run_to_success(self) -> None:
        """Run one worker, which must succeed."""
        ended = self.run()
        assert ended.code == 0, ended.log
        assert ended.termination is None

    def expected(self) -> Expected:
        """Ask the oracle."""
        document = self.document
        return relabel(
            self.stage.posts,
            self.wanted,
            task_id=document.task_id,
            model_type=document.model_type.value,
            predict_type=document.predict_type.value,
            policy=document.policy.value,
            start=datetime.fromisoformat(document.start_time),
            end=datetime.fromisoformat(document.end_time),
        )

    def state(self) -> StateRow | None:
        """Return the task's row."""
        with self.stage.server.admin() as db:
            return read_state(db, self.stage.output_schema, self.document.task_id)

    def progress(self) -> StoredProgress | None:
        """Return the task's row with the ledger's sums."""
        with self.stage.server.admin() as db:
            found = read_progress(db, self.stage.output_schema, [self.document.task_id])
            return found.get(self.document.task_id)

    def stored(self, prefix: str = "") -> dict[str, list[tuple[Any, ...]]]:
        """Return the task's rows of every result (or production) table that holds some, sorted as the oracle's."""
        found: dict[str, list[tuple[Any, ...]]] = {}
        with self.stage.server.admin() as db, db.cursor() as cursor:
            cursor.execute(f"SHOW TABLES FROM `{self.stage.output_schema}`")
            names = [name for (name,) in cursor.fetchall() if name != "state" and not name.startswith("label_")]
            for name in sorted(name for name in names if name.startswith("wh_panel_mapping_") == bool(prefix)):
                cursor.execute(
                    "SELECT id, task_id, source_author, panel, create_time, field_content, match_content "
                    f"FROM `{self.stage.output_schema}`.`{name}` WHERE task_id = %s",
                    (self.document.task_id,),
                )
                rows = sorted(cursor.fetchall(), key=lambda row: (row[0], row[3]))
                if rows:
                    found[name.removeprefix(prefix)] = rows
        return found

    def check(self) -> Expected:
        """Compare all tables and the task's row with the oracle, whole rows, both ways."""
        expected = self.expected()
        assert self.stored() == expected.results
        assert self.stored("wh_panel_mapping_") == {name: rows for name, rows in expected.production.items() if rows}
        row = self.state()
        assert row is not None
        assert {name: getattr(row, name) for name in expected.state} == expected.state
        assert (row.run_time or 0) > 0
        assert (row.peak_memory or 0) > 10
        assert row.check_point == datetime.fromisoformat(self.document.end_time)
        assert self.stage.server.execute(
            f"SELECT COUNT(*) FROM `{self.stage.output_schema}`.label_author_digest "
            f"WHERE task_id = '{self.document.task_id}'"
        ) == [(0,)]
        return expected


def eventually(condition: Callable[[], bool], seconds: float = 30, pause_seconds: float = 0.01) -> None:
    """Poll until ``condition`` holds: for what another process does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(pause_seconds)


def rows_committed(task: Task) -> int:
    """Return the rows read so far, as committed; 0 while there are no tables."""
    try:
        rows = task.stage.server.execute(
            f"SELECT COALESCE(SUM(rows_read), 0) FROM `{task.stage.output_schema}`.label_slice "
            f"WHERE task_id = '{task.document.task_id}'"
        )
    except pymysql.err.ProgrammingError:
        return 0
    return int(rows[0][0])


def end_transactions(server: Server) -> None:
    """End whoever holds locks: a frozen worker would hold its own until the server drops it after a minute."""
    for (thread,) in server.execute(
        "SELECT trx_mysql_thread_id FROM information_schema.innodb_trx WHERE trx_rows_locked > 0"
    ):
        try:
            server.execute(f"KILL {thread}")
        except pymysql.err.OperationalError as error:
            if error.args[0] != 1094:  # gone already
                raise
