"""The slices that a worker holds: claimed one after the other, finished, or handed back. For one thread at a time."""

from concurrent.futures import Future
from dataclasses import dataclass

import structlog

from labeltask_store.slices import Claim, claim_slice, finish_slice, release, renew
from labeltask_store.workers import Worker
from labeltask_worker.database import Database
from labeltask_worker.slice_opener import OpenSlice, SliceOpener

_log = structlog.get_logger(__name__)


@dataclass(eq=False)
class SliceInHand:
    """A slice that the worker holds."""

    claim: Claim
    """As of the last commit: the thread that commits moves it."""
    opening: "Future[OpenSlice]"
    """Its rows from where it was when it was claimed."""


class SlicesInHand:
    """Takes slices of one task from its ledger and gives them back."""

    def __init__(self, database: Database, schema: str, worker: Worker, opener: SliceOpener) -> None:
        self._database = database
        self._schema = schema
        self._worker = worker
        self._opener = opener
        self._held: list[SliceInHand] = []

    def claim(self) -> SliceInHand | None:
        """Take the next slice, whose rows begin to come at once; None when there is none at the moment."""
        held = [part.claim.slice_no for part in self._held]
        claim = self._database.run(lambda db: claim_slice(db, self._schema, self._worker, held))
        if claim is None:
            return None
        part = SliceInHand(claim, self._opener.open(claim.start, claim.end, claim.behind))
        self._held.append(part)
        return part

    def renew(self, part: SliceInHand) -> None:
        """Say that the worker is alive though it commits nothing."""
        self._database.run(lambda db: renew(db, self._schema, part.claim))

    def finish(self, part: SliceInHand) -> None:
        """Mark a slice done, all of which is committed."""
        claim = part.claim
        self._database.run(lambda db: finish_slice(db, self._schema, claim))
        self._held.remove(part)
        _log.info("slice done", slice=claim.slice_no, rows_read=claim.rows_read)

    def hand_back(self) -> None:
        """Let others have what is not finished."""
        for part in self._held:
            try:
                release(self._database.run(lambda db: db), self._schema, part.claim)
            except Exception as error:
                # The lease ends it otherwise.
                _log.warning("could not hand the slice back", slice=part.claim.slice_no, error=type(error).__name__)
        self._held.clear()
