"""What gateway, operator and worker agree on about a dump."""

import pytest

from labeltask_contract.dump_document import SHELF_TABLES, DumpDocument, load_dump, shelf_problem
from labeltask_contract.dump_status import MAX_SHELVES, DumpTable, pack_outcome, unpack_outcome
from labeltask_contract.errors import InvalidTask
from labeltask_contract.names import dump_id_of, dump_job_name

DUMP_ID = "0123456789abcdef0123456789abcdef"
DOCUMENT = DumpDocument(
    dump_id=DUMP_ID,
    group="GENDER",
    panels=("/male", "/female"),
    task_ids=(DUMP_ID,),
    previous_schema="previous",
    output_schema="results",
)


def test_a_dump_is_identified_by_its_uid() -> None:
    assert dump_id_of("01234567-89AB-cdef-0123-456789abcdef") == DUMP_ID
    assert dump_job_name(DUMP_ID) == f"ld-{DUMP_ID}"


def test_the_document_reads_as_it_was_written() -> None:
    assert load_dump(DOCUMENT.to_json()) == DOCUMENT
    assert dict(DOCUMENT.shelves) == SHELF_TABLES


def test_a_wrong_document_names_the_field() -> None:
    with pytest.raises(InvalidTask, match=r"/dump.json/panels"):
        load_dump(DOCUMENT.to_json().replace(b'["/male", "/female"]', b"[]").replace(b'["/male","/female"]', b"[]"))


@pytest.mark.parametrize(
    ("shelves", "words"),
    [
        (SHELF_TABLES, ""),
        ({"a": ("x",), "A": ("y",)}, "named a, but for upper and lower case"),
        ({"a_Dump": ("x",)}, "may not end in _dump"),
    ],
)
def test_a_map_of_the_shelf_that_would_write_one_table_twice_is_refused(
    shelves: dict[str, tuple[str, ...]], words: str
) -> None:
    found = shelf_problem(shelves)
    assert words in found
    assert bool(words) is bool(found)


def test_the_counts_of_all_tables_fit_into_a_termination_message() -> None:
    tables = tuple(
        DumpTable(name=f"{number:038d}", rows_kept=10**10, rows_added=10**10, rows_replaced=10**10, authors_undecided=9)
        for number in range(MAX_SHELVES)
    )
    content = pack_outcome(tables)
    assert len(content) <= 4096
    assert unpack_outcome(content.decode()) == tables


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '{"reason": "Internal", "message": "x"}', '{"tables": [["a"]]}'])
def test_another_message_holds_no_counts(text: str) -> None:
    assert unpack_outcome(text) is None
