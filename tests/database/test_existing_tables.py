"""Tables that are there already: the predecessor's, in use by other teams."""

from database.test_refusals import expect_failure
from database.worker_runs import Stage
from labeltask_contract.reasons import Reason
from labeltask_contract.stat import Stat
from labeltask_testing.predecessor import OLD_STATE
from labeltask_testing.source_rows import generate_posts

OLD_RESULT = """(
  id VARCHAR(32), task_id VARCHAR(32), source_author TEXT, panel VARCHAR(200), create_time DATETIME,
  field_content TEXT, match_content LONGTEXT, KEY task (task_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"""


def test_twenty_tasks_that_start_at_once_on_an_empty_schema_all_succeed(stage: Stage) -> None:
    # Of two sources only: what is made by twenty at once is the same with fewer tables, and sooner.
    stage.load(post for post in generate_posts(300, seed=1) if post.s_id in ("WH_F0045", "WH_F0001"))
    tasks = [stage.task(number=number) for number in range(1, 21)]
    runs = [task.start() for task in tasks]
    assert {run.wait(120).code for run in runs} == {0}
    for task in tasks:
        task.check()
    assert stage.server.execute(f"SELECT COUNT(*) FROM `{stage.output_schema}`.state") == [(20,)]


def test_an_older_state_table_keeps_its_rows_and_types_and_gets_the_new_column_from_one_of_twenty_tasks(
    stage: Stage,
) -> None:
    table = f"`{stage.output_schema}`.state"
    stage.server.execute(
        f"CREATE TABLE {table} {OLD_STATE}",
        f"INSERT INTO {table} (task_id, stat, length_receive_table) "
        "VALUES ('old', 'SUCCESS', 7), ('odd', 'LOST', NULL)",
    )
    # Of two sources only, as above.
    stage.load(post for post in generate_posts(300, seed=2) if post.s_id in ("WH_F0045", "WH_F0001"))
    tasks = [stage.task(number=number) for number in range(1, 21)]
    runs = [task.start() for task in tasks]
    assert {run.wait(120).code for run in runs} == {0}
    for task in tasks:
        task.check()
    rows = stage.server.execute(
        f"SELECT task_id, stat, length_receive_table, error_message FROM {table} WHERE task_id IN ('old', 'odd')"
    )
    assert sorted(rows) == [("odd", "LOST", None, None), ("old", "SUCCESS", 7, None)]
    types = dict(
        stage.server.execute(
            "SELECT column_name, column_type FROM information_schema.columns "
            f"WHERE table_schema = '{stage.output_schema}' AND table_name = 'state'"
        )
    )
    assert (types["result"], types["length_receive_table"].removesuffix("(11)")) == ("varchar(300)", "int")
    assert types["error_message"] == "longtext"


def test_a_result_table_of_the_predecessor_is_used_in_place_and_holds_each_row_once(stage: Stage) -> None:
    stage.server.execute(
        f"CREATE TABLE `{stage.output_schema}`.fbfans {OLD_RESULT}",
        f"CREATE TABLE `{stage.output_schema}`.wh_panel_mapping_fbfans {OLD_RESULT}",
        f"INSERT INTO `{stage.output_schema}`.fbfans (id, task_id, panel) VALUES ('x', 'old', '/male')",
    )
    stage.load(generate_posts(1_500, seed=3))
    task = stage.task(batch_rows=50, policy="all")
    with task.hold(rows=100) as hold:
        run = task.start()
        hold.reached()
        run.kill()
    task.run_to_success()
    task.check()
    rows = stage.server.execute(f"SELECT id, panel FROM `{stage.output_schema}`.fbfans WHERE task_id = 'old'")
    assert rows == [("x", "/male")]


def test_a_result_table_that_can_not_hold_the_text_is_refused_by_name_and_charset(stage: Stage) -> None:
    narrow = OLD_RESULT.replace("utf8mb4_bin", "utf8mb3_bin").replace("utf8mb4", "utf8mb3")
    stage.server.execute(f"CREATE TABLE `{stage.output_schema}`.Ptt {narrow}")
    stage.load(generate_posts(10))
    expect_failure(stage.task(), Reason.CHARSET_UNFIT, f"{stage.output_schema}.Ptt", "utf8mb3")


def test_a_production_table_that_can_not_hold_the_text_is_refused_before_the_first_row(stage: Stage) -> None:
    narrow = OLD_RESULT.replace("COLLATE=utf8mb4_bin", "").replace("utf8mb4", "latin1")
    stage.server.execute(f"CREATE TABLE `{stage.output_schema}`.wh_panel_mapping_Ptt {narrow}")
    stage.load(generate_posts(10))
    task = stage.task()
    expect_failure(task, Reason.CHARSET_UNFIT, f"{stage.output_schema}.wh_panel_mapping_Ptt", "latin1")
    assert task.stored() == {}


def test_a_table_without_transactions_is_refused(stage: Stage) -> None:
    table = OLD_RESULT.replace("InnoDB", "MyISAM")
    stage.server.execute(f"CREATE TABLE `{stage.output_schema}`.fbfans {table}")
    expect_failure(stage.task(), Reason.OUTPUT_NOT_WRITABLE, f"{stage.output_schema}.fbfans", "MyISAM")


def test_a_state_table_whose_columns_are_too_narrow_is_named(stage: Stage) -> None:
    narrow = OLD_STATE.replace("result VARCHAR(300)", "result VARCHAR(9)")
    stage.server.execute(f"CREATE TABLE `{stage.output_schema}`.state {narrow}")
    stage.load(generate_posts(500, seed=5))
    expect_failure(stage.task(), Reason.ROW_TOO_LARGE, f"{stage.output_schema}.state", "'result'")


def test_two_tasks_of_one_schema_leave_each_other_alone(stage: Stage) -> None:
    stage.load(generate_posts(800, seed=4))
    first, second = stage.task(number=1), stage.task(number=2, predict_type="content", policy="all")
    first.run_to_success()
    runs = [second.start(), stage.task(number=3).start()]
    assert [run.wait().code for run in runs] == [0, 0]
    first.check()
    second.check()
    row = first.state()
    assert row is not None
    assert row.stat is Stat.SUCCESS
