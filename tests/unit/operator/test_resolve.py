"""What a task refers to: found, missing or wrong, always named and never shown."""

import gzip
import json
from typing import Any

import pytest

from labeltask_contract.reasons import Reason
from labeltask_operator.resolve import NotResolved, Resolution, resolve_row_connection, resolve_task
from labeltask_operator.views import TaskView
from labeltask_testing.builders import LabelTaskBuilder, make_labeltask
from labeltask_testing.operator_fakes import FakeCluster, make_settings

TASK = make_labeltask()


def with_connection(**source: Any) -> LabelTaskBuilder:
    return TASK.with_spec(connectionFrom=source)


def with_rules(kind: str, name: str = "rules", key: str = "r.json", model: str = "keyword_model") -> LabelTaskBuilder:
    return TASK.with_spec(pattern=None, patternFrom={kind: {"name": name, "key": key}}, modelType=model)


REFUSED: dict[str, tuple[LabelTaskBuilder, Reason, bool, str]] = {
    "a Secret that is not there": (
        with_connection(secretKeyRef={"name": "nope", "key": "c"}),
        Reason.SECRET_MISSING,
        True,
        'Secret "nope" does not exist',
    ),
    "a key that is not there": (
        with_connection(secretKeyRef={"name": "main-db", "key": "c"}),
        Reason.SECRET_MISSING,
        True,
        'Secret "main-db" has no key "c"; it has: connection.json',
    ),
    "a Secret that holds no connection": (
        with_connection(secretKeyRef={"name": "odd", "key": "c"}),
        Reason.SPEC_INVALID,
        False,
        'key "c" of Secret "odd" holds no connection: ',
    ),
    "a site that nobody knows": (with_connection(site="mars"), Reason.SPEC_INVALID, False, 'no connection "mars"'),
    "rules in a ConfigMap that is not there": (
        with_rules("configMapKeyRef"),
        Reason.SECRET_MISSING,
        True,
        'ConfigMap "rules" does not exist',
    ),
    "rules that are no JSON": (
        with_rules("secretKeyRef", "odd", "text"),
        Reason.RULE_INVALID,
        False,
        'key "text" of Secret "odd": not JSON',
    ),
    "rules that do not compile": (
        with_rules("secretKeyRef", "odd", "regex", "rule_model"),
        Reason.RULE_INVALID,
        False,
        'label "甲", position 1',
    ),
    "an image that may not be chosen": (TASK.with_spec(image="a:b"), Reason.SPEC_INVALID, False, "spec.image"),
    "a date that does not exist": (
        TASK.with_spec(startTime="2024-02-30"),
        Reason.SPEC_INVALID,
        False,
        "startTime or endTime: no such date",
    ),
    "an end before the start": (
        TASK.with_spec(endTime="2023-01-01"),
        Reason.SPEC_INVALID,
        False,
        "startTime must be before endTime",
    ),
    "rows of the database's own": (
        TASK.with_spec(input={"schema": "mysql", "table": "user"}),
        Reason.SPEC_INVALID,
        False,
        "spec.input.schema: must not be a schema of the database itself",
    ),
    "results among the database's own": (
        TASK.with_spec(output={"schema": "SYS"}),
        Reason.SPEC_INVALID,
        False,
        "spec.output.schema: must not be a schema of the database itself",
    ),
    "no rules at all": (TASK.with_spec(pattern=None), Reason.SPEC_INVALID, False, "exactly one of pattern"),
    "a field that nobody knows": (TASK.with_spec(colour="red"), Reason.SPEC_INVALID, False, "/spec/colour"),
}


@pytest.fixture
def cluster() -> FakeCluster:
    found = FakeCluster()
    found.secrets["odd"] = {
        "c": b'{"host": "db", "port": 3306, "user": "u", "pass": "canary-word"}',
        "text": b"canary-word, not JSON",
        "regex": '{"甲": ["ok", "("]}'.encode(),
    }
    return found


