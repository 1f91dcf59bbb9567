"""Start of the worker image: hold signals back, and only then import what takes its time to import."""

from labeltask_worker.held_signals import hold_signals


def main() -> None:
    """Run the command line."""
    hold_signals()
    # Half a second on a busy node, in which a pod may be told to go.
    from labeltask_worker.commands import app

    app()


if __name__ == "__main__":
    main()
