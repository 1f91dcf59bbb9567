"""Aborts that race completion: whichever wins, CR, state table and REST tell of the same end, and no pod stays."""

from labeltask_testing.abort_races import race_aborts
from labeltask_testing.installation import Installation


def test_an_abort_that_races_completion_has_one_outcome(installation: Installation, connection_secret: str) -> None:
    race_aborts(installation, connection_secret)
