"""A Kubernetes and a history in memory, and a caller of the gateway that needs neither socket nor server."""

import asyncio
import base64
import copy
import ipaddress
import itertools
import json
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import httpx
from fastapi import FastAPI

from labeltask_contract.connection import Connection
from labeltask_contract.names import LABEL_DUMP, LABEL_TASK, PLURAL, ResourceKind, task_id_of
from labeltask_contract.pattern import ModelType, Pattern
from labeltask_contract.spec import LabelTaskSpec, Policy
from labeltask_gateway.app import Backends, create_app
from labeltask_gateway.cluster import Identity
from labeltask_gateway.default_rules import DefaultRules
from labeltask_gateway.errors import AlreadyThere, SecretMissing
from labeltask_gateway.hosts import Address
from labeltask_gateway.manifests import Manifest
from labeltask_gateway.recent import Wanted, facts_of, youngest
from labeltask_gateway.settings import Settings
from labeltask_gateway.trial_process import explain
from labeltask_store.result_tables import ResultRow
from labeltask_store.state_table import StateRow

_CALLED = {LABEL_TASK: "label_task", LABEL_DUMP: "label_dump"}
CANARY = "hunter2-canary"
DATABASE = "203.0.113.9"
"""Address of the databases in requests."""


class FakeCluster:
    """The gateway's Cluster Protocol over two dicts.

    >>> cluster = FakeCluster()
    >>> cluster.failures["create_secret"] = ClusterUnavailable()

    makes each later create_secret raise. ``calls`` holds the names of all calls, in order.
    """

    def __init__(self) -> None:
        self.label_tasks: dict[str, Manifest] = {}
        self.label_dumps: dict[str, Manifest] = {}
        self.secrets: dict[str, Manifest] = {}
        self.failures: dict[str, Exception] = {}
        self.calls: list[str] = []
        self.vanish_when_found = False
        """Whether somebody deletes each LabelTask just after it was looked up."""
        self.tokens: dict[str, Identity] = {}
        self.rights: set[tuple[str, str]] = set()
        """(user name, verb) that are allowed on labeltasks, (user name, "labeldumps verb") on those."""
        self._seconds = itertools.count(1)
        self._lock = threading.Lock()

    def _enter(self, call: str) -> None:
        self.calls.append(call)
        if call in self.failures:
            raise self.failures[call]

    def _objects(self, kind: ResourceKind) -> dict[str, Manifest]:
        return self.label_dumps if kind is LABEL_DUMP else self.label_tasks

    def create(self, kind: ResourceKind, manifest: Manifest) -> str:
        """Store it, as the API server would: with uid, time of creation and object keys sorted."""
        self._enter(f"create_{_CALLED[kind]}")
        with self._lock:
            if manifest["metadata"]["name"] in self._objects(kind):
                raise AlreadyThere
            return self.add(manifest, kind=kind)

    def add(self, manifest: Manifest, created: str | None = None, kind: ResourceKind = LABEL_TASK) -> str:
        """Store a custom resource past the gateway, e.g. one from kubectl; return its uid."""
        stored: Manifest = json.loads(json.dumps(manifest, sort_keys=True))
        uid = str(uuid.uuid4())
        second = next(self._seconds)
        stored["metadata"] |= {"uid": uid, "creationTimestamp": created or f"2026-01-01T00:00:{second:02}Z"}
        self._objects(kind)[stored["metadata"]["name"]] = stored
        return uid

    def create_secret(self, manifest: Manifest) -> None:
        """Store it."""
        self._enter("create_secret")
        if manifest["metadata"]["name"] in self.secrets:
            raise AlreadyThere
        self.secrets[manifest["metadata"]["name"]] = copy.deepcopy(manifest)

    def delete(self, kind: ResourceKind, name: str) -> None:
        """Remove it, and by owner reference its Secret."""
        self._enter(f"delete_{_CALLED[kind]}")
        gone = self._objects(kind).pop(name, None)
        if gone is not None:
            uid = gone["metadata"]["uid"]
            self.secrets = {
                key: secret
                for key, secret in self.secrets.items()
                if uid not in [owner["uid"] for owner in secret["metadata"].get("ownerReferences", ())]
            }

    def find(self, kind: ResourceKind, name: str) -> Manifest | None:
        """Return it by name."""
        self._enter(f"find_{_CALLED[kind]}")
        return copy.deepcopy(self._objects(kind).get(name))

    def find_label_task(self, task_id: str) -> Manifest | None:
        """Return it by task id."""
        self._enter("find_label_task")
        for manifest in self.label_tasks.values():
            if task_id_of(manifest["metadata"]["name"], manifest["metadata"]["uid"]) == task_id:
                if self.vanish_when_found:
                    del self.label_tasks[manifest["metadata"]["name"]]
                return copy.deepcopy(manifest)
        return None

    def recent_label_tasks(self, wanted: Wanted) -> list[Manifest]:
        """Return the youngest."""
        self._enter("recent_label_tasks")
        tasks = [(facts_of(task), task) for task in self.label_tasks.values()]
        ordered = sorted(tasks, key=lambda task: task[0].place, reverse=True)
        return copy.deepcopy(youngest(ordered, wanted))

    def patch_spec(self, kind: ResourceKind, name: str, changes: Manifest) -> bool:
        """Set fields of ``spec``."""
        self._enter("patch_spec")
        if name not in self._objects(kind):
            return False
        self._objects(kind)[name]["spec"] |= changes
        return True

    def review_token(self, token: str, audiences: tuple[str, ...]) -> Identity | None:  # noqa: ARG002
        """Return whom ``tokens`` names."""
        self._enter("review_token")
        return self.tokens.get(token)

    def review_access(self, identity: Identity, verb: str, plural: str) -> bool:
        """Look into ``rights``."""
        self._enter("review_access")
        return (identity.username, verb if plural == PLURAL else f"{plural} {verb}") in self.rights

    def read_secret_key(self, name: str, key: str) -> bytes:
        """Return what the Secret holds."""
        self._enter("read_secret_key")
        content = self.secrets.get(name, {}).get("data", {}).get(key)
        if content is None:
            raise SecretMissing(f"the Secret {name} does not exist")
        return base64.b64decode(content)

    def check_reachable(self) -> None:
        """Return."""
        self._enter("check_reachable")


