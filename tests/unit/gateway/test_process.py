"""The program itself, against an API server that waits: it drains on SIGTERM, and says what is wrong with settings."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

ID = "8fec5762412c11ec836d04ea56825baa"
GATEWAY_THREADS = 40


class SlowApiServer(BaseHTTPRequestHandler):
    """Knows no task, and says so once it may."""

    may_answer = threading.Event()
    asked = threading.Semaphore(0)
    """Counts requests for one task."""

    def do_GET(self) -> None:
        if "/labeltasks/" in self.path:
            SlowApiServer.asked.release()
        assert SlowApiServer.may_answer.wait(300)
        found = 404 if "/labeltasks/" in self.path else 200
        content = json.dumps({"items": [], "metadata": {"resourceVersion": "1"}}).encode()
        self.send_response(found)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


class ApiServer(ThreadingHTTPServer):
    """Takes as many connections at once as the gateway opens."""

    request_queue_size = 100
    daemon_threads = True


def environment_for(port: int, folder: Path) -> dict[str, str]:
    """The environment of a program whose API server listens at this port."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "x", "user": {}}],
    }
    (folder / "config").write_text(json.dumps(config))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LABELTASK_", "KUBERNETES_"))}
    patient = {"LABELTASK_REQUEST_TIMEOUT_SECONDS": "300", "LABELTASK_READINESS_TIMEOUT_SECONDS": "60"}
    return {**kept, **patient, "KUBECONFIG": str(folder / "config"), "LABELTASK_NAMESPACE": "tasks"}


@pytest.fixture(autouse=True)
def answers() -> Iterator[None]:
    """The API server answers at once, unless a test says otherwise."""
    SlowApiServer.asked = threading.Semaphore(0)
    SlowApiServer.may_answer.set()
    yield
    SlowApiServer.may_answer.set()


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    server = ApiServer(("127.0.0.1", 0), SlowApiServer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield environment_for(server.server_port, tmp_path)
    server.shutdown()
    server.server_close()
    thread.join()


@contextmanager
def program_on(environment: dict[str, str]) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The program's address once it is ready, and the program; killed at the end."""
    port = free_port()
    settings = {"LABELTASK_LISTEN_PORT": str(port), "LABELTASK_LISTEN_HOST": "127.0.0.1"}
    with subprocess.Popen(
        [sys.executable, "-m", "labeltask_gateway"],
        env={**environment, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as program:
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_status(f"{url}/readyz", 200)
            yield url, program
        finally:
            program.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_the_answer_to_a_head_has_no_body_and_tells_neither_server_nor_version(environment: dict[str, str]) -> None:
    with (
        program_on(environment) as (url, _),
        socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=300) as caller,
    ):
        caller.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")
        head, _, body = b"".join(iter(lambda: caller.recv(65536), b"")).partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert (lines[0], body) == ("http/1.1 200 ok", b"")
    names = {line.partition(":")[0] for line in lines[1:]}
    assert names == {"content-length", "content-type", "x-request-id", "date", "connection"}


def test_a_request_under_way_is_answered_after_sigterm_and_the_program_ends_well(environment: dict[str, str]) -> None:
    with program_on(environment) as (url, program):
        SlowApiServer.may_answer.clear()
        answers: list[httpx.Response] = []
        caller = threading.Thread(target=lambda: answers.append(httpx.get(f"{url}/tasks/{ID}", timeout=300)))
        caller.start()
        assert SlowApiServer.asked.acquire(timeout=300)
        program.send_signal(signal.SIGTERM)
        assert program.stdout is not None
        output = ""
        while "Shutting down" not in output:
            line = program.stdout.readline()
            assert line, output
            output += line
        SlowApiServer.may_answer.set()
        caller.join(300)
        output += program.communicate(timeout=300)[0]
    assert [(answer.status_code, answer.json()["error_code"]) for answer in answers] == [(404, 404)]
    assert program.returncode in (0, -signal.SIGTERM)
    events = [json.loads(line)["event"] for line in output.splitlines()]
    assert "no_authentication" in events
    assert "Application shutdown complete." in events


def _wait_status(url: str, status: int) -> None:
    deadline = time.monotonic() + 300
    seen: object = None
    while seen != status:
        assert time.monotonic() < deadline, f"{url} did not answer {status}; last seen: {seen}"
        try:
            seen = _status(url)
        except httpx.TransportError as error:
            seen = error
        time.sleep(0.05)


def test_mode_token_without_its_folder_does_not_start(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "labeltask_gateway"],
        env={**environment, "LABELTASK_AUTH_MODE": "token"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 2
    assert "auth_mode token needs auth_tokens_dir" in done.stderr


def test_while_all_threads_wait_for_the_api_server_the_program_is_alive_and_then_nobody_gets_a_5xx(
    environment: dict[str, str],
) -> None:
    with program_on(environment) as (url, program):
        SlowApiServer.may_answer.clear()
        with ThreadPoolExecutor(60) as threads:
            # More callers than the gateway has threads, each a task that nobody has.
            asked = [threads.submit(_status, f"{url}/tasks/{number:032x}") for number in range(50)]
            ready = threads.submit(_status, f"{url}/readyz")
            assert all(SlowApiServer.asked.acquire(timeout=300) for _ in range(GATEWAY_THREADS))
            assert _status(f"{url}/healthz") == 200
            SlowApiServer.may_answer.set()
            assert ready.result() == 200
            assert {one.result() for one in asked} == {404}
        assert program.poll() is None


def test_without_an_api_server_the_program_is_alive_and_not_ready_and_recovers(tmp_path: Path) -> None:
    server = ApiServer(("127.0.0.1", 0), SlowApiServer)
    environment = environment_for(server.server_port, tmp_path)
    port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    with program_on(environment) as (url, _):
        server.shutdown()
        server.server_close()
        thread.join()
        _wait_status(f"{url}/readyz", 503)
        assert _status(f"{url}/healthz") == 200
        refused = httpx.get(f"{url}/tasks/{ID}", timeout=300)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        again = ApiServer(("127.0.0.1", port), SlowApiServer)
        thread = threading.Thread(target=again.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        _wait_status(f"{url}/readyz", 200)
        assert _status(f"{url}/tasks/{ID}") == 404
        again.shutdown()
        again.server_close()
        thread.join()


def _status(url: str) -> int:
    return httpx.get(url, timeout=300).status_code
