"""The program itself, against a slow API server: it drains on SIGTERM, and says what is wrong with settings."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

ID = "8fec5762412c11ec836d04ea56825baa"


class SlowApiServer(BaseHTTPRequestHandler):
    """Knows no task, and takes its time to say so."""

    def do_GET(self) -> None:
        by_name = self.path.endswith(f"/labeltasks/{ID}")
        time.sleep(1 if by_name else 0)
        found = 404 if by_name else 200
        content = json.dumps({"items": [], "metadata": {"resourceVersion": "1"}}).encode()
        self.send_response(found)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowApiServer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "x", "user": {}}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LABELTASK_", "KUBERNETES_"))}
    yield {**kept, "KUBECONFIG": str(tmp_path / "config"), "LABELTASK_NAMESPACE": "tasks"}
    server.shutdown()
    server.server_close()
    thread.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_request_under_way_is_answered_after_sigterm_and_the_program_ends_well(environment: dict[str, str]) -> None:
    port = free_port()
    settings = {"LABELTASK_LISTEN_PORT": str(port), "LABELTASK_LISTEN_HOST": "127.0.0.1"}
    program = subprocess.Popen(
        [sys.executable, "-m", "labeltask_gateway"],
        env={**environment, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_ready(url)
        answers: list[httpx.Response] = []
        caller = threading.Thread(target=lambda: answers.append(httpx.get(f"{url}/tasks/{ID}", timeout=20)))
        caller.start()
        time.sleep(0.4)
        program.send_signal(signal.SIGTERM)
        caller.join(20)
        output, _ = program.communicate(timeout=20)
    finally:
        program.kill()
    assert [(answer.status_code, answer.json()["error_code"]) for answer in answers] == [(404, 404)]
    assert program.returncode in (0, -signal.SIGTERM)
    events = [json.loads(line)["event"] for line in output.splitlines()]
    assert "no_authentication" in events
    assert "Application shutdown complete." in events


def _wait_ready(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            if httpx.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, "the gateway did not become ready"
        time.sleep(0.1)


def test_mode_token_without_its_folder_does_not_start(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "labeltask_gateway"],
        env={**environment, "LABELTASK_AUTH_MODE": "token"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "auth_mode token needs auth_tokens_dir" in done.stderr
