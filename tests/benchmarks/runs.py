"""Time the worker program and the plain client on the same table, one after the other."""

import json
import os
import resource
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
    cpu_before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    logs = [(folder / f"log_{index}").open("w+b") for index in range(workers)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "labeltask_worker", "run", "--task-dir", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=logs[index],
            stderr=logs[index],
            env={**os.environ, "JOB_COMPLETION_INDEX": str(index)},
        )
        for index in range(workers)
    ]
    codes = [process.wait() for process in processes]
    whole = time.monotonic() - began
    cpu_after = resource.getrusage(resource.RUSAGE_CHILDREN)
    for log in logs:
        log.seek(0)
    texts = [log.read().decode() for log in logs]
    for log in logs:
        log.close()
    assert codes == [0] * workers, texts
    moments = {
        event["event"]: datetime.fromisoformat(event["timestamp"]) for event in map(json.loads, texts[0].splitlines())
    }
    row = server.execute(
        f"SELECT length_receive_table, length_output_table, peak_memory FROM `{OUTPUT}`.state WHERE stat = 'SUCCESS'"
    )[0]
    return Timing(
        whole,
        (moments["all slices are done"] - moments["range cut"]).total_seconds(),
        (moments["the task is complete"] - moments["all slices are done"]).total_seconds(),
        cpu_after.ru_utime + cpu_after.ru_stime - cpu_before.ru_utime - cpu_before.ru_stime,
        int(row[0]),
        int(row[1]),
        float(row[2]),
    )


def time_dry_run(folder: Path) -> dict[str, Any]:
    """Return what a dry run prints: counts and its seconds."""
    command = [sys.executable, "-m", "labeltask_worker", "run", "--dry-run", "--task-dir", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found
