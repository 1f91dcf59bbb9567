"""Request ids, logs and faults that nobody foresaw: what is written, and what never is."""

import json
import logging
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest

from labeltask_gateway.errors import ClusterRefused
from labeltask_gateway.request_context import REQUEST_ID_HEADER
from labeltask_logs.json_lines import configure_logging
from labeltask_testing.gateway_fakes import CANARY, Gateway, create_body, site_config
from labeltask_testing.log_lines import log_lines, restored_logging


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    with restored_logging():
        yield


def test_a_request_id_that_is_fit_is_kept_in_header_body_and_log(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    answer = Gateway().get("/api/nothing?password=x", headers={"X-Request-ID": "abc-1.2_3"})
    assert answer.headers["X-Request-ID"] == answer.json()["request_id"] == "abc-1.2_3"
    (line,) = [line for line in log_lines(capsys) if line["event"] == "request"]
    assert (line["request_id"], line["method"], line["path"], line["status"]) == (
        "abc-1.2_3",
        "GET",
        "/api/nothing",
        404,
    )


@pytest.mark.parametrize("sent", ["", "a b", "x" * 65, 'a"b', "a{b}"])
def test_a_request_id_that_is_unfit_is_replaced(sent: str) -> None:
    answer = Gateway().get("/healthz", headers={"X-Request-ID": sent})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])


def test_a_fault_that_nobody_foresaw_is_a_500_that_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("DEBUG")
    gateway = Gateway()
    gateway.cluster.failures["create_secret"] = RuntimeError(f"could not send {CANARY}")
    answer = gateway.post("/api/tasks/", create_body())
    assert answer.status_code == 500
    assert answer.json() == {
        "error_code": 500,
        "error_message": "a fault inside the gateway; its log has the details under this request id",
        "errors": [],
        "request_id": answer.headers["X-Request-ID"],
    }
    logged = log_lines(capsys)
    (fault,) = [line for line in logged if line["event"] == "unforeseen_error"]
    assert fault["request_id"] == answer.headers["X-Request-ID"]
    assert fault["exception"][0]["error"] == "RuntimeError"
    assert any("gateway_fakes.py" in place for place in fault["exception"][0]["at"])
    assert CANARY not in json.dumps(logged)


def test_what_the_api_server_says_of_the_installation_is_logged_and_not_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("INFO")
    gateway = Gateway()
    gateway.cluster.failures["create_label_task"] = ClusterRefused("create a LabelTask: 403 system:serviceaccount:x")
    answer = gateway.post("/api/tasks/", create_body())
    assert answer.status_code == 500
    assert "serviceaccount" not in answer.text
    assert "under this request id" in answer.json()["error_message"]
    (line,) = [line for line in log_lines(capsys) if line["event"] == "cluster_refused"]
    assert line["cause"] == "create a LabelTask: 403 system:serviceaccount:x"


BODIES_WITH_A_PASSWORD: dict[str, object] = {
    "nothing is wrong": create_body(),
    "no port": create_body(SITE_CONFIG=site_config(port=...)),
    "a port with a letter": create_body(SITE_CONFIG=site_config(port="33o6")),
    "no object": create_body(SITE_CONFIG=CANARY),
    "a list": create_body(SITE_CONFIG=[CANARY]),
    "in the host": create_body(SITE_CONFIG=site_config(host=CANARY + "/")),
    "in an unknown key": create_body(SITE_CONFIG=site_config(extra=CANARY)),
    "in every other key": create_body(
        QUEUE=CANARY + "?", COUNTDOWN=CANARY, POLICY=CANARY, START_TIME=CANARY, INPUT_SCHEMA=CANARY + "/"
    ),
    "beside SITE_CONFIG": create_body(PASSWORD=CANARY),
    "as SITE": create_body(SITE=CANARY, SITE_CONFIG=...),
    "as PATTERN": create_body(PATTERN=CANARY),
    "as TASK_ID": {"TASK_ID": CANARY},
    "in TASK_ID": {"TASK_ID": [CANARY]},
    "in a list alone": [CANARY],
    "alone": CANARY,
}


