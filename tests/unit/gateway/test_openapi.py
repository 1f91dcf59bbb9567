from typing import Any

from labeltask_gateway.requests import KEYS
from labeltask_testing.gateway_fakes import Gateway


def document() -> dict[str, Any]:
    found: dict[str, Any] = Gateway().get("/openapi.json").json()
    return found


def test_each_path_is_shown_once_with_its_operation() -> None:
    shown = {
        (path, method): operation["operationId"]
        for path, item in document()["paths"].items()
        for method, operation in item.items()
    }
    assert shown == {
        ("/api/tasks/", "post"): "create",
        ("/api/tasks/", "get"): "recent",
        ("/api/tasks/validate/", "post"): "validate",
        ("/api/tasks/abort/", "post"): "abort",
        ("/api/tasks/{task_id}/", "get"): "check_status",
        ("/api/tasks/{task_id}/", "delete"): "delete",
        ("/api/tasks/{task_id}/sample/", "get"): "sample",
        ("/api/tasks/{task_id}/suspend/", "post"): "suspend",
        ("/api/tasks/{task_id}/resume/", "post"): "resume",
        ("/api/rules/try/", "post"): "try_rules",
        ("/healthz", "get"): "health",
        ("/metrics", "get"): "metrics",
        ("/readyz", "get"): "ready",
    }


def test_the_body_of_create_is_described_key_by_key() -> None:
    body = document()["paths"]["/api/tasks/"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    create, abort = body["oneOf"]
    assert list(create["properties"]) == list(KEYS)
    assert all("description" in schema for schema in create["properties"].values())
    assert create["properties"]["COUNTDOWN"]["maximum"] == 31_536_000
    assert create["properties"]["SITE_CONFIG"]["required"] == ["host", "port", "user", "password"]
    assert abort["required"] == ["TASK_ID"]
    assert "default" not in create["properties"]["SITE_CONFIG"]


def test_refusals_are_described_and_fastapis_own_are_not() -> None:
    for item in document()["paths"].values():
        for operation in item.values():
            assert ("422" in operation["responses"]) == (operation["operationId"] == "try_rules")
    assert "HTTPValidationError" not in document()["components"]["schemas"]
