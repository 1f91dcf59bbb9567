"""What a task leaves in the database equals the oracle's relabelling, row by row, both ways."""

from datetime import datetime
from typing import Any

import pytest

from database.worker_runs import Stage, rows_committed
from labeltask_testing.source_rows import Post, generate_posts

CASES = [
    (model_type, predict_type, policy)
    for model_type in ("keyword_model", "rule_model")
    for predict_type in ("author_name", "content", "s_area_id", "title")
    for policy in ("first", "most", "all")
]


@pytest.fixture(scope="module")
def posts_stage(shared_stage: Stage) -> Stage:
    shared_stage.load(generate_posts(2_000, seed=7, nulls=0.05))
    return shared_stage


@pytest.mark.parametrize(("number", "case"), list(enumerate(CASES, 1)), ids=["-".join(case) for case in CASES])
def test_every_model_predict_type_and_policy_labels_as_the_oracle_does(
    posts_stage: Stage, number: int, case: tuple[str, str, str]
) -> None:
    model_type, predict_type, policy = case
    task = posts_stage.task(
        number=number,
        model_type=model_type,
        predict_type=predict_type,
        policy=policy,
        start_time="2020-01-03 12:00:00",
        end_time="2020-01-30",
        batch_rows=300,
        slice_rows=700,
    )
    task.run_to_success()
    expected = task.check()
    assert len(expected.results) >= 10


def post(number: int, author: str, moment: str = "2020-01-15 10:00:00", **changes: Any) -> Post:
    made = Post(
        f"1577818324915_{number:06d}", "WH_F0045", "fb_fans", author, "題", "文", datetime.fromisoformat(moment)
    )
    return made._replace(**changes)


def test_a_range_takes_its_first_second_and_not_its_last(stage: Stage) -> None:
    times = ["2019-12-31 23:59:59", "2020-01-01 00:00:00", "2020-01-31 23:59:59", "2020-02-01 00:00:00"]
    stage.load(post(number, "女孩", moment) for number, moment in enumerate(times))
    task = stage.task()
    task.run_to_success()
    expected = task.check()
    assert expected.state["length_receive_table"] == 2


def test_a_task_without_a_labelled_row_is_a_success_without_data(stage: Stage) -> None:
    stage.load(post(number, "nobody") for number in range(20))
    task = stage.task(countdown_seconds=3_600)
    task.run_to_success()
    assert task.check().state["prod_stat"] == "no_data"


def test_a_task_on_an_empty_table_is_a_success_without_data(stage: Stage) -> None:
    task = stage.task()
    task.run_to_success()
    assert task.check().state["length_receive_table"] == 0


def test_percent_signs_quotes_and_backslashes_are_stored_as_they_are(stage: Stage) -> None:
    authors = [
        "100%",
        "a%sb 100%",
        "%(x)s %% 100%",
        "'; DROP TABLE x; -- 100%",
        '"100%\\',
        "\\' 100%",
        "\x00\x1a\n\r 100%",
    ]
    stage.load(post(number, author) for number, author in enumerate(authors))
    task = stage.task({"百分": [["100%", "partially"]], "a%sb": [["a%sb", "start"]]}, policy="all")
    task.run_to_success()
    expected = task.check()
    assert [row[6] for row in expected.results["fbfans"] if row[3] == "/百分"] == authors


def test_emoji_and_rare_characters_are_stored_whole_whatever_charset_the_connection_asks_for(stage: Stage) -> None:
    authors = ["🙈😉", "🙈ab", "𠮷野家🙈", "👨‍👩‍👧‍👦🙈", "Ａ🙈", "İ🙈"]
    stage.load(post(number, author) for number, author in enumerate(authors))
    task = stage.task({"猴": [["🙈", "partially"]], "b": [["b", "end"]]}, policy="all")
    task.site_config = stage.server.site_config(charset="utf8")
    task.run_to_success()
    assert [row[6] for row in task.check().results["fbfans"] if row[3] == "/猴"] == authors


def test_a_source_id_that_nothing_maps_goes_to_the_table_other(stage: Stage) -> None:
    stage.load(
        post(number, "女孩", s_id=source) for number, source in enumerate(["XX", "wh_f0045", "WH_", " WH_F0045"])
    )
    task = stage.task()
    task.run_to_success()
    assert [row[5] for row in task.check().results["other"]] == ["XX", "wh_f0045", "WH_", " WH_F0045"]


