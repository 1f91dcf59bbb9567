"""dump_result by the real worker program on a real server, whole tables judged by an independent merge."""

import random
from datetime import datetime, timedelta

import pytest

from database.dump_runs import OLD, DumpStage, task_id
from database.worker_runs import Stage
from labeltask_testing.dump_oracle import PANELS, SHELVES

AUTHORS = [
    "WH_F0045_小明",
    "WH_F0045_小明 ",
    "WH_F0045_A",
    "WH_F0045_a",
    "WH_F0001_🙈",
    "WH_F0001_\u00e9",
    "WH_F0001_e\u0301",
    "WH_F0001_ß",
    "WH_F0001_ss",
    "WH_F0116_" + "長" * 3_000,
    "WH_F0116_" + "長" * 2_999 + "短",
    "x%s'\"\\",
]
"""Names that some collation, a cut at some length, or careless quoting takes for one another."""


@pytest.fixture
def dumps(stage: Stage) -> DumpStage:
    return DumpStage(stage)


def fill(dumps: DumpStage, seed: int, group: str) -> None:
    """Three tasks over many tables and previous tables for most of the shelf, colliding wherever they can."""
    chance = random.Random(seed)
    panels = [*PANELS[group], *PANELS[group], "/child", "/Male"]
    authors = AUTHORS + [f"WH_F0045_author{n}" for n in range(60)]
    for _ in range(3):
        rows = {}
        for table in chance.sample([table for tables in SHELVES.values() for table in tables], 9):
            rows[table] = sorted({(chance.choice(authors), chance.choice(panels)) for _ in range(80)})
        dumps.add_task(rows)
    for shelf in chance.sample(list(SHELVES), 6):
        dumps.add_previous(
            shelf,
            [
                (chance.choice(authors), chance.choice(panels), OLD - timedelta(days=chance.randrange(900)))
                for _ in range(150)
            ],
        )


@pytest.mark.parametrize("group", PANELS)
@pytest.mark.parametrize("seed", range(3))
def test_every_dump_table_is_that_of_the_oracle(dumps: DumpStage, seed: int, group: str) -> None:
    fill(dumps, seed, group)
    # A task that nobody asked for, in the same production tables.
    dumps.add_task({"Ptt": [("stranger", "/male")], "fbfans": [("stranger", "/married")]})
    dumps.tasks.pop()
    for table in ("Ptt", "fbfans"):
        dumps.produced[table].pop()
    counts = dumps.run_to_success(dumps.document(group))
    stored = dumps.stored()
    assert stored == dumps.expected(group)
    assert {name: c.rows_kept + c.rows_added + c.rows_replaced for name, c in counts.items()} == {
        name: len(rows) for name, rows in stored.items()
    }
    assert dumps.leftovers() == set()
    assert {"label_dump_new", "label_dump_replaced"} & dumps.tables() == set()


def test_a_small_merge_row_by_row_with_its_counts(dumps: DumpStage) -> None:
    dumps.add_task(
        {
            "fbfans": [("same", "/male"), ("other", "/female"), ("new", "/male"), ("new", "/child")],
            "fbkol": [("level", "/male"), ("same", "/child")],
        }
    )
    dumps.add_task({"fbfans": [("level", "/female"), ("new", "/female")]})
    dumps.add_task({"fbfans": [("new", "/male")]})
    dumps.add_previous(
        "fb",
        [
            ("same", "/male", OLD), ("other", "/male", OLD), ("other", "/married", OLD), ("alone", "/female", OLD),
            ("level", "/female", OLD), ("same", "/child", OLD), ("nobody", None, None), (None, "/male", OLD),
        ],
    )  # fmt: skip
    counts = dumps.run_to_success(dumps.document())
    assert counts["fb"].model_dump() == {
        "name": "fb", "rows_kept": 7, "rows_added": 2, "rows_replaced": 1, "authors_undecided": 1
    }  # fmt: skip
    found = {(author, panel): time for author, panel, time in dumps.stored()["fb"]}
    assert {pair for pair, time in found.items() if time not in (OLD, None)} == {
        ("other", "/female"), ("new", "/male"), ("new", "/child")
    }  # fmt: skip
    assert {pair for pair, time in found.items() if time in (OLD, None)} == {
        ("same", "/male"), ("other", "/married"), ("alone", "/female"), ("level", "/female"), ("same", "/child"),
        ("nobody", None), (None, "/male"),
    }  # fmt: skip


def test_a_dump_table_has_the_three_columns_of_the_contract(dumps: DumpStage) -> None:
    dumps.add_task({"Ptt": [("a", "/male")]})
    dumps.run_to_success(dumps.document())
    columns = dumps.stage.server.execute(
        "SELECT column_name, column_type, collation_name FROM information_schema.columns WHERE table_name = "
        f"'wh_panel_mapping_bbs_dump' AND table_schema = '{dumps.stage.output_schema}' ORDER BY ordinal_position"
    )
    assert columns == [
        ("source_author", "text", "utf8mb4_bin"),
        ("panel", "varchar(200)", "utf8mb4_bin"),
        ("create_time", "datetime", None),
    ]


def test_running_it_again_changes_nothing_but_the_moment(dumps: DumpStage) -> None:
    fill(dumps, 7, "GENDER")
    first = dumps.run_to_success(dumps.document())
    assert dumps.run_to_success(dumps.document()) == first
    assert dumps.stored() == dumps.expected()


