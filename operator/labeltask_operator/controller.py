"""One look at one task: observe, decide, act, tell. The only module that joins cluster, database and decision.

Input: the key (name) of a LabelTask. Output: Jobs, ConfigMaps, ended rows, statuses. Everything here may be repeated
and may be cut off anywhere: the next look begins from what is then true.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from labeltask_contract.names import LABEL_TASK
from labeltask_contract.reasons import Reason
from labeltask_contract.stat import Stat
from labeltask_operator.announcements import announce
from labeltask_operator.cluster import Cluster
from labeltask_operator.job_calls import TRY_AGAIN_SECONDS, create_job, find_warnings
from labeltask_operator.job_guards import past_deadline
from labeltask_operator.job_outcome import Fault, JobPhase, job_phase
from labeltask_operator.job_template import build_config_map, build_job
from labeltask_operator.job_views import JobView
from labeltask_operator.kueue import WorkloadView, pick_workload
from labeltask_operator.metrics import Metrics
from labeltask_operator.mirror import Mirror
from labeltask_operator.queue_places import QueuePlaces, TaskKey
from labeltask_operator.reconcile import Decision, Ending, Observation, Place, decide, recorded_final
from labeltask_operator.resolve import NotResolved, Resolution, resolve_task
from labeltask_operator.row_follower import RowFollower
from labeltask_operator.settings import Settings
from labeltask_operator.state_store import StateStore
from labeltask_operator.status_fields import build_status, least_pause_seconds, merge_patch
from labeltask_operator.steps import Step
from labeltask_operator.stored_row import StoredRow
from labeltask_operator.task_memory import TaskMemory
from labeltask_operator.task_rows import TaskRows
from labeltask_operator.views import TaskView

_log = structlog.get_logger(__name__)


def utc_now() -> datetime:
    """Return this moment."""
    return datetime.now(UTC)


class Controller:
    """All tasks of one namespace. :meth:`reconcile` is never called for one key by two threads at once."""

    def __init__(
        self,
        settings: Settings,
        cluster: Cluster,
        store: StateStore,
        enqueue: Callable[[str], None],
        now: Callable[[], datetime] = utc_now,
        metrics: Metrics | None = None,
        places: QueuePlaces | None = None,
        wake: Callable[[TaskKey], None] | None = None,
    ) -> None:
        """Serve the namespace of ``cluster``.

        ``places`` are shared by all namespaces; ``wake`` has a task of any of them looked at.
        """
        self._settings = settings
        self._cluster = cluster
        self._store = store
        self._enqueue = enqueue
        self._now = now
        self._metrics = metrics or Metrics()
        self._lock = threading.Lock()
        self._memories: dict[str, TaskMemory] = {}
        self.mirror = Mirror()
        self.places = places or QueuePlaces(settings.queue_limit, settings.max_running_per_host)
        self._wake = wake or (lambda key: enqueue(key.name))
        self.rows = RowFollower(settings, store, enqueue, now, self._metrics)
        self._task_rows = TaskRows(settings, cluster, store, self.rows, now, self._metrics)
        self.resynced_at: datetime | None = None

    def states(self) -> Iterator[tuple[str, str]]:
        """Yield stat and reason of each task, as its status tells them."""
        for view in self.mirror.tasks():
            yield view.recorded_stat or Stat.PENDING, str(view.status.get("reason") or "")

    def start(self) -> None:
        """Learn what there is, and look at all of it: places are taken by what runs before anything new starts."""
        self._list_all()
        if not self._settings.kueue:
            self._take_places()
        for view in self.mirror.tasks():
            self._enqueue(view.name)
        self.resynced_at = self._now()

    def _take_places(self) -> None:
        for view in self.mirror.tasks():
            job = self.mirror.job(view.task_id)
            if job_phase(job, view.uid) is JobPhase.ACTIVE:
                self.places.hold(view, job.database if job is not None else "")
            elif not (recorded_final(view) or view.deleting or view.suspend):
                self.places.enter(view)

    def resync(self) -> None:
        """Compare the picture with full lists, and look at whatever a watch has missed, and at whoever waits."""
        for key in self._list_all():
            self._enqueue(key)
        with self._lock:
            live = set(self._memories)
        for key in live:
            if self.mirror.task(key) is None:
                self._enqueue(key)
        self._store.sweep()
        self.resynced_at = self._now()

    def _list_all(self) -> set[str]:
        return (
            self.mirror.resync_tasks(self._cluster.iter_tasks)
            | self.mirror.resync_jobs(self._cluster.iter_jobs)
            | self.mirror.resync_pods(self._cluster.iter_pods)
        )

    def poll(self) -> None:
        """Read the rows of all running tasks, one query an account and schema; those that changed are enqueued."""
        with self._lock:
            followed = [(key, memory) for key, memory in self._memories.items() if memory.follows]
        self.rows.poll(followed)

    def reconcile(self, key: str) -> float | None:
        """Bring one task forward; return after how many seconds to look again, None if only when something happens."""
        view = self.mirror.task(key)
        with self._lock:
            memory = self._memories.get(key)
        if memory is not None and (view is None or view.uid != memory.uid):
            self._forget(key, memory)
            memory = None
        if view is None:
            self._leave(key)
            return None
        if recorded_final(view) and memory is None:
            return self._reconcile_finished(view)
        if memory is None:
            memory = TaskMemory.of(view)
            with self._lock:
                self._memories[key] = memory
        with structlog.contextvars.bound_contextvars(task_id=view.task_id, task=view.name):
            return self._reconcile(view, memory)

    def _reconcile_finished(self, view: TaskView) -> float | None:
        """A finished task needs no memory: thousands of them may lie in the cluster."""
        job = self.mirror.job(view.task_id)
        seen = Observation(self._now(), view, None, job, (), StoredRow(), Place(None, 0))
        decision = decide(seen, self._settings)
        self._do(seen, decision)
        self._leave_if_idle(view.name, seen.phase)
        return decision.recheck_seconds

    def _reconcile(self, view: TaskView, memory: TaskMemory) -> float | None:
        seen = self._observe(view, memory)
        if seen is None:
            return None
        decision, job = self._do(seen, decide(seen, self._settings))
        if job is not seen.job:
            seen = replace(seen, job=job)
        if decision.ending is not None and not decision.ending.in_row:
            row_before = memory.row
            self._task_rows.end(view.name, decision.ending, memory)
            if memory.row is not row_before and memory.row.final and memory.row.stat is not decision.ending.stat:
                # The worker was faster: what the row says is how the task ended, everywhere.
                seen = replace(seen, row=memory.row)
                decision = decide(seen, self._settings)
        if decision.ending is not None:
            _log.info("the task has ended", stat=decision.ending.stat, reason=decision.ending.reason)
        wait = None if decision.settled else self._tell(seen, decision, memory)
        self._update_memory(seen, decision, memory)
        rechecks = [seconds for seconds in (wait, decision.recheck_seconds) if seconds is not None]
        return min(rechecks, default=None)

    # -- observe -------------------------------------------------------------------------------------------------

    def _observe(self, view: TaskView, memory: TaskMemory) -> Observation | None:
        job = self.mirror.job(view.task_id)
        done = recorded_final(view) or view.deleting
        if job is None and view.status.get("jobName") and not done:
            # "The Job is gone" ends a task, so it is not believed of a picture that may lag behind.
            found = self._cluster.get_job(str(view.status["jobName"]))
            if found is not None:
                self.mirror.put_job(found)
                job = JobView.of(found)
        phase = job_phase(job, view.uid)
        resolution: Resolution | NotResolved | None = None
        if not done:
            if phase is JobPhase.ABSENT and not view.status.get("jobName"):
                resolution = self._resolve(view, memory)
                if resolution is None:
                    return None
            else:
                resolution = self._facts_again(view, memory)
                self._task_rows.find_connection(view, memory)
        place = self._place(view, job, resolution, done)
        if not done:
            # A thousand tasks that wait for a place need not ask the database each time they are looked at.
            waits = phase is JobPhase.ABSENT and place.position is not None
            ended = phase in (JobPhase.COMPLETE, JobPhase.FAILED)
            self._task_rows.find_row(memory, fresh=ended or (phase is JobPhase.ABSENT and not waits))
        # Read last: what the mirror learned during the calls above counts.
        pods = self.mirror.pods(view.task_id)
        warnings = find_warnings(self._cluster, job, phase, pods, self._now(), self._settings.no_pod_seconds)
        attempts = memory.pods.add(int(view.status.get("attempts") or 0), (pod.uid for pod in pods))
        workload = self._find_workload(view, job, phase)
        return Observation(self._now(), view, resolution, job, pods, memory.row, place, warnings, workload, attempts)

    def _find_workload(self, view: TaskView, job: JobView | None, phase: JobPhase) -> WorkloadView | None:
        paused = phase is JobPhase.SUSPENDED or (phase is JobPhase.ACTIVE and view.suspend)
        if not self._settings.kueue or job is None or not paused:
            return None
        return pick_workload(self._cluster.iter_workloads(job.uid))

    def _resolve(self, view: TaskView, memory: TaskMemory) -> Resolution | NotResolved | None:
        if memory.resolution is not None:
            return memory.resolution
        body = self._cluster.get_task(view.name)
        if body is None or body["metadata"]["uid"] != view.uid:
            return None
        resolution = resolve_task(body, self._cluster, self._settings)
        if isinstance(resolution, NotResolved):
            # Its row can be ended all the same, where the connection is known.
            self._task_rows.find_connection(view, memory)
            return resolution
        config_map = self._cluster.ensure_config_map(build_config_map(view, resolution))
        owners = config_map["metadata"].get("ownerReferences") or [{}]
        if owners[0].get("uid") != view.uid:
            message = f'ConfigMap "{view.task_id}" exists and belongs to somebody else; delete it'
            return NotResolved(Reason.JOB_CONFLICT, message, waits=True)
        # Its Secret may have come a moment ago: what an earlier try found is out of date.
        memory.connection_tried_at = None
        self._task_rows.find_connection(view, memory)
        # The rules stand in the ConfigMap now; a thousand waiting tasks need not hold theirs in memory.
        memory.resolution = replace(resolution, rules=replace(resolution.rules, packed=None))
        return memory.resolution

    def _facts_again(self, view: TaskView, memory: TaskMemory) -> Resolution | None:
        """Learn the rules' facts of a task whose Job was created just before the operator was cut off."""
        if memory.resolution is None and view.status.get("pattern") is None and memory.connection_tried_at is None:
            found = self._resolve(view, memory)
            return found if isinstance(found, Resolution) else None
        return memory.resolution

    def _place(
        self, view: TaskView, job: JobView | None, resolution: Resolution | NotResolved | None, done: bool
    ) -> Place:
        phase = job_phase(job, view.uid)
        limit = self._settings.queue_limit(view.queue)
        if done or view.abort or self._settings.kueue:
            return Place(None, limit)
        host = "" if job is None else job.database
        if phase in (JobPhase.ACTIVE, JobPhase.DELETING):
            return self.places.hold(view, host)
        if isinstance(resolution, Resolution):
            host = resolution.connection.address.lower()
        wants = phase is JobPhase.SUSPENDED or isinstance(resolution, Resolution)
        if view.suspend or not wants:
            self._leave(view.name)
            return Place(None, limit)
        return self.places.claim(view, host)

    # -- act -----------------------------------------------------------------------------------------------------

    def _do(self, seen: Observation, decision: Decision) -> tuple[Decision, JobView | None]:
        job = seen.job
        if decision.step is not Step.NONE:
            _log.info("acting", step=decision.step, task=seen.view.name, task_id=seen.view.task_id)
        if decision.step is Step.CREATE_JOB:
            return self._create_job(seen, decision)
        if decision.step is Step.DELETE_TASK:
            self._cluster.delete_task(seen.view.name, seen.view.uid)
        elif job is not None and decision.step is Step.DELETE_JOB:
            self._cluster.delete_job(job.name, job.uid)
        elif job is not None and decision.step in (Step.SUSPEND_JOB, Step.RESUME_JOB):
            if seen.workload is not None:
                self._cluster.activate_workload(seen.workload.name, decision.step is Step.RESUME_JOB)
                return decision, job
            changed = self._cluster.suspend_job(job.name, decision.step is Step.SUSPEND_JOB)
            if changed is not None:
                self.mirror.put_job(changed)
        elif job is not None and seen.view.spec is not None and decision.step is Step.RESIZE_JOB:
            changed = self._cluster.resize_job(job.name, seen.view.spec.parallelism)
            if changed is not None:
                self.mirror.put_job(changed)
        return decision, job

    def _create_job(self, seen: Observation, decision: Decision) -> tuple[Decision, JobView | None]:
        spec = seen.view.spec
        if spec is None or not isinstance(seen.resolution, Resolution):
            raise AssertionError("only a resolved task gets a Job")
        manifest = build_job(seen.view, spec, seen.resolution, self._settings)
        body = create_job(self._cluster, manifest)
        if isinstance(body, Fault):
            fault = past_deadline(seen.view, body, spec.deadline_seconds, seen.now)
            if fault.hard:
                return Decision(ending=Ending(Stat.FAILURE, reason=fault.reason, message=fault.message)), None
            return Decision(fault=fault, recheck_seconds=TRY_AGAIN_SECONDS), None
        self.mirror.put_job(body)
        job = JobView.of(body)
        if job.owner_uid != seen.view.uid:
            self._enqueue(seen.view.name)
            return Decision(recheck_seconds=1), job
        return decision, job

    def _forget(self, key: str, memory: TaskMemory) -> None:
        """The LabelTask is gone, and Job and pods with it; the row has to say so."""
        with self._lock:
            self._memories.pop(key, None)
        self._leave(key)
        self._task_rows.end_deleted(key, memory)

    def _leave_if_idle(self, key: str, phase: JobPhase) -> None:
        """A task that has ended keeps its place until its last pod is gone: only so is the limit never exceeded."""
        if phase not in (JobPhase.ACTIVE, JobPhase.DELETING, JobPhase.SUSPENDED):
            self._leave(key)

    def _leave(self, key: str) -> None:
        for other in self.places.leave(TaskKey(self._cluster.namespace, key)):
            self._wake(other)

    # -- tell ----------------------------------------------------------------------------------------------------

    def _tell(self, seen: Observation, decision: Decision, memory: TaskMemory) -> float | None:
        """Write the status where it differs; return when to come back for a write that was put off."""
        status = build_status(seen, decision, memory.rate.rows_per_second())
        patch = merge_patch(seen.view.status, status)
        if not patch:
            return None
        if memory.status_written_at is not None:
            least = least_pause_seconds(patch, self._settings.status_seconds)
            left = least - (seen.now - memory.status_written_at).total_seconds()
            if left > 0:
                return left
        announce(self._cluster, LABEL_TASK, seen.view, status, seen.now)
        body = self._cluster.patch_status(seen.view.name, {"metadata": {"uid": seen.view.uid}, "status": patch})
        memory.status_written_at = seen.now
        self._metrics.status_written(LABEL_TASK.kind)
        if body is None:
            self.mirror.remove_task(seen.view.body)
            self._enqueue(seen.view.name)
        else:
            self.mirror.put_task(body)
        return None

    def _update_memory(self, seen: Observation, decision: Decision, memory: TaskMemory) -> None:
        final = decision.ending is not None or (decision.settled and not seen.view.deleting)
        memory.follows = not final and seen.phase in (JobPhase.ACTIVE, JobPhase.COMPLETE, JobPhase.FAILED)
        if not final:
            return
        self._leave_if_idle(seen.view.name, seen.phase)
        memory.resolution = None
        if not self.rows.is_pending(memory.task_id):
            with self._lock:
                self._memories.pop(seen.view.name, None)
            # One look more, without memory: a Job may have to go, a time to live may run.
            self._enqueue(seen.view.name)
