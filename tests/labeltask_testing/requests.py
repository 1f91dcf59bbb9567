"""Requests and custom resources of cluster tests, on the posts of January 2020 that the installation holds."""

from datetime import datetime
from typing import Any

from labeltask_testing.cluster_commands import Manifest
from labeltask_testing.installation import Body, Installation
from labeltask_testing.oracle import Expected, relabel
from labeltask_testing.source_rows import Post

START, END = "2020-01-05", "2020-01-25 12:00:00"

GENDER: dict[str, list[Any]] = {
    "男性": [["先生", "end"], ["爸爸", "partially"], ["Man", ["end", "start"]], ["男孩", "exactly"]],
    "女性": [["小姐", "end"], ["媽媽", "partially"], ["lady", "partially"], ["陳", "start"], ["mom", "end"]],
    "學生": [["學生", "partially"], ["1", "end"]],
}
CONTENT: dict[str, list[Any]] = {
    "已婚": [r"老公|老婆", r"(?<!未)已婚"],
    "有子女": [r"身為一個(媽|爸)\1", r"帶小孩"],
    "未婚": [r"單身", r"^我是.生"],
}


def gender_request(installation: Installation, **changes: Any) -> Body:
    """A keyword task by author."""
    return {
        "MODEL_TYPE": "keyword_model",
        "PREDICT_TYPE": "author_name",
        "START_TIME": START,
        "END_TIME": END,
        "PATTERN": GENDER,
        "INPUT_SCHEMA": installation.database.source_schema,
        "INPUT_TABLE": "ts_page_content",
        "OUTPUT_SCHEMA": installation.database.output_schema,
        "COUNTDOWN": 1,
        "QUEUE": "queue1",
        "SITE_CONFIG": installation.database.site_config,
        **changes,
    }


def gender_resource(installation: Installation, name: str, connection_secret: str, **changes: Any) -> Manifest:
    """The same as a LabelTask with its rules inline; changes are fields of spec."""
    pattern = [
        {
            "label": label,
            "keywords": [
                {"keyword": keyword, "match": [match] if isinstance(match, str) else match} for keyword, match in rules
            ],
        }
        for label, rules in GENDER.items()
    ]
    return {
        "apiVersion": "labelapi.io/v1",
        "kind": "LabelTask",
        "metadata": {"name": name, "namespace": installation.namespace},
        "spec": {
            "modelType": "keyword_model",
            "predictType": "author_name",
            "startTime": START,
            "endTime": END.replace(" ", "T"),
            "pattern": pattern,
            "input": {"schema": installation.database.source_schema},
            "output": {"schema": installation.database.output_schema},
            "countdownSeconds": 1,
            "connectionFrom": {"secretKeyRef": {"name": connection_secret, "key": "connection.json"}},
            **changes,
        },
    }


def expected_rows(posts: list[Post], task_id: str, request: Body) -> Expected:
    """What an independent relabelling says."""
    return relabel(
        posts,
        request["PATTERN"],
        task_id=task_id,
        model_type=request["MODEL_TYPE"],
        predict_type=request["PREDICT_TYPE"],
        policy=request.get("POLICY", "first"),
        start=datetime.fromisoformat(START),
        end=datetime.fromisoformat(END),
    )
