"""The gateway's paths beyond create and check_status, on a real API server and a real database."""

import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from labeltask_testing.cluster_commands import kubectl, kubectl_json
from labeltask_testing.cluster_database import SOURCE_TABLE
from labeltask_testing.gated_tasks import gated_tasks
from labeltask_testing.installation import Installation, wait_until
from labeltask_testing.requests import gender_request

COLUMNS = ["id", "task_id", "source_author", "panel", "create_time", "field_content", "match_content"]


def post(installation: Installation, path: str, body: object = None, key: str = "") -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return httpx.post(f"{installation.url}{path}", json=body, headers=headers, timeout=60)


def delete(installation: Installation, task_id: str) -> httpx.Response:
    return httpx.delete(f"{installation.url}/api/tasks/{task_id}", timeout=30)


def test_a_sample_shows_rows_of_every_result_table(installation: Installation) -> None:
    task_id = installation.create(gender_request(installation))
    final = installation.wait_final(task_id)
    rows = installation.get(f"/api/tasks/{task_id}/sample/?size=5").json()["error_message"]
    assert [list(row) for row in rows] == [COLUMNS] * len(rows)
    assert {row["task_id"] for row in rows} == {task_id}
    tables = final["result"].split(",")
    assert len(tables) <= len(rows) <= 5 * len(tables)
    assert len({(row["id"], row["panel"], row["field_content"]) for row in rows}) == len(rows)


def test_who_looks_again_and_again_sees_rows_read_grow(installation: Installation, connection_secret: str) -> None:
    # Its gate stays closed: rows are committed one by one, for longer than anybody looks here.
    tasks = gated_tasks(installation, connection_secret, "looked_at")
    task_id = tasks.start("looked-at")["looked-at"]
    seen = [0]
    for _ in range(5):
        seen.append(
            wait_until(
                lambda: int(installation.status(task_id)["length_receive_table"] or 0),
                lambda rows: rows != seen[-1],
                seconds=90,
                what="another number of rows read",
            )
        )
    assert seen == sorted(seen)
    assert installation.post("/api/tasks/abort/", {"TASK_ID": task_id}).status_code == 200
    assert installation.wait_final(task_id)["stat"] == "BREAK"


def test_twenty_equal_requests_with_one_key_make_one_task(installation: Installation) -> None:
    body = gender_request(installation, COUNTDOWN=0)
    key = f"cluster-test-{time.time()}"
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: post(installation, "/tasks", body, key), range(20)))
    assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
    (task_id,) = {answer.json()["error_message"]["task_id"] for answer in answers}
    selector = f"labelapi.io/task-id={task_id}"
    found = kubectl_json("get", "labeltasks", "--namespace", installation.namespace, "--selector", selector)
    assert len(found["items"]) == 1
    assert post(installation, "/tasks", {**body, "COUNTDOWN": 1}, key).status_code == 409
    kubectl("rollout", "restart", "deployment/labeltask-gateway", "--namespace", installation.namespace)
    kubectl("rollout", "status", "deployment/labeltask-gateway", "--namespace", installation.namespace)
    again = wait_until(
        lambda: post(installation, "/tasks", body, key), lambda a: a.status_code == 200, seconds=120, what="the gateway"
    )
    assert again.json() == answers[0].json()
    assert installation.wait_final(task_id)["stat"] == "SUCCESS"


def test_a_suspended_task_waits_and_a_resumed_one_ends_as_if_nothing_had_been(installation: Installation) -> None:
    database = installation.database
    with database.as_root() as db, db.cursor() as cursor:
        # No row is read before both wishes are stored.
        cursor.execute(f"LOCK TABLES `{database.source_schema}`.`{SOURCE_TABLE}` WRITE")
        task_id = installation.create(gender_request(installation, COUNTDOWN=0))
        assert post(installation, f"/tasks/{task_id}/suspend").status_code == 200
        assert installation.label_task(task_id)["spec"]["suspend"] is True
        assert post(installation, f"/tasks/{task_id}/resume").status_code == 200
        assert installation.label_task(task_id)["spec"]["suspend"] is False
    assert installation.wait_final(task_id)["stat"] == "SUCCESS"
    assert post(installation, f"/tasks/{task_id}/suspend").status_code == 409


def test_a_deleted_task_is_gone_from_list_and_cluster_and_answered_from_the_history(
    installation: Installation,
) -> None:
    task_id = installation.create(gender_request(installation, QUEUE="to-delete"))
    installation.wait_final(task_id)
    listed = installation.get("/tasks?queue=to-delete&stat=SUCCESS").json()["content"]
    assert [view["task_id"] for view in listed] == [task_id]
    assert delete(installation, task_id).status_code == 200
    assert delete(installation, task_id).status_code == 404
    wait_until(
        lambda: installation.get("/tasks?queue=to-delete").json()["content"],
        lambda content: content == [],
        seconds=60,
        what="the list to forget the task",
    )
    assert installation.status(task_id)["stat"] == "SUCCESS"
    assert installation.get(f"/tasks/{task_id}/sample").json()["error_message"]


def test_pages_of_the_list_hold_every_task_once(installation: Installation) -> None:
    ids = {installation.create(gender_request(installation, QUEUE="pages")) for _ in range(5)}
    wait_until(
        lambda: len(installation.get("/tasks?queue=pages").json()["content"]),
        lambda count: count == 5,
        seconds=60,
        what="the list to know all five",
    )
    seen: list[str] = []
    query = "/tasks?queue=pages&limit=2"
    while True:
        page = installation.get(query).json()
        seen += [view["task_id"] for view in page["content"]]
        if "next_cursor" not in page:
            break
        query = f"/tasks?queue=pages&limit=2&cursor={page['next_cursor']}"
    assert sorted(seen) == sorted(ids)
    for task_id in ids:
        delete(installation, task_id)


def test_validate_estimates_the_rows_and_creates_nothing(installation: Installation) -> None:
    before = len(kubectl_json("get", "labeltasks", "--namespace", installation.namespace)["items"])
    content = post(installation, "/tasks/validate", gender_request(installation)).json()["content"]
    assert 1_000 < content["estimated_rows"] < 40_000
    assert content["estimate"].startswith("the optimizer's guess")
    assert len(kubectl_json("get", "labeltasks", "--namespace", installation.namespace)["items"]) == before


def test_rules_are_tried_and_one_that_runs_away_is_stopped(installation: Installation) -> None:
    body = {"MODEL_TYPE": "rule_model", "PATTERN": {"a": ["(a+)+$"]}, "TEXTS": ["aa"]}
    assert post(installation, "/rules/try", body).json()["content"][0]["labels"] == ["a"]
    runaway = post(installation, "/rules/try", {**body, "TEXTS": ["a" * 40 + "b"]})
    assert (runaway.status_code, runaway.json()["error_message"]) == (
        422,
        'label "a", position 0: the rules took longer than 1 s on text 0; simplify them',
    )


def test_figures_and_documentation_are_served(installation: Installation) -> None:
    assert "labeltask_gateway_requests_total" in httpx.get(f"{installation.url}/metrics").text
    assert httpx.get(f"{installation.url}/docs").status_code == 200
