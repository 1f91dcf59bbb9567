from collections.abc import Iterator
from typing import Any

import pytest

from labeltask_contract.crd import build_crd
from labeltask_contract.dump_crd import build_dump_crd
from labeltask_contract.dump_spec import MUTABLE_DUMP_FIELDS
from labeltask_contract.spec import MUTABLE_FIELDS

CRDS = {"LabelTask": build_crd, "LabelDump": build_dump_crd}
MUTABLE = {"LabelTask": MUTABLE_FIELDS, "LabelDump": MUTABLE_DUMP_FIELDS}
each_kind = pytest.mark.parametrize("kind", CRDS)


def root(kind: str = "LabelTask") -> dict[str, Any]:
    (version,) = CRDS[kind]()["spec"]["versions"]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return schema


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")


@each_kind
def test_the_schema_is_structural(kind: str) -> None:
    for path, node in nodes(root(kind)):
        assert node["type"] in ("object", "array", "string", "integer", "number", "boolean"), path
        assert not {"$ref", "anyOf", "title", "nullable", "additionalProperties"} & set(node), path


@each_kind
def test_every_field_is_described(kind: str) -> None:
    silent = [path for path, node in nodes(root(kind)) if "description" not in node and not path.endswith("[]")]
    assert silent == ["", ".metadata"][1:]


@each_kind
def test_every_string_and_list_is_bounded(kind: str) -> None:
    for path, node in nodes(root(kind)):
        if path in (".apiVersion", ".kind"):
            continue
        if node["type"] == "string":
            assert "maxLength" in node or "enum" in node, path
        if node["type"] == "array":
            assert "maxItems" in node, path


@each_kind
def test_every_field_of_spec_but_the_mutable_ones_is_fixed_by_a_rule(kind: str) -> None:
    spec = root(kind)["properties"]["spec"]
    (rule,) = [r for r in spec["x-kubernetes-validations"] if "can't be changed once created" in r["message"]]
    for name in spec["properties"]:
        assert (f"self.{name} == oldSelf.{name}" in rule["rule"]) is (name not in MUTABLE[kind]), name


@each_kind
def test_an_abort_can_not_be_taken_back_and_a_connection_has_one_source(kind: str) -> None:
    spec = root(kind)["properties"]["spec"]
    assert "!oldSelf.abort || self.abort" in [rule["rule"] for rule in spec["x-kubernetes-validations"]]
    (rule,) = spec["properties"]["connectionFrom"]["x-kubernetes-validations"]
    assert rule["rule"] == "has(self.secretKeyRef) != has(self.site)"


def test_a_dump_names_each_of_1_to_200_tasks_once() -> None:
    assert root("LabelDump")["properties"]["spec"]["properties"]["taskIds"] == {
        "type": "array",
        "description": "Finished tasks, by their key in MySQL.",
        "minItems": 1,
        "maxItems": 200,
        "x-kubernetes-list-type": "set",
        "items": {"type": "string", "minLength": 32, "maxLength": 32, "pattern": "^[0-9a-f]{32}$"},
    }


def test_a_dump_is_named_as_kubectl_wants_it() -> None:
    spec = build_dump_crd()["spec"]
    assert build_dump_crd()["metadata"]["name"] == "labeldumps.labelapi.io"
    assert spec["names"] == {
        "kind": "LabelDump",
        "listKind": "LabelDumpList",
        "plural": "labeldumps",
        "singular": "labeldump",
        "shortNames": ["ld"],
        "categories": ["all"],
    }
    assert spec["versions"][0]["subresources"] == {"status": {}}


def test_the_schema_accepts_the_word_exactly_as_rule_files_do() -> None:
    spec = root()["properties"]["spec"]
    match = spec["properties"]["pattern"]["items"]["properties"]["keywords"]["items"]["properties"]["match"]
    assert match["items"] == {"type": "string", "enum": ["partially", "absolutely", "start", "end", "exactly"]}


def test_people_see_the_columns_they_need() -> None:
    (version,) = build_crd()["spec"]["versions"]
    shown = [c["name"] for c in version["additionalPrinterColumns"] if c["priority"] == 0]
    assert shown == ["Stat", "Prod", "Progress", "Rows/s", "ETA", "Model", "Predict", "Age"]
