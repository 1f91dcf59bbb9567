"""The rule report in the database equals a plain count of every rule on every row, whatever was killed meanwhile."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from database.worker_runs import EXPRESSIONS, KEYWORDS, Stage, Task
from labeltask_testing.source_rows import generate_posts

Line = tuple[int, int, str, str | None, int, int]


def plain_report(texts: Sequence[str], pattern: Mapping[str, Sequence[Any]]) -> list[Line]:
    """Count with find, slices and re.search alone: (label_no, rule_no, label, rule, matched, conflicting), sorted."""
    hits = [[[rule_matches(text.lower(), rule) for rule in rules] for rules in pattern.values()] for text in texts]
    conflicts = [sum(any(rules) for rules in row) > 1 for row in hits]

    def counted(flags: Sequence[bool]) -> tuple[int, int]:
        return sum(flags), sum(flag and conflict for flag, conflict in zip(flags, conflicts, strict=True))

    lines: list[Line] = [(-1, -1, "", None, *counted([any(map(any, row)) for row in hits]))]
    for number, (label, rules) in enumerate(pattern.items()):
        lines.append((number, -1, label, None, *counted([any(row[number]) for row in hits])))
        for place, rule in enumerate(rules):
            word = rule if isinstance(rule, str) else rule[0]
            lines.append((number, place, label, word, *counted([row[number][place] for row in hits])))
    return lines


def rule_matches(text: str, rule: Any) -> bool:
    if isinstance(rule, str):
        return re.search(rule, text) is not None
    word, matches = rule[0].lower(), rule[1]
    found = {
        "partially": text.find(word) >= 0,
        "absolutely": text == word,
        "exactly": text == word,
        "start": text[: len(word)] == word,
        "end": text[-len(word) :] == word,
    }
    return any(found[match] for match in ([matches] if isinstance(matches, str) else matches))


def stored_report(task: Task) -> list[Line]:
    rows: list[Line] = task.stage.server.execute(
        "SELECT label_no, rule_no, label, rule, rows_matched, rows_conflicting "
        f"FROM `{task.stage.output_schema}`.label_rule_hit WHERE task_id = '{task.document.task_id}' "
        "ORDER BY label_no, rule_no"
    )
    return list(rows)


def parts_left(task: Task) -> int:
    rows = task.stage.server.execute(f"SELECT COUNT(*) FROM `{task.stage.output_schema}`.label_rule_hit_part")
    return int(rows[0][0])


@pytest.mark.parametrize("policy", ["first", "most", "all"])
@pytest.mark.parametrize(("model_type", "pattern"), [("keyword_model", KEYWORDS), ("rule_model", EXPRESSIONS)])
def test_every_rule_is_counted_on_every_row_whatever_the_policy_chooses(
    stage: Stage, model_type: str, pattern: dict[str, Any], policy: str
) -> None:
    stage.load(generate_posts(2_000, seed=11, nulls=0))
    wanted = {**pattern, "never": [["no such word", "start"]] if model_type == "keyword_model" else ["no such word"]}
    task = stage.task(
        wanted, model_type=model_type, predict_type="content", policy=policy, rule_report=True, batch_rows=300
    )
    task.run_to_success()
    task.check()
    texts = [post[5] for post in stage.posts]
    expected = plain_report(texts, wanted)
    assert stored_report(task) == expected
    assert expected[-1][-2:] == (0, 0)
    assert expected[0][-1] > 0
    assert parts_left(task) == 0


def test_hits_are_counted_once_by_three_workers_of_which_two_are_killed(stage: Stage) -> None:
    stage.load(generate_posts(20_000, seed=12, nulls=0))
    task = stage.task(rule_report=True, parallelism=3, batch_rows=200, slice_rows=1_500)
    with task.hold(rows=1_000) as hold:
        running = [task.start(index) for index in range(3)]
        hold.reached(workers=3)
        running[0].kill()
        running[2].kill()
    running = [task.start(0), running[1], task.start(2)]
    assert [run.wait(120).code for run in running] == [0, 0, 0]
    task.check()
    assert stored_report(task) == plain_report([post[3] for post in stage.posts], KEYWORDS)
    assert parts_left(task) == 0


def test_a_task_that_wants_no_report_makes_no_table_for_it(stage: Stage) -> None:
    stage.load(generate_posts(100, seed=13))
    stage.task().run_to_success()
    tables = stage.server.execute(f"SHOW TABLES FROM `{stage.output_schema}` LIKE 'label_rule%'")
    assert list(tables) == []


def test_counts_of_a_batch_with_very_many_rules_are_kept_in_parts_that_any_server_takes(stage: Stage) -> None:
    words = [f"{number:05d}" for number in range(25_000)]
    stage.load(post._replace(content=" ".join(words)) for post in generate_posts(3, seed=14, nulls=0))
    pattern = {"數": [[word, "partially"] for word in words]}
    task = stage.task(pattern, predict_type="content", rule_report=True)
    task.run_to_success()
    assert stored_report(task) == [
        (-1, -1, "", None, 3, 0),
        (0, -1, "數", None, 3, 0),
        *((0, place, "數", word, 3, 0) for place, word in enumerate(words)),
    ]
