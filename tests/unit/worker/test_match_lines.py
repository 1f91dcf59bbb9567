"""``labeltask-worker match``: one JSON string a line in, one JSON list of labels a line out."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from labeltask_worker.commands import app

KEYWORDS = '{"女性": [["女", "partially"]], "母親": [["媽媽", ["start", "end"]]]}'


@pytest.fixture
def pattern(tmp_path: Path) -> Path:
    path = tmp_path / "pattern.json"
    path.write_text(KEYWORDS)
    return path


def matched(pattern: Path, lines: str, *options: str) -> Sequence[str]:
    result = CliRunner().invoke(app, ["match", "--pattern", str(pattern), *options], input=lines)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def test_each_line_gets_its_labels_in_the_order_of_the_pattern(pattern: Path) -> None:
    lines = '"媽媽是女生"\n"\\u5ab3"\n""\n"媽媽"\n'
    assert matched(pattern, lines, "--policy", "all") == ['["女性", "母親"]', "[]", "[]", '["母親"]']
    assert matched(pattern, lines)[0] == '["女性"]'
    assert matched(pattern, lines, "--policy", "most")[:1] == ['["女性"]']


def test_rules_may_be_expressions_and_the_file_may_be_packed(tmp_path: Path) -> None:
    path = tmp_path / "pattern.json.gz"
    path.write_bytes(gzip.compress(json.dumps([{"label": "甲", "expressions": ["^a.c$"]}]).encode()))
    assert matched(path, '"ABC"\n"a\\nc"\n', "--model", "rule_model") == ['["甲"]', "[]"]


@pytest.mark.parametrize("line", ["x", "1", "null", '["a"]', ""])
def test_a_line_without_a_string_is_refused_with_its_number(pattern: Path, line: str) -> None:
    result = CliRunner().invoke(app, ["match", "--pattern", str(pattern)], input=f'"a"\n{line}\n')
    assert result.exit_code == 64
    assert result.stdout == "[]\n"
    assert "line 2 is no JSON string" in result.stderr


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ('{"甲": [["", "partially"]]}', ['label "甲", position 0']),
        ('{"甲": [["a", "sideways"]]}', ['label "甲", position 0', "no such match type"]),
        ("{", []),
        (None, ["can't be read"]),
    ],
)
def test_rules_that_a_task_would_be_refused_for_are_refused_here(
    tmp_path: Path, content: str | None, parts: list[str]
) -> None:
    path = tmp_path / "pattern.json"
    if content is not None:
        path.write_text(content)
    result = CliRunner().invoke(app, ["match", "--pattern", str(path)], input="")
    assert result.exit_code in (64, 71)
    assert all(part in result.stderr for part in parts), result.stderr
