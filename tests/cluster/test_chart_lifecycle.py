"""A release's life on a real cluster: helm test, rights, upgrade and rollback beside a running task, uninstall.

One release in a namespace of its own that enforces Pod Security ``restricted``, on the database of the other tests. It
takes over the CRDs of the cluster, which `helm uninstall` keeps. The tests follow one another.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from labeltask_testing.cluster_commands import (
    ROOT,
    Manifest,
    apply,
    ensure_namespace,
    image_split,
    kubectl,
    kubectl_json,
    run,
)
from labeltask_testing.database_rows import assert_as_expected
from labeltask_testing.gated_tasks import gated_tasks
from labeltask_testing.holds import hold_commits
from labeltask_testing.installation import Installation, wait_until
from labeltask_testing.requests import expected_rows, gender_request, gender_resource
from labeltask_testing.running_tasks import running_pods, wait_running_pod
from labeltask_testing.source_rows import Post

NAMESPACE = "labeltask-lifecycle"
RELEASE = "labeltask"
SECRET = "own-connection"
OUTLIVING = "5a" * 16
"""Name, and so the id, of the task that outlives what is done to the release."""
CRDS = ("labeltasks.labelapi.io", "labeldumps.labelapi.io")
CHART = ROOT / "charts" / "labeltask"


def upgrade(installation: Installation, *settings: str, chart: Path = CHART) -> None:
    database = installation.database
    values = {
        "image": image_split(installation.images.control),
        "worker": {"image": image_split(installation.images.worker)},
        "connections": {"own": {"existingSecret": SECRET}},
        "test": {"site": "own", "inputSchema": database.source_schema, "outputSchema": database.output_schema},
    }
    run(
        *("helm", "upgrade", "--install", RELEASE, str(chart), "--namespace", NAMESPACE, "--take-ownership"),
        *("--values", "-", "--wait", "--timeout", "3m", *(part for setting in settings for part in ("--set", setting))),
        stdin=json.dumps(values),
        timeout_seconds=240,
    )


@pytest.fixture(scope="module")
def released(installation: Installation) -> Iterator[Installation]:
    ensure_namespace(NAMESPACE)
    connection = {"connection.json": json.dumps(installation.database.site_config)}
    metadata = {"name": SECRET, "namespace": NAMESPACE}
    apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": connection})
    upgrade(installation)
    yield replace(installation, namespace=NAMESPACE)
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout", "120s", timeout_seconds=150)


def test_the_release_owns_the_definitions(released: Installation) -> None:
    for crd in CRDS:
        annotations = kubectl_json("get", "crd", crd)["metadata"]["annotations"]
        assert (annotations["meta.helm.sh/release-namespace"], annotations["helm.sh/resource-policy"]) == (
            released.namespace,
            "keep",
        )


def test_helm_test_runs_a_task_and_deletes_it(released: Installation) -> None:
    printed = run("helm", "test", RELEASE, "--namespace", NAMESPACE, "--timeout", "3m", timeout_seconds=200)
    assert "Phase:          Succeeded" in printed
    assert kubectl("get", "labeltasks", "--namespace", released.namespace, "--output", "name") == ""


def test_the_notes_warn_of_what_is_open(released: Installation) -> None:
    notes = run("helm", "get", "notes", RELEASE, "--namespace", NAMESPACE)
    assert "WARNING: the gateway asks nobody who they are (gateway.auth.mode is none)." in notes
    assert "networkPolicy.enabled is false: no NetworkPolicy restricts" in notes
    assert "only where the cluster's network (CNI) enforces them" not in notes
    chart = str(ROOT / "charts" / "labeltask")
    settings = ("networkPolicy.enabled=true", "gateway.auth.mode=token", "gateway.auth.tokensSecret=some")
    closed = run(
        *("helm", "upgrade", RELEASE, chart, "--namespace", NAMESPACE, "--dry-run", "--reuse-values"),
        *(part for setting in settings for part in ("--set", setting)),
    ).rpartition("NOTES:")[2]
    assert "They take effect only where the cluster's network (CNI) enforces them" in closed
    assert ("WARNING" in closed, "networkPolicy.enabled is false" in closed) == (False, False)


def rights(account: str) -> set[tuple[str, str]]:
    """What an account may do beyond what every account may: resource and verbs, in their order."""
    listed = kubectl(
        *("auth", "can-i", "--list", "--namespace", NAMESPACE, "--no-headers"),
        f"--as=system:serviceaccount:{NAMESPACE}:{account}",
    )
    rows = (line.split("[") for line in listed.splitlines())
    return {(row[0].strip(), row[-1].strip().rstrip("]")) for row in rows}


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        ("labeltask-worker", set()),
        (
            "labeltask-gateway",
            {
                ("labeltasks.labelapi.io", "create get list watch patch delete"),
                ("labeldumps.labelapi.io", "create get patch delete"),
                ("secrets", "create get delete"),
            },
        ),
        (
            "labeltask-operator",
            {
                ("labeltasks.labelapi.io", "get list watch delete"),
                ("labeldumps.labelapi.io", "get list watch delete"),
                ("labeltasks.labelapi.io/status", "patch"),
                ("labeldumps.labelapi.io/status", "patch"),
                ("jobs.batch", "create get list watch patch delete"),
                ("pods", "get list watch"),
                ("secrets", "get"),
                ("configmaps", "create get"),
                ("events", "create list"),
            },
        ),
    ],
)
def test_an_account_may_do_this_and_no_more(
    account: str, expected: set[tuple[str, str]], released: Installation
) -> None:
    assert rights(account) - rights("nobody") == expected


def next_chart(folder: Path) -> Path:
    """The chart of a later version, whose LabelTasks have one field more."""
    chart = shutil.copytree(CHART, folder / "labeltask")
    file = chart / "files" / "crds" / "labeltasks.yaml"
    crd = yaml.safe_load(file.read_text())
    spec_of(crd)["later"] = {"type": "string", "maxLength": 10}
    file.write_text(yaml.safe_dump(crd))
    return chart


def spec_of(crd: Manifest) -> Manifest:
    fields: Manifest = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    return fields


def has_later_field() -> bool:
    return "later" in spec_of(kubectl_json("get", "crd", CRDS[0]))


def account_files(target: str) -> set[str]:
    """Names of the files in a pod where Kubernetes mounts the tokens of accounts."""
    look = "import os; print(*[name for _, _, names in os.walk('/run/secrets') for name in names])"
    return set(kubectl("exec", target, "--namespace", NAMESPACE, "--", "python", "-c", look).split())


def test_a_task_that_runs_outlives_an_upgrade_of_its_definition_too_and_the_rollback(
    released: Installation, posts: list[Post], tmp_path: Path
) -> None:
    # Held, so that it runs however long the upgrade takes.
    database = released.database
    with hold_commits(database.as_root, database.output_schema, OUTLIVING, rows=2_000) as hold:
        apply(gender_resource(released, OUTLIVING, SECRET, batchRows=1_000))
        hold.reached()
        pod = wait_running_pod(released, OUTLIVING)
        assert account_files(pod) == set()
        assert "token" in account_files("deployment/labeltask-gateway")
        upgrade(released, "gateway.logLevel=WARNING", "operator.logLevel=WARNING", chart=next_chart(tmp_path))
        assert has_later_field()
        assert released.label_task(OUTLIVING)["status"]["stat"] == "STARTED"
    run("helm", "rollback", RELEASE, "1", "--namespace", NAMESPACE, "--wait", "--timeout", "3m", timeout_seconds=200)
    assert not has_later_field()
    status = wait_until(
        lambda: released.label_task(OUTLIVING)["status"],
        lambda seen: "completionTime" in seen,
        seconds=180,
        what="the task to end",
    )
    assert (status["stat"], status["prodStat"], status["attempts"]) == ("SUCCESS", "finish", 1)
    expected = expected_rows(posts, status["taskId"], gender_request(released))
    with released.database.as_root() as db:
        assert_as_expected(db, released.database.output_schema, status["taskId"], expected)


def test_uninstall_keeps_tasks_and_all_of_them_and_the_namespace_go_without_the_operator(
    released: Installation,
) -> None:
    tasks = gated_tasks(released, SECRET, "uninstalled")
    task_id = tasks.start("running-on", "left-running")["running-on"]
    run("helm", "uninstall", RELEASE, "--namespace", NAMESPACE, "--wait", "--timeout", "2m", timeout_seconds=150)
    assert kubectl("get", "deployments", "--namespace", NAMESPACE, "--output", "name") == ""
    kept = {name: released.label_task(name)["status"]["stat"] for name in (OUTLIVING, "running-on")}
    assert kept == {OUTLIVING: "SUCCESS", "running-on": "STARTED"}
    assert len(running_pods(released, task_id)) == 1
    kubectl("delete", "labeltask", OUTLIVING, "running-on", "--namespace", NAMESPACE, "--timeout", "60s")
    kubectl("delete", "namespace", NAMESPACE, "--timeout", "60s")
    kubectl("get", "crd", *CRDS)
