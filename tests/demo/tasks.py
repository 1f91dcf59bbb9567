"""The demo's requests, as a caller of the REST API writes them."""

from datetime import datetime

from labeltask_testing.cluster_database import ClusterDatabase
from labeltask_testing.installation import Body

START, END = datetime(2020, 1, 1), datetime(2021, 1, 1)

GENDER = {
    "男性": [["先生", "end"], ["爸爸", "partially"], ["男孩", "partially"], ["man", "end"]],
    "女性": [
        ["小姐", ["end", "start"]],
        ["媽媽", "partially"],
        ["女孩", "partially"],
        ["太太", "end"],
        ["lady", "partially"],
    ],
}
CONTENT = {
    "已婚": [r"我?(?:老公|老婆|先生|太太)", r"(?<!未)已婚", r"結婚\d+年"],
    "有子女": [r"身為.{0,4}(?:媽媽|爸爸)", r"帶小孩", r"(?:兒子|女兒|寶寶|孩子)"],
    "未婚": [r"單身", r"未婚"],
}


def gender_task(database: ClusterDatabase) -> Body:
    """Who is male, who is female, by the author's name."""
    return {
        "MODEL_TYPE": "keyword_model",
        "PREDICT_TYPE": "author_name",
        "PATTERN": GENDER,
        "COUNTDOWN": 2,
        "QUEUE": "queue1",
        **_common(database),
    }


def content_task(database: ClusterDatabase) -> Body:
    """Who is married or has children, by what the posts say."""
    return {
        "MODEL_TYPE": "rule_model",
        "PREDICT_TYPE": "content",
        "PATTERN": CONTENT,
        "COUNTDOWN": 2,
        "QUEUE": "queue1",
        **_common(database),
    }


def long_task(database: ClusterDatabase) -> Body:
    """Posts that repeat themselves: long enough to be aborted, at the latest while the countdown runs."""
    return {**content_task(database), "PATTERN": {"重複": [r"(.{6}).*\1"]}, "COUNTDOWN": 600}


def _common(database: ClusterDatabase) -> Body:
    return {
        "START_TIME": f"{START:%Y-%m-%d}",
        "END_TIME": f"{END:%Y-%m-%d}",
        "INPUT_SCHEMA": database.source_schema,
        "INPUT_TABLE": "ts_page_content",
        "OUTPUT_SCHEMA": database.output_schema,
        "SITE_CONFIG": database.site_config,
    }
