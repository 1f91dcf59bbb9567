"""SIGTERM and SIGINT held back from the first moment, until somebody waits for them. Imports nothing heavy.

A process that has not begun to handle SIGTERM ends by it, with a code that says nothing; as process 1 of a container it
does not even get it, and is killed when its grace period is over. What is held back is kept, for process 1 too.
"""

import signal

SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})


def hold_signals() -> None:
    """Keep the signals for who waits for them. Call it before other threads are started: they inherit it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)


def release_signals() -> None:
    """Let the signals end the process again, as a person at a terminal wants it."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
