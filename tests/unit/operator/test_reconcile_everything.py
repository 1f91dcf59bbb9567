"""The decision on every combination of task, Job, pods, row and place: what must hold whatever is seen.

Each decision is also carried out on what was seen, the way cluster and database would, and judged again, until nothing
new comes: it has to end soon, with one outcome, and with one Job at most.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import permutations, product
from typing import Any

from labeltask_contract.stat import ProdStat, Stat, is_final
from labeltask_operator.job_views import JobView, PodView
from labeltask_operator.kueue import WorkloadView
from labeltask_operator.mirror import Mirror
from labeltask_operator.reconcile import Decision, Observation, Place, decide, recorded_final
from labeltask_operator.status_fields import build_status
from labeltask_operator.steps import Step
from labeltask_operator.stored_row import StoredRow
from labeltask_operator.views import TaskView
from labeltask_testing.builders import (
    NOW,
    TASK_ID,
    ago,
    ended_pod,
    make_job,
    make_labeltask,
    make_pod,
    make_progress,
    waiting_pod,
)
from labeltask_testing.operator_fakes import make_settings

SETTINGS = make_settings()
WITH_KUEUE = make_settings(kueue=True)
GONE = {"deletionTimestamp": ago(1)}
TASKS = {
    "new": make_labeltask(),
    "aborted": make_labeltask().with_spec(abort=True),
    "suspended": make_labeltask().with_spec(suspend=True),
    "deleted": make_labeltask().with_metadata(**GONE),
    "widened": make_labeltask().with_spec(parallelism=3),
    "failed": make_labeltask().with_status(stat="FAILURE", completionTime=ago(30)),
    "succeeded": make_labeltask().with_status(stat="SUCCESS", prodStat="finish", completionTime=ago(30)),
}
JOBS: dict[str, Any] = {
    "absent": None,
    "gone": None,
    "foreign": make_job(owner_uid="somebody-else"),
    "suspended": make_job().with_spec(suspend=True),
    "active": make_job(),
    "leaving": make_job().with_metadata(**GONE),
    "failed": make_job().finished("Failed", "FailedIndexes"),
    "complete": make_job().finished("Complete", seconds_ago=60),
}
PODS: dict[str, tuple[Any, ...]] = {
    "none": (),
    "pending": (make_pod({"waiting": {"reason": "ContainerCreating"}}, phase="Pending"),),
    "held": (waiting_pod("ErrImagePull", "not found"),),
    "running": (make_pod(),),
    "killed": (ended_pod(137),),
    "out of memory": (ended_pod(137, "OOMKilled"),),
    "evicted": (make_pod({}, phase="Failed", reason="Evicted", message="The node was low on memory"),),
}


def row(stat: Stat, prod_stat: ProdStat | None = None) -> StoredRow:
    return StoredRow(True, make_progress(stat, prod_stat), NOW - timedelta(seconds=100), NOW)


ROWS = {
    "unread": StoredRow(),
    "out of reach": StoredRow(trouble="no answer", trouble_since=NOW - timedelta(seconds=5)),
    "absent": StoredRow(known=True, read_at=NOW, seen_at=NOW),
    "PENDING": row(Stat.PENDING),
    "STARTED": row(Stat.STARTED),
    "labelled": row(Stat.SUCCESS),
    "SUCCESS": row(Stat.SUCCESS, ProdStat.FINISH),
    "no data": row(Stat.SUCCESS, ProdStat.NO_DATA),
    "FAILURE": row(Stat.FAILURE),
    "BREAK": row(Stat.BREAK),
}
PLACES = {"a place": Place(None, 10), "no place": Place(2, 10), "no place at the database": Place(1, 3, "db:3306")}
WORKLOADS = {
    "none": None,
    "admissible": WorkloadView({"metadata": {"name": "w"}, "spec": {"active": True}}),
    "inactive": WorkloadView({"metadata": {"name": "w"}, "spec": {"active": False}}),
}
CHANGES_A_JOB = {Step.DELETE_JOB, Step.SUSPEND_JOB, Step.RESUME_JOB, Step.RESIZE_JOB}
LETS_RUN = {Step.CREATE_JOB, Step.RESUME_JOB}


@dataclass(frozen=True)
class Seen:
    """One combination, by name and as the operator sees it."""

    task: str
    job: str
    pods: str
    row: str
    place: str
    observation: Observation


def everything() -> Iterator[Seen]:
    for task, job, pods, stored, place in product(TASKS, JOBS, PODS, ROWS, PLACES):
        made = TASKS[task]
        if job == "gone":
            made = made.with_status(jobName=make_job().manifest["metadata"]["name"])
        body = JOBS[job]
        observation = Observation(
            NOW,
            TaskView.of(made.manifest),
            None,
            None if body is None else JobView.of(body.manifest),
            tuple(PodView.of(pod) for pod in PODS[pods]),
            ROWS[stored],
            PLACES[place],
        )
        yield Seen(task, job, pods, stored, place, observation)


def carry_out(seen: Observation, decision: Decision) -> Observation:
    """Return what is seen when all that was decided has been done, by cluster and database too."""
    job, stored, body = seen.job, seen.row, dict(seen.view.body)
    if decision.step is Step.CREATE_JOB:
        parallelism = body["spec"].get("parallelism", 1)
        job = JobView.of(make_job().with_spec(parallelism=parallelism).manifest)
    elif job is not None and decision.step is Step.DELETE_JOB:
        job = None
    elif job is not None and decision.step in CHANGES_A_JOB:
        changes = {
            Step.SUSPEND_JOB: {"suspend": True},
            Step.RESUME_JOB: {"suspend": False},
            Step.RESIZE_JOB: {"parallelism": body["spec"].get("parallelism", 1)},
        }[decision.step]
        job = JobView.of({**job.body, "spec": {**job.body["spec"], **changes}})
    ending = decision.ending
    if ending is not None and stored.progress is not None and not stored.final:
        ended = replace(stored.progress.state, stat=ending.stat, prod_stat=ending.prod_stat)
        stored = replace(stored, progress=replace(stored.progress, state=ended))
    if decision.step is not Step.NONE or decision.ending is not None:
        body["status"] = build_status(replace(seen, job=job), decision, None)
    # A Job that goes takes its pods with it.
    pods = () if decision.step is Step.DELETE_JOB else seen.pods
    return replace(seen, view=TaskView.of(body), job=job, pods=pods, row=stored)


def test_there_are_all_combinations() -> None:
    assert sum(1 for _ in everything()) == 7 * 8 * 7 * 10 * 3


def test_a_job_is_created_only_for_a_living_task_that_never_had_one_and_has_a_place() -> None:
    found = {
        (seen.task, seen.job, seen.row, seen.place)
        for seen in everything()
        if decide(seen.observation, SETTINGS).step is Step.CREATE_JOB
    }
    rows = ("unread", "out of reach", "absent", "PENDING")
    assert found == {(task, "absent", stored, "a place") for task in ("new", "widened") for stored in rows}


def test_a_final_row_is_the_outcome_and_lets_nothing_run() -> None:
    for seen in everything():
        stored = seen.observation.row
        if not stored.final or seen.task == "deleted":
            continue
        decision = decide(seen.observation, SETTINGS)
        assert decision.step not in LETS_RUN, seen
        if decision.ending is not None:
            assert (decision.ending.stat, decision.ending.in_row) == (stored.stat, True), seen
        elif not decision.settled:
            # The Job's own word for a failure may come in a moment.
            assert decision.recheck_seconds, seen


def test_success_is_told_by_the_row_alone() -> None:
    for seen in everything():
        ending = decide(seen.observation, SETTINGS).ending
        if ending is not None and ending.stat is Stat.SUCCESS:
            assert (ending.in_row, seen.row) in ((True, "SUCCESS"), (True, "no data")), seen


def test_a_finished_task_stays_as_it_is_unless_the_row_has_ended_otherwise() -> None:
    for seen in everything():
        if seen.task in ("failed", "succeeded"):
            decision = decide(seen.observation, SETTINGS)
            same = {"failed": ("FAILURE",), "succeeded": ("SUCCESS", "no data")}[seen.task]
            assert decision.settled is (not seen.observation.row.final or seen.row in same), seen
            assert decision.ending is None or decision.ending.in_row, seen


def test_a_foreign_job_is_never_touched() -> None:
    for seen in everything():
        if seen.job == "foreign":
            assert decide(seen.observation, SETTINGS).step not in CHANGES_A_JOB | {Step.CREATE_JOB}, seen


def test_a_task_that_shall_end_or_has_ended_lets_nothing_run() -> None:
    for seen in everything():
        if seen.task in ("aborted", "deleted", "failed", "succeeded"):
            assert decide(seen.observation, SETTINGS).step not in LETS_RUN | {Step.RESIZE_JOB}, seen


def test_a_task_being_deleted_is_left_to_the_garbage_collector() -> None:
    for seen in everything():
        if seen.task == "deleted":
            assert decide(seen.observation, SETTINGS) == Decision(settled=True), seen


def test_without_a_place_no_job_starts() -> None:
    for seen in everything():
        if seen.place != "a place":
            assert decide(seen.observation, SETTINGS).step not in LETS_RUN, seen


def test_a_task_that_is_not_final_is_looked_at_again_or_waits_for_somebody() -> None:
    for seen in everything():
        decision = decide(seen.observation, SETTINGS)
        goes_on = decision.step is not Step.NONE or decision.ending is not None or decision.settled
        waits = decision.recheck_seconds is not None or seen.task == "suspended"
        assert goes_on or waits, seen


def test_decisions_carried_out_come_to_rest_with_one_outcome_and_one_job_at_most() -> None:
    for seen in everything():
        if seen.place == "no place at the database":
            continue  # for the step the same as no place in the queue
        observation, created = seen.observation, 0
        outcomes: list[Stat] = []
        for _ in range(5):
            decision = decide(observation, SETTINGS)
            created += decision.step is Step.CREATE_JOB
            if decision.ending is not None:
                outcomes.append(decision.ending.stat)
            after = carry_out(observation, decision)
            if decision.step is Step.NONE and decide(after, SETTINGS) == decision:
                break
            observation = after
        else:
            raise AssertionError(f"no rest: {seen}")
        assert created <= 1, seen
        assert len(set(outcomes)) <= 1, seen
        if outcomes:
            assert recorded_final(observation.view), seen
            assert observation.view.recorded_stat is outcomes[0], seen
        if seen.observation.row.final and seen.task != "deleted":
            assert observation.row == seen.observation.row, seen
            assert is_final(observation.row.stat, observation.row.prod_stat), seen


def with_kueue() -> Iterator[Seen]:
    """Everything again, with what Kueue may have made of the Job; its quota takes the place of ours."""
    for seen, workload in product(everything(), WORKLOADS):
        if seen.place == "a place":
            yield replace(seen, place=workload, observation=replace(seen.observation, workload=WORKLOADS[workload]))


def test_with_kueue_no_job_is_paused_or_let_go_but_by_its_workload() -> None:
    for seen in with_kueue():
        step = decide(seen.observation, WITH_KUEUE).step
        if step in (Step.SUSPEND_JOB, Step.RESUME_JOB):
            wanted = "admissible" if step is Step.SUSPEND_JOB else "inactive"
            assert (seen.place, seen.task == "suspended") == (wanted, step is Step.SUSPEND_JOB), seen


def test_with_kueue_decisions_come_to_rest_and_all_others_are_the_same() -> None:
    for seen in with_kueue():
        decision = decide(seen.observation, WITH_KUEUE)
        own = decide(seen.observation, SETTINGS)
        paused = {Step.SUSPEND_JOB, Step.RESUME_JOB} & {decision.step, own.step} or decision.waiting or own.waiting
        assert paused or decision == own, seen
        if decision.step in (Step.SUSPEND_JOB, Step.RESUME_JOB):
            done = WORKLOADS["inactive" if decision.step is Step.SUSPEND_JOB else "admissible"]
            assert decide(replace(seen.observation, workload=done), WITH_KUEUE).step is Step.NONE, seen


def test_the_order_in_which_news_come_does_not_matter() -> None:
    def aged(body: Any, version: int) -> Any:
        return {**body, "metadata": {**body["metadata"], "resourceVersion": str(version)}}

    news = (
        ("task", aged(TASKS["new"].manifest, 1)),
        ("task", aged(TASKS["aborted"].manifest, 7)),
        ("job", aged(JOBS["active"].manifest, 2)),
        ("job", aged(JOBS["suspended"].manifest, 8)),
        ("pod", aged(PODS["pending"][0], 3)),
        ("pod", aged(PODS["running"][0], 9)),
    )
    pictures = []
    for order in permutations(news):
        mirror = Mirror()
        put = {"task": mirror.put_task, "job": mirror.put_job, "pod": mirror.put_pod}
        for kind, body in order:
            put[kind](body)
        pictures.append((mirror.task(TASK_ID), mirror.job(TASK_ID), mirror.pods(TASK_ID)))
    assert all(picture == pictures[0] for picture in pictures)
    task, job, pods = pictures[0]
    assert task is not None
    assert job is not None
    assert (task.abort, job.suspended, [pod.running for pod in pods]) == (True, True, [True])