@pytest.mark.parametrize("case", BODIES_WITH_A_PASSWORD)
def test_the_password_is_in_no_answer_and_no_log_line(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("DEBUG")
    # The caller's own library, not the gateway's: it logs whole URLs.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    gateway = Gateway()
    for path in ("/api/tasks/", "/tasks/abort"):
        gateway.post(path, BODIES_WITH_A_PASSWORD[case])
    gateway.get(f"/api/tasks/?limit={CANARY}")
    assert CANARY not in "".join(gateway.answers)
    assert CANARY not in capsys.readouterr().out


def test_lines_of_libraries_are_json_too_and_their_bodies_are_never_logged(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("DEBUG")
    logging.getLogger("kubernetes.client.rest").debug("response body: %s", CANARY)
    logging.getLogger("uvicorn.error").info("Started server process [%d]", 1)
    logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=ValueError(CANARY))
    started, fault = log_lines(capsys)
    assert (started["event"], started["level"]) == ("Started server process [1]", "info")
    assert fault["exception"][0]["error"] == "ValueError"
    assert CANARY not in json.dumps(fault)


def test_probes_are_not_worth_a_line_while_they_succeed(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    gateway = Gateway()
    gateway.get("/healthz")
    gateway.get("/readyz")
    assert [line for line in log_lines(capsys) if line["event"] == "request"] == []


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/", 404, None),
        ("GET", "/docs/other.js", 404, None),
        ("GET", "/api/tasks/8fec5762412c11ec836d04ea56825baa/sample/", 404, None),
        ("GET", "/api/tasks/dump/", 405, "POST"),
        ("PUT", "/api/tasks/", 405, "GET, HEAD, POST"),
        ("PUT", "/api/tasks/8fec5762412c11ec836d04ea56825baa", 405, "DELETE, GET, HEAD"),
        ("GET", "/api/tasks/8fec5762412c11ec836d04ea56825baa/suspend", 405, "POST"),
        ("POST", "/healthz", 405, "GET, HEAD"),
    ],
)
def test_a_wrong_path_or_method_gets_the_envelope_too(method: str, path: str, status: int, allow: str | None) -> None:
    answer = Gateway().request(method, path)
    assert (answer.status_code, answer.json()["error_code"]) == (status, status)
    assert set(answer.json()) == {"error_code", "error_message", "errors", "request_id"}
    assert answer.headers.get("Allow") == allow


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/metrics", 200),
        ("/docs", 200),
        ("/docs/docs.css", 200),
        ("/openapi.json", 200),
        ("/tasks", 200),
        ("/api/tasks/8fec5762412c11ec836d04ea56825baa/", 404),
        ("/api/tasks/8fec5762412c11ec836d04ea56825baa/sample/", 404),
        ("/nothing", 404),
        ("/tasks/abort", 405),
    ],
)
def test_head_is_answered_as_get_is(path: str, status: int) -> None:
    gateway = Gateway()

    def answer(method: str) -> tuple[int, dict[str, str]]:
        found = gateway.request(method, path, headers={REQUEST_ID_HEADER: "same"})
        assert found.status_code == status
        # The figures grow by the request before.
        return found.status_code, {name: value for name, value in found.headers.items() if path != "/metrics"}

    assert answer("HEAD") == answer("GET")


def test_a_head_asks_for_a_token_as_a_get_does(tmp_path: Path) -> None:
    gateway = Gateway(auth_mode="token", auth_tokens_dir=tmp_path, auth_open=())
    paths = ("/tasks", "/metrics", "/docs", "/openapi.json")
    assert [gateway.request("HEAD", path).status_code for path in paths] == [401] * 4


ERRORS = ["/nothing", "/tasks/abort", "/tasks?limit=x", "/api/tasks/8fec5762412c11ec836d04ea56825baa"]


@pytest.mark.parametrize("path", [*ERRORS, "/docs", "/docs/docs.js", "/openapi.json", "/healthz", "/metrics"])
def test_no_answer_tells_a_version_of_the_software(path: str) -> None:
    answer = Gateway().get(path)
    told = answer.text + str(answer.headers)
    for name in ("labeltask", "fastapi", "starlette", "uvicorn", "pydantic"):
        assert metadata.version(name) not in told, name
    assert "server" not in answer.headers
