"""Who is let in, in each mode; what is open to everybody; what Kubernetes is asked."""

import hmac
import logging
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from labeltask_contract.names import CREATED_BY_ANNOTATION, LABEL_DUMP, LABEL_TASK
from labeltask_gateway import auth
from labeltask_gateway.auth import FileTokens
from labeltask_gateway.cluster import Identity
from labeltask_gateway.errors import ClusterUnavailable, Unauthenticated
from labeltask_logs.json_lines import configure_logging
from labeltask_testing.gateway_fakes import Gateway, create_body

ID = "8fec5762412c11ec836d04ea56825baa"
TOKEN, OTHER = "a-token-of-sixteen", "another-token-of-it"
ROUTES = [
    ("POST", "/api/tasks/", "create"),
    ("GET", "/api/tasks/", "list"),
    ("POST", "/tasks/validate", "create"),
    ("POST", "/tasks/abort", "patch"),
    ("GET", f"/tasks/{ID}", "get"),
    ("GET", f"/tasks/{ID}/sample", "get"),
    ("POST", f"/tasks/{ID}/suspend", "patch"),
    ("POST", f"/tasks/{ID}/resume", "patch"),
    ("DELETE", f"/tasks/{ID}", "delete"),
    ("POST", "/rules/try", "create"),
]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "first").write_text(f"{TOKEN}\n")
    (tmp_path / "second").write_text(OTHER)
    (tmp_path / "short").write_text("short")
    (tmp_path / "..data").mkdir()
    return tmp_path


@pytest.mark.parametrize("mode", ["token", "kubernetes"])
@pytest.mark.parametrize(("method", "path", "verb"), ROUTES)
def test_without_a_token_every_route_of_tasks_is_401_before_anything_is_read(
    mode: str, method: str, path: str, verb: str, folder: Path
) -> None:
    gateway = Gateway(auth_mode=mode, auth_tokens_dir=folder)
    answer = gateway.request(method, path, content=b"{" * 100_000)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="labeltask"')
    assert answer.json() == {
        "error_code": 401,
        "error_message": "send the header Authorization: Bearer <token> with a token that this deployment knows",
        "errors": [],
        "request_id": answer.headers["X-Request-ID"],
    }
    assert gateway.cluster.calls == []


PROBES = ["/healthz", "/readyz"]
DOCS = ["/openapi.json", "/docs", "/docs/docs.js", "/docs/docs.css"]


@pytest.mark.parametrize(
    ("kept_open", "closed"),
    [(("docs", "metrics"), []), (("docs",), ["/metrics"]), (("metrics",), DOCS), ((), [*DOCS, "/metrics"])],
)
def test_probes_are_open_and_figures_and_documentation_where_the_deployment_says_so(
    kept_open: tuple[str, ...], closed: list[str], folder: Path
) -> None:
    gateway = Gateway(auth_mode="token", auth_tokens_dir=folder, auth_open=kept_open)
    shown = {path: gateway.get(path).status_code for path in (*PROBES, *DOCS, "/metrics")}
    assert shown == {path: 401 if path in closed else 200 for path in shown}
    with_token = {path: gateway.get(path, headers=bearer(TOKEN)).status_code for path in shown}
    assert set(with_token.values()) == {200}


def test_closed_figures_are_for_accounts_that_may_list_tasks() -> None:
    gateway = Gateway(auth_mode="kubernetes", auth_open=())
    for name in ("prometheus", "stranger"):
        gateway.cluster.tokens[f"token-of-{name}"] = Identity(name)
    gateway.cluster.rights = {("prometheus", "list")}
    found = {name: gateway.get("/metrics", headers=bearer(f"token-of-{name}")) for name in ("prometheus", "stranger")}
    assert {name: answer.status_code for name, answer in found.items()} == {"prometheus": 200, "stranger": 403}


@pytest.mark.parametrize("token", [TOKEN, OTHER])
def test_each_token_of_the_folder_may_do_everything(token: str, folder: Path) -> None:
    gateway = Gateway(auth_mode="token", auth_tokens_dir=folder)
    assert gateway.post("/tasks", create_body(), headers=bearer(token)).status_code == 200
    assert gateway.get("/tasks", headers=bearer(token)).status_code == 200


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, "Bearer short", f"Bearer {TOKEN}x", "Bearer \u00e4"]
)
def test_what_is_no_token_of_the_folder_is_refused(header: str, folder: Path) -> None:
    with pytest.raises(Unauthenticated):
        FileTokens(folder).authenticate(header)


def test_a_changed_folder_counts_without_a_restart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth, "_REREAD_SECONDS", 0.0)
    tokens = FileTokens(folder)
    tokens.authenticate(f"Bearer {TOKEN}")
    (folder / "first").write_text("a-new-token-of-sixteen")
    with pytest.raises(Unauthenticated):
        tokens.authenticate(f"Bearer {TOKEN}")
    tokens.authenticate("bearer a-new-token-of-sixteen")


