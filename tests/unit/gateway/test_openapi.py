import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from labeltask_contract.stat import ProdStat
from labeltask_gateway.dump_requests import KEYS as DUMP_KEYS
from labeltask_gateway.requests import KEYS
from labeltask_testing.gateway_fakes import Gateway, label_task_from_kubectl, state_row


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
        ("/api/tasks/dump/", "post"): "dump",
        ("/api/tasks/dump/{dump_id}/", "get"): "dump_status",
        ("/api/tasks/dump/{dump_id}/abort/", "post"): "abort_dump",
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
    tls = create["properties"]["SITE_CONFIG"]["properties"]["tls"]
    assert (tls["properties"]["mode"]["enum"], tls["additionalProperties"]) == (["required", "verify-identity"], False)
    assert abort["required"] == ["TASK_ID"]
    assert "default" not in create["properties"]["SITE_CONFIG"]


def test_the_body_of_dump_is_described_key_by_key() -> None:
    body = document()["paths"]["/api/tasks/dump/"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert list(body["properties"]) == list(DUMP_KEYS)
    assert all("description" in schema for schema in body["properties"].values())
    assert (body["properties"]["TASK_IDS"]["minItems"], body["properties"]["TASK_IDS"]["maxItems"]) == (1, 200)


def test_links_lead_from_what_is_created_to_what_can_be_done_with_it() -> None:
    found = {
        operation["operationId"]: {
            name: link["parameters"] for name, link in operation["responses"]["200"].get("links", {}).items()
        }
        for _, _, operation in operations()
    }
    task, dump = ({name: f"$response.body#/error_message/{name}"} for name in ("task_id", "dump_id"))
    assert {name: links for name, links in found.items() if links} == {
        "create": dict.fromkeys(("check_status", "sample", "suspend", "resume", "delete"), task),
        "dump": dict.fromkeys(("dump_status", "abort_dump"), dump),
    }


def test_refusals_are_described_and_fastapis_own_are_not() -> None:
    for item in document()["paths"].values():
        for operation in item.values():
            assert ("422" in operation["responses"]) == (operation["operationId"] == "try_rules")
    assert "HTTPValidationError" not in document()["components"]["schemas"]


COMMITTED = Path(__file__).parents[3] / "api" / "openapi.json"
TASK_ID = "8fec5762412c11ec836d04ea56825baa"


def test_the_committed_document_is_that_of_the_application() -> None:
    written = json.dumps(document(), ensure_ascii=False, indent=2) + "\n"
    stale = "api/openapi.json is stale: run python -m labeltask_gateway.write_openapi api/openapi.json"
    assert COMMITTED.read_text(encoding="utf-8") == written, stale


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document()["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def test_the_version_is_that_of_the_contract_and_tells_nothing_of_the_software() -> None:
    assert document()["info"]["version"] == "2"
    assert version("labeltask") not in Gateway().get("/openapi.json").text


EXAMPLES = [
    pytest.param(path, example["value"], id=f"{operation['operationId']}-{name}")
    for path, _, operation in operations()
    if "requestBody" in operation
    for name, example in operation["requestBody"]["content"]["application/json"]["examples"].items()
]


@pytest.mark.parametrize(("path", "body"), EXAMPLES)
def test_every_example_is_a_request_that_succeeds(path: str, body: object) -> None:
    gateway = Gateway()
    gateway.cluster.add(label_task_from_kubectl(TASK_ID))
    finished = (TASK_ID, "90be15f2d7c34c0a8e61a4f7b2093d5c")
    gateway.tables.state_rows = {name: state_row(name, prod_stat=ProdStat.FINISH) for name in finished}
    answer = gateway.post(path, body)
    assert (answer.status_code, answer.json()["error_code"]) == (200, 200)


def test_every_operation_with_a_body_has_examples() -> None:
    with_body = {operation["operationId"] for _, _, operation in operations() if "requestBody" in operation}
    assert with_body == {"create", "validate", "abort", "dump", "try_rules"}
    assert {str(example.id).partition("-")[0] for example in EXAMPLES} == with_body


def test_every_operation_on_tasks_and_rules_names_its_refusals_in_both_shapes() -> None:
    for path, _, operation in operations():
        if not path.startswith("/api/"):
            continue
        refusals = {code: answer for code, answer in operation["responses"].items() if code != "200"}
        assert {"401", "403", "500", "503"} <= set(refusals), operation["operationId"]
        if "requestBody" in operation:
            assert {"400", "408", "413", "415"} <= set(refusals)
        if "{" in path:
            assert "404" in refusals
        for answer in refusals.values():
            assert set(answer["content"]) == {"application/json", "application/problem+json"}
        assert operation["security"] == [{}, {"token": []}]


def test_the_scheme_of_tokens_is_described() -> None:
    assert document()["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_every_reference_leads_somewhere() -> None:
    text = json.dumps(document())
    names = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert names <= set(document()["components"]["schemas"])
