"""LabelTask installed in a namespace of its own with a database beside it: what demo and cluster tests begin with."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from tenacity import RetryError, Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from labeltask_testing import cluster_database
from labeltask_testing.cluster_commands import ensure_namespace, helm_install, image_split, kubectl_json
from labeltask_testing.cluster_database import ClusterDatabase
from localkube.images import ImageReferences
from localkube.kind_config import PortMapping

Body = dict[str, Any]
T = TypeVar("T")
FINAL_STATS = {"SUCCESS", "FAILURE", "BREAK"}


@dataclass(frozen=True)
class Installation:
    """One release of the chart, reachable from this machine."""

    release: str
    namespace: str
    gateway: PortMapping
    database: ClusterDatabase
    images: ImageReferences

    @property
    def url(self) -> str:
        """Where the gateway answers, seen from this machine."""
        return f"http://127.0.0.1:{self.gateway.host_port}"

    def install(self, *settings: str) -> None:
        """Afterwards database, CRD, gateway and operator run. Harmless to repeat.

        Settings are further chart values in the form that ``helm --set-json`` takes: ``operator.pollSeconds=1``.
        """
        ensure_namespace(self.namespace)
        cluster_database.deploy(self.database)
        helm_install(
            self.release,
            self.namespace,
            {
                "image": image_split(self.images.control),
                "worker": {"image": image_split(self.images.worker)},
                "gateway": {"service": {"type": "NodePort", "nodePort": self.gateway.node_port}},
            },
            settings,
        )

    def post(self, path: str, body: Body) -> httpx.Response:
        """POST JSON to the gateway."""
        return httpx.post(f"{self.url}{path}", json=body, timeout=30)

    def get(self, path: str) -> httpx.Response:
        """GET from the gateway."""
        return httpx.get(f"{self.url}{path}", timeout=30)

    def delete(self, path: str) -> httpx.Response:
        """DELETE at the gateway."""
        return httpx.delete(f"{self.url}{path}", timeout=30)

    def create(self, body: Body) -> str:
        """POST a task and return its id."""
        answer = self.post("/api/tasks/", body)
        if answer.status_code != httpx.codes.OK:
            raise AssertionError(f"POST /api/tasks/ answered {answer.status_code}: {answer.text}")
        task_id: str = answer.json()["error_message"]["task_id"]
        return task_id

    def status(self, task_id: str) -> Body:
        """check_status of a task."""
        answer: Body = self.get(f"/api/tasks/{task_id}").json()["error_message"]
        return answer

    def label_task(self, name: str) -> Body:
        """The custom resource."""
        found: Body = kubectl_json("get", "labeltask", name, "--namespace", self.namespace)
        return found

    def wait_final(self, task_id: str, seconds: float = 120) -> Body:
        """Wait until a task is final, then return its check_status."""
        return wait_until(
            lambda: self.status(task_id), is_final, seconds=seconds, what=f"task {task_id} to become final"
        )


def is_final(status: Body) -> bool:
    """Tell whether a check_status is final: SUCCESS alone is not, phase 2 follows."""
    stat = status.get("stat")
    return stat in FINAL_STATS and (stat != "SUCCESS" or status.get("prod_stat") is not None)


def wait_until(observe: Callable[[], T], wanted: Callable[[T], bool], *, seconds: float, what: str) -> T:
    """Observe again and again until ``wanted`` says yes, and return that observation.

    :raises AssertionError: after ``seconds``, with the last observation.
    """
    attempts = Retrying(
        retry=retry_if_result(lambda seen: not wanted(seen)) | retry_if_exception_type(httpx.TransportError),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(0.2),
    )
    try:
        return attempts(observe)
    except RetryError as error:
        last = error.last_attempt
        seen = last.exception() if last.failed else last.result()
        raise AssertionError(f"waited {seconds} s for {what}; last seen: {seen}") from None