@pytest.mark.parametrize("charset", ["utf8mb3", "utf8mb4", "big5"])
def test_previous_tables_of_any_character_set_are_compared_by_their_text(dumps: DumpStage, charset: str) -> None:
    dumps.add_task({"Ptt": [("作者甲", "/male"), ("作者乙", "/male"), ("AUTHOR", "/male")]})
    dumps.add_previous(
        "bbs", [("作者甲", "/female", OLD), ("作者乙", "/male", OLD), ("author", "/female", OLD)],
        f"CHARACTER SET {charset}",
    )  # fmt: skip
    dumps.run_to_success(dumps.document())
    assert dumps.stored() == dumps.expected()


def test_the_tasks_own_rows_are_no_previous_ones_where_both_schemas_are_one(stage: Stage) -> None:
    dumps = DumpStage(stage, stage.output_schema)
    dumps.add_task({"news": [("a", "/male"), ("b", "/female")]})
    dumps.add_task({"news": [("a", "/female"), ("c", "/male")]})
    dumps.tasks.pop()
    dumps.produced["news"] = [("a", "/male"), ("b", "/female")]
    dumps.previous["news"] = [("a", "/female", OLD), ("c", "/male", OLD)]
    dumps.run_to_success(dumps.document())
    assert dumps.stored() == dumps.expected()


REFUSED = {
    "a task that runs": (("STARTED", None), "stat STARTED"),
    "a task in its countdown": (("SUCCESS", None), "stat SUCCESS"),
    "a task that failed": (("FAILURE", None), "stat FAILURE"),
    "a task that labelled nothing": (("SUCCESS", "no_data"), "no_data"),
}


@pytest.mark.parametrize(("state", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_task_without_finished_production_rows_is_named_and_nothing_is_written(
    dumps: DumpStage, state: tuple[str, str | None], words: str
) -> None:
    dumps.add_task({"Ptt": [("a", "/male")]})
    bad = dumps.add_task({}, *state)
    ended = dumps.run(dumps.document(task_ids=(*dumps.tasks, task_id(99))))
    assert ended.code == 79
    assert ended.termination is not None
    assert ended.termination["reason"] == "TaskNotFinished"
    message = ended.termination["message"]
    assert f"{bad} ({words}" in message
    assert f"{task_id(99)} (no such task)" in message
    assert task_id(1) not in message
    assert dumps.stored() == {}


def test_what_is_missing_is_named_with_the_documented_exit_code(dumps: DumpStage) -> None:
    dumps.add_task({"Ptt": [("a", "/male")]})
    server, schema = dumps.stage.server, dumps.stage.output_schema
    ended = dumps.run(dumps.document(previous_schema="no_such"))
    assert (ended.code, (ended.termination or {})["reason"]) == (66, "SchemaMissing")
    assert dumps.run(dumps.document(), password="wrong").code == 65
    server.execute(f"CREATE TABLE `{dumps.previous_schema}`.wh_panel_mapping_fb (source_author TEXT, panel TEXT)")
    ended = dumps.run(dumps.document())
    assert ended.code == 68
    assert "create_time" in (ended.termination or {})["message"]
    assert "wh_panel_mapping_fb" in (ended.termination or {})["message"]
    server.execute(f"DROP TABLE `{dumps.previous_schema}`.wh_panel_mapping_fb")
    server.execute(f"DROP TABLE `{schema}`.wh_panel_mapping_Ptt")
    ended = dumps.run(dumps.document())
    assert (ended.code, dumps.stored()) == (67, {})


def test_a_previous_table_that_may_not_be_read_is_not_taken_for_none(dumps: DumpStage) -> None:
    dumps.add_task({"Ptt": [("a", "/male")]})
    dumps.add_previous("bbs", [("b", "/male", OLD)])
    server, schema = dumps.stage.server, dumps.stage.output_schema
    server.execute(
        "DROP USER IF EXISTS narrow",
        "CREATE USER narrow IDENTIFIED BY 'narrow'",
        f"GRANT CREATE, ALTER, INDEX, SELECT, INSERT, UPDATE, DELETE, DROP ON `{schema}`.* TO narrow",
        f"GRANT INSERT ON `{dumps.previous_schema}`.* TO narrow",
    )
    ended = dumps.run(dumps.document(), user="narrow", password="narrow")
    assert (ended.code, dumps.stored()) == (65, {})
    server.execute(f"GRANT SELECT ON `{dumps.previous_schema}`.* TO narrow")
    ended = dumps.run(dumps.document(), user="narrow", password="narrow")
    assert ended.code == 0, ended.log
    assert dumps.stored() == dumps.expected()


def test_a_server_that_wants_a_key_in_each_table_is_told_that_dump_tables_have_none(dumps: DumpStage) -> None:
    dumps.add_task({"Ptt": [("a", "/male")]})
    server = dumps.stage.server
    name = "sql_require_primary_key" if server.kind.is_mysql else "innodb_force_primary_key"
    server.execute(f"SET GLOBAL {name} = 1")
    try:
        ended = dumps.run(dumps.document())
    finally:
        server.execute(f"SET GLOBAL {name} = 0")
    assert ended.termination is not None
    assert ended.termination["reason"] == "OutputNotWritable"
    assert "must let tables have no primary key" in ended.termination["message"]
    dumps.run_to_success(dumps.document())
    assert dumps.stored() == dumps.expected()


def test_a_moment_of_the_dump_is_the_same_in_all_tables(dumps: DumpStage) -> None:
    dumps.add_task({"Ptt": [("a", "/male")], "news": [("b", "/male")]})
    before = dumps.stage.server.execute("SELECT NOW()")[0][0]
    dumps.run_to_success(dumps.document())
    schema = dumps.stage.output_schema
    moments = dumps.stage.server.execute(
        f"SELECT create_time FROM `{schema}`.wh_panel_mapping_bbs_dump "
        f"UNION SELECT create_time FROM `{schema}`.wh_panel_mapping_news_dump"
    )
    ((moment,),) = moments
    assert isinstance(moment, datetime)
    assert before <= moment
