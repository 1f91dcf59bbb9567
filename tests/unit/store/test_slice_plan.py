"""Slices cover a range exactly, follow each other, and hold few rows."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from labeltask_store.slice_plan import PlannedSlice, Unit, cut_range

START, END = datetime(2020, 1, 1, 12), datetime(2020, 3, 1, 1, 2, 3)


class Times:
    """Stands in for the source table: counts times as the database would."""

    def __init__(self, times: Sequence[datetime]) -> None:
        self.times = times

    def __call__(self, unit: Unit, start: datetime, end: datetime) -> list[tuple[datetime, int]]:
        midnight = datetime(2020, 1, 1)
        steps = Counter(
            midnight + (moment - midnight) // unit.length * unit.length
            for moment in self.times
            if start <= moment < end
        )
        return sorted(steps.items())


moments = st.integers(0, int((END - START).total_seconds()) - 1).map(lambda second: START + timedelta(seconds=second))
crowds = st.tuples(moments, st.integers(1, 40)).map(lambda crowd: [crowd[0]] * crowd[1])
tables = st.lists(crowds, max_size=60).map(lambda groups: [moment for group in groups for moment in group])


@given(tables, st.integers(1, 50))
def test_slices_cover_the_range_once_and_hold_what_they_say(times: list[datetime], slice_rows: int) -> None:
    slices = cut_range(START, END, slice_rows, Times(times))
    assert [slices[0].start, slices[-1].end] == [START, END]
    assert all(first.end == second.start for first, second in pairwise(slices))
    assert all(part.start < part.end for part in slices)
    assert [part.rows for part in slices] == [
        sum(part.start <= moment < part.end for moment in times) for part in slices
    ]
    crowds = Counter(times)
    for part in slices:
        fullest = max((count for moment, count in crowds.items() if part.start <= moment < part.end), default=0)
        assert part.rows <= max(slice_rows, fullest)


def test_an_empty_table_is_one_slice() -> None:
    assert cut_range(START, END, 10, Times([])) == [PlannedSlice(START, END, 0)]


def test_the_last_day_that_a_datetime_knows_is_no_obstacle() -> None:
    start, end = datetime(9999, 12, 31), datetime(9999, 12, 31, 23, 59, 59)

    def count(unit: Unit, begin: datetime, until: datetime) -> list[tuple[datetime, int]]:
        return [(begin.replace(minute=0, second=0), 5)] if unit.length >= timedelta(hours=1) else [(begin, 5)]

    slices = cut_range(start, end, 3, count)
    assert [slices[0].start, slices[-1].end] == [start, end]
