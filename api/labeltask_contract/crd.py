"""The models as a CustomResourceDefinition: ``make manifests`` writes it, a test fails when the file is stale.

Input: the pydantic models. Output: a structural schema (no $ref, no anyOf, no null) as
https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/ asks for.
"""

from typing import Any

from labeltask_contract.names import GROUP, KIND, PLURAL, SHORT_NAME, SINGULAR, VERSION
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


def build_crd() -> dict[str, Any]:
    """Return the whole CustomResourceDefinition as a manifest."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": SINGULAR,
                "shortNames": [SHORT_NAME],
                "categories": ["all"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "selectableFields": [
                        {"jsonPath": ".spec.queue"},
                        {"jsonPath": ".spec.modelType"},
                        {"jsonPath": ".status.stat"},
                        # A task made with kubectl is found by its id so; its name is another.
                        {"jsonPath": ".status.taskId"},
                    ],
                    "additionalPrinterColumns": _printer_columns(),
                    "schema": {"openAPIV3Schema": _root_schema()},
                }
            ],
        },
    }


def _root_schema() -> Schema:
    spec = structural_schema(LabelTaskSpec.model_json_schema(by_alias=True))
    spec["x-kubernetes-validations"] = _spec_rules()
    source = spec["properties"]
    source["patternFrom"]["x-kubernetes-validations"] = [
        _exactly_one("self", "secretKeyRef", "configMapKeyRef", "patternFrom")
    ]
    source["connectionFrom"]["x-kubernetes-validations"] = [
        _exactly_one("self", "secretKeyRef", "site", "connectionFrom")
    ]
    source["pattern"]["x-kubernetes-list-type"] = "atomic"
    source["pattern"]["items"]["x-kubernetes-validations"] = [
        {
            "rule": "has(self.keywords) != has(self.expressions)",
            "message": "a label needs either keywords or expressions",
        }
    ]
    status = structural_schema(LabelTaskStatus.model_json_schema(by_alias=True))
    return {
        "type": "object",
        "description": "A batch that labels the rows of one source table by keywords or regular expressions.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": "Version of this schema."},
            "kind": {"type": "string", "description": "Always LabelTask."},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }


def _spec_rules() -> list[Schema]:
    fields = [to for to in LabelTaskSpec.model_json_schema(by_alias=True)["properties"] if to not in MUTABLE_FIELDS]
    fixed = " && ".join(
        f"has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || self.{field} == oldSelf.{field})"
        for field in fields
    )
    return [
        {"rule": f"{_START} < {_END}", "message": "startTime must be before endTime"},
        _exactly_one("self", "pattern", "patternFrom", "a task"),
        {
            "rule": "!has(self.pattern) || self.modelType != 'keyword_model' || self.pattern.all(l, has(l.keywords))",
            "message": "a keyword_model needs keywords in every label",
        },
        {
            "rule": "!has(self.pattern) || self.modelType != 'rule_model' || self.pattern.all(l, has(l.expressions))",
            "message": "a rule_model needs expressions in every label",
        },
        {
            "rule": fixed,
            "message": "a task can't be changed once created, but for " + ", ".join(MUTABLE_FIELDS),
        },
        {"rule": "!oldSelf.abort || self.abort", "message": "an abort can't be taken back"},
    ]


def _exactly_one(holder: str, first: str, second: str, field: str) -> Schema:
    return {
        "rule": f"has({holder}.{first}) != has({holder}.{second})",
        "message": f"{field} needs exactly one of {first} and {second}",
    }


def _printer_columns() -> list[Schema]:
    def column(name: str, path: str, kind: str = "string", priority: int = 0) -> Schema:
        return {"name": name, "type": kind, "jsonPath": path, "priority": priority}

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
