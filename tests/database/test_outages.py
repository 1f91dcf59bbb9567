"""What a database does while rows are written, but for dying: silence, full disk, read-only mode, locks, lost patience.

Retried, or a named failure with every counter right; never a success with fewer rows.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from database.test_refusals import READER, grant
from database.worker_runs import Ended, Running, Stage, Task, eventually, rows_committed
from labeltask_contract.reasons import FACTS, Reason
from labeltask_contract.stat import Stat
from labeltask_testing.mariadb import PASSWORD, Server
from labeltask_testing.source_rows import generate_posts

ROWS = 4_000


def start_impatient(task: Task, *, read: int = 5, retry: int = 5, idle: int = 60) -> Running:
    """Start a worker that gives up soon."""
    return task.start(
        program=str(Path(__file__).with_name("impatient_worker.py")),
        IMPATIENT_READ=str(read),
        IMPATIENT_RETRY=str(retry),
        IMPATIENT_IDLE=str(idle),
    )


def frozen_halfway(task: Task, run: Running) -> None:
    """Return with the worker stopped in the middle of its rows."""
    eventually(lambda: rows_committed(task) >= 200, seconds=60)
    run.send(signal.SIGSTOP)
    assert rows_committed(task) < ROWS - 200


def check_failed(task: Task, ended: Ended, reason: Reason, *parts: str) -> None:
    """The worker failed for ``reason``; what is counted is what is stored, and it is not all."""
    assert ended.code == FACTS[reason].exit_code, ended.log
    assert ended.termination is not None
    assert ended.termination["reason"] == reason.value
    message = ended.termination["message"]
    assert [part for part in parts if part not in message] == [], message
    assert rows_committed(task) < ROWS
    schema = task.stage.output_schema
    labelled = task.stage.server.execute(f"SELECT SUM(rows_labelled) FROM `{schema}`.label_slice")[0][0]
    assert sum(map(len, task.stored().values())) == labelled
    row = task.state()
    assert row is not None
    assert row.stat is not Stat.SUCCESS
    assert row.prod_stat is None


@pytest.fixture
def task(stage: Stage) -> Task:
    """Eight hundred commits."""
    stage.load(generate_posts(ROWS, seed=21))
    return stage.task(batch_rows=5)


# --- a server that dies


def test_a_server_that_dies_and_stays_away_ends_the_worker_by_host_and_port_and_the_next_one_goes_on(
    stage: Stage, task: Task
) -> None:
    run = start_impatient(task)
    frozen_halfway(task, run)
    stage.server.kill()
    try:
        run.send(signal.SIGCONT)
        ended = run.wait(120)
    finally:
        stage.server.start()
    check_failed(task, ended, Reason.CONNECTION_LOST, stage.connection.address, "tried again for")
    task.run_to_success()
    task.check()


# --- a server that turns read-only


def test_a_server_that_turns_read_only_while_rows_are_written_is_named_and_nothing_is_lost(
    stage: Stage, task: Task
) -> None:
    # An account that is no administrator: those may write all the same.
    stage.server.execute(
        f"DROP USER IF EXISTS '{READER}'@'%'", f"CREATE USER '{READER}'@'%' IDENTIFIED BY '{PASSWORD}'"
    )
    grant(stage, "ALL", stage.input_schema)
    grant(stage, "ALL", stage.output_schema)
    task.site_config = stage.server.site_config(user=READER)
    run = task.start()
    frozen_halfway(task, run)
    stage.server.execute("SET GLOBAL read_only = 1")
    try:
        run.send(signal.SIGCONT)
        ended = run.wait()
        address = stage.connection.address
        check_failed(task, ended, Reason.OUTPUT_NOT_WRITABLE, address, "read-only", "name a primary server")
    finally:
        stage.server.execute("SET GLOBAL read_only = 0")
    task.run_to_success()
    task.check()
    stage.server.execute(f"DROP USER '{READER}'@'%'")


# --- a disk that is full


@contextmanager
def small_disk(folder: Path, size_mib: int) -> Iterator[Path]:
    """Yield a folder on a disk of its own; skip where this account may mount none."""
    folder.mkdir(exist_ok=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "labeltask-test", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no disk of its own to fill: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_is_full_is_named_and_once_there_is_room_the_rows_are_labelled(stage: Stage) -> None:
    women = {"女性": [["女", "partially"]]}
    stage.load(post._replace(s_id="WH_F0045", content="女" * 2_000) for post in generate_posts(ROWS, nulls=0))
    with small_disk(stage.server.disk, 12) as disk:
        stage.server.execute(
            f"CREATE TABLE `{stage.output_schema}`.fbfans (id VARCHAR(32), task_id VARCHAR(32), source_author TEXT, "
            "panel VARCHAR(200), create_time DATETIME, field_content TEXT, match_content LONGTEXT, KEY (task_id)) "
            f"DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin DATA DIRECTORY='{disk}'"
        )
        task = stage.task(women, predict_type="content", batch_rows=20)
        ended = task.run(120)
        check_failed(task, ended, Reason.DISK_FULL, stage.connection.address, "full", "free or add disk space")
        assert rows_committed(task) > 0
        row = task.state()
        assert row is not None
        assert (row.stat, row.error_message) == (Stat.FAILURE, (ended.termination or {})["message"])
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        again = stage.task(women, number=2, predict_type="content", batch_rows=500)
        ended = again.run(120)
        assert ended.code == 0, ended.log
        again.check()
        stage.server.execute(f"DROP TABLE `{stage.output_schema}`.fbfans")


# --- a network that swallows packets


@pytest.fixture
def network(server: Server, tmp_path: Path) -> Iterator["Network"]:
    made = Network(server, tmp_path)
    yield made
    made.close()


class Network:
    """What stands between worker and server. Stopped, it takes every byte and passes none on, in either direction."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.log = folder / "network"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PASS_ON, str(server.port)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        eventually(lambda: self.log.read_bytes().endswith(b"\n"))
        self.port = int(self.log.read_text())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


