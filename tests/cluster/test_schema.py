"""What the API server refuses by schema and CEL, before any part of LabelTask sees it."""

import copy
import json
from typing import Any

import pytest

from labeltask_testing.cluster_commands import CommandError, kubectl, kubectl_json
from labeltask_testing.installation import Installation

Spec = dict[str, Any]

KEYWORDS = [{"label": "男性", "keywords": [{"keyword": "先生", "match": ["end", "exactly"]}]}]
SPEC: Spec = {
    "modelType": "keyword_model",
    "predictType": "author_name",
    "startTime": "2020-01-01",
    "endTime": "2020-02-01 12:00:00",
    "input": {"schema": "wh_test"},
    "output": {"schema": "audience_result"},
    "pattern": KEYWORDS,
}


def create(installation: Installation, spec: Spec, *options: str, name: str = "schema-test") -> str:
    manifest = {"apiVersion": "labelapi.io/v1", "kind": "LabelTask", "metadata": {"name": name}, "spec": spec}
    arguments = ("create", "--namespace", installation.namespace, "--filename", "-", *options)
    return kubectl(*arguments, stdin=json.dumps(manifest))


def changed(path: str, value: object) -> Spec:
    """SPEC with the field at a dotted path set, or removed when value is None."""
    spec = copy.deepcopy(SPEC)
    *parents, last = path.split(".")
    node: Any = spec
    for parent in parents:
        node = node[int(parent) if parent.isdigit() else parent]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return spec


def with_rules(model_type: str, pattern: object) -> Spec:
    return {**SPEC, "modelType": model_type, "pattern": pattern}


REFUSED: dict[str, tuple[Spec, str]] = {
    "an end before the start": (changed("endTime", "2019-01-01"), "startTime must be before endTime"),
    "an end equal to the start, written otherwise": (
        {**SPEC, "endTime": "2020-01-01T00:00:00"},
        "startTime must be before endTime",
    ),
    "a zone": (changed("startTime", "2020-01-01T00:00:00Z"), "spec.startTime"),
    "a time of day without seconds": (changed("startTime", "2020-01-01 00:00"), "spec.startTime"),
    "a day that no calendar has": (changed("startTime", "2020-01-32"), "spec.startTime"),
    "the thirtieth of February": (changed("endTime", "2020-02-30"), "spec"),
    "no rules": (changed("pattern", None), "a task needs exactly one of pattern and patternFrom"),
    "rules twice": (
        {**SPEC, "patternFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}},
        "a task needs exactly one of pattern and patternFrom",
    ),
    "rules from nowhere": (
        {**changed("pattern", None), "patternFrom": {}},
        "patternFrom needs exactly one of secretKeyRef and configMapKeyRef",
    ),
    "a connection from two places": (
        {**SPEC, "connectionFrom": {"site": "a", "secretKeyRef": {"name": "a", "key": "b"}}},
        "connectionFrom needs exactly one of secretKeyRef and site",
    ),
    "expressions for a keyword_model": (
        with_rules("keyword_model", [{"label": "a", "expressions": ["x"]}]),
        "a keyword_model needs keywords in every label",
    ),
    "keywords for a rule_model": (with_rules("rule_model", KEYWORDS), "a rule_model needs expressions in every label"),
    "a label with both": (
        with_rules("keyword_model", [{**KEYWORDS[0], "expressions": ["x"]}]),
        "a label needs either keywords or expressions",
    ),
    "an empty keyword": (changed("pattern.0.keywords.0.keyword", ""), "spec.pattern[0].keywords[0].keyword"),
    "an unknown match type": (changed("pattern.0.keywords.0.match", ["foo"]), 'Unsupported value: "foo"'),
    "a label too long": (changed("pattern.0.label", "a" * 200), "spec.pattern[0].label"),
    "an unknown model": (changed("modelType", "magic"), 'supported values: "keyword_model", "rule_model"'),
    "an unknown predict type": (changed("predictType", "author"), 'Unsupported value: "author"'),
    "an unknown field": ({**SPEC, "paralelism": 2}, 'unknown field "spec.paralelism"'),
    "a schema that is no identifier": (changed("input.schema", "a`b"), "spec.input.schema"),
    "no worker": ({**SPEC, "parallelism": 0}, "spec.parallelism"),
    "a negative countdown": ({**SPEC, "countdownSeconds": -1}, "spec.countdownSeconds"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_api_server_refuses_and_names(name: str, installation: Installation) -> None:
    spec, words = REFUSED[name]
    with pytest.raises(CommandError) as caught:
        create(installation, spec, "--dry-run=server")
    assert words in str(caught.value)


def test_the_order_of_labels_survives_the_api_server(installation: Installation) -> None:
    labels = ["zeta", "alpha", "中", "beta"]
    spec = with_rules(
        "keyword_model", [{"label": label, "keywords": [{"keyword": "a", "match": ["start"]}]} for label in labels]
    )
    stored = json.loads(create(installation, spec, "--dry-run=server", "--output", "json"))
    assert [rules["label"] for rules in stored["spec"]["pattern"]] == labels


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ({"startTime": "2019-01-01"}, "a task can't be changed once created"),
        ({"pattern": [{"label": "b", "keywords": [{"keyword": "b", "match": ["end"]}]}]}, "can't be changed"),
        ({"connectionFrom": {"site": "other"}}, "can't be changed"),
        ({"countdownSeconds": 6}, "can't be changed"),
        ({"abort": False}, "an abort can't be taken back"),
    ],
)
def test_a_task_can_not_be_changed(patch: Spec, words: str, aborted_task: str, installation: Installation) -> None:
    merge = json.dumps({"spec": patch})
    target = ("labeltask", aborted_task, "--namespace", installation.namespace)
    with pytest.raises(CommandError) as caught:
        kubectl("patch", *target, "--type", "merge", "--patch", merge)
    assert words in str(caught.value)


@pytest.mark.parametrize("patch", [{"suspend": True}, {"parallelism": 3}, {"ttlSecondsAfterFinished": {"failed": 900}}])
def test_what_may_change_can_be_changed(patch: Spec, aborted_task: str, installation: Installation) -> None:
    target = ("labeltask", aborted_task, "--namespace", installation.namespace)
    kubectl("patch", *target, "--type", "merge", "--patch", json.dumps({"spec": patch}))
    stored = kubectl_json("get", *target)
    assert {key: stored["spec"][key] for key in patch} == patch


@pytest.fixture(scope="module")
def aborted_task(installation: Installation) -> Any:
    name = "schema-test-aborted"
    create(installation, {**SPEC, "abort": True}, name=name)
    yield name
    kubectl("delete", "labeltask", name, "--namespace", installation.namespace)


def test_the_largest_pattern_that_fits_inline_keeps_its_order(installation: Installation) -> None:
    keywords = [{"keyword": f"關鍵字{number}", "match": ["end"]} for number in range(5_000)]
    spec = with_rules("keyword_model", [{"label": "a", "keywords": keywords}])
    stored = json.loads(create(installation, spec, "--dry-run=server", "--output", "json"))
    assert stored["spec"]["pattern"][0]["keywords"] == keywords
