import pytest

from labeltask_contract.stat import ProdStat, Stat, is_final


@pytest.mark.parametrize(
    ("stat", "prod_stat", "final"),
    [
        (None, None, False),
        (Stat.PENDING, None, False),
        (Stat.STARTED, None, False),
        (Stat.SUCCESS, None, False),
        (Stat.SUCCESS, ProdStat.FINISH, True),
        (Stat.SUCCESS, ProdStat.NO_DATA, True),
        (Stat.FAILURE, None, True),
        (Stat.BREAK, None, True),
    ],
)
def test_success_is_final_only_with_the_production_tables(
    stat: Stat | None, prod_stat: ProdStat | None, final: bool
) -> None:
    assert is_final(stat, prod_stat) is final
