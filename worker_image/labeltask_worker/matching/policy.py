"""Which of the labels that match a row it gets: first, most or all. labelling.md, "Rules". Pure."""

from collections.abc import Mapping

from labeltask_contract.spec import Policy


def choose(policy: Policy, counts: Mapping[int, int]) -> tuple[int, ...]:
    """Return the chosen label indexes, in the order of the pattern, from match counts above zero."""
    if not counts:
        return ()
    match policy:
        case Policy.FIRST:
            return (min(counts),)
        case Policy.MOST:
            return (min(counts, key=lambda label: (-counts[label], label)),)
        case Policy.ALL:
            return tuple(sorted(counts))
