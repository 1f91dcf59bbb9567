"""Where a labelled row goes: source id to result table, label to panel. labelling.md, "Output". Pure."""

from collections.abc import Collection, Mapping, Sequence

from labeltask_contract.task_document import OTHER_TABLE


class SourceRouter:
    """Result table of a source id: an exact entry wins, then the longest prefix (written with a final ``*``)."""

    def __init__(self, source_tables: Mapping[str, str]) -> None:
        self._exact = {source: table for source, table in source_tables.items() if not source.endswith("*")}
        prefixes = [(source[:-1], table) for source, table in source_tables.items() if source.endswith("*")]
        self._prefixes = sorted(prefixes, key=lambda entry: len(entry[0]), reverse=True)

    def table_of(self, source_id: str) -> str:
        """Return the table's name; ``other`` for a source id that nothing maps."""
        if source_id in self._exact:
            return self._exact[source_id]
        return next((table for prefix, table in self._prefixes if source_id.startswith(prefix)), OTHER_TABLE)

    @property
    def tables(self) -> list[str]:
        """Every table that a row may go to, sorted."""
        return sorted({OTHER_TABLE, *self._exact.values(), *(table for _, table in self._prefixes)})


def panels_of(labels: Sequence[str], translations: Mapping[str, str]) -> list[str]:
    """Return the panel of each label, in order; two labels may share one."""
    return ["/" + translations.get(label, label) for label in labels]


def groups_that_conflict(groups: Mapping[str, Sequence[str]], panels: Collection[str]) -> dict[str, Sequence[str]]:
    """Return those conflict groups of which an author can have several panels, in a task that gives ``panels``."""
    return {name: group for name, group in groups.items() if len(set(group) & set(panels)) > 1}
