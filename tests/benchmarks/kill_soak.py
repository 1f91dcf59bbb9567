"""Exactly once, by force: runs killed at random moments end as undisturbed ones do: ``python -m benchmarks.kill_soak``.

Each seed draws rows, model, policy, batch and slice sizes, one to four workers, and kills: after a random share of the
rows, after a random time, between INSERT and COMMIT, in the countdown, in phase 2; SIGKILL mostly, sometimes SIGTERM,
or SIGSTOP with a replacement and a thaw, or SIGKILL with no replacement until the lease of what it held is over. Then
the tables and the task's row are compared with the oracle, whole rows, both ways. Seeds that fail are printed;
``--first N --count 1`` repeats one.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from database.worker_runs import Running, Stage, Task, end_transactions, eventually, rows_committed
from labeltask_contract.stat import Stat
from labeltask_store.slices import LEASE_SECONDS
from labeltask_testing.mariadb import running_server
from labeltask_testing.source_rows import generate_posts, with_ids_in_no_order

LEASE_SHARE = 0.03
"""Each costs a minute and a half."""
_WAITING = "SELECT 1 FROM information_schema.processlist WHERE state LIKE 'Waiting for table metadata lock%'"


class Soak:
    """One seed: a task, its workers, and what happens to them."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.chance = random.Random(seed)
        self.stage = stage
        # A batch of a large table is labelled in several portions.
        large = seed % 4 == 3
        self.rows = self.chance.randrange(*(6_000, 20_000) if large else (300, 4_000))
        self.workers = self.chance.choice((1, 1, 2, 4))
        posts = generate_posts(self.rows, seed=seed)
        # Half of the tables lie in an order that has nothing to do with time.
        stage.load(posts if seed // 4 % 2 else with_ids_in_no_order(posts))
        self.task: Task = stage.task(
            model_type=self.chance.choice(("keyword_model", "rule_model")),
            predict_type=self.chance.choice(("author_name", "content", "title")),
            policy=self.chance.choice(("first", "most", "all")),
            batch_rows=self.chance.choice((2_500, 5_000) if large else (20, 50, 100, 500)),
            slice_rows=self.chance.choice((5_000, 20_000) if large else (100, 300, 1_000, 5_000)),
            countdown_seconds=self.chance.choice((0, 0, 1)),
            parallelism=self.workers,
        )
        self.running: dict[int, Running] = {}
        self.frozen: list[Running] = []
        self.done: Counter[str] = Counter()

    def run(self) -> Counter[str]:
        """Disturb the task, let it end, and compare; return what was done to it."""
        for index in range(self.workers):
            self.running[index] = self.task.start(index=index)
        for _ in range(self.chance.randrange(2, 6)):
            self.chance.choice((self.after_rows, self.after_time, self.before_commit, self.in_phase_two))()
            self.end_one()
        for run in self.frozen:
            run.send(signal.SIGCONT)
        for index, run in self.running.items():
            ended = run.wait(120)
            if ended.code == 75:
                # As the Job's controller does.
                self.running[index] = self.task.start(index=index)
                assert self.running[index].wait(120).code == 0, self.running[index].log()
            else:
                assert ended.code == 0, ended.log
        for run in self.frozen:
            assert run.wait(30).code in (0, 75), run.log()
        self.task.check()
        return self.done

    def after_rows(self) -> None:
        threshold = self.chance.randrange(self.rows)
        self.wait(lambda: rows_committed(self.task) >= threshold)

    def after_time(self) -> None:
        time.sleep(self.chance.uniform(0, 1.5))

    def in_phase_two(self) -> None:
        self.wait(lambda: self.stat() is Stat.SUCCESS)
        time.sleep(self.chance.uniform(0, 0.15))

    def before_commit(self) -> None:
        """Hold a worker where it has inserted rows and not committed, and kill it there."""
        threshold = self.chance.randrange(self.rows)
        self.wait(lambda: rows_committed(self.task) >= threshold)
        if not rows_committed(self.task) or self.stat() is Stat.SUCCESS:
            return
        with self.stage.server.admin() as db, db.cursor() as cursor:
            cursor.execute(f"LOCK TABLES `{self.stage.output_schema}`.label_author_digest WRITE")
            self.wait(lambda: bool(self.stage.server.execute(_WAITING)), seconds=1)
            if self.stage.server.execute(_WAITING):
                self.done["between INSERT and COMMIT"] += 1
                for index in self.running:
                    self.kill(index)

    def end_one(self) -> None:
        """End a worker that runs in one of the ways, and start its replacement."""
        for index, run in self.running.items():
            if run.process.poll() is not None:
                self.running[index] = self.task.start(index=index)
        if self.chance.random() < LEASE_SHARE and self.leave_to_lease():
            self.done["lease"] += 1
            return
        index = self.chance.choice(list(self.running))
        run = self.running[index]
        if run.process.poll() is not None:
            return
        way = self.chance.choice(("SIGKILL",) * 4 + ("SIGTERM", "SIGSTOP"))
        if way == "SIGSTOP":
            run.send(signal.SIGSTOP)
            end_transactions(self.stage.server)
            self.frozen.append(run)
        elif way == "SIGTERM":
            run.send(signal.SIGTERM)
            run.wait()
        else:
            self.kill(index)
        self.done[way] += 1
        self.running[index] = self.task.start(index=index)

    def leave_to_lease(self) -> bool:
        """Kill a worker that holds a slice and let another have it once the lease is over; tell whether one could."""
        schema = f"`{self.stage.output_schema}`.label_slice"
        if not rows_committed(self.task):
            return False
        held = self.stage.server.execute(
            f"SELECT slice_no, owner, owner_index FROM {schema} WHERE done_at IS NULL AND owner IS NOT NULL"
        )
        for slice_no, owner, index in held:
            others = [run for other, run in self.running.items() if other != index and run.process.poll() is None]
            if others and self.running[index].folder.name == owner.replace("-", "_"):
                self.kill(index)
                taken = f"SELECT owner_index FROM {schema} WHERE slice_no = {slice_no} AND owner <> '{owner}'"
                self.wait(lambda: bool(self.stage.server.execute(taken)), seconds=LEASE_SECONDS + 60)  # noqa: B023
                done = f"SELECT 1 FROM {schema} WHERE slice_no = {slice_no} AND done_at IS NOT NULL"
                assert self.stage.server.execute(taken) or self.stage.server.execute(done)
                self.running[index] = self.task.start(index=index)
                return True
        return False

    def kill(self, index: int) -> None:
        if self.running[index].process.poll() is None:
            self.running[index].kill()

    def stat(self) -> Stat | None:
        row = self.task.state()
        return row.stat if row else None

    def wait(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        """Wait for something, or for the end of every worker, or not for ever."""
        until = time.monotonic() + seconds
        eventually(
            lambda: (
                condition()
                or all(run.process.poll() is not None for run in self.running.values())
                or time.monotonic() > until
            ),
            seconds=seconds + 10,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--count", type=int, default=200, help="number of seeds")
    parser.add_argument("--minutes", type=float, default=600, help="no new seed is begun after this time")
    arguments = parser.parse_args()
    began = time.monotonic()
    total: Counter[str] = Counter()
    failed: list[int] = []
    runs = 0
    with tempfile.TemporaryDirectory(prefix="labeltask-soak-") as scratch, running_server() as server:
        for seed in range(arguments.first, arguments.first + arguments.count):
            if time.monotonic() - began > 60 * arguments.minutes:
                break
            stage = Stage(server, Path(scratch) / str(seed), f"in_{seed}", f"out_{seed}")
            stage.create()
            runs += 1
            try:
                done = Soak(stage, seed).run()
                total += done
                print(f"seed {seed}: right; {dict(done)}", flush=True)
            except Exception:
                failed.append(seed)
                print(f"seed {seed}: WRONG\n{traceback.format_exc()[-6000:]}", flush=True)
            finally:
                stage.drop()
    print(f"{runs} runs, {len(failed)} wrong {failed}, {dict(total)}, {time.monotonic() - began:.0f} s")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
