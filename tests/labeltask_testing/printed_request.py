"""The request to create a task as the predecessor's release notes print it."""

import json
from collections.abc import Mapping

PRINTED = """{
    "MODEL_TYPE": "keyword_model",
    "PREDICT_TYPE": "author_name",
    "START_TIME": "2020-01-01",
    "END_TIME": "2021-01-01",
    "PATTERN": {},
    "INPUT_SCHEMA": "wh_tiktok",
    "INPUT_TABLE": "ts_page_content",
    "OUTPUT_SCHEMA": "audience_result",
    "COUNTDOWN": 5,
    "QUEUE": "queue1",
    "SITE_CONFIG": {"host": <source.host>,
    \t\t\t\t "port": <source.port>,
                   "user": <source.username>,
                   "password": <source.password>,
                   "db": <source.schema>,
                   "charset": "utf8mb4"}
  }"""
"""Tabs and spaces as there."""
_PLACEHOLDERS = {"host": "host", "port": "port", "username": "user", "password": "password"}


def fill_printed(site_config: Mapping[str, object], schema: str) -> str:
    """Return the request with its placeholders filled from a SITE_CONFIG and the source's schema."""
    text = PRINTED.replace("<source.schema>", json.dumps(schema))
    for placeholder, key in _PLACEHOLDERS.items():
        text = text.replace(f"<source.{placeholder}>", json.dumps(site_config[key], ensure_ascii=False))
    return text
