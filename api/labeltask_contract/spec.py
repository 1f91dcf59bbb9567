"""LabelTaskSpec: what a task shall do, as it stands in ``spec`` of the custom resource.

The gateway writes it, people write it with kubectl, the operator resolves it. ``crd.py`` turns these models into the
schema that the API server enforces, so every string and list here is bounded.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from labeltask_contract.pattern import MAX_LABELS, LabelRules, ModelType
from labeltask_contract.times import TIME_PATTERN

IDENTIFIER_PATTERN = r"^[0-9A-Za-z_$-]{1,64}$"
IDENTIFIER_HELP = "write 1 to 64 of the characters 0-9 A-Z a-z _ $ -"
NAME_PATTERN = r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"
KEY_PATTERN = r"^[-._a-zA-Z0-9]{1,253}$"
# ASCII, not \S: what that means beyond ASCII differs between the API server and Python.
IMAGE_PATTERN = r"^[!-~]+$"
QUEUE_PATTERN = r"^[a-z0-9A-Z]([-._a-zA-Z0-9]{0,61}[a-z0-9A-Z])?$"

Identifier = Annotated[str, Field(max_length=64, pattern=IDENTIFIER_PATTERN)]
Time = Annotated[str, Field(max_length=19, pattern=TIME_PATTERN)]


class PredictType(StrEnum):
    """Which text the rules are matched on."""

    AUTHOR_NAME = "author_name"
    CONTENT = "content"
    S_AREA_ID = "s_area_id"
    TITLE = "title"

    @property
    def column(self) -> str:
        """The source column that holds this text."""
        return "author" if self is PredictType.AUTHOR_NAME else self.value


class Policy(StrEnum):
    """Which of several matching labels a row gets."""

    FIRST = "first"
    MOST = "most"
    ALL = "all"


class CamelModel(BaseModel):
    """Base of everything in the custom resource: snake_case in Python, camelCase in YAML, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)


class KeyRef(CamelModel):
    """One key of a Secret or ConfigMap in the task's namespace."""

    name: Annotated[str, Field(max_length=253, pattern=NAME_PATTERN, description="Name of the object.")]
    key: Annotated[str, Field(max_length=253, pattern=KEY_PATTERN, description="Key in the object.")]


class PatternSource(CamelModel):
    """Where the rules stand when they are not written in the task itself."""

    secret_key_ref: Annotated[
        KeyRef | None, Field(description="A Secret's key that holds the rules as JSON, plain or gzipped.")
    ] = None
    config_map_key_ref: Annotated[
        KeyRef | None, Field(description="A ConfigMap's key that holds the rules as JSON, plain or gzipped.")
    ] = None


class ConnectionSource(CamelModel):
    """Where the database account stands. Never in the task itself."""

    secret_key_ref: Annotated[
        KeyRef | None,
        Field(description="A Secret's key that holds a JSON object with host, port, user, password."),
    ] = None
    site: Annotated[
        str | None,
        Field(max_length=63, pattern=QUEUE_PATTERN, description="A connection that the deployment names."),
    ] = None


class InputTable(CamelModel):
    """The source table."""

    schema_: Annotated[Identifier, Field(alias="schema", description="Schema (database) that holds the source table.")]
    table: Annotated[Identifier, Field(description="Source table.")] = "ts_page_content"


class OutputSchema(CamelModel):
    """Where results go."""

    schema_: Annotated[
        Identifier,
        Field(alias="schema", description="Schema that holds the state table, result tables and production tables."),
    ]


class TtlSecondsAfterFinished(CamelModel):
    """How long a finished task or dump stays in the cluster; what it wrote into the database stays for ever."""

    succeeded: Annotated[
        int | None, Field(ge=0, le=315_360_000, description="Seconds after SUCCESS; unset keeps the task.")
    ] = None
    failed: Annotated[
        int | None, Field(ge=0, le=315_360_000, description="Seconds after FAILURE or BREAK; unset keeps the task.")
    ] = None


Quantity = Annotated[
    str, Field(max_length=32, pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|e[0-9]+)?$")
]


class ResourceAmounts(CamelModel):
    """Processor and memory, in Kubernetes' quantities."""

    cpu: Annotated[Quantity | None, Field(description="Processors, e.g. 500m or 2.")] = None
    memory: Annotated[Quantity | None, Field(description="Memory, e.g. 256Mi.")] = None


