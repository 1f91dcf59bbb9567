"""The models as a CustomResourceDefinition: ``make manifests`` writes it, a test fails when the file is stale.

Input: the pydantic models. Output: a structural schema (no $ref, no anyOf, no null) as
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/ asks for.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from labeltask_contract.names import GROUP, LABEL_TASK, VERSION, ResourceKind
from labeltask_contract.spec import MUTABLE_FIELDS, LabelTaskSpec
from labeltask_contract.status import LabelTaskStatus

Schema = dict[str, Any]

_KEPT = (
    "type",
    "description",
    "enum",
    "format",
    "pattern",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "required",
    "default",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
)

_TIMESTAMP = "timestamp((size({0}) == 10 ? {0} + 'T00:00:00' : {0}.replace(' ', 'T')) + 'Z')"
_START = _TIMESTAMP.format("self.startTime")
_END = _TIMESTAMP.format("self.endTime")


def exactly_one(holder: str, first: str, second: str, field: str) -> Schema:
    """Return the rule that one of two fields is set and not both."""
    return {
        "rule": f"has({holder}.{first}) != has({holder}.{second})",
        "message": f"{field} needs exactly one of {first} and {second}",
    }


CONNECTION_RULE = exactly_one("self", "secretKeyRef", "site", "connectionFrom")
ABORT_RULE: Schema = {"rule": "!oldSelf.abort || self.abort", "message": "an abort can't be taken back"}


def build_crd() -> dict[str, Any]:
    """Return LabelTask's whole CustomResourceDefinition as a manifest."""
    # A task made with kubectl is found by its id so; its name is another.
    selectable = (".spec.queue", ".spec.modelType", ".status.stat", ".status.taskId")
    return frame_crd(LABEL_TASK, _root_schema(), _printer_columns(), selectable)


def frame_crd(
    kind: ResourceKind, schema: Schema, columns: Sequence[Schema], selectable_fields: Sequence[str]
) -> dict[str, Any]:
    """Return the CustomResourceDefinition of one kind around its schema."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": [kind.short_name],
                "categories": ["all"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "selectableFields": [{"jsonPath": path} for path in selectable_fields],
                    "additionalPrinterColumns": list(columns),
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


def frame_schema(kind: ResourceKind, description: str, spec: Schema, status: Schema) -> Schema:
    """Return the schema of a whole object."""
    return {
        "type": "object",
        "description": description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "Version of this schema."},
            "kind": {"type": "string", "description": f"Always {kind.kind}."},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }


def _root_schema() -> Schema:
    spec = structural_schema(LabelTaskSpec.model_json_schema(by_alias=True))
    spec["x-kubernetes-validations"] = _spec_rules()
    source = spec["properties"]
    source["patternFrom"]["x-kubernetes-validations"] = [
        exactly_one("self", "secretKeyRef", "configMapKeyRef", "patternFrom")
    ]
    source["connectionFrom"]["x-kubernetes-validations"] = [CONNECTION_RULE]
    source["pattern"]["x-kubernetes-list-type"] = "atomic"
    source["pattern"]["items"]["x-kubernetes-validations"] = [
        {
            "rule": "has(self.keywords) != has(self.expressions)",
            "message": "a label needs either keywords or expressions",
        }
    ]
    status = structural_schema(LabelTaskStatus.model_json_schema(by_alias=True))
    description = "A batch that labels the rows of one source table by keywords or regular expressions."
    return frame_schema(LABEL_TASK, description, spec, status)


def immutable(model: type[BaseModel], what: str, mutable: Sequence[str]) -> Schema:
    """Return the rule that no field of ``model`` changes once ``what`` has been created, but for ``mutable``."""
    fields = [field for field in model.model_json_schema(by_alias=True)["properties"] if field not in mutable]
    fixed = " && ".join(
        f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
        for field in fields
    )
    return {"rule": fixed, "message": f"{what} can't be changed once created, but for {', '.join(mutable)}"}


def _spec_rules() -> list[Schema]:
    return [
        {"rule": f"{_START} < {_END}", "message": "startTime must be before endTime"},
        exactly_one("self", "pattern", "patternFrom", "a task"),
        {
            "rule": "!has(self.pattern) || self.modelType != 'keyword_model' || self.pattern.all(l, has(l.keywords))",
            "message": "a keyword_model needs keywords in every label",
        },
        {
            "rule": "!has(self.pattern) || self.modelType != 'rule_model' || self.pattern.all(l, has(l.expressions))",
            "message": "a rule_model needs expressions in every label",
        },
        immutable(LabelTaskSpec, "a task", MUTABLE_FIELDS),
        ABORT_RULE,
    ]


def column(name: str, path: str, kind: str = "string", priority: int = 0) -> Schema:
    """Return one column of ``kubectl get``; with priority 1 it is shown by ``--output wide`` only."""
    return {"name": name, "type": kind, "jsonPath": path, "priority": priority}


def _printer_columns() -> list[Schema]:
    return [
        column("Stat", ".status.stat"),
        column("Prod", ".status.prodStat"),
        column("Progress", ".status.progress.percent", "integer"),
        column("Rows/s", ".status.progress.rowsPerSecond", "integer"),
        column("ETA", ".status.progress.etaSeconds", "integer"),
        column("Model", ".spec.modelType"),
        column("Predict", ".spec.predictType"),
        column("Age", ".metadata.creationTimestamp", "date"),
        column("From", ".spec.startTime", priority=1),
        column("To", ".spec.endTime", priority=1),
        column("Checkpoint", ".status.progress.checkPoint", priority=1),
        column("Job", ".status.jobName", priority=1),
        column("Reason", ".status.reason", priority=1),
        column("Error", ".status.errorMessage", priority=1),
    ]


def structural_schema(schema: Schema) -> Schema:
    """Turn pydantic's JSON schema into a structural one: references inlined, null dropped, titles dropped."""
    definitions = schema.get("$defs", {})

    def convert(node: Schema) -> Schema:
        if "$ref" in node:
            target = definitions[node["$ref"].rsplit("/", 1)[-1]]
            # What stands beside a $ref describes this use of the model, so it wins.
            return convert({**target, **{key: value for key, value in node.items() if key != "$ref"}})
        if "anyOf" in node:
            chosen = [branch for branch in node["anyOf"] if branch.get("type") != "null"]
            if len(chosen) != 1:
                raise ValueError(f"a structural schema has no union: {node}")
            rest = {key: value for key, value in node.items() if key != "anyOf" and value is not None}
            return convert({**chosen[0], **rest})
        if "const" in node:
            return {"type": "string", "enum": [node["const"]]}
        kept = {key: node[key] for key in _KEPT if key in node and node[key] is not None}
        if "properties" in node:
            kept["properties"] = {name: convert(inner) for name, inner in node["properties"].items()}
        if "items" in node:
            kept["items"] = convert(node["items"])
        return kept

    return convert(schema)
