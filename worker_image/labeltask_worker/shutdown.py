"""SIGTERM: tell the main thread to stop at its next border, and end the process when it can't get there in time.

Kubernetes sends SIGTERM on drain, eviction and abort, and SIGKILL when the grace period is over. A thread waits for the
signal, because a Python handler runs only once a blocking call of the main thread returns.
"""

import os
import signal
import threading
from collections.abc import Callable

import structlog

from labeltask_contract.errors import TaskFailure
from labeltask_contract.reasons import FACTS, Reason
from labeltask_worker.held_signals import SIGNALS, hold_signals

STOP_SECONDS = 7.0
"""Time for the running batch; with the cancelling below the process ends within 10 s of the signal."""
CANCEL_SECONDS = 2.0

_log = structlog.get_logger(__name__)


class Stop:
    """Whether the worker shall stop, for everything that loops or waits."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._finished = threading.Event()
        self.on_overdue: Callable[[], None] = lambda: None
        """Called when the main thread did not stop in time: cancel what it waits for, quickly."""
        self.on_exit: Callable[[], None] = lambda: None
        """Called before the process is ended: leave the outcome behind."""

    def install(self) -> None:
        """Take SIGTERM and SIGINT over from now on. Call it in the main thread, before others are started."""
        # Or the kernel would hand them to the main thread.
        hold_signals()
        threading.Thread(target=self._watch, name="shutdown", daemon=True).start()

    def set(self) -> None:
        """Ask the worker to stop."""
        self._event.set()

    def finished(self) -> None:
        """Say that the main thread is through: nothing is overdue any more."""
        self._finished.set()

    def check(self) -> None:
        """Raise if the worker shall stop.

        :raises TaskFailure: Interrupted.
        """
        if self._event.is_set():
            raise interrupted()

    def wait(self, seconds: float) -> None:
        """Wait, but no longer than until the worker shall stop.

        :raises TaskFailure: Interrupted.
        """
        if self._event.wait(max(0.0, seconds)):
            raise interrupted()

    def _watch(self) -> None:
        signal.sigwait(SIGNALS)
        _log.info("told to stop")
        self._event.set()
        if self._finished.wait(STOP_SECONDS):
            return
        canceller = threading.Thread(target=self.on_overdue, name="cancel", daemon=True)
        canceller.start()
        if self._finished.wait(CANCEL_SECONDS):
            return
        self.on_exit()
        code = FACTS[Reason.INTERRUPTED].exit_code
        # The database rolls the open transaction back when the connection ends.
        os._exit(code if code is not None else 1)


def interrupted() -> TaskFailure:
    """Return the failure that means: told to stop, work handed back."""
    return TaskFailure(Reason.INTERRUPTED, "the worker was told to stop; committed work stays, another one goes on")
