"""A private MariaDB for tests: own data folder, own port on 127.0.0.1, ended with the test run.

Input: the installed server programs (Debian package ``mariadb-server-core``), or the MySQL that ``server_kinds.py`` is
told of; nothing is downloaded or configured outside the temporary folder. :class:`Server` can be killed and started
again, which the fault tests do.
"""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql

from labeltask_testing.server_kinds import ServerKind, server_kind

PASSWORD = "p@ss:/%#canary-密"
"""Of the test account. Whatever prints it fails the canary test."""
USER = "labeltask"

_STARTED_WITHIN_SECONDS = 60


@dataclass
class Server:
    """One server. ``address`` is fixed over restarts."""

    folder: Path
    port: int
    options: tuple[str, ...] = ()
    kind: ServerKind = field(default_factory=server_kind)
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    host: str = "127.0.0.1"

    @property
    def disk(self) -> Path:
        """Where a table may lie on a disk of its own; nothing is there until a test mounts one."""
        return self.folder / "disk"

    def start(self) -> None:
        """Start the server and return when it answers."""
        log = (self.folder / "server.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [
                    self.kind.program,
                    "--no-defaults",
                    f"--datadir={self.folder / 'data'}",
                    f"--socket={self.folder / 'server.sock'}",
                    f"--pid-file={self.folder / 'server.pid'}",
                    # Its own: a server that starts deletes the temporary tables of any other that shares the folder.
                    f"--tmpdir={self.folder / 'tmp'}",
                    # Where a test may put a table; MariaDB needs no leave for that.
                    f"--loose-innodb-directories={self.disk}",
                    f"--bind-address={self.host}",
                    f"--port={self.port}",
                    "--skip-name-resolve",
                    "--character-set-server=utf8mb4",
                    # Not utf8mb4_bin: what depends on the server's collation shall show itself.
                    "--collation-server=utf8mb4_general_ci",
                    "--innodb-buffer-pool-size=256M",
                    "--innodb-flush-log-at-trx-commit=2",
                    "--max-connections=200",
                    f"--init-file={self.folder / 'users.sql'}",
                    *_as_this_account(),
                    *self.kind.options,
                    *self.options,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _STARTED_WITHIN_SECONDS
        while True:
            try:
                # It listens once the init file has been run. PyMySQL would leave its socket behind on a refusal.
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(str(self.folder / "server.sock"))
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self.kind.name} did not start:\n{self.log_text()[-4000:]}") from None
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """End the server as a power cut would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End the server by its own process id."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

    def log_text(self) -> str:
        """Return what the server logged so far."""
        return (self.folder / "server.log").read_text(errors="replace")

    def admin(self) -> "pymysql.Connection[Any]":
        """Return a connection with every right, autocommit on."""
        return pymysql.connect(unix_socket=str(self.folder / "server.sock"), user="root", autocommit=True)

    def site_config(self, **changes: object) -> dict[str, object]:
        """Return the test account as callers send it in SITE_CONFIG."""
        return {"host": self.host, "port": self.port, "user": USER, "password": PASSWORD, **changes}

    def execute(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements with every right; return the rows of the last one."""
        with self.admin() as db, db.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())


@contextmanager
def running_server(*options: str) -> Iterator[Server]:
    """Yield a running server; it is stopped at the end, and its data goes."""
    with tempfile.TemporaryDirectory(prefix="labeltask-mariadb-", ignore_cleanup_errors=True) as name:
        yield from _run_server(Path(name), options)


@contextmanager
def kept_server(folder: Path, *options: str) -> Iterator[Server]:
    """Yield a running server whose data stay in ``folder``, for benchmarks that load a big table once."""
    folder.mkdir(parents=True, exist_ok=True)
    yield from _run_server(folder, options)


def _run_server(folder: Path, options: tuple[str, ...]) -> Iterator[Server]:
    kind = server_kind()
    (folder / "users.sql").write_text(
        f"CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO '{USER}'@'%';\n"
        + kind.users
    )
    if not (folder / "data").exists():
        _install(folder, kind)
    server = Server(folder, _free_port(), options, kind)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _install(folder: Path, kind: ServerKind) -> None:
    (folder / "tmp").mkdir(exist_ok=True)
    subprocess.run(
        [*kind.install, f"--datadir={folder / 'data'}", *_as_this_account()],
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )


def _as_this_account() -> list[str]:
    # Without being told so, neither program runs as root.
    return ["--user=root"] if os.geteuid() == 0 else []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
