"""Turn source rows and their labels into what is written: rows by result table, counts, and authors seen first here.

labelling.md, "Output, phase 1". Pure but for the memory of authors, which only ever saves duplicate digests.
"""

from collections import defaultdict
from collections.abc import Sequence

from labeltask_contract.task_document import TaskDocument
from labeltask_store.authors import digest_of
from labeltask_store.batches import Batch
from labeltask_store.result_tables import ResultRow
from labeltask_store.source_rows import Position, SourceRow
from labeltask_worker.routing import SourceRouter, panels_of

AUTHORS_REMEMBERED = 200_000
"""Authors that a worker remembers over all tables, about 30 MB; then it forgets all and may write some again."""
_SECOND = len("2020-01-01 00:00:00")


class BatchBuilder:
    """Builds batches for one task in one worker."""

    def __init__(self, task: TaskDocument, labels: Sequence[str]) -> None:
        self._task_id = task.task_id
        self._router = SourceRouter(task.rules.source_tables)
        self._panels = panels_of(labels, task.rules.label_translations)
        self._seen: dict[str, set[str]] = defaultdict(set)
        self._remembered = 0

    def build(self, rows: Sequence[SourceRow], labels: Sequence[tuple[int, ...]]) -> tuple[Batch, dict[str, set[str]]]:
        """Return the batch, and the authors to :meth:`remember` once it is committed. ``rows`` is not empty."""
        read: dict[str, int] = defaultdict(int)
        results: dict[str, list[ResultRow]] = defaultdict(list)
        fresh: dict[str, set[str]] = defaultdict(set)
        for row, row_labels in zip(rows, labels, strict=True):
            table = self._router.table_of(row.s_id)
            read[table] += 1
            source_author = f"{row.s_id}_{row.author}".strip()
            if source_author not in self._seen[table]:
                fresh[table].add(source_author)
            # Two labels may be translated to one panel: the row gets it once.
            for panel in dict.fromkeys(self._panels[label] for label in row_labels):
                results[table].append(
                    ResultRow(
                        row.id,
                        self._task_id,
                        source_author,
                        panel,
                        # Cut, not rounded: MySQL would round a fraction into the next second.
                        row.post_time[:_SECOND],
                        row.s_id,
                        row.text,
                    )
                )
        digests = {table: b"".join(map(digest_of, authors)) for table, authors in fresh.items()}
        last = rows[-1]
        return Batch(Position(last.post_time, last.id), dict(read), dict(results), digests), dict(fresh)

    def remember(self, authors: dict[str, set[str]]) -> None:
        """Leave ``authors`` out of later batches: their digests are committed."""
        if self._remembered > AUTHORS_REMEMBERED:
            self._seen.clear()
            self._remembered = 0
        for table, names in authors.items():
            self._seen[table] |= names
            self._remembered += len(names)
