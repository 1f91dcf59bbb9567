"""What a dump refers to, and the manifests that run it."""

from typing import Any

import pytest

from labeltask_contract.dump_document import SHELF_TABLES, DumpDocument, load_dump
from labeltask_contract.reasons import Reason
from labeltask_operator.dump_job import build_dump_config_map, build_dump_job
from labeltask_operator.dump_resolve import DumpResolution, resolve_dump
from labeltask_operator.dump_view import DumpView
from labeltask_operator.job_template import build_job
from labeltask_operator.references import NotResolved
from labeltask_operator.resolve import Resolution, resolve_task
from labeltask_operator.views import TaskView
from labeltask_testing.builders import DUMP_ID, TASK_ID, UID, LabelTaskBuilder, make_labeldump, make_labeltask
from labeltask_testing.operator_fakes import FakeCluster, make_settings

DUMP = make_labeldump()
LABELS = {
    "labelapi.io/dump-id": DUMP_ID,
    "app.kubernetes.io/component": "worker",
    "app.kubernetes.io/part-of": "labeltask",
    "app.kubernetes.io/managed-by": "labeltask-operator",
}
OWNER = {
    "apiVersion": "labelapi.io/v1",
    "kind": "LabelDump",
    "name": "put-on-shelf",
    "uid": UID,
    "controller": True,
    "blockOwnerDeletion": False,
}


def resolved(dump: LabelTaskBuilder = DUMP, **settings: Any) -> tuple[DumpView, DumpResolution]:
    view = DumpView.of(dump.manifest)
    resolution = resolve_dump(view, FakeCluster(), make_settings(**settings))
    assert isinstance(resolution, DumpResolution)
    return view, resolution


def test_the_document_holds_every_setting_resolved() -> None:
    _, resolution = resolved(DUMP.with_spec(group="MARRIAGE", previousYear=2023))
    assert resolution.document == DumpDocument(
        dump_id=DUMP_ID,
        group="MARRIAGE",
        panels=("/unmarried", "/married"),
        task_ids=(TASK_ID,),
        previous_schema="previous",
        output_schema="results",
        previous_year=2023,
        shelves=dict(SHELF_TABLES),
    )


def test_a_deployment_has_a_shelf_and_groups_of_its_own() -> None:
    rules = {"conflict_groups": {"年齡": ["/young", "/old"]}}
    _, resolution = resolved(DUMP.with_spec(group="年齡"), labelling_rules=rules, shelf_tables={"all": ["Ptt", "news"]})
    assert resolution.document.panels == ("/young", "/old")
    assert resolution.document.shelves == {"all": ("Ptt", "news")}


def test_the_config_map_holds_the_document() -> None:
    view, resolution = resolved()
    manifest = build_dump_config_map(view, resolution)
    assert manifest["metadata"] == {"name": f"ld-{DUMP_ID}", "labels": LABELS, "ownerReferences": [OWNER]}
    assert manifest["immutable"] is True
    assert load_dump(manifest["data"]["dump.json"].encode()) == resolution.document


def test_the_job_is_a_task_s_but_for_name_owner_command_and_files() -> None:
    wishes = {"deadlineSeconds": 600, "backoffLimit": 2, "resources": {"limits": {"memory": "1Gi"}}}
    view, resolution = resolved(DUMP.with_spec(**wishes))
    assert view.spec is not None
    job = build_dump_job(view, view.spec, resolution, make_settings())
    task = make_labeltask().with_spec(**wishes)
    task_view = TaskView.of(task.manifest)
    task_resolution = resolve_task(task.manifest, FakeCluster(), make_settings())
    assert task_view.spec is not None
    assert isinstance(task_resolution, Resolution)
    expected = build_job(task_view, task_view.spec, task_resolution, make_settings())
    expected["metadata"] |= {"name": f"ld-{DUMP_ID}", "labels": LABELS, "ownerReferences": [OWNER]}
    expected["spec"]["template"]["metadata"]["labels"] = LABELS
    pod = expected["spec"]["template"]["spec"]
    pod["containers"][0]["args"] = ["dump-result", "--task-dir", "/etc/labeltask"]
    pod["volumes"][0]["projected"]["sources"] = [
        {"configMap": {"name": f"ld-{DUMP_ID}", "items": [{"key": "dump.json", "path": "dump.json"}]}},
        {"secret": {"name": "main-db", "items": [{"key": "connection.json", "path": "connection.json"}]}},
    ]
    assert job == expected
    assert (job["spec"]["completions"], job["spec"]["backoffLimit"]) == (1, 2)


REFUSED: dict[str, tuple[LabelTaskBuilder, Reason, bool, str]] = {
    "a group that nobody knows": (
        DUMP.with_spec(group="AGE"),
        Reason.SPEC_INVALID,
        False,
        'no conflict group "AGE"; it knows: GENDER, MARRIAGE',
    ),
    "a Secret that is not there": (
        DUMP.with_spec(connectionFrom={"secretKeyRef": {"name": "nope", "key": "c"}}),
        Reason.SECRET_MISSING,
        True,
        'Secret "nope" does not exist',
    ),
    "an image that may not be chosen": (DUMP.with_spec(image="a:b"), Reason.SPEC_INVALID, False, "spec.image"),
    "a previous shelf among the database's own": (
        DUMP.with_spec(previousSchema="mysql"),
        Reason.SPEC_INVALID,
        False,
        "spec.previousSchema: must not be a schema of the database itself",
    ),
    "a shelf among the database's own": (
        DUMP.with_spec(output={"schema": "sys"}),
        Reason.SPEC_INVALID,
        False,
        "spec.output.schema: must not be a schema of the database itself",
    ),
    "no task": (DUMP.with_spec(taskIds=[]), Reason.SPEC_INVALID, False, "/spec/taskIds"),
    "a field that nobody knows": (DUMP.with_spec(colour="red"), Reason.SPEC_INVALID, False, "/spec/colour"),
}


@pytest.mark.parametrize(("dump", "reason", "waits", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_missing_or_wrong(dump: LabelTaskBuilder, reason: Reason, waits: bool, words: str) -> None:
    found = resolve_dump(DumpView.of(dump.manifest), FakeCluster(), make_settings())
    assert isinstance(found, NotResolved)
    assert (found.reason, found.waits) == (reason, waits)
    assert words in found.message
