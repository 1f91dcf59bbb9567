"""Answers as callers of the predecessor know them: the envelope, the create answer, the view of a task. Pure."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from labeltask_contract.status import LabelTaskStatus, ResultTable
from labeltask_contract.times import format_time
from labeltask_gateway.observed_task import ObservedTask
from labeltask_gateway.requests import CreateRequest
from labeltask_store.state_table import StateRow


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class ErrorDetail(_Answer):
    """One thing that is wrong with a request."""

    pointer: Annotated[str, Field(description="JSON pointer (RFC 6901) into the request; empty: the whole of it.")]
    message: Annotated[str, Field(description="What is wrong and what to write instead.")]


class ErrorEnvelope(_Answer):
    """What every refusal looks like."""

    error_code: Annotated[int, Field(description="The HTTP status.")]
    error_message: Annotated[str, Field(description="Everything that is wrong, in one text for people.")]
    errors: Annotated[tuple[ErrorDetail, ...], Field(description="The same, one entry for each place.")] = ()
    request_id: Annotated[str, Field(description="Stands in the gateway's log and in the header X-Request-ID too.")]


class Created(_Answer):
    """The settings of a new task, as sent, and its id."""

    model_type: str
    predict_type: str
    start_time: str
    end_time: str
    target_schema: str
    target_table: str
    output_schema: str
    countdown: int
    queue: str
    date_range: str
    task_id: str
    policy: Annotated[str | None, Field(description="Only when sent.")] = None
    parallelism: Annotated[int | None, Field(description="Only when sent.")] = None
    deadline_seconds: Annotated[int | None, Field(description="Only when sent.")] = None
    site: Annotated[str | None, Field(description="Only when sent.")] = None


class ProgressView(_Answer):
    """How far labelling has come."""

    rows_read: int
    rows_estimated: int | None
    percent: int | None
    rows_per_second: int | None
    eta_seconds: int | None
    last_heartbeat: str | None


class TaskView(_Answer):
    """All that is known of a task: the predecessor's fields, then three more."""

    task_id: str
    stat: str
    prod_stat: str | None
    model_type: str | None
    predict_type: str | None
    date_range: str | None
    target_table: Annotated[str | None, Field(description="INPUT_SCHEMA, under the predecessor's name for it.")]
    create_time: Annotated[str | None, Field(description="UTC, without a zone.")]
    peak_memory: Annotated[float | None, Field(description="MiB.")]
    length_receive_table: Annotated[int | None, Field(description="Source rows read.")]
    length_output_table: Annotated[int | None, Field(description="Rows in result tables.")]
    length_prod_table: Annotated[str | None, Field(description="Rows in production tables, one number a table.")]
    result: Annotated[str | None, Field(description="Result tables, comma-joined, sorted by name.")]
    uniq_source_author: Annotated[str | None, Field(description="Distinct authors read, one number a table.")]
    rate_of_label: Annotated[str | None, Field(description="Per cent of authors labelled, one number a table.")]
    run_time: Annotated[float | None, Field(description="Minutes.")]
    check_point: Annotated[str | None, Field(description="post_time up to which everything is committed.")]
    error_message: str | None
    progress: Annotated[ProgressView | None, Field(description="null for a task that is gone from the cluster.")]
    reason: Annotated[str | None, Field(description="Why the task failed or waits, one word of a closed list.")]
    warnings: Annotated[tuple[str, ...], Field(description="What runs but hardly does what was meant.")]


class CreatedEnvelope(_Answer):
    """Answer to create."""

    error_code: Literal[200] = 200
    error_message: Created


class TaskEnvelope(_Answer):
    """Answer to check_status."""

    error_code: Literal[200] = 200
    error_message: TaskView


class TasksEnvelope(_Answer):
    """Answer to the list of recent tasks."""

    error_code: Literal[200] = 200
    error_message: Literal["OK"] = "OK"
    content: tuple[TaskView, ...]


class MessageEnvelope(_Answer):
    """An answer that says all in one sentence."""

    error_code: Literal[200] = 200
    error_message: str


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
        site=request.site,
    )


def view_of_label_task(task: ObservedTask) -> TaskView:
    """Return what the LabelTask says; what is not known yet is null."""
    spec, status, progress = task.spec, task.status, task.status.progress
    tables = status.result_tables or ()
    return TaskView(
        task_id=task.task_id,
        stat=task.stat,
        prod_stat=status.prod_stat,
        model_type=spec.model_type,
        predict_type=spec.predict_type,
        date_range=f"{spec.start_time} - {spec.end_time}",
        target_table=spec.input.schema_,
        create_time=task.created.removesuffix("Z"),
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
