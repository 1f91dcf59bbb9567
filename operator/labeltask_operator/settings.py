"""The operator's settings: environment variables ``LABELTASK_*`` -> one frozen object, read once at the start.

Lists, maps and objects are JSON. Nothing here is a credential: connections are named by Secret and key.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_settings import BaseSettings, SettingsConfigDict

from labeltask_contract.connection import TlsMode
from labeltask_contract.dump_document import ShelfName, shelf_problem
from labeltask_contract.spec import KEY_PATTERN, NAME_PATTERN, Identifier, ResourceAmounts, Resources
from labeltask_contract.task_document import LabellingRules
from labeltask_operator.worker_placement import WorkerPlacement

Seconds = Annotated[float, Field(gt=0)]
Namespace = Annotated[str, Field(max_length=63, pattern=NAME_PATTERN)]


class SecretKey(BaseModel):
    """Where a named connection stands."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)

    secret_name: Annotated[str, Field(pattern=NAME_PATTERN)]
    key: Annotated[str, Field(pattern=KEY_PATTERN)] = "connection.json"


class Settings(BaseSettings):
    """One field an environment variable; units stand in the names."""

    model_config = SettingsConfigDict(env_prefix="LABELTASK_", env_ignore_empty=True, frozen=True, extra="ignore")

    namespaces: Annotated[tuple[Namespace, ...], Field(min_length=1)]
    """Where LabelTasks are served; the Job of each runs in the namespace of its task. Limits hold for all together."""

    worker_image: str
    worker_image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    worker_image_pull_secrets: tuple[str, ...] = ()
    worker_service_account: str = "default"
    """An account without rights; its token is never mounted."""
    worker_resources: Resources = Resources(
        requests=ResourceAmounts(cpu="100m", memory="128Mi"), limits=ResourceAmounts(memory="256Mi")
    )
    """For tasks that name none; a task overrides single amounts."""
    worker_placement: WorkerPlacement = WorkerPlacement()
    """Where worker pods may run, and what else marks them."""
    allow_image_override: bool = False
    """Whether ``spec.image`` is obeyed: it is the right to run any image in the namespace."""
    termination_grace_seconds: Annotated[int, Field(ge=0)] = 15
    """The worker needs up to 10 s to end a batch and hand its slices back."""
    tmp_size_limit: str = "64Mi"

    connections: dict[str, SecretKey] = {}
    default_connection: str | None = None
    history_schemas: tuple[Identifier, ...] = ()
    """Output schemas whose state rows the default connection keeps, for tasks on its own server."""
    allowed_schemas: tuple[Identifier, ...] = ()
    """Schemas that tasks and dumps may name; empty allows each that the account in use can reach."""
    require_tls: TlsMode | None = None
    """Least encryption of every connection; None: none need have any."""
    queues: dict[str, Annotated[int, Field(ge=0)]] = {}
    """Queue -> tasks that may run at once; 0 holds the queue."""
    default_queue_limit: Annotated[int, Field(ge=0)] = 10
    """For queues that ``queues`` does not name."""
    max_running_per_host: Annotated[int, Field(ge=1)] | None = None
    """Tasks that may run at once against one database server (host and port), whatever their queues; None: no limit."""

    kueue: bool = False
    """Whether Kueue admits Jobs, by the LocalQueue that a task's queue names; the limits above don't hold then."""

    labelling_rules: LabellingRules = LabellingRules()
    shelf_tables: dict[ShelfName, tuple[Identifier, ...]] = {}
    """Shelf table -> the result tables that a dump merges into it; empty: the built-in map."""
    slice_rows: Annotated[int, Field(ge=1)] = 100_000
    row_budget_seconds: Seconds = 1.0

    startup_deadline_seconds: Seconds = 45
    """How long a worker may be kept from starting by a fault that waiting does not cure (image, missing key): longer
    than the kubelet's second try at an image, shorter than the minute in which a caller shall know."""
    no_pod_seconds: Seconds = 15
    """A Job without any pod for so long is refused its pods by a quota or limit."""
    secret_wait_seconds: Seconds = 60
    """The gateway creates the task first and its Secret a moment later."""
    heartbeat_late_seconds: Seconds = 60
    poll_seconds: Seconds = 1
    """Between two looks at the state rows; one query for each account and schema."""
    status_seconds: Annotated[float, Field(ge=0)] = 3
    """Least time between two writes of one status that differ in figures only. With ``poll_seconds`` it bounds the lag
    between database and status: together 4 s, so that 5 s leave a second for everything else."""
    resync_seconds: Seconds = 30
    """Between two full lists of tasks, Jobs and pods: what a broken watch lost is found then."""
    database_wait_seconds: Seconds = 3
    """How long one reconciliation waits for the database before it goes on without."""
    end_retry_seconds: Seconds = 3_600
    """How long the row of an ended task is tried again while its database does not answer."""
    api_timeout_seconds: Seconds = 10
    reconcile_threads: Annotated[int, Field(ge=1, le=64)] = 8
    liveness_port: Annotated[int, Field(ge=1, le=65535)] = 8081
    metrics_port: Annotated[int, Field(ge=1, le=65535)] = 8082
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @model_validator(mode="after")
    def _shelf_can_be_written(self) -> "Settings":
        if problem := shelf_problem(self.shelf_tables):
            raise ValueError(f"LABELTASK_SHELF_TABLES: {problem}")
        return self

    @model_validator(mode="after")
    def _default_connection_is_named(self) -> "Settings":
        if self.default_connection is not None and self.default_connection not in self.connections:
            raise ValueError(
                f"LABELTASK_DEFAULT_CONNECTION names {self.default_connection!r}, "
                f"which LABELTASK_CONNECTIONS does not hold (it holds: {', '.join(self.connections) or 'none'})"
            )
        return self

    def queue_limit(self, queue: str) -> int:
        """Return how many tasks of ``queue`` may run at once."""
        return self.queues.get(queue, self.default_queue_limit)
