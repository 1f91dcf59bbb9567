from pathlib import Path

import pytest
from pydantic import ValidationError

from labeltask_contract.errors import InvalidTask
from labeltask_contract.pattern import ModelType
from labeltask_contract.spec import PredictType
from labeltask_gateway import __main__ as start
from labeltask_gateway.default_rules import load_default_rules, parse_default_rules
from labeltask_gateway.settings import NamedConnection, Settings


@pytest.fixture(autouse=True)
def _namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELTASK_NAMESPACE", "tasks")


def test_the_environment_is_read_with_json_for_lists_and_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELTASK_CONNECTIONS", '{"warehouse": {"secretName": "db", "key": "c.json"}}')
    monkeypatch.setenv("LABELTASK_DEFAULT_CONNECTION", "warehouse")
    monkeypatch.setenv("LABELTASK_HISTORY_SCHEMAS", '["audience_result"]')
    monkeypatch.setenv("LABELTASK_ALLOWED_HOSTS", '["db.example", "10.0.0.0/8"]')
    settings = Settings()
    assert settings.namespace == "tasks"
    assert settings.connections == {"warehouse": NamedConnection(secret_name="db", key="c.json")}
    assert settings.default_connection == "warehouse"
    assert settings.history_schemas == ("audience_result",)
    assert settings.allowed_hosts == ("db.example", "10.0.0.0/8")


def test_an_empty_variable_is_one_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONNECTIONS", "DEFAULT_CONNECTION", "DEFAULT_RULES", "MAX_BODY_BYTES", "LOG_LEVEL"):
        monkeypatch.setenv(f"LABELTASK_{name}", "")
    settings = Settings()
    assert (settings.connections, settings.default_connection, settings.default_rules) == ({}, None, None)
    assert (settings.max_body_bytes, settings.log_level) == (8 * 1024 * 1024, "INFO")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("NAMESPACE", "No Name"),
        ("CONNECTIONS", '{"x": {"password": "p"}}'),
        ("DEFAULT_CONNECTION", "unknown"),
        ("HISTORY_SCHEMAS", '["a"]'),
        ("ALLOWED_HOSTS", '["10.0.0.1/8"]'),
        ("ALLOWED_HOSTS", '["*.example"]'),
        ("AUTH_MODE", "basic"),
        ("LISTEN_PORT", "70000"),
    ],
)
def test_a_wrong_variable_stops_the_start(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"LABELTASK_{name}", value)
    with pytest.raises(ValidationError):
        Settings()


def test_the_start_names_the_wrong_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABELTASK_LISTEN_PORT", "x")
    assert start.main() == 2
    assert "LABELTASK_LISTEN_PORT: Input should be a valid integer" in capsys.readouterr().err


def test_the_start_names_json_that_is_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LABELTASK_CONNECTIONS", "{hunter2-canary")
    assert start.main() == 2
    error = capsys.readouterr().err
    assert "connections" in error
    assert "hunter2-canary" not in error


def test_default_rules_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text('{"rule_model": {"content": {"b": ["x"], "a": ["y"]}}}')
    ((key, pattern),) = load_default_rules(file).items()
    assert key == (ModelType.RULE_MODEL, PredictType.CONTENT)
    assert [rules.label for rules in pattern] == ["b", "a"]
    assert load_default_rules(None) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "default rules must be {model type: {predict type: PATTERN}}"),
        ('{"bert": {}}', "/bert: must be one of keyword_model, rule_model"),
        ('{"rule_model": {"author": {}}}', "/rule_model/author: must be one of author_name"),
        (
            '{"rule_model": {"content": {"a": ["("]}}}',
            '/rule_model/content: label "a", position 0: the expression does',
        ),
        ('{"rule_model": {"content": {"a": [1]}}}', 'label "a", position 0: must be one regular expression'),
    ],
)
def test_wrong_default_rules_are_named(content: str, message: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        parse_default_rules(content.encode())
    assert message in str(caught.value)
