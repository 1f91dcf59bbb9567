import pytest

from labeltask_contract import names

UID = "8FEC5762-412c-11ec-836d-04ea56825baa"
TASK_ID = "8fec5762412c11ec836d04ea56825baa"


@pytest.mark.parametrize("name", ["my-task", "a" * 200 + ".b", TASK_ID.upper(), TASK_ID + "0"])
def test_an_object_with_an_ordinary_name_is_identified_by_its_uid(name: str) -> None:
    assert names.task_id_of(name, UID) == TASK_ID


def test_an_object_that_the_gateway_named_is_identified_by_its_name() -> None:
    assert names.task_id_of("0" * 32, UID) == "0" * 32


def test_derived_names_fit_a_label_value() -> None:
    assert names.job_name(TASK_ID) == f"lt-{TASK_ID}"
    # A Job's name becomes a label of its pods: 63 characters at most, and pods append an index and five more.
    assert len(names.job_name(TASK_ID)) + len("-63-abcde") <= 63
