"""One look at one dump: observe, decide, act, tell. As ``controller`` is for tasks, without database and queues.

Input: the key (name) of a LabelDump. Output: its ConfigMap, Job and status. Everything here may be repeated and may be
cut off anywhere; nothing is remembered between two looks.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from labeltask_contract.dump_status import DumpPhase
from labeltask_contract.names import LABEL_DUMP, dump_job_name
from labeltask_contract.reasons import Reason
from labeltask_operator.announcements import announce
from labeltask_operator.cluster import Cluster
from labeltask_operator.dump_job import build_dump_config_map, build_dump_job
from labeltask_operator.dump_reconcile import DumpDecision, DumpObservation, decide_dump, fail
from labeltask_operator.dump_resolve import DumpResolution, resolve_dump
from labeltask_operator.dump_status_fields import build_dump_status
from labeltask_operator.dump_view import DumpView
from labeltask_operator.job_calls import TRY_AGAIN_SECONDS, create_job, find_warnings
from labeltask_operator.job_guards import past_deadline
from labeltask_operator.job_outcome import Fault, JobPhase, job_phase
from labeltask_operator.job_views import JobView
from labeltask_operator.metrics import Metrics
from labeltask_operator.mirror import DumpMirror
from labeltask_operator.references import NotResolved
from labeltask_operator.settings import Settings
from labeltask_operator.status_fields import merge_patch
from labeltask_operator.steps import Step

_log = structlog.get_logger(__name__)


class DumpController:
    """All dumps of one namespace. :meth:`reconcile` is never called for one key by two threads at once."""

    def __init__(
        self,
        settings: Settings,
        cluster: Cluster,
        enqueue: Callable[[str], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        metrics: Metrics | None = None,
    ) -> None:
        self._settings = settings
        self._cluster = cluster
        self._enqueue = enqueue
        self._now = now
        self._metrics = metrics or Metrics()
        self.mirror = DumpMirror()

    def states(self) -> Iterator[tuple[str, str]]:
        """Yield phase and reason of each dump, as its status tells them."""
        for view in self.mirror.tasks():
            yield view.recorded_phase or DumpPhase.PENDING, str(view.status.get("reason") or "")

    def start(self) -> None:
        """Learn what there is, and look at all of it."""
        self._list_all()
        for view in self.mirror.tasks():
            self._enqueue(view.name)

    def resync(self) -> None:
        """Compare the picture with full lists, and look at whatever a watch has missed."""
        for key in self._list_all():
            self._enqueue(key)

    def poll(self) -> None:
        """A dump has no row to follow."""

    def reconcile(self, key: str) -> float | None:
        """Bring one dump forward; return after how many seconds to look again, None if only when something happens."""
        view = self.mirror.task(key)
        if view is None:
            return None
        with structlog.contextvars.bound_contextvars(dump_id=view.task_id, dump=view.name):
            seen = self._observe(view)
            decision = decide_dump(seen, self._settings)
            if decision.step is not Step.NONE:
                _log.info("acting", step=decision.step)
            if decision.step is Step.CREATE_JOB:
                decision, job = self._create_job(seen)
                seen = replace(seen, job=job)
            elif decision.step is Step.DELETE_TASK:
                self._cluster.delete_task(view.name, view.uid)
            elif seen.job is not None and decision.step is Step.DELETE_JOB:
                self._cluster.delete_job(seen.job.name, seen.job.uid)
            if not decision.settled:
                self._tell(seen, decision)
            return decision.recheck_seconds

    def _list_all(self) -> set[str]:
        return (
            self.mirror.resync_tasks(self._cluster.iter_tasks)
            | self.mirror.resync_jobs(self._cluster.iter_jobs)
            | self.mirror.resync_pods(self._cluster.iter_pods)
        )

    def _observe(self, view: DumpView) -> DumpObservation:
        job = self.mirror.job(view.task_id)
        done = view.recorded_final or view.deleting
        if job is None and view.status.get("jobName") and not done:
            # "The Job is gone" ends a dump, so it is not believed of a picture that may lag behind.
            found = self._cluster.get_job(dump_job_name(view.task_id))
            if found is not None:
                self.mirror.put_job(found)
                job = JobView.of(found)
        resolution: DumpResolution | NotResolved | None = None
        wanted = not (done or view.abort or view.status.get("jobName"))
        if wanted and job_phase(job, view.uid) is JobPhase.ABSENT:
            resolution = self._resolve(view)
        pods = self.mirror.pods(view.task_id)
        patience, phase = self._settings.no_pod_seconds, job_phase(job, view.uid)
        warnings = find_warnings(self._cluster, job, phase, pods, self._now(), patience)
        return DumpObservation(self._now(), view, resolution, job, pods, warnings)

    def _resolve(self, view: DumpView) -> DumpResolution | NotResolved:
        resolution = resolve_dump(view, self._cluster, self._settings)
        if isinstance(resolution, NotResolved):
            return resolution
        config_map = self._cluster.ensure_config_map(build_dump_config_map(view, resolution))
        owners = config_map["metadata"].get("ownerReferences") or [{}]
        if owners[0].get("uid") != view.uid:
            name = dump_job_name(view.task_id)
            message = f'ConfigMap "{name}" exists and belongs to somebody else; delete it'
            return NotResolved(Reason.JOB_CONFLICT, message, waits=True)
        return resolution

    def _create_job(self, seen: DumpObservation) -> tuple[DumpDecision, JobView | None]:
        spec = seen.view.spec
        if spec is None or not isinstance(seen.resolution, DumpResolution):
            raise AssertionError("only a resolved dump gets a Job")
        body = create_job(self._cluster, build_dump_job(seen.view, spec, seen.resolution, self._settings))
        if isinstance(body, Fault):
            fault = past_deadline(seen.view, body, spec.deadline_seconds, seen.now)
            return fail(fault) if fault.hard else DumpDecision(fault=fault, recheck_seconds=TRY_AGAIN_SECONDS), None
        self.mirror.put_job(body)
        return DumpDecision(recheck_seconds=1), JobView.of(body)

    def _tell(self, seen: DumpObservation, decision: DumpDecision) -> None:
        """Write the status where it differs."""
        status = build_dump_status(seen, decision)
        patch = merge_patch(seen.view.status, status)
        if not patch:
            return
        announce(self._cluster, LABEL_DUMP, seen.view, status, seen.now)
        if decision.ending is not None:
            _log.info("the dump has ended", phase=decision.ending.phase, reason=decision.ending.reason)
        body = self._cluster.patch_status(seen.view.name, {"metadata": {"uid": seen.view.uid}, "status": patch})
        self._metrics.status_written(LABEL_DUMP.kind)
        if body is None:
            self.mirror.remove_task(seen.view.body)
        else:
            self.mirror.put_task(body)
            # One look more at what has ended: a Job may have to go, a time to live may run.
            if decision.ending is not None:
                self._enqueue(seen.view.name)
