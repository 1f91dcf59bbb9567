"""Worker throughput against the floor, a plain client that streams the same rows: ``python -m benchmarks.worker``.

Starts a MariaDB of its own and fills it (kept in ``--data`` for the next time). Every case is repeated, client and
worker in turn; seconds are the minimum, ratios are of minimums of one run. Run it on a machine that does nothing else.
"""

import argparse
import os
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.data import ensure_table, expressions, keywords, sample_texts
from benchmarks.runs import Timing, make_task, time_client, time_dry_run, time_workers
from labeltask_testing.mariadb import Server, kept_server

OPTIONS = (
    "--innodb-buffer-pool-size=3G",
    "--innodb-log-file-size=512M",
    "--innodb-flush-log-at-trx-commit=1",
    "--max-allowed-packet=64M",
)
NARROW = ("id, s_id, author, post_time", "author")
WIDE = ("id, s_id, author, post_time, content", "content")


class Bench:
    """One table, and the cases that read it."""

    def __init__(self, server: Server, rows: int, repeat: int, scratch: Path) -> None:
        self.server, self.rows, self.repeat, self.scratch = server, rows, repeat, scratch
        self.table = ensure_table(server, rows)
        self.authors, self.contents = sample_texts(server, self.table, 20_000 / rows)

    def clients(self, what: tuple[str, str]) -> float:
        """Time the plain client; print its rate."""
        seconds, size = min(time_client(self.server, self.table, *what) for _ in range(self.repeat))
        print(f"  client: {self.rows / seconds:>9,.0f} rows/s, {size / self.rows:.0f} bytes a row", flush=True)
        return seconds

    def full(self, name: str, pattern: dict[str, Any], client: float, *, workers: int = 1, **changes: Any) -> Timing:
        """Time whole tasks; print rates and their ratio to the client."""
        folder = self.scratch / name
        timings = []
        for _ in range(self.repeat):
            task = make_task(folder, self.server, self.table, pattern, **changes)
            timings.append(time_workers(self.server, folder, task, workers))
        best = min(timings, key=lambda timing: timing.labelling)
        print(
            f"  {name}: phase 1 {best.rows_read / best.labelling:,.0f} rows/s = {client / best.labelling:.0%} of the "
            f"client; whole process {best.rows_read / best.whole:,.0f} rows/s = {client / best.whole:.0%}; "
            f"{best.rows_labelled / best.rows_read:.1%} labelled; phase 2 {best.producing:.2f} s "
            f"({best.producing / best.whole:.0%}, {best.rows_labelled / best.producing:,.0f} rows/s); "
            f"processor in phase 1: worker {min(t.worker_cpu for t in timings):.2f} s, "
            f"server {min(t.server_cpu for t in timings):.2f} s; peak {max(t.peak_mib for t in timings):.0f} MiB",
            flush=True,
        )
        return best

    def dry(self, name: str, pattern: dict[str, Any], client: float, **changes: Any) -> None:
        """Time dry runs."""
        folder = self.scratch / name
        make_task(folder, self.server, self.table, pattern, **changes)
        best = min((time_dry_run(folder) for _ in range(self.repeat)), key=lambda found: float(found["seconds"]))
        rate = best["rows_read"] / best["seconds"]
        print(f"  {name}: {rate:,.0f} rows/s = {client / best['seconds']:.0%} of the client", flush=True)


def author(bench: Bench) -> None:
    client = bench.clients(NARROW)
    pattern = keywords(bench.authors, 4_600)
    bench.full("author, 4,600 keywords", pattern, client)
    bench.dry("author, dry run", pattern, client)


def batches(bench: Bench) -> None:
    client = bench.clients(NARROW)
    pattern = keywords(bench.authors, 4_600)
    for batch_rows in (5_000, 10_000, 20_000, 50_000):
        bench.full(f"author, batches of {batch_rows:,}", pattern, client, batch_rows=batch_rows)


def report(bench: Bench) -> None:
    client = bench.clients(NARROW)
    pattern = keywords(bench.authors, 4_600)
    for wanted in (False, True):
        bench.full(f"author, {'with' if wanted else 'without'} a rule report", pattern, client, rule_report=wanted)


def workers(bench: Bench) -> None:
    client = bench.clients(NARROW)
    pattern = keywords(bench.authors, 4_600)
    for number in (1, 2):
        bench.full(f"author, {number} workers", pattern, client, workers=number, parallelism=number)
    client = bench.clients(WIDE)
    pattern = keywords(bench.contents, 4_600)
    for number in (1, 2):
        name = f"content, {number} workers"
        bench.full(name, pattern, client, workers=number, parallelism=number, predict_type="content")
    # Each is tried on each text, so that the database has little to do.
    slow = {"規則": [r"(.)\1{3}", r"(..)\1", r"(...)\1", r"\d{3}\D\d{3}", r"\b[^\W\d]{9}\d", r"^.{40,}\d$"]}
    for number in (1, 2):
        name = f"content, expressions without literals, {number} workers"
        settings: dict[str, Any] = {"model_type": "rule_model", "predict_type": "content"}
        bench.full(name, slow, client, workers=number, parallelism=number, **settings)


