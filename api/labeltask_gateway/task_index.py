"""All LabelTasks of the namespace in memory, kept current by a watch, so that no list request reads them all again.

Input: pages of a list, then watch events; output: the youngest tasks that pass a filter. One list at the start and
after a broken watch, one event for each change: what a request costs does not depend on Kubernetes, nor, unless its
filter is a rare one, on how many tasks there are. A task appears here a moment after its creation, like in ``kubectl
get --watch``.
https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

import json
import threading
import time
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import structlog

from labeltask_contract.errors import LabelTaskError
from labeltask_contract.stored_objects import mapping_of
from labeltask_gateway.errors import ClusterUnavailable
from labeltask_gateway.manifests import Manifest
from labeltask_gateway.recent import Facts, Place, Wanted, facts_of, youngest

STALE_SECONDS = 60.0
"""Without a word of the API server for so long, a list is refused rather than shown old."""
WATCH_SECONDS = 30
"""Length of one watch; a connection that died silently is noticed after it."""
_PAUSE_SECONDS = 1.0

_log = structlog.stdlib.get_logger(__name__)

ListPages = Callable[[], Iterator[Manifest]]
Watch = Callable[[str], Iterable[Manifest]]
"""Resource version -> events, until the watch ends by itself."""


class Expired(Exception):
    """The API server does not remember the version: list again."""


class TaskIndex:
    """Starts its thread when first asked. Manifests are kept as JSON: a quarter of the memory of dicts."""

    def __init__(self, list_pages: ListPages, watch: Watch, first_wait_seconds: float) -> None:
        self._list_pages = list_pages
        self._watch = watch
        self._first_wait_seconds = first_wait_seconds
        self._lock = threading.Lock()
        self._tasks: dict[str, tuple[Facts, bytes]] = {}
        self._places: list[Place] = []
        """Of all tasks, the oldest first."""
        self._filled = threading.Event()
        self._heard_at = 0.0
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def youngest(self, wanted: Wanted) -> list[Manifest]:
        """Return the wanted tasks, youngest first, without their inline rules.

        :raises ClusterUnavailable: when the API server has been silent too long.
        """
        self.start()
        if not self._filled.wait(self._first_wait_seconds) or time.monotonic() - self._heard_at > STALE_SECONDS:
            raise ClusterUnavailable
        with self._lock:
            end = len(self._places) if wanted.behind is None else bisect_left(self._places, wanted.behind)
            ordered = (self._tasks[place.name] for place in reversed(self._places[:end]))
            found = youngest(ordered, wanted)
        return [json.loads(stored) for stored in found]

    def start(self) -> None:
        """Have the thread run."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="task-index", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Have the thread end, at the latest with its watch."""
        self._stopped.set()

    def put(self, manifest: Manifest) -> None:
        """Take in a task that this gateway has just created, before the watch tells of it."""
        entry = _stored(manifest)
        with self._lock:
            if manifest["metadata"]["name"] not in self._tasks:
                self._set(entry)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                version = self._fill()
                while not self._stopped.is_set():
                    version = self._follow(version)
            except Expired:
                continue
            except LabelTaskError as error:
                _log.warning("task_index_interrupted", error=type(error).__name__)
            except Exception:
                _log.exception("task_index_failed")
            self._stopped.wait(_PAUSE_SECONDS)

    def _fill(self) -> str:
        found: dict[str, tuple[Facts, bytes]] = {}
        version = ""
        for page in self._list_pages():
            stored = map(_stored, page["items"])
            found |= {entry[0].place.name: entry for entry in stored}
            version = str(page["metadata"]["resourceVersion"])
            self._heard_at = time.monotonic()
        with self._lock:
            self._tasks = found
            self._places = sorted(facts.place for facts, _ in found.values())
        self._filled.set()
        return version

    def _follow(self, version: str) -> str:
        for event in self._watch(version):
            self._heard_at = time.monotonic()
            kind, task = event["type"], event["object"]
            if kind == "ERROR":
                raise Expired
            version = str(task["metadata"]["resourceVersion"])
            if kind == "BOOKMARK":
                continue
            with self._lock:
                if kind == "DELETED":
                    self._remove(task["metadata"]["name"])
                else:
                    self._set(_stored(task))
        self._heard_at = time.monotonic()
        return version

    def _set(self, entry: tuple[Facts, bytes]) -> None:
        place = entry[0].place
        known = self._tasks.get(place.name)
        if known is None or known[0].place != place:
            self._remove(place.name)
            insort(self._places, place)
        self._tasks[place.name] = entry

    def _remove(self, name: str) -> None:
        known = self._tasks.pop(name, None)
        if known is not None:
            del self._places[bisect_left(self._places, known[0].place)]


def _stored(task: Manifest) -> tuple[Facts, bytes]:
    metadata = {key: task["metadata"].get(key) for key in ("name", "uid", "creationTimestamp")}
    spec = {key: value for key, value in mapping_of(task.get("spec")).items() if key != "pattern"}
    kept: dict[str, Any] = {"metadata": metadata, "spec": spec, "status": mapping_of(task.get("status"))}
    return facts_of(task), json.dumps(kept, ensure_ascii=False).encode()
