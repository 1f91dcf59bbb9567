"""Who is let in, in each mode; what is open to everybody; what Kubernetes is asked."""

import logging
import time
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"])
def test_probes_figures_and_documentation_are_open(path: str, folder: Path) -> None:
    assert Gateway(auth_mode="token", auth_tokens_dir=folder).get(path).status_code == 200


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
