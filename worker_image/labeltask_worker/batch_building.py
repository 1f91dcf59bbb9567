"""Turn source rows and their labels into what is written: rows by result table, counts, and authors seen first here.

labelling.md, "Output, phase 1". Only labelled rows and new authors cost a step each; the rest is counted in bulk. Pure
but for the memory of authors, which only ever saves duplicate digests.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

from labeltask_contract.task_document import TaskDocument
from labeltask_store.authors import digest_of
from labeltask_store.batches import Batch, join_batches
from labeltask_store.result_rows import NewRow
from labeltask_store.source_rows import SourceRows
from labeltask_worker.matching import LabelledText, Labelling
from labeltask_worker.routing import SourceRouter, panels_of
from labeltask_worker.rule_report import count_hits

AUTHORS_REMEMBERED = 400_000
"""Authors that a worker remembers over all tables, about 45 MB; then it forgets all and may write some again."""
AUTHOR_BYTES_REMEMBERED = 16 * 1024 * 1024
"""Most text of them: an author may be as long as a post."""
BATCH_BYTES = 4 * 1024 * 1024
"""Result rows that a batch holds, whatever its row limit; what one portion of rows became may go beyond it."""
SOURCES_REMEMBERED = 100_000
_SOURCE_AND_AUTHOR = itemgetter(1, 3)
"""Of a source row."""
_SECOND = len("2020-01-01 00:00:00")
_SEPARATOR = b"\xff"
"""Between source id and author: no byte of UTF-8, so that no two pairs look alike."""
_SPACES = [character.encode() for character in map(chr, range(0xD800)) if character.isspace()]
_FIRST_BYTES_OF_SPACE = frozenset(space[0] for space in _SPACES)
_LAST_BYTES_OF_SPACE = frozenset(space[-1] for space in _SPACES)
"""``str.strip`` has something to do only where a text begins or ends with one of these, and often not even then."""


class Portion(NamedTuple):
    """What some source rows became: a batch whose result rows are still to be encoded."""

    batch: Batch
    tables: list[str]
    """Of each result row."""
    results: list[NewRow]


class BatchBuilder:
    """Builds portions of batches for one task in one worker, which are committed in that order or not at all."""

    def __init__(self, task: TaskDocument, labels: Sequence[str]) -> None:
        self._tables = _TablesOfSources(SourceRouter(task.rules.source_tables))
        self._panels = [panel.encode() for panel in panels_of(labels, task.rules.label_translations)]
        self._seen: set[bytes] = set()
        self._seen_bytes = 0
        self._found_panels: dict[tuple[int, ...], tuple[bytes, ...]] = {}

    def build(self, rows: SourceRows, labelling: Labelling, *, remember: bool = True) -> Portion:
        """Return the portion of ``rows``, which are not empty and all done in ``labelling``.

        Authors are left out of later portions: whoever drops one must not commit a later one of this builder.
        ``remember=False`` returns one that is right by itself, with all its authors.
        """
        fresh = set(map(_SEPARATOR.join, map(_SOURCE_AND_AUTHOR, rows.rows)))
        if remember:
            if len(self._seen) > AUTHORS_REMEMBERED or self._seen_bytes > AUTHOR_BYTES_REMEMBERED:
                self.forget()
            # Not -=, which looks each author up twice when far more are remembered.
            fresh = fresh - self._seen
            self._seen |= fresh
            self._seen_bytes += sum(map(len, fresh))
        digests: dict[str, list[bytes]] = defaultdict(list)
        for pair in fresh:
            source, _, author = pair.partition(_SEPARATOR)
            digests[self._tables[source]].append(digest_of(_stripped(source + b"_" + author)))
        hits = None if labelling.matched is None else count_hits(labelling.matched)
        batch = Batch(rows.last, len(rows), {}, dict(digests), hits)
        return Portion(batch, *self._results(rows, labelling.labelled))

    def forget(self) -> None:
        """Let the memory of authors go."""
        self._seen = set()
        self._seen_bytes = 0

    def _results(self, rows: SourceRows, labelled: Sequence[LabelledText]) -> tuple[list[str], list[NewRow]]:
        tables: list[str] = []
        results: list[NewRow] = []
        read, texts = rows.rows, rows.texts
        for number, labels in labelled:
            id_, source, post_time, author, *_ = read[number]
            source_author = _stripped(source + b"_" + author)
            # Cut, not rounded: MySQL would round a fraction into the next second.
            create_time = post_time[:_SECOND]
            for panel in self._panels_of(labels):
                tables.append(self._tables[source])
                results.append((id_, source_author, panel, create_time, source, texts[number]))
        return tables, results

    def _panels_of(self, labels: tuple[int, ...]) -> tuple[bytes, ...]:
        panels = self._found_panels.get(labels)
        if panels is None:
            # Two labels may be translated to one panel: the row gets it once.
            panels = tuple(dict.fromkeys(self._panels[label] for label in labels))
            if len(self._found_panels) < 10_000:
                self._found_panels[labels] = panels
        return panels


class _TablesOfSources(dict[bytes, str]):
    """Result tables by source id, each found when it is first asked for."""

    def __init__(self, router: SourceRouter) -> None:
        super().__init__()
        self._router = router

    def __missing__(self, source: bytes) -> str:
        table = self._router.table_of(source.decode())
        if len(self) < SOURCES_REMEMBERED:
            self[source] = table
        return table


class BatchInMaking:
    """Batches of portions until they are one worth a commit."""

    def __init__(self, most_rows: int, most_seconds: float) -> None:
        self._most_rows = most_rows
        self._most_seconds = most_seconds
        self._batches: list[Batch] = []
        self._rows = self._bytes = 0
        self._taken_at = time.monotonic()

    def add(self, batch: Batch) -> None:
        """Add what comes behind the batches before."""
        self._batches.append(batch)
        self._rows += batch.rows_read
        self._bytes += sum(sum(map(len, values)) for values in batch.values.values())

    @property
    def is_full(self) -> bool:
        """Whether it holds enough rows or bytes, or enough time has gone by since the one before."""
        is_late = time.monotonic() - self._taken_at >= self._most_seconds
        return self._rows >= self._most_rows or self._bytes >= BATCH_BYTES or is_late

    def take(self) -> Batch | None:
        """Return all as one, and begin anew; None where there is nothing."""
        batches, self._batches = self._batches, []
        self._rows = self._bytes = 0
        self._taken_at = time.monotonic()
        return join_batches(batches) if batches else None


def _stripped(text: bytes) -> bytes:
    """Return ``text`` without the white space around it, as ``str.strip`` sees it."""
    if text[0] in _FIRST_BYTES_OF_SPACE or text[-1] in _LAST_BYTES_OF_SPACE:
        return text.decode().strip().encode()
    return text
