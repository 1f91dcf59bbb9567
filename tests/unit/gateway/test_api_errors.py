import json
from typing import Any

import pytest
import urllib3
from kubernetes.client import ApiException

from labeltask_contract.errors import InvalidTask
from labeltask_gateway.api_errors import translate
from labeltask_gateway.errors import ClusterRefused, ClusterUnavailable
from labeltask_testing.gateway_fakes import CANARY


def refusal(status: int, message: str = "no", **more: Any) -> ApiException:
    body = json.dumps({"kind": "Status", "code": status, "message": message, **more})
    return ApiException(status=status, reason="Reason", body=body)


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_what_may_pass_is_unavailable(status: int) -> None:
    assert type(translate(refusal(status), "create a LabelTask", from_caller=True)) is ClusterUnavailable


@pytest.mark.parametrize(
    "error",
    [
        urllib3.exceptions.MaxRetryError(None, "/apis", ConnectionRefusedError()),  # type: ignore[arg-type]
        urllib3.exceptions.ReadTimeoutError(None, "/apis", "read timed out"),  # type: ignore[arg-type]
        urllib3.exceptions.ProtocolError("aborted"),
        ApiException(status=0, reason="SSLError"),
        TimeoutError(),
        ConnectionResetError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_silence_is_unavailable(error: Exception) -> None:
    found = translate(error, "get a LabelTask")
    assert type(found) is ClusterUnavailable
    assert str(found) == "the Kubernetes API server does not answer; try again in a few seconds"


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_missing_right_or_kind_is_an_installation_fault_for_the_log(status: int) -> None:
    found = translate(refusal(status, "system:serviceaccount:x cannot create"), "create a LabelTask", from_caller=True)
    assert isinstance(found, ClusterRefused)
    assert found.cause == f"create a LabelTask: {status} system:serviceaccount:x cannot create"
    assert "serviceaccount" not in str(found)


def test_a_full_quota_says_so() -> None:
    found = translate(refusal(403, "forbidden: exceeded quota: q, requested: count/x=1"), "create", from_caller=True)
    assert isinstance(found, ClusterUnavailable)
    assert "quota" in str(found)


def test_a_schema_refusal_names_the_fields() -> None:
    details = {
        "causes": [
            {"reason": "FieldValueInvalid", "field": "spec.startTime", "message": "Invalid value: must match"},
            {"reason": "FieldValueInvalid", "field": "", "message": "whole"},
        ]
    }
    found = translate(refusal(422, details=details), "create a LabelTask", from_caller=True)
    assert isinstance(found, InvalidTask)
    assert [(p.pointer, p.message) for p in found.problems] == [
        ("/spec/startTime", "Invalid value: must match"),
        ("", "whole"),
    ]


def test_a_schema_refusal_without_causes_gives_its_message() -> None:
    found = translate(refusal(422, "startTime must be before endTime"), "create a LabelTask", from_caller=True)
    assert str(found) == "startTime must be before endTime"


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_secret_is_never_quoted(status: int) -> None:
    error = refusal(status, f"invalid: {CANARY}", details={"causes": [{"field": "data", "message": CANARY}]})
    found = translate(error, "create a Secret")
    assert isinstance(found, ClusterRefused)
    assert found.cause == f"create a Secret: {status}"


@pytest.mark.parametrize("body", ["", "<html>", "[]", '{"details": 7}', '{"details": {"causes": [7]}}', None])
def test_an_answer_that_is_no_status_object_is_survived(body: str | None) -> None:
    found = translate(ApiException(status=422, reason="Unprocessable", body=body), "create", from_caller=True)
    assert str(found) == "the API server refuses the task"