_PASS_ON = """
import asyncio, sys

async def pump(reader, writer):
    try:
        while part := await reader.read(65536):
            writer.write(part)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()

async def serve(reader, writer):
    other_reader, other_writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    await asyncio.gather(pump(reader, other_writer), pump(other_reader, writer))

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


def test_a_network_that_swallows_packets_ends_the_worker_by_host_and_port_and_the_next_one_goes_on(
    stage: Stage, task: Task, network: Network
) -> None:
    task.site_config = stage.server.site_config(port=network.port)
    run = start_impatient(task)
    eventually(lambda: rows_committed(task) >= 200, seconds=60)
    network.process.send_signal(signal.SIGSTOP)
    ended = run.wait(180)
    check_failed(task, ended, Reason.CONNECTION_LOST, f"127.0.0.1:{network.port}", "tried again for")
    network.process.send_signal(signal.SIGCONT)
    task.run_to_success()
    task.check()


def test_a_network_that_comes_back_in_time_costs_no_row_and_no_pod(stage: Stage, task: Task, network: Network) -> None:
    task.site_config = stage.server.site_config(port=network.port)
    run = start_impatient(task, read=2, retry=120)
    eventually(lambda: rows_committed(task) >= 200, seconds=60)
    network.process.send_signal(signal.SIGSTOP)
    eventually(lambda: "trying again" in run.log(), seconds=60)
    network.process.send_signal(signal.SIGCONT)
    assert run.wait(120).code == 0
    task.check()


# --- sessions that the server ends, and locks


def sessions(stage: Stage) -> list[tuple[Any, ...]]:
    return stage.server.execute(f"SELECT id FROM {stage.server.kind.sessions} WHERE user = 'labeltask'")


def test_a_server_that_limits_the_time_of_every_statement_has_the_rest_read_by_another(stage: Stage) -> None:
    stage.load(post._replace(content="女" * 5_000) for post in generate_posts(2_000, seed=24, nulls=0))
    task = stage.task({"女性": [["女", "start"]]}, predict_type="content", batch_rows=20)
    limit, value, status, code = {
        "MariaDB": ("max_statement_time", 2, "Max_statement_time_exceeded", 1969),
        "MySQL": ("max_execution_time", 2_000, "Max_execution_time_exceeded", 3024),
    }[stage.server.kind.name]
    ended_early = f"SHOW GLOBAL STATUS LIKE '{status}'"
    before = stage.server.execute(ended_early)
    stage.server.execute(f"SET GLOBAL {limit} = {value}")
    try:
        with task.hold(rows=100) as hold:
            run = task.start()
            hold.reached()
            eventually(lambda: stage.server.execute(ended_early) != before, seconds=60, pause_seconds=0.1)
        ended = run.wait(120)
    finally:
        stage.server.execute(f"SET GLOBAL {limit} = 0")
    assert ended.code == 0, ended.log
    assert f'"code": {code}' in ended.log
    task.check()


def test_a_labelling_step_longer_than_the_servers_patience_reconnects_and_shows_nothing_of_it(stage: Stage) -> None:
    # More than the network holds, so that the server is still sending when its patience is over.
    stage.load(post._replace(content="女" * 5_000) for post in generate_posts(2_000, seed=23, nulls=0))
    task = stage.task({"女性": [["女", "start"]]}, predict_type="content", batch_rows=20)
    stage.server.execute("SET GLOBAL wait_timeout = 1")
    try:
        run = start_impatient(task, read=60, retry=120, idle=1)
        eventually(lambda: rows_committed(task) >= 100, seconds=60)
        # As long as it takes: nothing is asked of the server, and nothing is read that it sends.
        run.send(signal.SIGSTOP)
        assert rows_committed(task) < 1_900
        eventually(lambda: not sessions(stage), seconds=60, pause_seconds=0.2)
        run.send(signal.SIGCONT)
        ended = run.wait(120)
    finally:
        stage.server.execute("SET GLOBAL wait_timeout = 28800")
    assert ended.code == 0, ended.log
    assert "trying again" in ended.log
    assert ended.termination is None
    row = task.state()
    assert row is not None
    assert row.error_message is None
    task.check()


@contextmanager
def slices_locked(stage: Stage) -> Iterator[None]:
    """Hold the rows that every worker has to lock."""
    with stage.server.admin() as db, db.cursor() as cursor:
        db.begin()
        cursor.execute(f"SELECT batches FROM `{stage.output_schema}`.label_slice FOR UPDATE")
        yield
        db.rollback()


@pytest.fixture
def short_lock_waits(server: Server) -> Iterator[None]:
    server.execute("SET GLOBAL innodb_lock_wait_timeout = 1")
    yield
    server.execute("SET GLOBAL innodb_lock_wait_timeout = 50")


@pytest.mark.usefixtures("short_lock_waits")
def test_rows_that_somebody_else_holds_are_waited_for(stage: Stage, task: Task) -> None:
    run = task.start()
    eventually(lambda: rows_committed(task) >= 200, seconds=60)
    with slices_locked(stage):
        eventually(lambda: '"code": 1205' in run.log(), seconds=60)
    assert run.wait().code == 0
    task.check()


@pytest.mark.usefixtures("short_lock_waits")
def test_rows_that_somebody_else_never_lets_go_end_the_worker_with_their_place(stage: Stage, task: Task) -> None:
    run = start_impatient(task, read=60)
    eventually(lambda: rows_committed(task) >= 200, seconds=60)
    with slices_locked(stage):
        ended = run.wait(120)
        address = stage.connection.address
    check_failed(task, ended, Reason.CONNECTION_LOST, address, "held the rows", "tried again for")
    task.run_to_success()
    task.check()