class Resources(CamelModel):
    """What each worker pod asks for and may use."""

    requests: Annotated[ResourceAmounts | None, Field(description="Reserved for each worker pod.")] = None
    limits: Annotated[ResourceAmounts | None, Field(description="Most that each worker pod may use.")] = None


# What a task and a dump say alike, because each becomes one Job.
Account = Annotated[
    ConnectionSource | None,
    Field(description="Where the database account stands; unset: the deployment's default connection."),
]
DeadlineSeconds = Annotated[int, Field(ge=1, le=31_536_000, description="Seconds that its Job may run; then it fails.")]
DEADLINE_SECONDS = 86_400
BackoffLimit = Annotated[int, Field(ge=0, le=100, description="How often a worker pod may fail and be replaced.")]
BACKOFF_LIMIT = 6
TimeToLive = Annotated[
    TtlSecondsAfterFinished | None, Field(description="When it leaves the cluster once it has finished.")
]
PodResources = Annotated[
    Resources | None, Field(description="Processor and memory of each worker pod; unset: the deployment's.")
]
WorkerImage = Annotated[
    str | None,
    Field(max_length=512, pattern=IMAGE_PATTERN, description="Worker image, where the deployment allows to choose it."),
]


class LabelTaskSpec(CamelModel):
    """The wish. Immutable once created, but for abort, suspend, ttlSecondsAfterFinished and parallelism."""

    model_type: Annotated[ModelType, Field(description="What the rules are: keyword_model or rule_model.")]
    predict_type: Annotated[
        PredictType, Field(description="Which text the rules are matched on: author_name, content, s_area_id, title.")
    ]
    start_time: Annotated[
        Time, Field(description="First post_time that is read, YYYY-MM-DD or YYYY-MM-DD HH:MM:SS, without a zone.")
    ]
    end_time: Annotated[
        Time, Field(description="First post_time that is not read any more; written like startTime and after it.")
    ]
    policy: Annotated[
        Policy,
        Field(
            description="Which label a row gets when several match: first (in the order of pattern), most (highest "
            "match count), all (one result row each)."
        ),
    ] = Policy.FIRST
    pattern: Annotated[
        tuple[LabelRules, ...] | None,
        Field(
            min_length=1,
            max_length=MAX_LABELS,
            description="The rules, in the order that decides. Either this or patternFrom.",
        ),
    ] = None
    pattern_from: Annotated[
        PatternSource | None, Field(description="Where the rules stand otherwise. Either this or pattern.")
    ] = None
    input: Annotated[InputTable, Field(description="What is read.")]
    output: Annotated[OutputSchema, Field(description="Where results are written.")]
    connection_from: Account = None
    countdown_seconds: Annotated[
        int,
        Field(ge=0, le=31_536_000, description="Seconds between the end of labelling and the production tables."),
    ] = 5
    queue: Annotated[
        str,
        Field(max_length=63, pattern=QUEUE_PATTERN, description="Queue that limits how many tasks run at once."),
    ] = "default"
    parallelism: Annotated[int, Field(ge=1, le=64, description="Worker pods that share the task.")] = 1
    batch_rows: Annotated[
        int, Field(ge=1, le=100_000, description="Source rows that one transaction covers at most.")
    ] = 20_000
    rule_report: Annotated[
        bool,
        Field(
            description="true keeps in the table label_rule_hit how many rows each label, keyword and expression "
            "matched; it costs speed."
        ),
    ] = False
    deadline_seconds: DeadlineSeconds = DEADLINE_SECONDS
    backoff_limit: BackoffLimit = BACKOFF_LIMIT
    ttl_seconds_after_finished: TimeToLive = None
    resources: PodResources = None
    image: WorkerImage = None
    abort: Annotated[bool, Field(description="true ends the task as BREAK; it can't be taken back.")] = False
    suspend: Annotated[bool, Field(description="true stops the workers; committed work stays.")] = False


SpecField = Literal["abort", "suspend", "parallelism", "ttlSecondsAfterFinished"]
MUTABLE_FIELDS: tuple[SpecField, ...] = ("abort", "suspend", "parallelism", "ttlSecondsAfterFinished")
