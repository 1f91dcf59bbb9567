from collections.abc import Iterator
from typing import Any

from labeltask_contract.crd import build_crd
from labeltask_contract.spec import MUTABLE_FIELDS


def root() -> dict[str, Any]:
    (version,) = build_crd()["spec"]["versions"]
    schema: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return schema


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")


def test_the_schema_is_structural() -> None:
    for path, node in nodes(root()):
        assert node["type"] in ("object", "array", "string", "integer", "number", "boolean"), path
        assert not {"$ref", "anyOf", "title", "nullable", "additionalProperties"} & set(node), path


def test_every_field_is_described() -> None:
    silent = [path for path, node in nodes(root()) if "description" not in node and not path.endswith("[]")]
    assert silent == ["", ".metadata"][1:]


def test_every_string_and_list_is_bounded() -> None:
    for path, node in nodes(root()):
        if path in (".apiVersion", ".kind"):
            continue
        if node["type"] == "string":
            assert "maxLength" in node or "enum" in node, path
        if node["type"] == "array":
            assert "maxItems" in node, path


def test_every_field_of_spec_but_the_mutable_ones_is_fixed_by_a_rule() -> None:
    spec = root()["properties"]["spec"]
    (rule,) = [r for r in spec["x-kubernetes-validations"] if r["message"].startswith("a task can't be changed")]
    for name in spec["properties"]:
        assert (f"self.{name} == oldSelf.{name}" in rule["rule"]) is (name not in MUTABLE_FIELDS), name


def test_the_schema_accepts_the_word_exactly_as_rule_files_do() -> None:
    spec = root()["properties"]["spec"]
    match = spec["properties"]["pattern"]["items"]["properties"]["keywords"]["items"]["properties"]["match"]
    assert match["items"] == {"type": "string", "enum": ["partially", "absolutely", "start", "end", "exactly"]}


def test_people_see_the_columns_they_need() -> None:
    (version,) = build_crd()["spec"]["versions"]
    shown = [c["name"] for c in version["additionalPrinterColumns"] if c["priority"] == 0]
    assert shown == ["Stat", "Prod", "Progress", "Rows/s", "ETA", "Model", "Predict", "Age"]
