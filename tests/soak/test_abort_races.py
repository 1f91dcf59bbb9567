"""Fifty aborts that race completion, and some more."""

import pytest

from labeltask_testing.abort_races import RACES, race_aborts
from labeltask_testing.installation import Installation


@pytest.mark.parametrize("first", range(0, 50, RACES))
def test_fifty_aborts_that_race_completion_have_one_outcome_each(
    installation: Installation, connection_secret: str, first: int
) -> None:
    print(f"races {first + 1} to {first + RACES}")
    race_aborts(installation, connection_secret)
