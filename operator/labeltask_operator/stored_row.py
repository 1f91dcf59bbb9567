"""What is known of a task's row in the ``state`` table, and since when. Frozen; every look makes a new one."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from labeltask_contract.stat import ProdStat, Stat, is_final
from labeltask_store.state_table import StoredProgress


@dataclass(frozen=True)
class StoredRow:
    """``known`` tells "there is no row" (``progress`` None) from "nobody could look"."""

    known: bool = False
    progress: StoredProgress | None = None
    seen_at: datetime | None = None
    """When ``stat`` was first seen as it is."""
    read_at: datetime | None = None
    trouble: str = ""
    """Why nobody could look."""
    trouble_since: datetime | None = None

    @property
    def stat(self) -> Stat | None:
        """``state.stat``."""
        return None if self.progress is None else self.progress.state.stat

    @property
    def prod_stat(self) -> ProdStat | None:
        """``state.prod_stat``."""
        return None if self.progress is None else self.progress.state.prod_stat

    @property
    def error_message(self) -> str | None:
        """``state.error_message``."""
        return None if self.progress is None else self.progress.state.error_message

    @property
    def fresh(self) -> bool:
        """Whether the last look succeeded."""
        return self.known and not self.trouble

    @property
    def final(self) -> bool:
        """Whether the row never changes any more."""
        return is_final(self.stat, self.prod_stat)

    def seen_for(self, now: datetime) -> float:
        """Seconds since ``stat`` was first seen as it is."""
        return 0.0 if self.seen_at is None else (now - self.seen_at).total_seconds()

    def unreachable_for(self, now: datetime, seconds: float) -> bool:
        """Tell whether nobody could look for at least ``seconds``."""
        return self.trouble_since is not None and (now - self.trouble_since).total_seconds() >= seconds

    def last_heartbeat(self) -> datetime | None:
        """When a worker last wrote that it lives, by this machine's clock."""
        if self.progress is None or self.progress.seconds_since_heartbeat is None or self.read_at is None:
            return None
        return self.read_at - timedelta(seconds=self.progress.seconds_since_heartbeat)

    def heartbeat_age(self, now: datetime) -> float | None:
        """Seconds since then."""
        last = self.last_heartbeat()
        return None if last is None else (now - last).total_seconds()

    def after_read(self, progress: StoredProgress | None, now: datetime) -> "StoredRow":
        """Return the row as it is after a look that found ``progress``."""
        found = StoredRow(known=True, progress=progress, read_at=now)
        same = self.known and found.stat is self.stat and found.prod_stat is self.prod_stat
        return StoredRow(True, progress, self.seen_at if same else now, now)

    def after_trouble(self, trouble: str, now: datetime) -> "StoredRow":
        """Return the row as it is after a look that failed: what was known stays, but is not fresh."""
        since = self.trouble_since or now
        return StoredRow(self.known, self.progress, self.seen_at, self.read_at, trouble, since)
