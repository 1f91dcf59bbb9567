"""Where everything expensive is kept, so that a fresh clone of the repository starts warm.

Each entry's name holds a key made from what it was built of; a changed input is a new entry, never an edited one.
Entries are built beside the cache and moved in by rename, so an interrupted build is never taken for a complete one.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

KEY_LENGTH = 12


def cache_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Return `$LABELTASK_CACHE`, else `labeltask` in the user's cache folder."""
    if own := environment.get("LABELTASK_CACHE"):
        return Path(own)
    user_cache = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME", "/root")) / ".cache"
    return Path(user_cache) / "labeltask"


def content_key(parts: Iterable[tuple[str, bytes]]) -> str:
    """Return the key of named contents; it depends on names, contents and their order, and on nothing else."""
    digest = hashlib.sha256()
    for name, content in parts:
        for field in (name.encode(), content):
            # The length in front keeps ("ab", "c") and ("a", "bc") apart.
            digest.update(len(field).to_bytes(8, "big") + field)
    return digest.hexdigest()[:KEY_LENGTH]


def file_contents(paths: Iterable[Path], relative_to: Path) -> list[tuple[str, bytes]]:
    """Return (relative name, content) of every file below the paths, sorted; what Python compiles is left out."""
    files: set[Path] = set()
    for path in paths:
        files.update(found for found in path.rglob("*") if found.is_file()) if path.is_dir() else files.add(path)
    kept = sorted(file for file in files if "__pycache__" not in file.parts)
    return [(file.relative_to(relative_to).as_posix(), file.read_bytes()) for file in kept]


@contextmanager
def scratch_directory(prefix: str) -> Iterator[Path]:
    """Give a folder on the cache's own file system, so that moving a result into the cache is one rename."""
    parent = cache_directory() / "scratch"
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{prefix}-", dir=parent) as folder:
        yield Path(folder)


@contextmanager
def exclusive_lock() -> Iterator[None]:
    """Let one process at a time change the cache or the cluster; the others wait for it."""
    directory = cache_directory()
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock_file:
        try:
            fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Imported here, since reporting is only for the rare second starter.
            from localkube.reporting import say

            say("another localkube is at work on this machine: waiting for it to finish")
            fcntl.flock(lock_file, fcntl.LOCK_EX)
        _clear_scratch(directory / "scratch")
        yield


def _clear_scratch(scratch: Path) -> None:
    """Remove what a killed run left behind: only the holder of the lock has anything there."""
    if not scratch.exists():
        return
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in reversed([mount for mount in mounts if mount.startswith(f"{scratch}/")]):
        # debootstrap mounts /proc into its root; no file below a mount may be taken for one of ours.
        subprocess.run(["umount", mount], check=True)
    shutil.rmtree(scratch, ignore_errors=True)
