"""Settings come from the environment, and a mistake is told by the variable's name."""

import pytest
from pydantic import ValidationError

from labeltask_operator.settings import Settings


def test_every_kind_of_setting_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {
        "NAMESPACES": '["labels", "team-b"]',
        "WORKER_IMAGE": "worker:1",
        "WORKER_IMAGE_PULL_SECRETS": '["registry"]',
        "WORKER_RESOURCES": '{"limits": {"memory": "1Gi"}}',
        "CONNECTIONS": '{"main": {"secretName": "db", "key": "c.json"}, "other": {"secretName": "o"}}',
        "DEFAULT_CONNECTION": "main",
        "QUEUES": '{"nightly": 2}',
        "LABELLING_RULES": '{"source_tables": {"X": "x"}}',
        "POLL_SECONDS": "0.5",
        "DEFAULT_QUEUE_LIMIT": "",
    }
    for name, value in environment.items():
        monkeypatch.setenv(f"LABELTASK_{name}", value)
    settings = Settings()
    assert settings.namespaces == ("labels", "team-b")
    assert settings.connections["main"].secret_name == "db"
    assert settings.connections["other"].key == "connection.json"
    assert (settings.queue_limit("nightly"), settings.queue_limit("else")) == (2, 10)
    assert settings.labelling_rules.source_tables == {"X": "x"}
    assert settings.labelling_rules.conflict_groups["GENDER"] == ("/male", "/female")
    assert settings.worker_resources.limits is not None
    assert settings.worker_image_pull_secrets == ("registry",)


def test_a_default_connection_that_is_none() -> None:
    with pytest.raises(ValidationError, match="LABELTASK_DEFAULT_CONNECTION names 'x'"):
        Settings(namespaces=("n",), worker_image="w", default_connection="x")


def test_a_shelf_of_the_deployment_s_own_and_one_that_would_write_a_table_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LABELTASK_SHELF_TABLES", '{"all": ["Ptt", "news"]}')
    assert Settings(namespaces=("n",), worker_image="w").shelf_tables == {"all": ("Ptt", "news")}
    monkeypatch.setenv("LABELTASK_SHELF_TABLES", '{"a": ["Ptt"], "A": ["news"]}')
    with pytest.raises(ValidationError, match="LABELTASK_SHELF_TABLES: two shelf tables are named a"):
        Settings(namespaces=("n",), worker_image="w")
