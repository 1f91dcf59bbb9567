"""Where a labelled row goes: source id to result table, label to panel. labelling.md, "Output, phase 1". Pure."""

from collections.abc import Mapping, Sequence

from labeltask_contract.task_document import OTHER_TABLE


class SourceRouter:
    """Result table of a source id: an exact entry wins, then the longest prefix (written with a final ``*``)."""

    def __init__(self, source_tables: Mapping[str, str]) -> None:
        self._exact = {source: table for source, table in source_tables.items() if not source.endswith("*")}
        prefixes = [(source[:-1], table) for source, table in source_tables.items() if source.endswith("*")]
        self._prefixes = sorted(prefixes, key=lambda entry: len(entry[0]), reverse=True)
        self._found: dict[str, str] = {}

    def table_of(self, source_id: str) -> str:
        """Return the table's name; ``other`` for a source id that nothing maps."""
        table = self._found.get(source_id)
        if table is None:
            table = self._look_up(source_id)
            if len(self._found) < 100_000:
                self._found[source_id] = table
        return table

    @property
    def tables(self) -> list[str]:
        """Every table that a row may go to, sorted."""
        return sorted({OTHER_TABLE, *self._exact.values(), *(table for _, table in self._prefixes)})

    def _look_up(self, source_id: str) -> str:
        if source_id in self._exact:
            return self._exact[source_id]
        return next((table for prefix, table in self._prefixes if source_id.startswith(prefix)), OTHER_TABLE)


def panels_of(labels: Sequence[str], translations: Mapping[str, str]) -> list[str]:
    """Return the panel of each label, in order; two labels may share one."""
    return ["/" + translations.get(label, label) for label in labels]
