"""GET /api/tasks/ with filters and cursor."""

import pytest

from labeltask_testing.gateway_fakes import Gateway, label_task_from_kubectl


def gateway_with_tasks() -> Gateway:
    gateway = Gateway()
    for number in range(1, 6):
        task = label_task_from_kubectl(f"{number:032}", queue="nightly" if number % 2 else "urgent")
        if number > 3:
            task["spec"]["modelType"] = "keyword_model"
        if number == 2:
            task["status"] = {"stat": "FAILURE"}
        gateway.cluster.add(task, created=f"2026-01-0{number}T00:00:00Z")
    return gateway


def numbers(gateway: Gateway, query: str) -> list[int]:
    answer = gateway.get(f"/api/tasks/?{query}")
    assert answer.status_code == 200, answer.text
    return [int(view["task_id"]) for view in answer.json()["content"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [5, 4, 3, 2, 1]),
        ("stat=FAILURE", [2]),
        ("stat=PENDING", [5, 4, 3, 1]),
        ("model_type=keyword_model", [5, 4]),
        ("queue=urgent", [4, 2]),
        ("queue=nobody", []),
        ("created_after=2026-01-04", [5, 4]),
        ("created_before=2026-01-02T00:00:00", [1]),
        ("created_after=2026-01-02T01:00:00%2B01:00&created_before=2026-01-03", [2]),
        ("queue=nightly&model_type=rule_model&limit=1", [3]),
        ("created_after=0001-01-01", [5, 4, 3, 2, 1]),
        ("created_before=9999-12-31T23:59:59Z&created_after=0999-01-01", [5, 4, 3, 2, 1]),
    ],
)
def test_filters_go_together_and_the_youngest_come_first(query: str, expected: list[int]) -> None:
    assert numbers(gateway_with_tasks(), query) == expected


def test_pages_follow_each_other_and_the_last_has_no_cursor() -> None:
    gateway = gateway_with_tasks()
    seen: list[list[int]] = []
    cursor = ""
    while True:
        page = gateway.get(f"/tasks?limit=2{cursor}").json()
        seen.append([int(view["task_id"]) for view in page["content"]])
        if "next_cursor" not in page:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [[5, 4], [3, 2], [1]]
    assert list(page) == ["error_code", "error_message", "content"]


def test_a_task_that_comes_between_two_pages_moves_no_other() -> None:
    gateway = gateway_with_tasks()
    cursor = gateway.get("/tasks?limit=2").json()["next_cursor"]
    gateway.cluster.add(label_task_from_kubectl("9" * 32), created="2026-02-01T00:00:00Z")
    del gateway.cluster.label_tasks[f"{3:032}"]
    assert numbers(gateway, f"limit=2&cursor={cursor}") == [2, 1]


@pytest.mark.parametrize("cursor", ["x", "e30", "WyJhIl0", "bnVsbA", "WzEsIDJd", "%ff"])
def test_a_cursor_of_somebody_else_is_400(cursor: str) -> None:
    answer = Gateway().get(f"/tasks?cursor={cursor}")
    assert answer.status_code == 400
    assert answer.json()["errors"] == [
        {
            "pointer": "/query/cursor",
            "message": "is no cursor of this API; send the next_cursor of the page before, or none",
        }
    ]


@pytest.mark.parametrize(
    "query",
    [
        "stat=DONE",
        "model_type=x",
        "created_after=yesterday",
        "created_after=0001-01-01T00:00:00%2B08:00",
        "created_before=9999-12-31T23:59:59-08:00",
        "queue=" + "q" * 64,
    ],
)
def test_a_wrong_filter_is_400_and_named(query: str) -> None:
    answer = Gateway().get(f"/tasks?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/query/{query.partition('=')[0]}")
