"""Examples of request bodies, by operation. A test sends each of them; ``docs/rest-api.md`` shows the same."""

from typing import Any

_ACCOUNT = {"host": "mysql.example", "port": 3306, "user": "labeltask", "password": "a password", "charset": "utf8mb4"}
_KEYWORDS: dict[str, Any] = {
    "MODEL_TYPE": "keyword_model",
    "PREDICT_TYPE": "author_name",
    "START_TIME": "2020-01-01",
    "END_TIME": "2021-01-01",
    "PATTERN": {"男性": [["先生", "end"], ["爸爸", "partially"]], "女性": [["小姐", ["start", "end"]]]},
    "INPUT_SCHEMA": "wh_tiktok",
    "OUTPUT_SCHEMA": "audience_result",
    "COUNTDOWN": 5,
    "QUEUE": "queue1",
    "SITE_CONFIG": _ACCOUNT,
}
_EXPRESSIONS: dict[str, Any] = {
    **_KEYWORDS,
    "MODEL_TYPE": "rule_model",
    "PREDICT_TYPE": "content",
    "START_TIME": "2021-01-01 00:00:00",
    "END_TIME": "2021-03-01 00:00:00",
    "PATTERN": {"已婚": ["老公|老婆", "(?<!未)已婚"], "有子女": ["帶小孩"]},
    "POLICY": "all",
    "PARALLELISM": 4,
}
_TASK_ID = "8fec5762412c11ec836d04ea56825baa"

EXAMPLES: dict[str, dict[str, dict[str, Any]]] = {
    "create": {
        "keywords": {"summary": "Label authors by keywords.", "value": _KEYWORDS},
        "expressions": {"summary": "Label texts by regular expressions, all labels, four pods.", "value": _EXPRESSIONS},
        "abort": {"summary": "Abort, as the predecessor's release notes print it.", "value": {"TASK_ID": _TASK_ID}},
    },
    "validate": {"keywords": {"summary": "Check a request.", "value": _KEYWORDS}},
    "abort": {"abort": {"summary": "Abort a task.", "value": {"TASK_ID": _TASK_ID}}},
    "dump": {
        "gender": {
            "summary": "Put two finished tasks on the shelf.",
            "value": {
                "GROUP": "GENDER",
                "TASK_IDS": [_TASK_ID, "90be15f2d7c34c0a8e61a4f7b2093d5c"],
                "INPUT_DATABASE": "audience_previous",
                "OUTPUT_DATABASE": "audience_result",
                "SITE_CONFIG": _ACCOUNT,
                "PREVIOUS_YEAR": 2019,
            },
        }
    },
    "try_rules": {
        "keywords": {
            "summary": "Which label do two names get?",
            "value": {
                "MODEL_TYPE": "keyword_model",
                "PATTERN": {"男性": [["先生", "end"]], "女性": [["小姐", "end"], ["媽媽", "partially"]]},
                "TEXTS": ["王先生", "小明的媽媽"],
            },
        }
    },
}
