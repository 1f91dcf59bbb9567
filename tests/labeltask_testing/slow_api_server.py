"""A proxy before the real API server that takes its time: runs as a program of its own in a pod, standard library only.

``PUT /__seconds/5`` has each later answer wait so long; ``GET /__answered`` tells how many probes (lists of one object)
were answered since. Every other request goes to the API server with the token of the pod's own service account.
"""

import http.client
import json
import os
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT = 8001
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PASSED_ON = ("Content-Type", "Accept", "User-Agent")


class SlowApiServer(BaseHTTPRequestHandler):
    """One request. Answers end with their connection, so that watches can be passed on as they come."""

    seconds = 0.0
    probes_answered = 0
    lock = threading.Lock()

    def answer(self) -> None:
        """Answer any method."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/__"):
            self._steer()
            return
        tls = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
        there = http.client.HTTPSConnection(os.environ["KUBERNETES_SERVICE_HOST"], timeout=120, context=tls)
        headers = {name: self.headers[name] for name in _PASSED_ON if self.headers[name]}
        headers["Authorization"] = f"Bearer {(_ACCOUNT / 'token').read_text()}"
        there.request(self.command, self.path, body or None, headers)
        found = there.getresponse()
        seconds = SlowApiServer.seconds
        time.sleep(seconds)
        self.send_response(found.status)
        self.send_header("Content-Type", found.getheader("Content-Type", "application/json"))
        self.end_headers()
        while part := found.read1():
            self.wfile.write(part)
            self.wfile.flush()
        if "limit=1" in self.path.partition("?")[2].split("&"):
            with SlowApiServer.lock:
                SlowApiServer.probes_answered += seconds == SlowApiServer.seconds

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - http.server's names

    def _steer(self) -> None:
        with SlowApiServer.lock:
            if self.command == "PUT":
                SlowApiServer.seconds = float(self.path.rpartition("/")[2])
                SlowApiServer.probes_answered = 0
            content = json.dumps(SlowApiServer.probes_answered).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 100
    daemon_threads = True


if __name__ == "__main__":
    _Server(("", PORT), SlowApiServer).serve_forever()
