"""Command line of the worker image: ``labeltask-worker run`` labels one task and exits with a documented code."""

from pathlib import Path
from typing import Annotated

import typer

from labeltask_contract import names
from labeltask_worker.dump_run import DumpRun
from labeltask_worker.logs import configure_logs
from labeltask_worker.runner import Run
from labeltask_worker.settings import read_settings
from labeltask_worker.shutdown import Stop

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
) -> None:
    """Run the task, from where it was left, to its end.

    Exit code 0: done, or somebody else ended the task. 64 to 78: see the documentation of failure reasons; the same
    reason and a message stand in the termination message.
    """
    configure_logs()
    stop = Stop()
    stop.install()
    code = Run(task_dir, read_settings(), stop).run()
    stop.finished()
    raise typer.Exit(code)


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


if __name__ == "__main__":
    app()
