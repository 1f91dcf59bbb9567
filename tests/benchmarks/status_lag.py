"""How far statuses lag behind the database while 200 tasks run: ``PYTHONPATH=tests python -m benchmarks.status_lag``.

The operator's own loops, queue and database access on a MariaDB of its own; the API server is one in memory that notes
when which figure was written, because its answers are no part of the lag that the operator makes. A writer commits a
new row count for every task each second and notes when. Lag: from a commit to the first status that shows it or a later
one. Beside it, the cost of one poll against that of asking for each task by itself, minimum of five in turn.
"""

import argparse
import asyncio
import json
import logging
import threading
import time
from bisect import bisect_left
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import structlog

from labeltask_contract.connection import Connection, load_connection
from labeltask_contract.names import LABEL_TASK
from labeltask_operator.controller import Controller
from labeltask_operator.engine import Engine
from labeltask_operator.metrics import Metrics
from labeltask_operator.state_store import MySqlStateStore
from labeltask_store.connection import open_connection
from labeltask_store.slices import SLICE_TABLES, ensure_tables
from labeltask_store.state_table import read_progress
from labeltask_testing.builders import Manifest, make_job, make_labeltask, make_pod
from labeltask_testing.mariadb import Server, running_server
from labeltask_testing.operator_fakes import FakeCluster, make_settings

SCHEMA = "lag"


@dataclass
class NotingCluster(FakeCluster):
    """Notes when which row count was written to which status."""

    written: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def patch_status(self, name: str, patch: Manifest) -> Manifest | None:
        with self.lock:
            body = super().patch_status(name, patch)
            rows = (body or {}).get("status", {}).get("progress", {}).get("rowsRead")
            if rows is not None:
                self.written.setdefault(name, []).append((int(rows), time.monotonic()))
            return body


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=60)
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with running_server() as server:
        server.execute(f"CREATE DATABASE {SCHEMA}")
        asyncio.run(measure(server, chosen.tasks, chosen.seconds))


async def measure(server: Server, tasks: int, seconds: int) -> None:
    """Let the operator serve ``tasks`` running tasks for ``seconds``, and print what came of it."""
    cluster, metrics = NotingCluster(), Metrics()
    cluster.secrets["main-db"] = {"connection.json": json.dumps(server.site_config()).encode()}
    settings = make_settings(default_queue_limit=tasks, database_wait_seconds=30)
    names = [f"{number:032x}" for number in range(tasks)]
    for name in names:
        cluster.tasks[name] = make_labeltask(name, f"uid-{name}").with_spec(output={"schema": SCHEMA}).manifest

    def build(enqueue: Any) -> Controller:
        return Controller(settings, cluster, MySqlStateStore(), enqueue, metrics=metrics)

    executor = ThreadPoolExecutor(settings.reconcile_threads)
    engine = Engine(cluster.namespace, LABEL_TASK, settings, build, executor, metrics)
    await engine.start()
    while len(cluster.jobs) < tasks:
        await asyncio.sleep(0.1)
    for name in names:
        # Into the cluster too, which the operator lists anew from time to time.
        job, pod = make_job(name, f"uid-{name}").manifest, make_pod(name=f"pod-{name}", task_id=name)
        cluster.jobs[job["metadata"]["name"]], cluster.pods[pod["metadata"]["name"]] = job, pod
        engine.controller.mirror.put_job(job)
        engine.controller.mirror.put_pod(pod)
        engine.queue.add(name)
    committed = await asyncio.to_thread(write_progress, server, names, seconds)
    await asyncio.sleep(settings.status_seconds + settings.poll_seconds + 1)
    await engine.stop()
    report_lag(cluster, names, committed, seconds)
    await asyncio.to_thread(report_poll, server, names)


def write_progress(server: Server, names: list[str], seconds: int) -> list[tuple[int, float]]:
    """Commit a new count for all tasks each second; return counts and the moments after their commits."""
    db = open_connection(connection_of(server), "pymysql")
    ensure_tables(db, SCHEMA, SLICE_TABLES)
    cursor = db.cursor()
    cursor.execute(f"UPDATE {SCHEMA}.state SET stat = 'STARTED'")
    rows = [(name, number) for name in names for number in range(4)]
    cursor.executemany(
        f"INSERT INTO {SCHEMA}.label_slice (task_id, slice_no, start_time, end_time, rows_estimated) "
        "VALUES (%s, %s, '2020-01-01', '2020-02-01', 1000000)",
        rows,
    )
    db.commit()
    committed = []
    for count in range(1, seconds + 1):
        cursor.execute(
            f"UPDATE {SCHEMA}.label_slice SET rows_read = %s, heartbeat_at = UTC_TIMESTAMP(6) WHERE slice_no = 0",
            (count,),
        )
        db.commit()
        committed.append((count, time.monotonic()))
        time.sleep(1)
    db.close()
    return committed


def connection_of(server: Server) -> Connection:
    """The account as the contract's model."""

    return load_connection(json.dumps(server.site_config()).encode())


def report_lag(cluster: NotingCluster, names: list[str], committed: list[tuple[int, float]], seconds: int) -> None:
    """Print lags and writes."""
    lags: list[float] = []
    for name in names:
        shown = cluster.written[name]
        counts = [count for count, _ in shown]
        for count, moment in committed:
            at = bisect_left(counts, count)
            lags.append(shown[at][1] - moment if at < len(shown) else float("inf"))
    lags.sort()
    writes = sum(map(len, cluster.written.values()))
    print(
        f"{len(names)} tasks, {seconds} s: lag median {lags[len(lags) // 2]:.2f} s, "
        f"95% {lags[len(lags) * 95 // 100]:.2f} s, most {lags[-1]:.2f} s; {writes / seconds:.0f} status writes a second"
    )


def report_poll(server: Server, names: list[str]) -> None:
    """Print what one look at all costs, and what one look at each would."""
    db = open_connection(connection_of(server), "pymysql")
    together, single = [], []
    for _ in range(5):
        begun = time.perf_counter()
        read_progress(db, SCHEMA, names)
        together.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        for name in names:
            read_progress(db, SCHEMA, [name])
        single.append(time.perf_counter() - begun)
    db.close()
    print(
        f"one poll of all: {1000 * min(together):.1f} ms; of each by itself: {1000 * min(single):.1f} ms; "
        f"ratio {min(single) / min(together):.1f}"
    )


if __name__ == "__main__":
    main()