class FakeHistory:
    """The gateway's History Protocol over a dict."""

    def __init__(self) -> None:
        self.rows: dict[str, StateRow] = {}
        self.failure: Exception | None = None

    def find(self, task_id: str) -> StateRow | None:
        """Return the row."""
        if self.failure is not None:
            raise self.failure
        return self.rows.get(task_id)


class FakeTables:
    """The gateway's Tables Protocol: answers what it was given, and remembers what it was asked."""

    def __init__(self) -> None:
        self.rows: list[ResultRow] | None = []
        self.estimated: int | None = None
        self.state_rows: dict[str, StateRow] = {}
        self.failure: Exception | None = None
        self.asked: list[tuple[str, tuple[str, ...], str, int]] = []
        """(host, schemas, task id, size) of each sample."""

    def sample(self, connection: Connection, schemas: Sequence[str], task_id: str, size: int) -> list[ResultRow] | None:
        """Return ``rows``."""
        self.asked.append((connection.host, tuple(schemas), task_id, size))
        if self.failure is not None:
            raise self.failure
        return self.rows

    def estimate(self, connection: Connection, spec: LabelTaskSpec) -> int | None:  # noqa: ARG002
        """Return ``estimated``."""
        if self.failure is not None:
            raise self.failure
        return self.estimated

    def states(self, connection: Connection, schema: str, task_ids: Sequence[str]) -> dict[str, StateRow]:
        """Return those of ``state_rows``."""
        self.asked.append((connection.host, (schema,), ",".join(task_ids), len(task_ids)))
        if self.failure is not None:
            raise self.failure
        return {task_id: self.state_rows[task_id] for task_id in task_ids if task_id in self.state_rows}


class FakeTrial:
    """The gateway's Trial Protocol in this process."""

    def __init__(self) -> None:
        self.failure: Exception | None = None

    def run(
        self,
        model_type: ModelType,  # noqa: ARG002
        policy: Policy,
        pattern: Pattern,
        texts: Sequence[str],
    ) -> list[Any]:
        """Explain each text."""
        if self.failure is not None:
            raise self.failure
        return [explain(policy, pattern, text) for text in texts]


