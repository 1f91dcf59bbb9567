"""LabelTaskStatus: what is known of a task, as it stands in ``status`` of the custom resource.

The operator alone writes it and can rebuild it from Job, pods and the ``state`` row; nothing is decided from it.
"""

from typing import Annotated, Literal

from pydantic import Field

from labeltask_contract.conditions import ConditionType
from labeltask_contract.spec import CamelModel
from labeltask_contract.stat import ProdStat, Stat

Moment = Annotated[str, Field(max_length=40, json_schema_extra={"format": "date-time"})]
MAX_MESSAGE_CHARACTERS = 4_096

Count = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]


class Condition(CamelModel):
    """One condition, as Kubernetes' API conventions describe it."""

    type: Annotated[ConditionType, Field(description="What is true or false.")]
    status: Annotated[Literal["True", "False", "Unknown"], Field(description="Whether it is.")]
    reason: Annotated[
        str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z]+$", description="Why, in one CamelCase word.")
    ]
    message: Annotated[str, Field(max_length=MAX_MESSAGE_CHARACTERS, description="Why, for people.")]
    last_transition_time: Annotated[Moment, Field(description="When status last changed.")]
    observed_generation: Annotated[Count | None, Field(description="Generation of the spec that was judged.")] = None


class Progress(CamelModel):
    """How far labelling has come. Row figures are those committed in the database."""

    rows_read: Annotated[Count, Field(description="Source rows read and done with.")] = 0
    rows_labelled: Annotated[Count, Field(description="Rows written to result tables.")] = 0
    rows_estimated: Annotated[
        Count | None, Field(description="Rows in the date range when the work was cut into slices, from the index.")
    ] = None
    percent: Annotated[int | None, Field(ge=0, le=100, description="rowsRead of rowsEstimated.")] = None
    rows_per_second: Annotated[Count | None, Field(description="Source rows per second, lately.")] = None
    eta_seconds: Annotated[Count | None, Field(description="Seconds until labelling ends at this rate.")] = None
    check_point: Annotated[
        str | None, Field(max_length=19, description="post_time up to which everything is committed.")
    ] = None
    last_heartbeat: Annotated[Moment | None, Field(description="When a worker last said that it lives.")] = None


class ResultTable(CamelModel):
    """One result table that the task wrote, and what became of it in phase 2."""

    name: Annotated[str, Field(max_length=64, description="Name of the result table.")]
    production_rows: Annotated[Count | None, Field(description="Rows in the production table.")] = None
    uniq_source_authors: Annotated[
        Count | None, Field(description="Distinct authors among all rows read for this table.")
    ] = None
    rate_of_label: Annotated[
        str | None, Field(max_length=16, description="100 * productionRows / uniqSourceAuthors, two decimals.")
    ] = None


class PatternFacts(CamelModel):
    """What rules the task runs with; the rules themselves may be secret."""

    sha256: Annotated[str, Field(max_length=64, description="Digest of the rules in canonical form.")]
    labels: Annotated[
        tuple[Annotated[str, Field(max_length=199)], ...],
        Field(max_length=200, description="The labels, in the order that decides."),
    ]
    rules: Annotated[Count, Field(description="Number of keywords or expressions.")]


class LabelTaskStatus(CamelModel):
    """The summary."""

    observed_generation: Annotated[Count | None, Field(description="Generation of the spec that was judged.")] = None
    task_id: Annotated[str | None, Field(max_length=32, description="The task's key in MySQL.")] = None
    stat: Annotated[Stat | None, Field(description="PENDING, STARTED, SUCCESS, FAILURE or BREAK.")] = None
    prod_stat: Annotated[ProdStat | None, Field(description="finish or no_data, once phase 2 has ended.")] = None
    reason: Annotated[
        str | None, Field(max_length=64, description="Why the task failed or waits, from a closed list.")
    ] = None
    error_message: Annotated[
        str | None, Field(max_length=MAX_MESSAGE_CHARACTERS, description="Why the task failed, and what to do.")
    ] = None
    progress: Annotated[Progress | None, Field(description="How far labelling has come.")] = None
    result_tables: Annotated[
        tuple[ResultTable, ...] | None, Field(max_length=200, description="Result tables, sorted by name.")
    ] = None
    pattern: Annotated[PatternFacts | None, Field(description="What rules the task runs with.")] = None
    job_name: Annotated[str | None, Field(max_length=63, description="The task's Job.")] = None
    attempts: Annotated[Count | None, Field(description="Worker pods started so far.")] = None
    queue_position: Annotated[Count | None, Field(description="Place in the queue, 1 is next; unset: not queued.")] = (
        None
    )
    peak_memory_mi_b: Annotated[
        float | None, Field(alias="peakMemoryMiB", ge=0, description="Most memory a worker used, in MiB.")
    ] = None
    run_time_minutes: Annotated[float | None, Field(ge=0, description="Minutes from start to end of the work.")] = None
    create_time: Annotated[
        str | None,
        Field(max_length=19, description="create_time of the task's row in `state`, by the database's own clock."),
    ] = None
    start_time: Annotated[Moment | None, Field(description="When the first worker pod started.")] = None
    completion_time: Annotated[Moment | None, Field(description="When the task became final.")] = None
    warnings: Annotated[
        tuple[Annotated[str, Field(max_length=1024)], ...] | None,
        Field(max_length=40, description="What runs but hardly does what was meant."),
    ] = None
    conditions: Annotated[
        tuple[Condition, ...] | None,
        Field(
            max_length=16,
            description="What is true of the task, for machines.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = None
