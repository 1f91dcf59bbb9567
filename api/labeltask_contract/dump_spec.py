"""LabelDumpSpec: which finished tasks are put on the shelf, as it stands in ``spec`` of the custom resource.

labelling.md, "dump_result". The gateway writes it, people write it with kubectl, the operator resolves it.
"""

from typing import Annotated, Literal

from pydantic import Field

from labeltask_contract.spec import (
    BACKOFF_LIMIT,
    DEADLINE_SECONDS,
    Account,
    BackoffLimit,
    CamelModel,
    DeadlineSeconds,
    Identifier,
    OutputSchema,
    PodResources,
    TimeToLive,
    WorkerImage,
)

MAX_TASKS = 200
TaskId = Annotated[str, Field(min_length=32, max_length=32, pattern=r"^[0-9a-f]{32}$")]


class LabelDumpSpec(CamelModel):
    """The wish. Immutable once created, but for abort and ttlSecondsAfterFinished."""

    group: Annotated[
        str,
        Field(
            max_length=64,
            pattern=r"^[^\x00-\x20]{1,64}$",
            description="Conflict group, of which an author keeps one panel: GENDER, MARRIAGE or the deployment's own.",
        ),
    ]
    task_ids: Annotated[
        tuple[TaskId, ...],
        Field(
            min_length=1,
            max_length=MAX_TASKS,
            description="Finished tasks, by their key in MySQL.",
            json_schema_extra={"x-kubernetes-list-type": "set"},
        ),
    ]
    previous_schema: Annotated[Identifier, Field(description="Schema that holds the previous shelf tables.")]
    output: Annotated[OutputSchema, Field(description="Where the tasks' rows are, and where the dump tables go.")]
    connection_from: Account = None
    previous_year: Annotated[int | None, Field(ge=1, le=9_999, description="Recorded, and nothing else.")] = None
    deadline_seconds: DeadlineSeconds = DEADLINE_SECONDS
    backoff_limit: BackoffLimit = BACKOFF_LIMIT
    ttl_seconds_after_finished: TimeToLive = None
    resources: PodResources = None
    image: WorkerImage = None
    abort: Annotated[bool, Field(description="true ends the dump as Failed; it can't be taken back.")] = False


DumpField = Literal["abort", "ttlSecondsAfterFinished"]
MUTABLE_DUMP_FIELDS: tuple[DumpField, ...] = ("abort", "ttlSecondsAfterFinished")