def test_a_folder_that_is_gone_lets_nobody_in(tmp_path: Path) -> None:
    with pytest.raises(Unauthenticated):
        FileTokens(tmp_path / "gone").authenticate(f"Bearer {TOKEN}")


@pytest.mark.parametrize(("method", "path", "verb"), ROUTES)
def test_a_kubernetes_account_may_do_what_its_rights_on_labeltasks_say(method: str, path: str, verb: str) -> None:
    gateway = Gateway(auth_mode="kubernetes")
    gateway.cluster.tokens[TOKEN] = Identity("system:serviceaccount:ns:some")
    body = {"TASK_ID": ID} if path.endswith("abort") else create_body()
    arguments = {"json": body} if method == "POST" else {}
    refused = gateway.request(method, path, headers=bearer(TOKEN), **arguments)
    assert (refused.status_code, refused.json()["error_message"]) == (
        403,
        f"this token may not {verb} labeltasks in the namespace of this deployment",
    )
    gateway = Gateway(auth_mode="kubernetes")
    gateway.cluster.tokens[TOKEN] = Identity("system:serviceaccount:ns:some")
    gateway.cluster.rights = {("system:serviceaccount:ns:some", verb)}
    allowed = gateway.request(method, path, headers=bearer(TOKEN), **arguments)
    assert allowed.status_code in (200, 400, 404)


def test_abort_by_task_id_alone_needs_patch_and_not_create() -> None:
    gateway = Gateway(auth_mode="kubernetes")
    gateway.cluster.tokens[TOKEN] = Identity("jane")
    gateway.cluster.rights = {("jane", "create")}
    answer = gateway.post("/tasks", {"TASK_ID": ID}, headers=bearer(TOKEN))
    assert answer.status_code == 403


def test_a_token_that_kubernetes_does_not_know_is_401_and_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = Gateway(auth_mode="kubernetes")
    for _ in range(2):
        assert gateway.get("/tasks", headers=bearer("unknown")).status_code == 401
    assert gateway.cluster.calls == ["review_token"]
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    gateway.get("/tasks", headers=bearer("unknown"))
    assert gateway.cluster.calls == ["review_token"] * 2


CHANGES = [
    ("POST", "/tasks/abort", {"TASK_ID": ID}, "patch labeltasks"),
    ("POST", "/api/tasks/", {"TASK_ID": ID}, "patch labeltasks"),
    ("POST", f"/tasks/{ID}/suspend", None, "patch labeltasks"),
    ("POST", f"/tasks/{ID}/resume", None, "patch labeltasks"),
    ("DELETE", f"/tasks/{ID}", None, "delete labeltasks"),
    ("POST", f"/tasks/dump/{ID}/abort", None, "patch labeldumps"),
]


def owned(owner: str | None, **settings: Any) -> Gateway:
    """A gateway with a task and a dump that this caller created; None: somebody with kubectl did."""
    gateway = Gateway(**settings)
    metadata = {"name": ID, "annotations": {CREATED_BY_ANNOTATION: owner}} if owner else {"name": ID}
    for kind in (LABEL_TASK, LABEL_DUMP):
        gateway.cluster.add({"kind": kind.kind, "metadata": metadata, "spec": {}}, kind=kind)
    for name in ("jane", "joe"):
        gateway.cluster.tokens[f"token-of-{name}"] = Identity(name)
        gateway.cluster.rights |= {(name, "create"), (name, "labeldumps create")}
    return gateway


@pytest.mark.parametrize(("method", "path", "body", "right"), CHANGES)
def test_who_may_create_may_end_what_they_created_and_nothing_else(
    method: str, path: str, body: object, right: str
) -> None:
    def call(gateway: Gateway, name: str) -> int:
        return gateway.request(method, path, json=body, headers=bearer(f"token-of-{name}")).status_code

    assert call(owned("jane", auth_mode="kubernetes"), "jane") == 200
    for gateway in (owned("jane", auth_mode="kubernetes"), owned(None, auth_mode="kubernetes")):
        answer = gateway.request(method, path, json=body, headers=bearer("token-of-joe"))
        assert (answer.status_code, answer.json()["error_message"]) == (
            403,
            f"this token may not {right} that it did not create, in the namespace of this deployment",
        )
        assert "patch_spec" not in gateway.cluster.calls
        assert (ID in gateway.cluster.label_tasks, ID in gateway.cluster.label_dumps) == (True, True)
        # The right itself, as with kubectl, is one over everybody's.
        verb, plural = right.split()
        gateway.cluster.rights.add(("jill", verb if plural == "labeltasks" else f"{plural} {verb}"))
        gateway.cluster.tokens["token-of-jill"] = Identity("jill")
        assert call(gateway, "jill") == 200
    # Who lost the right to create has lost their own tasks too.
    left = owned("jane", auth_mode="kubernetes")
    left.cluster.rights.clear()
    assert call(left, "jane") == 403


