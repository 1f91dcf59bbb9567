"""Turn source rows and their labels into what is written: rows by result table, counts, and authors seen first here.

labelling.md, "Output, phase 1". Only labelled rows and new authors cost a step each; the rest is counted in bulk. Pure
but for the memory of authors, which only ever saves duplicate digests.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

from labeltask_contract.task_document import TaskDocument
from labeltask_store.authors import digest_of
from labeltask_store.batches import Batch
from labeltask_store.result_tables import NewRow
from labeltask_store.source_rows import SourceRows
from labeltask_worker.matching import LabelledText, Labelling
from labeltask_worker.routing import SourceRouter, panels_of
from labeltask_worker.rule_report import count_hits

AUTHORS_REMEMBERED = 250_000
"""Authors that a worker remembers over all tables, about 30 MB; then it forgets all and may write some again."""
_SECOND = len("2020-01-01 00:00:00")
_SEPARATOR = b"\xff"
"""Between source id and author: no byte of UTF-8, so that no two pairs look alike."""
_SPACES = [character.encode() for character in map(chr, range(0xD800)) if character.isspace()]
_FIRST_BYTES_OF_SPACE = frozenset(space[0] for space in _SPACES)
_LAST_BYTES_OF_SPACE = frozenset(space[-1] for space in _SPACES)
"""``str.strip`` has something to do only where a text begins or ends with one of these, and often not even then."""


class BatchBuilder:
    """Builds batches for one task in one worker, which are committed in that order or not at all."""

    def __init__(self, task: TaskDocument, labels: Sequence[str]) -> None:
        self._router = SourceRouter(task.rules.source_tables)
        self._panels = [panel.encode() for panel in panels_of(labels, task.rules.label_translations)]
        self._seen: set[bytes] = set()
        self._tables: dict[bytes, str] = {}
        self._found_panels: dict[tuple[int, ...], tuple[bytes, ...]] = {}

    def build(self, rows: SourceRows, labelling: Labelling, *, remember: bool = True) -> Batch:
        """Return the batch of ``rows``, which are not empty and all done in ``labelling``.

        Authors are left out of later batches: whoever drops a batch must not commit a later one of this builder.
        ``remember=False`` returns a batch that is right by itself, with all its authors.
        """
        sources = Counter(rows.s_ids)
        table_of = {source: self._table_of(source) for source in sources}
        read: dict[str, int] = defaultdict(int)
        for source, count in sources.items():
            read[table_of[source]] += count
        fresh = set(map(_SEPARATOR.join, zip(rows.s_ids, rows.authors, strict=True)))
        if remember:
            if len(self._seen) > AUTHORS_REMEMBERED:
                self._seen.clear()
            fresh -= self._seen
            self._seen |= fresh
        digests: dict[str, list[bytes]] = defaultdict(list)
        for pair in fresh:
            source, _, author = pair.partition(_SEPARATOR)
            digests[table_of[source]].append(digest_of(_stripped(source + b"_" + author)))
        joined = {table: b"".join(found) for table, found in digests.items()}
        hits = None if labelling.matched is None else count_hits(labelling.matched)
        return Batch(rows.last, dict(read), self._results(rows, labelling.labelled), joined, hits)

    def _results(self, rows: SourceRows, labelled: Sequence[LabelledText]) -> dict[str, list[NewRow]]:
        results: dict[str, list[NewRow]] = defaultdict(list)
        for number, labels in labelled:
            source = rows.s_ids[number]
            source_author = _stripped(source + b"_" + rows.authors[number])
            # Cut, not rounded: MySQL would round a fraction into the next second.
            create_time = rows.post_times[number][:_SECOND]
            table = results[self._table_of(source)]
            for panel in self._panels_of(labels):
                table.append(NewRow(rows.ids[number], source_author, panel, create_time, source, rows.texts[number]))
        return dict(results)

    def _panels_of(self, labels: tuple[int, ...]) -> tuple[bytes, ...]:
        panels = self._found_panels.get(labels)
        if panels is None:
            # Two labels may be translated to one panel: the row gets it once.
            panels = tuple(dict.fromkeys(self._panels[label] for label in labels))
            if len(self._found_panels) < 10_000:
                self._found_panels[labels] = panels
        return panels

    def _table_of(self, source: bytes) -> str:
        table = self._tables.get(source)
        if table is None:
            table = self._router.table_of(source.decode())
            if len(self._tables) < 100_000:
                self._tables[source] = table
        return table


def _stripped(text: bytes) -> bytes:
    """Return ``text`` without the white space around it, as ``str.strip`` sees it."""
    if text[0] in _FIRST_BYTES_OF_SPACE or text[-1] in _LAST_BYTES_OF_SPACE:
        return text.decode().strip().encode()
    return text