class Gateway:
    """An application over fakes, and a caller of it. Every answer is also kept in ``answers``, headers and all."""

    def __init__(self, default_rules: DefaultRules | None = None, **settings: Any) -> None:
        self.cluster = FakeCluster()
        self.history = FakeHistory()
        self.settings = Settings(**{"namespace": "labeltask", **settings})
        self.tables = FakeTables()
        self.trial = FakeTrial()
        self.addresses: dict[str, list[str]] = {"db.example": [DATABASE], "mysql.example": [DATABASE]}
        """What host names resolve to; others don't."""
        backends = Backends(self.cluster, self.history, self.tables, self.trial, self._resolve, ("10.96.0.1",))
        self.app: FastAPI = create_app(self.settings, backends, default_rules or {})
        self.answers: list[str] = []

    def _resolve(self, host: str) -> Sequence[Address]:
        return [ipaddress.ip_address(text) for text in self.addresses.get(host, ())]

    def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Send one request through the whole application."""

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
                return await client.request(method, path, **arguments)

        answer = asyncio.run(send())
        self.answers.append(f"{answer.status_code} {dict(answer.headers)} {answer.text}")
        return answer

    def get(self, path: str, **arguments: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, **arguments)

    def post(self, path: str, body: object, **arguments: Any) -> httpx.Response:
        """POST ``body`` as JSON."""
        return self.request("POST", path, json=body, **arguments)

    def delete(self, path: str, **arguments: Any) -> httpx.Response:
        """DELETE."""
        return self.request("DELETE", path, **arguments)

    def post_text(self, path: str, text: str | bytes) -> httpx.Response:
        """POST ``text`` as it is, called JSON."""
        content = text.encode() if isinstance(text, str) else text
        return self.request("POST", path, content=content, headers={"Content-Type": "application/json"})


def site_config(**changes: object) -> dict[str, object]:
    """Return a right SITE_CONFIG with ``changes``; a change to ... removes the key."""
    whole: dict[str, object] = {
        "host": "db.example",
        "port": 3306,
        "user": "label",
        "password": CANARY,
        "db": "wh_tiktok",
        "charset": "utf8mb4",
    }
    return _changed(whole, changes)


def create_body(**changes: object) -> dict[str, object]:
    """Return a right request to create a task with ``changes``; a change to ... removes the key."""
    whole: dict[str, object] = {
        "MODEL_TYPE": "keyword_model",
        "PREDICT_TYPE": "author_name",
        "START_TIME": "2020-01-01",
        "END_TIME": "2021-01-01",
        "PATTERN": {"男性": [["先生", "partially"]], "女性": [["小姐", ["start", "end"]]]},
        "INPUT_SCHEMA": "wh_tiktok",
        "INPUT_TABLE": "ts_page_content",
        "OUTPUT_SCHEMA": "audience_result",
        "COUNTDOWN": 5,
        "QUEUE": "queue1",
        "SITE_CONFIG": site_config(),
    }
    return _changed(whole, changes)


def _changed(whole: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in {**whole, **changes}.items() if value is not ...}


def label_task_from_kubectl(name: str, **spec: object) -> Manifest:
    """Return a LabelTask as a person would write it."""
    return {
        "apiVersion": "labelapi.io/v1",
        "kind": "LabelTask",
        "metadata": {"name": name},
        "spec": {
            "modelType": "rule_model",
            "predictType": "content",
            "startTime": "2021-01-01",
            "endTime": "2021-03-01",
            "pattern": [{"label": "a", "expressions": ["b+"]}],
            "input": {"schema": "wh_bbs_02"},
            "output": {"schema": "audience_result"},
            **spec,
        },
    }


def state_row(task_id: str, **values: Any) -> StateRow:
    """Return a row of ``state`` in which only ``values`` are known."""
    return StateRow(**{**dict.fromkeys(field.name for field in fields(StateRow)), "task_id": task_id, **values})