def content(bench: Bench) -> None:
    client = bench.clients(WIDE)
    pattern = keywords(bench.contents, 4_600)
    bench.full("content, 4,600 keywords", pattern, client, predict_type="content")
    bench.dry("content, dry run", pattern, client, predict_type="content")


def rules(bench: Bench) -> None:
    client = bench.clients(WIDE)
    pattern = expressions(bench.contents)
    settings: dict[str, Any] = {"model_type": "rule_model", "predict_type": "content"}
    bench.full("content, 50 expressions", pattern, client, **settings)
    bench.dry("rules, dry run", pattern, client, **settings)
    compare_rules(bench.contents, pattern)


def compare_rules(texts: list[str], pattern: dict[str, list[str]]) -> None:
    """Time the matcher alone against ``re.search`` for each expression in a loop; both must give the same."""
    from labeltask_contract.pattern import ModelType, parse_rest_pattern
    from labeltask_contract.spec import Policy
    from labeltask_worker.matching import build_matcher

    encoded = [text.encode() for text in texts]
    matcher = build_matcher(ModelType.RULE_MODEL, parse_rest_pattern(pattern, ModelType.RULE_MODEL), Policy.ALL)

    def product() -> list[tuple[int, tuple[int, ...]]]:
        return [
            (first + number, found)
            for first in range(0, len(encoded), 5_000)
            for number, found in matcher.match(encoded[first : first + 5_000]).labelled
        ]

    def loop() -> list[tuple[int, tuple[int, ...]]]:
        found = []
        for number, text in enumerate(texts):
            lowered = text.lower()
            labels = tuple(
                label
                for label, rules in enumerate(pattern.values())
                if sum(re.search(rule, lowered) is not None for rule in rules)
            )
            if labels:
                found.append((number, labels))
        return found

    assert product() == loop()
    quick, slow = (min(_seconds(work) for _ in range(3)) for work in (product, loop))
    rates = f"{len(texts) / quick:,.0f} against {len(texts) / slow:,.0f} rows/s"
    print(f"  matching alone: {rates}, {slow / quick:.1f} x re.search in a loop, equal on {len(texts):,} texts")


def many(bench: Bench) -> None:
    """Print what 100,000 keywords cost against 4,600: building and matching."""
    from labeltask_contract.pattern import ModelType, parse_rest_pattern
    from labeltask_contract.spec import Policy
    from labeltask_worker.matching import build_matcher

    for name, texts in (("author", bench.authors), ("content", bench.contents)):
        encoded = [text.encode() for text in texts]
        for count in (4_600, 100_000):
            parsed = parse_rest_pattern(_many_keywords(texts, count), ModelType.KEYWORD_MODEL)
            built = min(_seconds(lambda: build_matcher(ModelType.KEYWORD_MODEL, parsed, Policy.FIRST)) for _ in "123")  # noqa: B023
            matcher = build_matcher(ModelType.KEYWORD_MODEL, parsed, Policy.FIRST)
            seconds = min(_seconds(lambda: _match_all(matcher, encoded)) for _ in "12345")  # noqa: B023
            print(f"  {name}, {count:,} keywords: built in {built:.2f} s, {len(texts) / seconds:,.0f} rows/s matched")


def _many_keywords(texts: list[str], count: int) -> dict[str, Any]:
    pattern = keywords(texts[:2_000], 4_600)
    for number in range(count - 4_600):
        text = texts[number % len(texts)]
        first = number % 7
        pattern["標籤0"].append([text[first : first + 3][::-1] + f"{number:x}", "partially"])
    return pattern


def _match_all(matcher: Any, texts: list[bytes]) -> None:
    for first in range(0, len(texts), 5_000):
        matcher.match(texts[first : first + 5_000])


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


CASES = {case.__name__: case for case in (author, content, rules, many, batches, report, workers)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[[], *CASES], help="which, in order; without any: all")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--data", type=Path, help="folder that keeps the server's data; without it they are made anew")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="labeltask-bench-") as scratch,
        kept_server(arguments.data or Path(scratch) / "server", *OPTIONS) as server,
    ):
        bench = Bench(server, arguments.rows, arguments.repeat, Path(scratch))
        print(f"{arguments.rows:,} rows, {os.cpu_count()} cores, minimum of {arguments.repeat}", flush=True)
        for name in arguments.cases or CASES:
            print(name, flush=True)
            CASES[name](bench)


if __name__ == "__main__":
    main()
