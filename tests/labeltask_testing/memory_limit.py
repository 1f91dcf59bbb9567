"""Run a program under a memory limit of the kernel's, as a pod with ``limits.memory`` runs. Needs root and cgroups.

Knows both versions' file names; tried on version 1.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")
_IS_V1 = (_MOUNT / "memory").is_dir()
_PARENT = _MOUNT / "memory" if _IS_V1 else _MOUNT
_LIMIT, _PEAK = ("memory.limit_in_bytes", "memory.max_usage_in_bytes") if _IS_V1 else ("memory.max", "memory.peak")


@dataclass(frozen=True)
class MemoryLimit:
    """A control group for one program."""

    folder: Path

    def run(self, command: Sequence[str], seconds: float) -> "subprocess.CompletedProcess[bytes]":
        """Run a program inside; a program that exceeds the limit ends by SIGKILL."""
        # The shell enters the group and becomes the program.
        enter = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.folder / "cgroup.procs")]
        return subprocess.run([*enter, *command], stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds)

    def peak_mib(self) -> float:
        """Return the most that was charged: pages of the program, buffers of its sockets, files it read first."""
        return int((self.folder / _PEAK).read_text()) / 2**20


@contextmanager
def memory_limit(mib: int) -> Iterator[MemoryLimit]:
    """Yield a group with a limit; it goes at the end, when nothing runs in it any more."""
    folder = _PARENT / f"labeltask-test-{os.getpid()}"
    folder.mkdir()
    try:
        (folder / _LIMIT).write_text(str(mib * 2**20))
        yield MemoryLimit(folder)
    finally:
        folder.rmdir()
