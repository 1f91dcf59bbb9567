"""Command line of the worker image: ``run`` labels a task and exits with a documented code, ``match`` labels lines."""

import gc
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from labeltask_contract import names
from labeltask_contract.errors import TaskFailure
from labeltask_contract.pattern import ModelType
from labeltask_contract.spec import Policy
from labeltask_worker.dry_run import try_task
from labeltask_worker.dump_run import DumpRun
from labeltask_worker.held_signals import release_signals
from labeltask_worker.logs import configure_logs
from labeltask_worker.match_lines import match_lines, read_pattern
from labeltask_worker.runner import Run
from labeltask_worker.settings import read_settings
from labeltask_worker.shutdown import Stop
from labeltask_worker.task_bar import TaskBar

GARBAGE_OBJECTS = 200_000
"""Objects made and not freed before garbage is looked for: rows are tuples of bytes, never in a cycle, and to look
through them at Python's own pace (every 700) costs a fifth of the worker's time."""
SWITCH_SECONDS = 0.0003
"""How long the thread that commits waits for its turn while the other computes: it wants it for moments, but hundreds
of times in a million rows, and Python's own 5 ms would make it the slower of the two."""

# Typer's own tracebacks show local variables, so a password too.
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)


@app.callback()
def main() -> None:
    """Label posts in MySQL, as one pod of a LabelTask's Job."""


@app.command()
def run(
    task_dir: Annotated[
        Path, typer.Option(help="Folder with task.json, connection.json and pattern.json.gz (or pattern.json).")
    ] = Path(names.TASK_DIR),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and match the whole range, write nothing, print the counts.")
    ] = False,
) -> None:
    """Run the task, from where it was left, to its end.

    Exit code 0: done, or somebody else ended the task. 64 to 80: see the documentation of failure reasons; the same
    reason and a message stand in the termination message.
    """
    configure_logs()
    gc.set_threshold(GARBAGE_OBJECTS)
    sys.setswitchinterval(SWITCH_SECONDS)
    settings = read_settings()
    stop = Stop()
    stop.install()
    if dry_run:
        code = _try(task_dir, stop)
    elif sys.stderr.isatty():
        with TaskBar() as bar:
            code = Run(task_dir, settings, stop, watch=bar.show, show_report=bar.show_report).run()
    else:
        code = Run(task_dir, settings, stop).run()
    stop.finished()
    raise typer.Exit(code)


def _try(task_dir: Path, stop: Stop) -> int:
    try:
        outcome = try_task(task_dir, stop)
    except TaskFailure as failure:
        typer.echo(f"{failure.reason.value}: {failure.message}", err=True)
        return failure.exit_code
    typer.echo(json.dumps(asdict(outcome), ensure_ascii=False))
    return 0


@app.command()
def match(
    pattern: Annotated[Path, typer.Option(help="File with the rules, as PATTERN of a request or as a task has them.")],
    model: Annotated[ModelType, typer.Option(help="What the rules are.")] = ModelType.KEYWORD_MODEL,
    policy: Annotated[Policy, typer.Option(help="Which of the labels that match a text it gets.")] = Policy.FIRST,
    row_budget_seconds: Annotated[float, typer.Option(help="Time that all rules may take on one text.")] = 1.0,
) -> None:
    """Label texts: one JSON string a line on standard input, one JSON list of labels a line on standard output."""
    release_signals()
    try:
        rules = read_pattern(pattern, model)
        for line in match_lines(sys.stdin, rules, model, policy, row_budget_seconds):
            typer.echo(line)
    except TaskFailure as failure:
        typer.echo(f"{failure.reason.value}: {failure.message}", err=True)
        raise typer.Exit(failure.exit_code) from None


@app.command()
def dump_result(
    task_dir: Annotated[Path, typer.Option(help="Folder with dump.json and connection.json.")] = Path(names.TASK_DIR),
) -> None:
    """Put finished tasks on the shelf: merge their production rows with the previous ones into the dump tables.

    Exit codes as for ``run``. The termination message holds the counts of each dump table.
    """
    configure_logs()
    stop = Stop()
    stop.install()
    code = DumpRun(task_dir, read_settings(), stop).run()
    stop.finished()
    raise typer.Exit(code)
