"""Which tasks may be put on the shelf, and what is said of those that may not."""

import pytest

from labeltask_contract.dump_document import SHELF_TABLES
from labeltask_contract.errors import TaskFailure
from labeltask_contract.reasons import Reason
from labeltask_contract.stat import ProdStat, Stat
from labeltask_store.state_table import StateRow
from labeltask_testing.builders import make_row
from labeltask_worker.shelf_merge import check_finished, filled_tables, tables_beside

ROWS = {
    "done": make_row(Stat.SUCCESS, ProdStat.FINISH),
    "empty": make_row(Stat.SUCCESS, ProdStat.NO_DATA),
    "labelled": make_row(Stat.SUCCESS),
    "odd": make_row(None),
}


def test_finished_tasks_pass() -> None:
    check_finished(["done", "done"], ROWS, "results.state")


def test_every_task_without_production_rows_is_named_with_what_is_known_of_it() -> None:
    with pytest.raises(TaskFailure) as caught:
        check_finished(["done", "empty", "labelled", "odd", "lost"], ROWS, "results.state")
    assert caught.value.reason is Reason.TASK_NOT_FINISHED
    assert caught.value.message == (
        "4 of 5 tasks have no prod_stat finish in results.state: empty (no_data: it labelled no row), "
        "labelled (stat SUCCESS), odd (stat unknown), lost (no such task); "
        "wait for them or leave them out. Nothing was written"
    )


@pytest.mark.parametrize(
    ("row", "tables"),
    [
        (make_row(Stat.SUCCESS, ProdStat.FINISH), set()),
        (make_row(Stat.SUCCESS, ProdStat.FINISH, result="Ptt,news", length_prod_table="3,0"), {"Ptt"}),
        (make_row(Stat.SUCCESS, ProdStat.FINISH, result="Ptt, news", length_prod_table="3"), {"Ptt", "news"}),
        (make_row(Stat.SUCCESS, ProdStat.FINISH, result="Ptt"), {"Ptt"}),
    ],
)
def test_tables_with_rows_are_those_that_state_names_but_for_empty_ones(row: StateRow, tables: set[str]) -> None:
    assert filled_tables([row]) == tables


def test_tables_that_no_shelf_table_takes() -> None:
    assert tables_beside(SHELF_TABLES, {"Ptt", "video", "other"}) == ["other", "video"]
