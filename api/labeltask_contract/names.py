"""Group, kinds, keys and derived object names: every string that two parts of LabelTask must spell alike."""

import re
from dataclasses import dataclass

GROUP = "labelapi.io"
VERSION = "v1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "LabelTask"
PLURAL = "labeltasks"
SINGULAR = "labeltask"
SHORT_NAME = "lt"


@dataclass(frozen=True)
class ResourceKind:
    """One kind of custom resource, as the API server and kubectl call it."""

    kind: str
    plural: str
    singular: str
    short_name: str
    id_label: str
    """Label of its Jobs and pods, which holds the id of the object that they belong to."""


TASK_ID_LABEL = f"{GROUP}/task-id"
DUMP_ID_LABEL = f"{GROUP}/dump-id"

LABEL_TASK = ResourceKind(KIND, PLURAL, SINGULAR, SHORT_NAME, TASK_ID_LABEL)
LABEL_DUMP = ResourceKind("LabelDump", "labeldumps", "labeldump", "ld", DUMP_ID_LABEL)

CREATED_BY_ANNOTATION = f"{GROUP}/created-by"
"""On a LabelTask or LabelDump: the caller of the gateway who had it created, where callers are told apart."""
DATABASE_ANNOTATION = f"{GROUP}/database"
"""On a Job: ``host:port`` of the database that its workers use."""
QUEUE_LABEL = f"{GROUP}/queue"
COMPONENT_LABEL = "app.kubernetes.io/component"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
WORKER_COMPONENT = "worker"
MANAGER = "labeltask-operator"
PART_OF_LABEL = "app.kubernetes.io/part-of"
PART_OF = "labeltask"

WORKER_CONTAINER = "worker"
TASK_DIR = "/etc/labeltask"
TASK_FILE = "task.json"
CONNECTION_FILE = "connection.json"
PATTERN_FILE = "pattern.json.gz"
PLAIN_PATTERN_FILE = "pattern.json"
DUMP_FILE = "dump.json"

_TASK_ID = re.compile(r"[0-9a-f]{32}")


def task_id_of(name: str, uid: str) -> str:
    """Return the 32 hexadecimal digits that identify a task in MySQL.

    The gateway names its objects by task id, so the name is the id there; any other object is identified by its uid,
    which stays unique when a name is used again.
    """
    return name if is_task_id(name) else uid.replace("-", "").lower()


def is_task_id(text: str) -> bool:
    """Tell whether ``text`` is 32 lower-case hexadecimal digits."""
    return _TASK_ID.fullmatch(text) is not None


def job_name(task_id: str) -> str:
    """Name of the one Job of a task: derived, so that creating it twice collides instead of running it twice."""
    return f"lt-{task_id}"


def secret_name(task_id: str) -> str:
    """Name of the Secret with the connection and pattern that a REST caller brought."""
    return task_id


def config_map_name(task_id: str) -> str:
    """Name of the ConfigMap in which the operator hands the resolved task to the worker."""
    return task_id


def dump_id_of(uid: str) -> str:
    """Return the 32 hexadecimal digits that identify a dump: its uid, because no table knows a dump by name."""
    return uid.replace("-", "").lower()


def dump_job_name(dump_id: str) -> str:
    """Name of the one Job of a dump, and of the ConfigMap in which the operator hands it to the worker."""
    return f"ld-{dump_id}"
