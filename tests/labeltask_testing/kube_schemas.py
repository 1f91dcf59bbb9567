"""What an API server publishes of its kinds -> JSON schemas for kubeconform, one file a kind, each whole in itself.

Input: the answer of ``/openapi/v2``, or a CustomResourceDefinition. Output: files that :data:`LOCATION` names. Fields
that the server does not know are refused; it would drop them without a word.
"""

import json
from pathlib import Path
from typing import Any

Schema = dict[str, Any]
LOCATION = "{{.ResourceKind}}{{.KindSuffix}}.json"
"""kubeconform's template of a file's name: ``deployment-apps-v1.json``, ``secret-v1.json``."""

_NESTED = {"properties", "definitions"}
_REFERENCE = "#/definitions/"


def write_openapi_schemas(folder: Path, openapi: Schema) -> None:
    """Write the kinds of an OpenAPI document of version 2."""
    definitions = {name: _strict(schema) for name, schema in openapi["definitions"].items()}
    for name, schema in openapi["definitions"].items():
        used = _used(definitions, name)
        for kind in schema.get("x-kubernetes-group-version-kind", ()):
            body = {"$ref": f"{_REFERENCE}{name}", "definitions": {other: definitions[other] for other in sorted(used)}}
            _write(folder, kind["group"], kind["version"], kind["kind"], body)


def write_crd_schemas(folder: Path, crd: Schema) -> None:
    """Write the versions of a CustomResourceDefinition that the API server does not have."""
    spec = crd["spec"]
    for version in spec["versions"]:
        body = _strict(version["schema"]["openAPIV3Schema"])
        _write(folder, spec["group"], version["name"], spec["names"]["kind"], body)


def _write(folder: Path, group: str, version: str, kind: str, schema: Schema) -> None:
    suffix = [group.split(".")[0]] if group else []
    name = "-".join([kind, *suffix, version]).lower()
    (folder / f"{name}.json").write_text(json.dumps(schema), encoding="utf-8")


def _strict(node: Any) -> Any:
    """Turn one schema of Kubernetes into one of JSON Schema that allows no unknown field."""
    if isinstance(node, list):
        return [_strict(part) for part in node]
    if not isinstance(node, dict):
        return node
    if node.get("format") == "int-or-string" or node.get("x-kubernetes-int-or-string"):
        return {"type": ["string", "integer"]}
    made = {
        key: {name: _strict(inner) for name, inner in value.items()} if key in _NESTED else _strict(value)
        for key, value in node.items()
        if key != "format" and not key.startswith("x-kubernetes-")
    }
    if "properties" in made and not node.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


def _used(definitions: dict[str, Any], name: str) -> set[str]:
    """Return the names of a definition and of all that it refers to."""
    used, todo = set(), [name]
    while todo:
        known = todo.pop()
        if known not in used:
            used.add(known)
            todo.extend(_references(definitions[known]))
    return used


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for part in node for name in _references(part)]
    if not isinstance(node, dict):
        return []
    own = node.get("$ref")
    found = [own.removeprefix(_REFERENCE)] if isinstance(own, str) else []
    return found + [name for part in node.values() for name in _references(part)]