@pytest.mark.parametrize(("method", "path", "body", "right"), CHANGES)
def test_whether_a_task_exists_stays_untold_where_it_might_not_be_ended(
    method: str, path: str, body: object, right: str
) -> None:
    there, gone = owned("jane", auth_mode="kubernetes"), owned("jane", auth_mode="kubernetes")
    gone.cluster.label_tasks.clear()
    gone.cluster.label_dumps.clear()
    answers = [gateway.request(method, path, json=body, headers=bearer("token-of-joe")) for gateway in (there, gone)]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].json()["error_message"] == answers[1].json()["error_message"]


@pytest.mark.parametrize(("method", "path", "body", "right"), CHANGES)
def test_a_token_with_an_owner_ends_what_its_owner_created_and_one_without_ends_all(
    method: str, path: str, body: object, right: str, tmp_path: Path
) -> None:
    tokens = {"admin": "admin", "team-a.2026": "team-a-old", "team-a.2027": "team-a-new", "team-b.2026": "team-b"}
    for file, token in tokens.items():
        (tmp_path / file).write_text(f"token-of-{token}-and-so-on")

    def call(token: str, owner: str | None) -> int:
        gateway = owned(owner, auth_mode="token", auth_tokens_dir=tmp_path)
        return gateway.request(method, path, json=body, headers=bearer(f"token-of-{token}-and-so-on")).status_code

    assert {token: (call(token, "team-a"), call(token, None)) for token in tokens.values()} == {
        "admin": (200, 200),
        "team-a-old": (200, 403),
        "team-a-new": (200, 403),
        "team-b": (403, 403),
    }


def test_what_is_created_says_who_created_it_and_nobody_where_callers_are_not_told_apart(tmp_path: Path) -> None:
    (tmp_path / "team-a.2026").write_text(TOKEN)
    (tmp_path / "admin").write_text(OTHER)
    gateway = Gateway(auth_mode="token", auth_tokens_dir=tmp_path)
    for number, token in enumerate((TOKEN, OTHER)):
        for headers in ({}, {"Idempotency-Key": str(number)}):
            answer = gateway.post("/tasks", create_body(), headers={**bearer(token), **headers})
            assert answer.status_code == 200
    annotations = [task["metadata"].get("annotations", {}) for task in gateway.cluster.label_tasks.values()]
    assert [found.get(CREATED_BY_ANNOTATION) for found in annotations] == ["team-a", "team-a", None, None]


def test_every_token_is_compared_whichever_fits_and_in_constant_time(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[bool] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(hmac.compare_digest(one, other))
        return compared[-1]

    monkeypatch.setattr(auth, "hmac", SimpleNamespace(compare_digest=compare))
    tokens = FileTokens(folder)
    for shown in (TOKEN, OTHER):
        tokens.authenticate(f"Bearer {shown}")
    with pytest.raises(Unauthenticated):
        tokens.authenticate("Bearer nobody's-token-at-all")
    assert [compared[start : start + 2] for start in (0, 2, 4)] == [[True, False], [False, True], [False, False]]
    assert len(compared) == 6


def test_when_kubernetes_does_not_answer_nobody_is_let_in() -> None:
    gateway = Gateway(auth_mode="kubernetes")
    gateway.cluster.failures["review_token"] = ClusterUnavailable()
    assert gateway.get("/tasks", headers=bearer(TOKEN)).status_code == 503


def test_accounts_have_idempotency_keys_of_their_own() -> None:
    gateway = Gateway(auth_mode="kubernetes")
    for name in ("jane", "joe"):
        gateway.cluster.tokens[f"token-of-{name}"] = Identity(name)
        gateway.cluster.rights.add((name, "create"))
        headers = {**bearer(f"token-of-{name}"), "Idempotency-Key": "1"}
        assert gateway.post("/tasks", create_body(), headers=headers).status_code == 200
    assert len(gateway.cluster.label_tasks) == 2


def test_no_token_is_in_a_log_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("DEBUG")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    gateway = Gateway(auth_mode="token", auth_tokens_dir=folder)
    for token in (TOKEN, "a-wrong-token-here"):
        gateway.get("/tasks", headers=bearer(token))
    gateway.get("/nothing", headers=bearer(TOKEN))
    printed = "".join(capsys.readouterr())
    assert TOKEN not in printed
    assert "a-wrong-token-here" not in printed
    assert "tokens_too_short" in printed
