"""The picture of the cluster: never older than it was, never with what is gone."""

from typing import Any

import pytest

from labeltask_operator.mirror import Mirror
from labeltask_testing.builders import TASK_ID, make_job, make_labeltask, make_pod


def version(manifest: Any, number: int, **spec: Any) -> Any:
    manifest["metadata"]["resourceVersion"] = str(number)
    manifest.setdefault("spec", {}).update(spec)
    return manifest


@pytest.fixture
def mirror() -> Mirror:
    return Mirror()


def test_an_older_version_does_not_replace_a_newer_one(mirror: Mirror) -> None:
    mirror.put_task(version(make_labeltask().manifest, 9, abort=True))
    mirror.put_task(version(make_labeltask().manifest, 10, abort=False))
    mirror.put_task(version(make_labeltask().manifest, 9, abort=True))
    view = mirror.task(TASK_ID)
    assert view is not None
    assert not view.abort


def test_inline_rules_are_not_kept(mirror: Mirror) -> None:
    mirror.put_task(make_labeltask().manifest)
    view = mirror.task(TASK_ID)
    assert view is not None
    assert "pattern" not in view.body["spec"]


def test_jobs_and_pods_lead_to_their_task(mirror: Mirror) -> None:
    assert mirror.put_job(make_job().manifest) is None
    mirror.put_task(make_labeltask().manifest)
    assert mirror.put_job(make_job().manifest) == TASK_ID
    assert mirror.put_pod(make_pod()) == TASK_ID
    assert [pod.name for pod in mirror.pods(TASK_ID)] == ["pod-0"]
    assert mirror.remove_pod(make_pod()) == TASK_ID
    assert mirror.pods(TASK_ID) == ()


def test_a_deleted_object_does_not_come_back_by_an_older_list(mirror: Mirror) -> None:
    mirror.put_task(make_labeltask().manifest)
    mirror.put_job(make_job().manifest)
    mirror.remove_job(make_job().manifest)
    mirror.resync_jobs(lambda: [make_job().manifest])
    assert mirror.job(TASK_ID) is None


def test_an_object_of_the_same_name_is_another_one(mirror: Mirror) -> None:
    mirror.put_task(make_labeltask(uid="first").manifest)
    mirror.remove_task(make_labeltask(uid="first").manifest)
    mirror.put_task(make_labeltask(uid="second").manifest)
    mirror.remove_task(make_labeltask(uid="first").manifest)
    view = mirror.task(TASK_ID)
    assert view is not None
    assert view.uid == "second"


def test_a_list_tells_what_the_watch_has_missed(mirror: Mirror) -> None:
    kept, gone, new = (make_labeltask(name * 32, f"uid-{name}").manifest for name in "abc")
    mirror.put_task(kept)
    mirror.put_task(gone)
    assert mirror.resync_tasks(lambda: [kept, new]) == {"b" * 32, "c" * 32}
    assert mirror.task("b" * 32) is None


def test_what_comes_while_a_list_is_taken_is_not_lost(mirror: Mirror) -> None:
    def fetch() -> list[Any]:
        mirror.put_task(make_labeltask().manifest)
        return []

    assert mirror.resync_tasks(fetch) == set()
    assert mirror.task(TASK_ID) is not None


def test_the_watch_lags_until_it_tells_what_a_list_has_told(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("labeltask_operator.mirror.time.monotonic", lambda: clock[0])
    mirror.put_task(version(make_labeltask().manifest, 1))
    mirror.resync_tasks(lambda: [version(make_labeltask().manifest, 2)])
    clock[0] += 50
    assert mirror.watch_lag_seconds() == 50
    mirror.hear(version(make_labeltask().manifest, 2))
    assert mirror.watch_lag_seconds() == 0


def test_a_change_that_the_watch_tells_while_a_list_is_taken_is_no_lag(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr("labeltask_operator.mirror.time.monotonic", lambda: clock[0])
    mirror.put_task(version(make_labeltask().manifest, 1))

    def fetch() -> list[Any]:
        mirror.hear(version(make_labeltask().manifest, 2))
        mirror.put_task(version(make_labeltask().manifest, 2))
        return [version(make_labeltask().manifest, 2)]

    mirror.resync_tasks(fetch)
    clock[0] += 50
    assert mirror.watch_lag_seconds() == 0
    assert mirror.watch_age_seconds() == 50


def test_an_own_write_that_the_watch_has_not_told_yet_is_no_lag(mirror: Mirror) -> None:
    mirror.put_task(version(make_labeltask().manifest, 1))
    mirror.put_task(version(make_labeltask().manifest, 2))
    mirror.resync_tasks(lambda: [version(make_labeltask().manifest, 2)])
    assert mirror.watch_lag_seconds() == 0
