"""The command line: `python -m localkube up | images | load | env | tools | down`, with PYTHONPATH=tests."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from localkube.cache import exclusive_lock
from localkube.cluster import delete_cluster, ensure_cluster, ensure_tools
from localkube.engine import current_engine
from localkube.images import ensure_images, load_archives, load_images
from localkube.reporting import ComponentError, say
from localkube.toolset import shell_exports

app = typer.Typer(help="A real Kubernetes on this machine: kind on Docker, or on podman.", no_args_is_help=True)


@app.command()
def up(
    nodes: Annotated[int | None, typer.Option(min=1, help="Number of nodes; default: what runs, else 1.")] = None,
) -> None:
    """Make sure that a cluster is Ready; harmless to repeat."""
    with exclusive_lock():
        engine = current_engine()
        ensure_tools(engine)
        ensure_cluster(engine, nodes)
    say('Use it with: eval "$(python -m localkube env)"')


@app.command()
def images() -> None:
    """Build the project's images and load them into the nodes; prints their references as JSON."""
    with exclusive_lock():
        references = ensure_images(current_engine())
    typer.echo(json.dumps(asdict(references), indent=2))


@app.command()
def load(
    sources: Annotated[list[str], typer.Argument(help="Archives (files) or images in the engine's store.")],
) -> None:
    """Load images into every node."""
    archives = [Path(source) for source in sources if Path(source).is_file()]
    references = [source for source in sources if not Path(source).is_file()]
    with exclusive_lock():
        engine = current_engine()
        load_archives(engine, archives)
        if references:
            load_images(engine, references)


@app.command()
def env() -> None:
    """Print `export` lines that make a shell use the cluster and its tools."""
    typer.echo(shell_exports())


@app.command()
def tools() -> None:
    """Make sure that kind, kubectl and helm (and podman, without Docker) are there."""
    with exclusive_lock():
        ensure_tools(current_engine())


@app.command()
def down() -> None:
    """Delete the project's cluster, and nothing else; programs and images stay in the cache."""
    with exclusive_lock():
        engine = current_engine()
        ensure_tools(engine)
        delete_cluster(engine)


def main() -> None:
    """Run the command line; a part that failed is named without a traceback."""
    try:
        app(standalone_mode=True)
    except ComponentError as error:
        say("\n".join([f"localkube: {error}", *getattr(error, "__notes__", [])]))
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
