"""The real client against a server on this machine that answers as the API server does."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from labeltask_contract.errors import InvalidTask
from labeltask_contract.names import LABEL_TASK
from labeltask_gateway.cluster import Identity
from labeltask_gateway.errors import AlreadyThere, ClusterRefused, ClusterUnavailable, SecretMissing
from labeltask_gateway.kubernetes_cluster import KubernetesCluster, connect
from labeltask_gateway.recent import Wanted

TASKS = "/apis/labelapi.io/v1/namespaces/tasks/labeltasks"
SECRETS = "/api/v1/namespaces/tasks/secrets"
NAME = "8fec5762412c11ec836d04ea56825baa"
UID = "535b5afb-57ed-41ec-a096-04ea56825bad"


@dataclass
class ApiServer:
    """Answers in the order given, once it may; ``seen`` holds (method, path, content type, body)."""

    answers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)
    seen: list[tuple[str, str, str | None, Any]] = field(default_factory=list)


@contextmanager
def serving(server: ApiServer) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(content) if content else None
            server.seen.append((self.command, self.path, self.headers.get("Content-Type"), body))
            server.may_answer.wait(60)
            status, value = server.answers.pop(0) if server.answers else (500, {})
            written = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(written)))
            if status == 429:
                self.send_header("Retry-After", "30")
            self.end_headers()
            self.wfile.write(written)

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - http.server's names

        def log_message(self, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield http.server_port
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def client_of(port: int, folder: Path, monkeypatch: pytest.MonkeyPatch, timeout: float = 60) -> KubernetesCluster:
    config = folder / "config"
    config.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "x",
                "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
                "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                "users": [{"name": "x", "user": {}}],
            }
        )
    )
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(config))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    return connect("tasks", timeout, timeout)


@pytest.fixture
def api() -> ApiServer:
    server = ApiServer()
    server.may_answer.set()
    return server


@pytest.fixture
def cluster(api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesCluster]:
    with serving(api) as port:
        yield client_of(port, tmp_path, monkeypatch)


def task(name: str, created: str = "2026-01-01T00:00:00Z", uid: str = UID) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": uid, "creationTimestamp": created}}


def test_create_sends_the_manifest_and_returns_the_uid(cluster: KubernetesCluster, api: ApiServer) -> None:
    api.answers = [(201, task(NAME))]
    assert cluster.create(LABEL_TASK, {"kind": "LabelTask"}) == UID
    assert api.seen == [("POST", f"{TASKS}?fieldValidation=Strict", "application/json", {"kind": "LabelTask"})]


def test_a_secret_is_sent_as_it_is(cluster: KubernetesCluster, api: ApiServer) -> None:
    manifest = {"kind": "Secret", "immutable": True, "data": {"pattern.json.gz": "YQ=="}}
    api.answers = [(201, {"kind": "Secret"})]
    cluster.create_secret(manifest)
    assert api.seen == [("POST", SECRETS, "application/json", manifest)]


def test_abort_is_a_merge_patch_of_one_field(cluster: KubernetesCluster, api: ApiServer) -> None:
    api.answers = [(200, task(NAME)), (404, {})]
    assert cluster.patch_spec(LABEL_TASK, NAME, {"abort": True}) is True
    assert api.seen == [("PATCH", f"{TASKS}/{NAME}", "application/merge-patch+json", {"spec": {"abort": True}})]
    assert cluster.patch_spec(LABEL_TASK, NAME, {"abort": True}) is False


def test_a_task_is_found_by_its_name_in_one_call(cluster: KubernetesCluster, api: ApiServer) -> None:
    api.answers = [(200, task(NAME))]
    assert cluster.find_label_task(NAME) == task(NAME)
    assert [path for _, path, _, _ in api.seen] == [f"{TASKS}/{NAME}"]


def test_a_task_of_another_name_is_found_by_the_id_in_its_status(cluster: KubernetesCluster, api: ApiServer) -> None:
    task_id = UID.replace("-", "")
    api.answers = [(404, {}), (200, {"items": [task("impostor", uid=NAME), task("mine")], "metadata": {}})]
    assert cluster.find_label_task(task_id) == task("mine")
    assert api.seen[1][1] == f"{TASKS}?fieldSelector=status.taskId%3D{task_id}"


@pytest.mark.parametrize("answer", [(200, {"items": [], "metadata": {}}), (400, {"message": "field label"})])
def test_a_task_that_nobody_has_is_none(
    answer: tuple[int, dict[str, Any]], cluster: KubernetesCluster, api: ApiServer
) -> None:
    api.answers = [(404, {}), answer]
    assert cluster.find_label_task(NAME) is None


def test_the_list_is_read_once_and_then_kept_current_by_a_watch(cluster: KubernetesCluster, api: ApiServer) -> None:
    first = [task("a", "2026-01-01T00:00:03Z"), task("b", "2026-01-01T00:00:01Z")]
    second = [task("c", "2026-01-01T00:00:02Z")]
    api.answers = [
        (200, {"items": first, "metadata": {"continue": "t", "resourceVersion": "7"}}),
        (200, {"items": second, "metadata": {"resourceVersion": "7"}}),
        (200, {"type": "DELETED", "object": {"metadata": {"name": "a", "resourceVersion": "8"}}}),
    ]
    assert [found["metadata"]["name"] for found in cluster.recent_label_tasks(Wanted(2))] in (["a", "c"], ["c", "b"])
    deadline = time.monotonic() + 60
    while len(api.seen) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    cluster.stop()
    assert [found["metadata"]["name"] for found in cluster.recent_label_tasks(Wanted(2))] == ["c", "b"]
    watch = f"{TASKS}?watch=true&allowWatchBookmarks=true&timeoutSeconds=30"
    paths = [path for _, path, _, _ in api.seen[:4]]
    assert paths[:2] == [f"{TASKS}?limit=200", f"{TASKS}?continue=t&limit=200"]
    assert [sorted(path.partition("?")[2].split("&")) for path in paths[2:]] == [
        sorted([*watch.partition("?")[2].split("&"), f"resourceVersion={version}"]) for version in (7, 8)
    ]


def test_deleting_what_is_gone_is_no_error(cluster: KubernetesCluster, api: ApiServer) -> None:
    api.answers = [(404, {}), (200, {})]
    cluster.delete(LABEL_TASK, NAME)
    cluster.delete(LABEL_TASK, NAME)
    assert {(method, path) for method, path, _, _ in api.seen} == {("DELETE", f"{TASKS}/{NAME}")}


def test_a_secrets_key_is_decoded_and_a_missing_one_named(cluster: KubernetesCluster, api: ApiServer) -> None:
    secret = {"kind": "Secret", "apiVersion": "v1", "data": {"connection.json": "e30="}}
    api.answers = [(200, secret), (200, secret), (404, {})]
    assert cluster.read_secret_key("db", "connection.json") == b"{}"
    with pytest.raises(SecretMissing) as caught:
        cluster.read_secret_key("db", "other.json")
    assert caught.value.cause == "the Secret db has no key other.json"
    with pytest.raises(SecretMissing) as caught:
        cluster.read_secret_key("gone", "connection.json")
    assert caught.value.cause == "the Secret gone does not exist"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (422, InvalidTask),
        (403, ClusterRefused),
        (404, ClusterRefused),
        (429, ClusterUnavailable),
        (500, ClusterUnavailable),
    ],
)
def test_a_refused_create_is_tried_once_and_translated(
    status: int, kind: type[Exception], cluster: KubernetesCluster, api: ApiServer
) -> None:
    api.answers = [(status, {"message": "no"})]
    with pytest.raises(kind) as caught:
        cluster.create(LABEL_TASK, {})
    assert len(api.seen) == 1
    assert caught.value.__suppress_context__


def test_a_refusal_of_reads_is_not_slept_through(
    cluster: KubernetesCluster, api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.answers = [(429, {})]
    slept: list[object] = []
    monkeypatch.setattr("urllib3.util.retry.Retry.sleep", lambda *_: slept.append(1))
    with pytest.raises(ClusterUnavailable):
        cluster.check_reachable()
    assert slept == []
    assert [path for _, path, _, _ in api.seen] == [f"{TASKS}?limit=1"]


def test_a_server_that_says_nothing_is_given_up_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    api = ApiServer([(201, task(NAME))])
    with serving(api) as port:
        cluster = client_of(port, tmp_path, monkeypatch, timeout=0.2)
        with pytest.raises(ClusterUnavailable):
            cluster.create(LABEL_TASK, {})
        api.may_answer.set()
        # A write is never sent a second time.
        assert len(api.seen) <= 1


def test_a_port_where_nobody_listens_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(ApiServer()) as port:
        cluster = client_of(port, tmp_path, monkeypatch)
    with pytest.raises(ClusterUnavailable):
        cluster.find_label_task(NAME)


REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCESS = "/apis/authorization.k8s.io/v1/namespaces/tasks/localsubjectaccessreviews"
WHO = {"username": "system:serviceaccount:ns:some", "uid": "u", "groups": ["system:authenticated"]}


def review(**status: Any) -> tuple[int, dict[str, Any]]:
    return 201, {"spec": {"token": "x"}, "status": status}


@pytest.mark.parametrize(
    ("audiences", "status", "known"),
    [
        ((), {"authenticated": True, "user": WHO}, True),
        (("labeltask",), {"authenticated": True, "user": WHO, "audiences": ["labeltask"]}, True),
        (("labeltask",), {"authenticated": True, "user": WHO, "audiences": ["another"]}, False),
        (("labeltask",), {"authenticated": True, "user": WHO}, False),
        ((), {"authenticated": False, "error": "expired"}, False),
        ((), {}, False),
    ],
)
def test_a_token_is_reviewed_for_its_audiences(
    cluster: KubernetesCluster, api: ApiServer, audiences: tuple[str, ...], status: dict[str, Any], known: bool
) -> None:
    api.answers = [review(**status)]
    expected = Identity("system:serviceaccount:ns:some", "u", ("system:authenticated",))
    assert cluster.review_token("t0ken", audiences) == (expected if known else None)
    spec = {"token": "t0ken", "audiences": list(audiences)} if audiences else {"token": "t0ken"}
    assert [(method, path, body) for method, path, _, body in api.seen] == [("POST", REVIEWS, {"spec": spec})]


@pytest.mark.parametrize("allowed", [True, False])
def test_an_access_is_reviewed_within_the_namespace(cluster: KubernetesCluster, api: ApiServer, allowed: bool) -> None:
    api.answers = [(201, {"spec": {}, "status": {"allowed": allowed}})]
    assert cluster.review_access(Identity("jane", "u", ("g",)), "patch", "labeltasks") is allowed
    attributes = {"namespace": "tasks", "verb": "patch", "group": "labelapi.io", "resource": "labeltasks"}
    ((method, path, _, body),) = api.seen
    assert (method, path) == ("POST", ACCESS)
    assert body == {
        "metadata": {"namespace": "tasks"},
        "spec": {"user": "jane", "uid": "u", "groups": ["g"], "resourceAttributes": attributes},
    }


def test_a_refused_review_shows_no_token(cluster: KubernetesCluster, api: ApiServer) -> None:
    api.answers = [(400, {"message": "token t0ken is odd"})]
    with pytest.raises(ClusterRefused) as caught:
        cluster.review_token("t0ken", ())
    assert "t0ken" not in caught.value.cause
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_a_name_that_is_taken_is_told_apart_from_other_conflicts(cluster: KubernetesCluster, api: ApiServer) -> None:
    api.answers = [
        (409, {"reason": "AlreadyExists"}),
        (409, {"reason": "AlreadyExists"}),
        (409, {"reason": "Conflict"}),
    ]
    with pytest.raises(AlreadyThere):
        cluster.create(LABEL_TASK, {"kind": "LabelTask"})
    with pytest.raises(AlreadyThere):
        cluster.create_secret({"kind": "Secret"})
    with pytest.raises(ClusterUnavailable):
        cluster.create(LABEL_TASK, {"kind": "LabelTask"})
