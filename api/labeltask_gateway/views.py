"""Answers from what is known: a task in the cluster, a row of ``state``, rows of result tables. Pure."""

from collections.abc import Iterable
from datetime import datetime

from labeltask_contract.status import LabelTaskStatus, ResultTable
from labeltask_contract.times import format_time
from labeltask_gateway.observed_task import ObservedTask
from labeltask_gateway.requests import CreateRequest
from labeltask_gateway.responses import Created, ProgressView, SampleEnvelope, SampleRow, TaskView
from labeltask_store.result_tables import ResultRow
from labeltask_store.state_table import StateRow


def sample_of(rows: Iterable[ResultRow]) -> SampleEnvelope:
    """Return the answer to sample; times are written as check_status writes them."""
    return SampleEnvelope(
        error_message=tuple(
            SampleRow(**{**row._asdict(), "create_time": row.create_time and row.create_time.replace(" ", "T")})
            for row in rows
        )
    )


def created(task_id: str, request: CreateRequest) -> Created:
    """Return the answer to create; the account has no part in it."""
    spec = request.spec
    return Created(
        model_type=spec.model_type,
        predict_type=spec.predict_type,
        start_time=spec.start_time,
        end_time=spec.end_time,
        target_schema=spec.input.schema_,
        target_table=spec.input.table,
        output_schema=spec.output.schema_,
        countdown=spec.countdown_seconds,
        queue=spec.queue,
        date_range=f"{spec.start_time} - {spec.end_time}",
        task_id=task_id,
        policy=spec.policy if "POLICY" in request.sent else None,
        parallelism=spec.parallelism if "PARALLELISM" in request.sent else None,
        deadline_seconds=spec.deadline_seconds if "DEADLINE_SECONDS" in request.sent else None,
        rule_report=spec.rule_report if "RULE_REPORT" in request.sent else None,
        site=request.site,
    )


def view_of_label_task(task: ObservedTask) -> TaskView:
    """Return what the LabelTask says; what is not known (yet) is null."""
    spec, status, progress = task.spec, task.status, task.status.progress
    tables = status.result_tables or ()
    return TaskView(
        task_id=task.task_id,
        stat=task.stat,
        prod_stat=status.prod_stat,
        model_type=None if spec is None else spec.model_type,
        predict_type=None if spec is None else spec.predict_type,
        date_range=None if spec is None else f"{spec.start_time} - {spec.end_time}",
        target_table=None if spec is None else spec.input.schema_,
        # As in `state`, which is what the predecessor showed; before the row is there, by Kubernetes' clock.
        create_time=(status.create_time or task.created.removesuffix("Z")).replace(" ", "T"),
        peak_memory=status.peak_memory_mi_b,
        length_receive_table=progress.rows_read if progress else None,
        length_output_table=progress.rows_labelled if progress else None,
        length_prod_table=_joined(tables, "production_rows"),
        result=_joined(tables, "name"),
        uniq_source_author=_joined(tables, "uniq_source_authors"),
        rate_of_label=_joined(tables, "rate_of_label"),
        run_time=status.run_time_minutes,
        check_point=progress.check_point.replace(" ", "T") if progress and progress.check_point else None,
        error_message=status.error_message,
        progress=_progress(status),
        reason=status.reason,
        warnings=status.warnings or (),
    )


def view_of_state_row(row: StateRow) -> TaskView:
    """Return what the ``state`` table says of a task that is gone from the cluster."""
    return TaskView(
        task_id=row.task_id,
        stat=row.stat or "PENDING",
        prod_stat=row.prod_stat,
        model_type=row.model_type,
        predict_type=row.predict_type,
        date_range=row.date_range,
        target_table=row.target_table,
        create_time=_iso(row.create_time),
        peak_memory=row.peak_memory,
        length_receive_table=row.length_receive_table,
        length_output_table=row.length_output_table,
        length_prod_table=row.length_prod_table,
        result=row.result,
        uniq_source_author=row.uniq_source_author,
        rate_of_label=row.rate_of_label,
        run_time=row.run_time,
        check_point=_iso(row.check_point),
        error_message=row.error_message,
        progress=None,
        reason=None,
        warnings=(),
    )


def _joined(tables: tuple[ResultTable, ...], field: str) -> str | None:
    """Join one value per table; null until every table has its value, else places and tables would not match."""
    values = [getattr(table, field) for table in tables]
    return ",".join(str(value) for value in values) if values and None not in values else None


def _progress(status: LabelTaskStatus) -> ProgressView | None:
    progress = status.progress
    if progress is None:
        return ProgressView(
            rows_read=0, rows_estimated=None, percent=None, rows_per_second=None, eta_seconds=None, last_heartbeat=None
        )
    return ProgressView(
        rows_read=progress.rows_read,
        rows_estimated=progress.rows_estimated,
        percent=progress.percent,
        rows_per_second=progress.rows_per_second,
        eta_seconds=progress.eta_seconds,
        last_heartbeat=progress.last_heartbeat,
    )


def _iso(moment: datetime | None) -> str | None:
    return format_time(moment).replace(" ", "T") if moment else None
