"""Source ids find their table, labels their panel."""

import pytest

from labeltask_contract.task_document import CONFLICT_GROUPS, LABEL_TRANSLATIONS, SOURCE_TABLES
from labeltask_worker.routing import SourceRouter, groups_that_conflict, panels_of


@pytest.mark.parametrize(
    ("source_id", "table"),
    [
        ("WH_F0045", "fbfans"),
        ("WH_F0001", "Ptt"),
        ("WH_F00451", "forum"),
        ("WH_N0001", "news"),
        ("WH_N", "news"),
        ("WH_B0777", "blog"),
        ("WH_F", "forum"),
        ("wh_v001", "video"),
        ("wh_v0011", "other"),
        ("wh_f0045", "other"),
        ("XX", "other"),
        ("", "other"),
        (" WH_F0045", "other"),
    ],
)
def test_the_default_map_sends_a_source_to_its_table(source_id: str, table: str) -> None:
    router = SourceRouter(SOURCE_TABLES)
    assert [router.table_of(source_id), router.table_of(source_id)] == [table, table]


def test_an_exact_entry_wins_over_prefixes_and_the_longest_prefix_over_shorter_ones() -> None:
    router = SourceRouter({"A*": "short", "AB*": "long", "ABC": "exact", "*": "rest"})
    assert [router.table_of(source) for source in ("ABC", "ABCD", "AX", "Z", "")] == [
        "exact", "long", "short", "rest", "rest"
    ]  # fmt: skip


def test_the_tables_of_a_map_include_other() -> None:
    assert SourceRouter({"A": "b", "C*": "a"}).tables == ["a", "b", "other"]


def test_labels_are_translated_before_the_slash_and_others_stay() -> None:
    assert panels_of(["男性", "female", "女性", "x/y"], LABEL_TRANSLATIONS) == ["/male", "/female", "/female", "/x/y"]


def test_only_groups_of_which_a_task_gives_two_panels_can_conflict() -> None:
    groups = {"A": ("/male", "/female"), "B": ("/x", "/y", "/z"), "C": ("/one",), "D": ()}
    assert groups_that_conflict(groups, ["/male", "/x", "/z", "/one"]) == {"B": ("/x", "/y", "/z")}
    assert groups_that_conflict(groups, ["/female", "/female", "/Male"]) == {}
    assert groups_that_conflict(CONFLICT_GROUPS, ["/female", "/married", "/male"]) == {"GENDER": ("/male", "/female")}
