"""``helm test``: the gateway is ready and, given a connection, one task runs to its end and is deleted.

Input: GATEWAY (its URL), TASK (the request as JSON, or empty), TOKENS_DIR (optional). Exit code 0: all went well.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

GATEWAY = os.environ["GATEWAY"]
WAIT_SECONDS = 240


def call(method: str, path: str, body: str | None = None) -> Any:
    """Return the answer's ``error_message``; a refusal ends the test with its text."""
    headers = {"Content-Type": "application/json"}
    tokens = os.environ.get("TOKENS_DIR")
    if tokens:
        first = min(file for file in Path(tokens).iterdir() if file.is_file())
        headers["Authorization"] = f"Bearer {first.read_text(encoding='utf-8').strip()}"
    data = None if body is None else body.encode()
    request = urllib.request.Request(f"{GATEWAY}{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        sys.exit(f"{method} {path}: status {error.code}: {error.read().decode(errors='replace')}")
    except urllib.error.URLError as error:
        sys.exit(f"{method} {path}: {error.reason}")
    return json.loads(text).get("error_message") if path.startswith("/api/") else None


def run_task(task: str) -> None:
    """Create the task, wait for its end and delete it."""
    task_id = call("POST", "/api/tasks/", task)["task_id"]
    print(f"task {task_id} is accepted", flush=True)
    end = time.monotonic() + WAIT_SECONDS
    while True:
        found = call("GET", f"/api/tasks/{task_id}")
        if found["prod_stat"] is not None or found["stat"] in ("FAILURE", "BREAK"):
            break
        if time.monotonic() > end:
            sys.exit(f"task {task_id} is still {found['stat']} after {WAIT_SECONDS} s")
        time.sleep(1)
    print(f"task {task_id}: {found['stat']}, {found['prod_stat']}, {found['error_message']}", flush=True)
    if found["stat"] != "SUCCESS" or found["prod_stat"] not in ("finish", "no_data"):
        sys.exit(1)
    call("DELETE", f"/api/tasks/{task_id}")


call("GET", "/readyz")
print("the gateway is ready", flush=True)
if os.environ["TASK"]:
    run_task(os.environ["TASK"])
else:
    print("test.site is empty: no task was run", flush=True)
