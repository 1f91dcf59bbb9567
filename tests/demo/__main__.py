"""`make demo`: the main job end to end on a real cluster, in the commands that a person would type.

Nothing on the path is simulated: curl posts to the gateway, Kubernetes runs the Job, MariaDB holds the rows. Everything
stays up afterwards; a second run reuses it.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.panel import Panel
from rich.syntax import Syntax

from demo.setting import DEMO_PASSWORD, prepare
from demo.tables import show_labelled_sample, show_state
from demo.tasks import content_task, gender_task, long_task
from labeltask_testing.cluster_commands import CommandError, command_env, kubectl
from labeltask_testing.installation import Body, Installation, wait_until
from localkube.reporting import ComponentError

console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)


def main() -> None:
    """Run the demo; end with status 1 when a task did not end as it should."""
    begin = time.monotonic()
    console.rule("[bold]1. A cluster, images, a database, and LabelTask from its chart")
    demo = prepare()

    console.rule("[bold]2. Three tasks by REST")
    gender = _post_by_curl(demo, "gender of the author, by keywords", gender_task(demo.database))
    with _watching(demo):
        started = time.monotonic()
        wait_until(lambda: demo.status(gender), lambda s: s["stat"] != "PENDING", seconds=60, what="the first pod")
        console.print(f"  [dim]POST to a running worker: {time.monotonic() - started:.1f} s[/dim]")
        content = _post_by_curl(demo, "what the post is about, by regular expressions", content_task(demo.database))
        aborted = _post_by_curl(demo, "a long one, to be aborted", long_task(demo.database))
        wait_until(lambda: demo.status(aborted), lambda s: s["stat"] != "PENDING", seconds=60, what="the long task")
        _abort_by_curl(demo, aborted)
        ends = {task_id: demo.wait_final(task_id) for task_id in (gender, content, aborted)}
    console.print(kubectl("get", "labeltasks", "--namespace", demo.namespace).rstrip(), style="cyan")

    console.rule("[bold]3. What the database holds now")
    show_state(console, demo.database, list(ends))
    show_labelled_sample(console, demo.database, gender)
    show_labelled_sample(console, demo.database, content)

    console.rule("[bold]4. Go on from here")
    _show_next_steps(demo, gender)
    console.print(f"[dim]The demo took {time.monotonic() - begin:.0f} s.[/dim]")
    expected = {gender: "SUCCESS", content: "SUCCESS", aborted: "BREAK"}
    wrong = {task_id: ends[task_id] for task_id, stat in expected.items() if ends[task_id]["stat"] != stat}
    if wrong:
        console.print(f"[bold red]Not as it should be:[/bold red] {json.dumps(wrong, ensure_ascii=False, indent=2)}")
        raise SystemExit(1)


def _post_by_curl(demo: Installation, title: str, body: Body) -> str:
    """Show the command as a person would type it, then run exactly that."""
    # One line a key: the reader shall see the whole request at once.
    keys = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in body.items())
    shown = f"{{\n{keys}\n}}".replace(DEMO_PASSWORD, "********")
    console.print(f"\n[bold]{title}[/bold]")
    console.print(f"$ curl -X POST {demo.url}/api/tasks/ -H 'Content-Type: application/json' -d @-", style="green")
    console.print(Syntax(shown, "json", background_color="default", word_wrap=True))
    answer = _curl(f"{demo.url}/api/tasks/", body)
    console.print_json(answer)
    task_id: str = json.loads(answer)["error_message"]["task_id"]
    return task_id


def _abort_by_curl(demo: Installation, task_id: str) -> None:
    url = f"{demo.url}/api/tasks/abort/"
    console.print(
        f'$ curl -X POST {url} -H "Content-Type: application/json" -d \'{{"TASK_ID": "{task_id}"}}\'', style="green"
    )
    begin = time.monotonic()
    console.print_json(_curl(url, {"TASK_ID": task_id}))
    selector = f"labelapi.io/task-id={task_id}"
    wait_until(
        lambda: kubectl("get", "pods", "--namespace", demo.namespace, "--selector", selector, "--output", "name"),
        lambda names: not names.strip(),
        seconds=60,
        what="the aborted task's pods to go",
    )
    console.print(f"  [dim]abort to no pod left: {time.monotonic() - begin:.1f} s[/dim]")


def _curl(url: str, body: Body) -> str:
    options = ["--silent", "--show-error", "--max-time", "30", "--data-binary", "@-"]
    done = subprocess.run(
        ["curl", *options, "--header", "Content-Type: application/json", url],
        input=json.dumps(body),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@contextmanager
def _watching(demo: Installation) -> Iterator[None]:
    """Show `kubectl get labeltasks --watch` below everything else while the block runs."""
    command = ["kubectl", "get", "labeltasks", "--namespace", demo.namespace, "--watch"]
    console.print(f"\n$ {' '.join(command)}", style="green")
    process = subprocess.Popen(command, env=command_env())
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


def _show_next_steps(demo: Installation, task_id: str) -> None:
    console.print(
        Panel(
            f"""The gateway stays up, and so does everything else (make cluster-down ends it):

  curl {demo.url}/api/tasks/{task_id}
  curl {demo.url}/api/tasks/

  eval "$(PYTHONPATH=tests .venv/bin/python -m localkube env)"
  kubectl --namespace {demo.namespace} get labeltasks --output wide
  kubectl --namespace {demo.namespace} describe labeltask {task_id}
  kubectl --namespace {demo.namespace} delete labeltask {task_id}

  The database: 127.0.0.1:{demo.database.port.host_port}, user {demo.database.user}, password {DEMO_PASSWORD}""",
            title="Yours",
            expand=False,
        )
    )


if __name__ == "__main__":
    try:
        main()
    except (ComponentError, CommandError) as error:
        console.print(str(error), style="bold red", markup=False)
        raise SystemExit(1) from None