@pytest.mark.parametrize(("task", "reason", "waits", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_missing_or_wrong(
    cluster: FakeCluster, task: LabelTaskBuilder, reason: Reason, waits: bool, words: str
) -> None:
    found = resolve_task(task.manifest, cluster, make_settings())
    assert isinstance(found, NotResolved)
    assert (found.reason, found.waits) == (reason, waits)
    assert words in found.message
    assert "canary-word" not in found.message


def test_a_deployment_that_lists_schemas_reads_and_writes_no_other_and_not_even_the_row_of_a_refused_task() -> None:
    settings = make_settings(allowed_schemas=("wh", "result"))
    task = TASK.with_spec(input={"schema": "wh", "table": "posts"}, output={"schema": "result"})
    assert isinstance(resolve_task(task.manifest, FakeCluster(), settings), Resolution)
    assert resolve_row_connection(TaskView.of(task.manifest), FakeCluster(), settings) is not None
    wrong = TASK.with_spec(input={"schema": "payroll", "table": "posts"}, output={"schema": "WH"})
    found = resolve_task(wrong.manifest, FakeCluster(), settings)
    assert isinstance(found, NotResolved)
    allowed = "must be a schema that this deployment allows: result, wh"
    assert (found.reason, found.message, found.waits) == (
        Reason.SPEC_INVALID,
        f"spec.input.schema: {allowed}; spec.output.schema: {allowed}",
        False,
    )
    assert resolve_row_connection(TaskView.of(wrong.manifest), FakeCluster(), settings) is None


def test_a_deployment_that_asks_for_encryption_uses_no_connection_without_it_and_not_even_for_the_row() -> None:
    settings = make_settings(require_tls="required")
    found = resolve_task(TASK.manifest, FakeCluster(), settings)
    assert isinstance(found, NotResolved)
    assert (found.reason, found.message, found.waits) == (
        Reason.SPEC_INVALID,
        'key "connection.json" of Secret "main-db": tls must have at least the mode required, which this deployment '
        "asks of every connection",
        False,
    )
    assert resolve_row_connection(TaskView.of(TASK.manifest), FakeCluster(), settings) is None
    cluster = FakeCluster()
    account = {"host": "db.example", "port": 3306, "user": "u", "password": "x", "tls": {"mode": "required"}}
    cluster.secrets["main-db"] = {"connection.json": json.dumps(account).encode()}
    assert isinstance(resolve_task(TASK.manifest, cluster, settings), Resolution)


def test_no_connection_and_no_default_one() -> None:
    found = resolve_task(TASK.manifest, FakeCluster(), make_settings(default_connection=None))
    assert isinstance(found, NotResolved)
    assert "set connectionFrom" in found.message


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
def test_rules_of_a_secret_as_rest_callers_write_them(cluster: FakeCluster, packed: bool) -> None:
    content = '{"女": [["媽", "exactly"]], "男": [["爸", ["start", "end"]]]}'.encode()
    cluster.secrets["rules"] = {"r.json": gzip.compress(content) if packed else content}
    found = resolve_task(with_rules("secretKeyRef").manifest, cluster, make_settings())
    assert isinstance(found, Resolution)
    assert found.rules.facts.labels == ("女", "男")
    assert found.rules.packed is None
    assert found.document.pattern_sha256 == found.rules.facts.sha256


def test_warnings_of_rules_that_can_run() -> None:
    task = TASK.with_spec(modelType="rule_model", pattern=[{"label": "a", "expressions": ["ABC"]}])
    found = resolve_task(task.manifest, FakeCluster(), make_settings())
    assert isinstance(found, Resolution)
    assert len(found.rules.warnings) == 1


@pytest.mark.parametrize(
    ("schemas", "host", "user"),
    [
        (("results",), "DB.example", "keeper"),
        (("results",), "other.example", "label"),
        (("another",), "db.example", "label"),
        ((), "db.example", "label"),
    ],
)
def test_the_default_account_keeps_rows_on_its_own_server_in_listed_schemas_only(
    schemas: tuple[str, ...], host: str, user: str
) -> None:
    cluster = FakeCluster()
    account = {"host": host, "port": 3306, "user": "keeper", "password": "x"}
    cluster.secrets["keeper"] = {"connection.json": json.dumps(account).encode()}
    own = {"host": "db.example", "port": 3306, "user": "label", "password": "refused"}
    cluster.secrets["own"] = {"c": json.dumps(own).encode()}
    settings = make_settings(
        connections={"keeper": {"secretName": "keeper"}}, default_connection="keeper", history_schemas=schemas
    )
    view = TaskView.of(with_connection(secretKeyRef={"name": "own", "key": "c"}).manifest)
    found = resolve_row_connection(view, cluster, settings)
    assert found is not None
    assert found.user == user


def test_the_connection_alone_needs_no_rules() -> None:
    view = TaskView.of(with_rules("configMapKeyRef").manifest)
    found = resolve_row_connection(view, FakeCluster(), make_settings())
    assert found is not None
    assert found.address == "db.example:3306"
    gone = TaskView.of(with_connection(secretKeyRef={"name": "nope", "key": "c"}).manifest)
    assert resolve_row_connection(gone, FakeCluster(), make_settings()) is None
