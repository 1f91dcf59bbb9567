"""Answers as callers of the predecessor know them, and the shapes of those it never gave; ``views.py`` fills them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Answer(BaseModel):
    """Base of everything that is answered."""

    model_config = ConfigDict(frozen=True)


class ErrorDetail(Answer):
    """One thing that is wrong with a request."""

    pointer: Annotated[str, Field(description="JSON pointer (RFC 6901) into the request; empty: the whole of it.")]
    message: Annotated[str, Field(description="What is wrong and what to write instead.")]


class ErrorEnvelope(Answer):
    """What every refusal looks like."""

    error_code: Annotated[int, Field(description="The HTTP status.")]
    error_message: Annotated[str, Field(description="Everything that is wrong, in one text for people.")]
    errors: Annotated[tuple[ErrorDetail, ...], Field(description="The same, one entry for each place.")] = ()
    request_id: Annotated[str, Field(description="Stands in the gateway's log and in the header X-Request-ID too.")]


class ProblemDocument(Answer):
    """The same as RFC 9457 has it, for callers whose Accept names application/problem+json."""

    type: Literal["about:blank"] = "about:blank"
    title: Annotated[str, Field(description="The HTTP status in words.")]
    status: Annotated[int, Field(description="The HTTP status.")]
    detail: Annotated[str, Field(description="Everything that is wrong, in one text for people.")]
    errors: Annotated[tuple[ErrorDetail, ...], Field(description="The same, one entry for each place.")] = ()
    request_id: Annotated[str, Field(description="Stands in the gateway's log and in the header X-Request-ID too.")]


class Created(Answer):
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
    rule_report: Annotated[bool | None, Field(description="Only when sent.")] = None
    site: Annotated[str | None, Field(description="Only when sent.")] = None


class ProgressView(Answer):
    """How far labelling has come."""

    rows_read: int
    rows_estimated: int | None
    percent: int | None
    rows_per_second: int | None
    eta_seconds: int | None
    last_heartbeat: str | None


class TaskView(Answer):
    """All that is known of a task: the predecessor's fields, then three more."""

    task_id: str
    stat: str
    prod_stat: str | None
    model_type: str | None
    predict_type: str | None
    date_range: str | None
    target_table: Annotated[str | None, Field(description="INPUT_SCHEMA, under the predecessor's name for it.")]
    create_time: Annotated[str | None, Field(description="As in `state`; in UTC until its row is there.")]
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


class CreatedEnvelope(Answer):
    """Answer to create."""

    error_code: Literal[200] = 200
    error_message: Created


class TaskEnvelope(Answer):
    """Answer to check_status."""

    error_code: Literal[200] = 200
    error_message: TaskView


class TasksEnvelope(Answer):
    """Answer to the list of recent tasks."""

    error_code: Literal[200] = 200
    error_message: Literal["OK"] = "OK"
    content: tuple[TaskView, ...]
    next_cursor: Annotated[
        str | None, Field(description="Send it as `cursor` for the tasks behind; left out on the last page.")
    ] = None


class MessageEnvelope(Answer):
    """An answer that says all in one sentence."""

    error_code: Literal[200] = 200
    error_message: str


class SampleRow(Answer):
    """One row of a result table."""

    id: Annotated[str, Field(description="The source row's id.")]
    task_id: str
    source_author: str | None
    panel: Annotated[str, Field(description="The label, translated, behind a slash.")]
    create_time: Annotated[str | None, Field(description="The source row's post_time.")]
    field_content: Annotated[str | None, Field(description="The source row's s_id, which decides the table.")]
    match_content: Annotated[str | None, Field(description="The text that the rules were matched on, as stored.")]


class SampleEnvelope(Answer):
    """Rows of every result table of the task."""

    error_code: Literal[200] = 200
    error_message: tuple[SampleRow, ...]


class Validation(Answer):
    """What create would do."""

    labels: int
    rules: Annotated[int, Field(description="Keywords or expressions of all labels.")]
    warnings: Annotated[tuple[str, ...], Field(description="What runs but hardly does what was meant.")]
    estimated_rows: Annotated[int | None, Field(description="Source rows in the range; null when nobody could tell.")]
    estimate: Annotated[str, Field(description="Where the estimate comes from, or why there is none.")]


class ValidationEnvelope(Answer):
    """The request is right; nothing was created."""

    error_code: Literal[200] = 200
    error_message: Literal["OK"] = "OK"
    content: Validation


class RuleHit(Answer):
    """A keyword or expression that matches."""

    position: Annotated[int, Field(description="In the label's list, from 0.")]
    keyword: Annotated[str | None, Field(description="Of a keyword_model.")] = None
    match: Annotated[str | None, Field(description="Where the keyword stands.")] = None
    expression: Annotated[str | None, Field(description="Of a rule_model.")] = None
    at: Annotated[tuple[int, int] | None, Field(description="Begin and end of the match in the lower-cased text.")] = (
        None
    )


class LabelMatch(Answer):
    """A label that matches."""

    label: str
    count: Annotated[int, Field(description="The match count: all `partially` keywords count as one.")]
    rules: Annotated[tuple[RuleHit, ...], Field(description="The first 20 that match.")]


class TriedText(Answer):
    """What one text would be labelled, and why."""

    labels: Annotated[tuple[str, ...], Field(description="Those that the policy chooses; none: no row is written.")]
    matches: tuple[LabelMatch, ...]


class TrialEnvelope(Answer):
    """One entry for each text, in their order."""

    error_code: Literal[200] = 200
    error_message: Literal["OK"] = "OK"
    content: tuple[TriedText, ...]
