"""One run of one worker: from mounted files to exit code. Phase 1 stands in ``pipeline.py``, 2 in ``finalizer.py``."""

from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from labeltask_contract.errors import TaskFailure
from labeltask_contract.reasons import FACTS, Reason
from labeltask_contract.stat import Stat
from labeltask_contract.task_document import TaskDocument
from labeltask_contract.times import parse_time
from labeltask_store.authors import AUTHOR_TABLE
from labeltask_store.connection import DbConnection
from labeltask_store.ledger_sums import Totals, count_slices
from labeltask_store.rule_hits import PART_TABLE, ReportLine
from labeltask_store.slice_plan import count_in, cut_range
from labeltask_store.slices import store_plan
from labeltask_store.state_table import end_task, start_task
from labeltask_store.workers import Fenced, Worker, is_registered, register
from labeltask_worker.batch_building import BatchBuilder
from labeltask_worker.database import Database
from labeltask_worker.finalizer import finalize
from labeltask_worker.matching import build_matcher
from labeltask_worker.outcome import leave_message
from labeltask_worker.pipeline import POLL_SECONDS, Pipeline, TaskIsOver
from labeltask_worker.preflight import check_results, check_source, prepare_ledger, prepare_output
from labeltask_worker.settings import Settings
from labeltask_worker.shutdown import Stop, interrupted
from labeltask_worker.task_files import Assignment, check_task, load_assignment, load_rules

_log = structlog.get_logger(__name__)


class Run:
    """A worker's run. ``exit_code`` of :meth:`run` is 0 or one that ``labeltask_contract.reasons`` documents."""

    def __init__(
        self,
        task_dir: Path,
        settings: Settings,
        stop: Stop,
        watch: Callable[[Totals], None] = lambda _: None,
        show_report: Callable[[Sequence[ReportLine]], None] = lambda _: None,
    ) -> None:
        """``watch`` is told the task's totals about once a second, ``show_report`` its rule report at the end."""
        self._task_dir = task_dir
        self._settings = settings
        self._stop = stop
        self._watch = watch
        self._show_report = show_report
        self._assignment: Assignment | None = None
        self._database: Database | None = None
        self._worker: Worker | None = None
        self._pipeline: Pipeline | None = None

    def run(self) -> int:
        """Do the work; return the exit code, having told everybody why it is not 0."""
        self._stop.on_exit = lambda: leave_message(self._settings.termination_log, interrupted())
        try:
            self._work()
        except TaskIsOver:
            _log.info("the task is over, nothing to do")
        except Fenced as error:
            _log.info(str(error))
            failure = TaskFailure(Reason.INTERRUPTED, str(error))
            leave_message(self._settings.termination_log, failure)
            return failure.exit_code
        except TaskFailure as failure:
            return self._fail(failure)
        except Exception as error:
            _log.exception("internal error")
            return self._fail(
                TaskFailure(Reason.INTERNAL, f"a fault inside LabelTask: {type(error).__name__}: {error}")
            )
        finally:
            if self._database is not None:
                self._database.close()
        return 0

    def _work(self) -> None:
        self._assignment = load_assignment(self._task_dir)
        task = self._assignment.task
        structlog.contextvars.bind_contextvars(task_id=task.task_id, index=self._settings.index)
        database = Database(self._assignment.connection, self._stop)
        self._stop.on_overdue = database.cancel
        database.connect_first()
        self._database = database
        if prepare_output(database, task).is_final:
            raise TaskIsOver
        check_task(task)
        pattern = load_rules(self._task_dir, task)
        prepare_ledger(database, task)
        access = check_source(database, task)
        tables = check_results(database, task)

        worker = Worker(task.task_id, self._settings.pod_uid, self._settings.index)
        database.run(lambda db: register(db, task.output_schema, worker))
        self._worker = worker
        database.run(lambda db: start_task(db, task.output_schema, task.task_id))
        written = [*tables, AUTHOR_TABLE, *([PART_TABLE] if task.rule_report else [])]
        self._cut_range(task, database, worker, access.index, written)
        self._pipeline = Pipeline(
            task,
            worker,
            database,
            build_matcher(task.model_type, pattern, task.policy, task.row_budget_seconds, every_rule=task.rule_report),
            BatchBuilder(task, [rules.label for rules in pattern]),
            self._stop,
            access=access,
            tables=tables,
            watch=self._watch,
        )
        self._pipeline.run()
        _log.info("all slices are done")
        if worker.owner_index == 0:
            report = finalize(database, task, pattern, worker, self._stop)
            _log.info("the task is complete")
            if report is not None:
                self._show_report(report)

    def _cut_range(
        self, task: TaskDocument, database: Database, worker: Worker, index: str | None, written: list[str]
    ) -> None:
        """Have the slices: index 0 cuts the range, the others wait for it."""
        while not database.run(lambda db: count_slices(db, task.output_schema, task.task_id)):
            if worker.owner_index != 0:
                self._stop.wait(POLL_SECONDS)
                if prepare_output(database, task).is_final:
                    raise TaskIsOver
                continue

            def plan(db: DbConnection) -> None:
                counter = count_in(db, task.input_schema, task.input_table, index)
                cut = cut_range(parse_time(task.start_time), parse_time(task.end_time), task.slice_rows, counter)
                store_plan(db, task.output_schema, worker, cut, written)
                _log.info("range cut", slices=len(cut), rows=sum(part.rows for part in cut))

            database.run(plan, where=f"cutting the range of {task.input_schema}.{task.input_table}", read_seconds=600)

    def _fail(self, failure: TaskFailure) -> int:
        _log.error("stopped", reason=failure.reason.value, message=failure.message)
        leave_message(self._settings.termination_log, failure)
        if not FACTS[failure.reason].retriable:
            try:
                self._write_failure(failure)
            except Exception as error:
                # The termination message says it too, and the operator writes the row from that.
                _log.warning("the task's row could not be written", error=type(error).__name__)
        return failure.exit_code

    def _write_failure(self, failure: TaskFailure) -> None:
        database, worker = self._database, self._worker
        if database is None or self._assignment is None:
            return
        task = self._assignment.task

        def write(db: DbConnection) -> None:
            # A worker that was replaced has no say any more.
            if worker is None or is_registered(db, task.output_schema, worker):
                end_task(db, task.output_schema, task.task_id, Stat.FAILURE, failure.message)

        if self._pipeline is not None:
            try:
                self._pipeline.report()
            except TaskFailure as second:
                # Counters that lag behind are no reason to leave the outcome out.
                _log.warning("the counters could not be written", reason=second.reason.value)
        database.run(write)
