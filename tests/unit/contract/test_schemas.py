import pytest

from labeltask_contract.schemas import schema_problem


@pytest.mark.parametrize("name", ["mysql", "MySQL", "sys", "information_schema", "PERFORMANCE_SCHEMA"])
@pytest.mark.parametrize("allowed", [(), ("mysql", "MySQL", "sys", "information_schema", "PERFORMANCE_SCHEMA")])
def test_a_schema_of_the_database_itself_is_refused_even_where_it_is_listed(
    name: str, allowed: tuple[str, ...]
) -> None:
    assert schema_problem(name, allowed) == "must not be a schema of the database itself; name one with data"


def test_without_a_list_any_other_goes_and_with_one_those_as_they_are_spelt() -> None:
    assert [schema_problem(name, ()) for name in ("wh", "mysql2", "sys_data")] == [None] * 3
    refused = "must be a schema that this deployment allows: result, wh"
    found = {name: schema_problem(name, ("wh", "result")) for name in ("wh", "result", "WH", "payroll")}
    assert found == {"wh": None, "result": None, "WH": refused, "payroll": refused}
