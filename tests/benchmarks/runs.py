"""Time the worker program and the plain client on the same table, one after the other."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.data import END, SCHEMA, START
from labeltask_contract.pattern import ModelType, pack_pattern, parse_rest_pattern, pattern_digest
from labeltask_contract.task_document import TaskDocument
from labeltask_testing.mariadb import PASSWORD, USER, Server

OUTPUT = "bench_out"
_numbers = count(1)


@dataclass(frozen=True)
class Timing:
    """One run of a task: seconds of each part, and what it did."""

    whole: float
    labelling: float
    """Phase 1, from the cut range to the last slice."""
    producing: float
    worker_cpu: float
    """Processor seconds of all workers in phase 1, which hold on a busy machine too."""
    server_cpu: float
    """The same of the server, whatever else it did meanwhile (writing pages out, purging)."""
    rows_read: int
    rows_labelled: int
    peak_mib: float


def time_client(server: Server, table: str, columns: str, text: str) -> tuple[float, int]:
    """Return the seconds in which ``mariadb --quick`` streams a task's rows to nowhere, and the bytes it printed."""
    query = (
        f"SELECT {columns} FROM `{SCHEMA}`.`{table}` WHERE post_time >= '{START}' AND post_time < '{END}' "
        f"AND s_id IS NOT NULL AND author IS NOT NULL AND {text} IS NOT NULL"
    )
    command = ["mariadb", "--no-defaults", f"--host={server.host}", f"--port={server.port}", f"--user={USER}"]
    began = time.monotonic()
    with subprocess.Popen(
        [*command, "--quick", "-N", "-B", "--default-character-set=utf8mb4", "-e", query],
        stdout=subprocess.PIPE,
        env={**os.environ, "MYSQL_PWD": PASSWORD},
    ) as client:
        assert client.stdout is not None
        # Into a pipe, as a worker gets them: what the client prints is thrown away by another program.
        counted = subprocess.run(["wc", "-c"], stdin=client.stdout, capture_output=True, check=True)
    seconds = time.monotonic() - began
    assert client.returncode == 0
    return seconds, int(counted.stdout)


def make_task(folder: Path, server: Server, table: str, pattern: dict[str, Any], **changes: Any) -> TaskDocument:
    """Write a task's files into ``folder``."""
    document: dict[str, Any] = {
        "model_type": "keyword_model",
        "predict_type": "author_name",
        "start_time": str(START),
        "end_time": str(END),
        "input_schema": SCHEMA,
        "input_table": table,
        "output_schema": OUTPUT,
        "countdown_seconds": 0,
        "task_id": f"{next(_numbers):032x}",
        **changes,
    }
    parsed = parse_rest_pattern(pattern, ModelType(document["model_type"]))
    task = TaskDocument(pattern_sha256=pattern_digest(parsed), **document)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.json").write_bytes(task.to_json())
    (folder / "connection.json").write_text(json.dumps(server.site_config()))
    (folder / "pattern.json.gz").write_bytes(pack_pattern(parsed))
    return task


def time_workers(server: Server, folder: Path, task: TaskDocument, workers: int = 1) -> Timing:
    """Run a task from an empty output schema to its end."""
    server.execute(f"DROP DATABASE IF EXISTS `{OUTPUT}`", f"CREATE DATABASE `{OUTPUT}`")
    assert server.process is not None
    began = time.monotonic()
    log = (folder / "log").open("w+b")
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "labeltask_worker", "run", "--task-dir", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=log if index else subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "JOB_COMPLETION_INDEX": str(index)},
        )
        for index in range(workers)
    ]
    moments: dict[str, tuple[datetime, float, float]] = {}
    assert processes[0].stdout is not None
    for line in processes[0].stdout:
        log.write(line)
        event = json.loads(line)
        used = sum(_cpu_seconds(process.pid) for process in processes)
        moments[event["event"]] = (datetime.fromisoformat(event["timestamp"]), used, _cpu_seconds(server.process.pid))
    codes = [process.wait() for process in processes]
    whole = time.monotonic() - began
    log.seek(0)
    assert codes == [0] * workers, log.read().decode()
    log.close()
    cut, labelled, complete = (moments[name] for name in ("range cut", "all slices are done", "the task is complete"))
    row = server.execute(
        f"SELECT length_receive_table, length_output_table, peak_memory FROM `{OUTPUT}`.state WHERE stat = 'SUCCESS'"
    )[0]
    return Timing(
        whole,
        (labelled[0] - cut[0]).total_seconds(),
        (complete[0] - labelled[0]).total_seconds(),
        labelled[1] - cut[1],
        labelled[2] - cut[2],
        int(row[0]),
        int(row[1]),
        float(row[2]),
    )


def _cpu_seconds(pid: int) -> float:
    """Return what a process has used of the processor, user and system; 0 for one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def time_dry_run(folder: Path) -> dict[str, Any]:
    """Return what a dry run prints: counts and its seconds."""
    command = [sys.executable, "-m", "labeltask_worker", "run", "--dry-run", "--task-dir", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