def test_a_fraction_of_a_second_is_cut_and_not_rounded_and_no_row_is_read_twice(stage: Stage) -> None:
    stage.server.execute(f"ALTER TABLE `{stage.input_schema}`.ts_page_content MODIFY post_time DATETIME(6)")
    moments = [f"2020-01-15 10:00:00.{number:06d}" for number in range(999_990, 1_000_000)]
    stage.load(post(number, "女孩", moment) for number, moment in enumerate(moments))
    stage.load([post(99, "女孩", "2020-01-31 23:59:59.999999")])
    task = stage.task(batch_rows=3)
    task.run_to_success()
    expected = task.check()
    assert expected.state["length_output_table"] == 11
    assert {row[4] for row in expected.results["fbfans"]} == {
        datetime(2020, 1, 15, 10), datetime(2020, 1, 31, 23, 59, 59)
    }  # fmt: skip


def test_a_row_whose_labels_share_a_panel_has_one_result_row(stage: Stage) -> None:
    stage.load([post(1, "女孩太太")])
    task = stage.task({"女性": [["女孩", "partially"]], "female": [["太太", "partially"]]}, policy="all")
    task.run_to_success()
    assert [row[3] for row in task.check().results["fbfans"]] == ["/female"]


def test_authors_that_differ_behind_their_first_thousand_bytes_are_told_apart(stage: Stage) -> None:
    long_name = "女" * 600
    authors = [long_name + ending for ending in "ABAB"]
    stage.load(post(number, author) for number, author in enumerate(authors))
    task = stage.task({"女性": [["女", "partially"]]})
    task.run_to_success()
    assert task.check().state["length_prod_table"] == "2"


def test_the_latest_row_of_an_author_is_produced_and_the_greatest_id_of_equal_times(stage: Stage) -> None:
    moments = ["2020-01-15 10:00:00", "2020-01-15 10:00:01", "2020-01-15 10:00:01", "2020-01-14 10:00:00"]
    stage.load(post(number, "女孩", moment) for number, moment in enumerate(moments))
    task = stage.task()
    task.run_to_success()
    assert [row[0] for row in task.check().production["fbfans"]] == ["1577818324915_000002"]


def test_of_conflicting_panels_the_one_with_most_rows_stays_and_none_on_a_tie(stage: Stage) -> None:
    texts = {"甲": "女女男", "乙": "女男", "丙": "男", "丁": "女男已未已"}
    stage.load(
        post(10 * row + number, author, content=text)
        for row, (author, letters) in enumerate(texts.items())
        for number, text in enumerate(letters)
    )
    task = stage.task(
        {
            "女性": [["女", "partially"]],
            "男性": [["男", "partially"]],
            "已婚": [["已", "partially"]],
            "未婚": [["未", "partially"]],
        },
        predict_type="content",
    )
    task.run_to_success()
    produced = {(row[2], row[3]) for row in task.check().production["fbfans"]}
    assert produced == {("WH_F0045_甲", "/female"), ("WH_F0045_丙", "/male"), ("WH_F0045_丁", "/married")}


def test_twenty_thousand_labelled_rows_take_few_statements(stage: Stage) -> None:
    stage.load(post(number, f"女孩{number}") for number in range(20_000))
    task = stage.task({"女性": [["女孩", "partially"]]}, batch_rows=5_000)

    def inserts() -> int:
        return int(stage.server.execute("SHOW GLOBAL STATUS LIKE 'Com_insert'")[0][1])

    before = inserts()
    task.run_to_success()
    assert inserts() - before <= 20_000 / 5_000 + 10
    assert task.check().state["length_output_table"] == 20_000


def test_five_thousand_rows_of_one_second_are_read_once_each_though_the_worker_is_killed(stage: Stage) -> None:
    stage.load(post(number, f"女孩{number % 700}") for number in range(5_000))
    task = stage.task({"女性": [["女孩", "partially"]]}, batch_rows=200, slice_rows=1_000)
    with task.hold(rows=400) as hold:
        run = task.start()
        hold.reached()
        run.kill()
    assert 0 < rows_committed(task) < 5_000
    task.run_to_success()
    assert task.check().state["length_receive_table"] == 5_000


def test_long_authors_count_among_the_bytes_of_a_batch(stage: Stage) -> None:
    stage.server.execute(f"ALTER TABLE `{stage.input_schema}`.ts_page_content MODIFY author MEDIUMTEXT")
    stage.load(post(number, "作" * 20_000, content="女") for number in range(210))
    task = stage.task({"女性": [["女", "end"]]}, predict_type="content")
    task.run_to_success()
    task.check()
    # 210 times 60 KB, at most 4 MiB and one fetch more at a time.
    assert stage.server.execute(f"SELECT SUM(batches) >= 3 FROM `{stage.output_schema}`.label_slice") == [(1,)]


def test_a_big_table_is_labelled_in_bounded_memory(stage: Stage) -> None:
    stage.load(post(number, f"a{number}", content="讀" * 340 + "女" * (number % 2)) for number in range(40_000))
    task = stage.task({"女性": [["女", "end"]]}, predict_type="content")
    task.run_to_success()
    row = task.state()
    assert row is not None
    assert row.length_output_table == 20_000
    assert (row.peak_memory or 0) < 128
