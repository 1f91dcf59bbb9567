"""The two progress words of the ``state`` table, and which pairs of them are final."""

from enum import StrEnum


class Stat(StrEnum):
    """``state.stat``: the words that SQL readers know from the predecessor."""

    PENDING = "PENDING"
    STARTED = "STARTED"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    BREAK = "BREAK"


class ProdStat(StrEnum):
    """``state.prod_stat``; NULL until phase 2 has ended."""

    FINISH = "finish"
    NO_DATA = "no_data"


def is_final(stat: Stat | None, prod_stat: ProdStat | None) -> bool:
    """Tell whether nothing may change any more.

    SUCCESS alone is not final: phase 1 is complete then, the countdown or phase 2 still runs.
    """
    if stat in (Stat.FAILURE, Stat.BREAK):
        return True
    return stat is Stat.SUCCESS and prod_stat is not None
