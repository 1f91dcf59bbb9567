"""The operator with many tasks on a real cluster: ``python -m benchmarks.operator_scale --tasks 1000``.

First so many small tasks are created at once. A watch on Jobs, which sees every change in order, proves that each got
one Job and that never more than ``--limit`` ran; CRs and state rows must all say SUCCESS. Reported
besides: time, the operator's peak memory, the requests that the API server served meanwhile, and those that it refused
with 429; the official client has no throttle of its own.

It takes the demo's ports, so the demo must not be installed; its namespace is its own and is deleted at the end.
"""

import argparse
import json
import secrets
import sys
import time

from kubernetes import client

from benchmarks.operator_figures import connect, create_tasks, following, operator_memory, requests_so_far, stats
from demo.setting import ensure_cluster_with_images
from labeltask_testing.cluster_commands import apply, ensure_namespace, kubectl
from labeltask_testing.cluster_database import SOURCE_TABLE, ClusterDatabase
from labeltask_testing.installation import Installation, wait_until
from labeltask_testing.requests import gender_resource
from labeltask_testing.source_rows import create_source_table, generate_posts, load_posts
from localkube.kind_config import DEMO_DATABASE, DEMO_GATEWAY

NAMESPACE = "labeltask-scale"
SECRET = "database-account"
OF_THE_OPERATOR = {
    ("PATCH", "labeltasks/status"),
    ("POST", "jobs"),
    ("PATCH", "jobs"),
    ("LIST", "labeltasks"),
    ("GET", "labeltasks"),
    ("LIST", "jobs"),
    ("LIST", "pods"),
    ("POST", "configmaps"),
    ("GET", "secrets"),
    ("POST", "events"),
}
"""Kinds of requests to report; others, above all the kubelet's, ask for secrets, events and pods too."""


def install(limit: int) -> Installation:
    """Chart, database with 200 posts, and a queue of ``limit`` places."""
    images = ensure_cluster_with_images()
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout", "300s", timeout_seconds=330)
    database = ClusterDatabase(
        namespace=NAMESPACE,
        port=DEMO_DATABASE,
        image=images.mariadb,
        root_password=secrets.token_hex(),
        user="labeltask",
        password=secrets.token_hex(),
        source_schema="wh_scale",
        output_schema="audience_result",
    )
    installed = Installation("labeltask", NAMESPACE, DEMO_GATEWAY, database, images)
    ensure_namespace(NAMESPACE)
    account = {"name": SECRET, "namespace": NAMESPACE}
    content = {"connection.json": json.dumps(database.site_config)}
    apply({"apiVersion": "v1", "kind": "Secret", "metadata": account, "stringData": content})
    installed.install(f"defaultQueueLimit={limit}")
    with database.as_root() as connection:
        create_source_table(connection, database.source_schema, SOURCE_TABLE)
        load_posts(connection, database.source_schema, SOURCE_TABLE, list(generate_posts(200, seed=5)))
    return installed


def rows_final(installed: Installation) -> int:
    """Return how many state rows are SUCCESS with phase 2 done."""
    with installed.database.as_root() as db, db.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'state'")
        if cursor.fetchone() == (0,):
            return 0
        schema = installed.database.output_schema
        cursor.execute(f"SELECT COUNT(*) FROM `{schema}`.`state` WHERE stat = 'SUCCESS' AND prod_stat = 'finish'")
        return int((cursor.fetchone() or (0,))[0])


def measure_rush(api: client.ApiClient, installed: Installation, count: int, limit: int, seconds: float) -> list[str]:
    """Create ``count`` tasks at once and follow them to their end; return what was wrong."""
    rush = [gender_resource(installed, f"rush-{index:05}", SECRET, countdownSeconds=0) for index in range(count)]
    before, began = requests_so_far(), time.monotonic()
    with following(api, NAMESPACE) as jobs:
        created = create_tasks(api, rush)
        print(f"created {count:,} LabelTasks in {created:.1f} s", flush=True)
        shown = time.monotonic()

        def done() -> int:
            nonlocal shown
            found = rows_final(installed)
            if time.monotonic() - shown > 60:
                shown = time.monotonic()
                print(
                    f"  {shown - began:6.0f} s: {found:,} done, operator {operator_memory(NAMESPACE)[0]} MiB",
                    flush=True,
                )
            return found

        wait_until(done, lambda found: found >= count, seconds=seconds, what="all state rows to be SUCCESS")
        told = wait_until(
            lambda: stats(NAMESPACE),
            lambda found: found == {("SUCCESS", "finish"): count},
            seconds=60,
            what="all CRs to be SUCCESS",
        )
        took = time.monotonic() - began
        wait_until(lambda: len(jobs.unfinished), lambda left: left == 0, seconds=60, what="all Jobs to end")
    used = requests_so_far() - before
    now, peak = operator_memory(NAMESPACE)
    print(f"{count:,} tasks: {took:.0f} s, {count / took:.2f} tasks/s, at most {jobs.most_at_once} Jobs at once")
    print(f"Jobs: {len(jobs.uids):,} created, {len(jobs.failed)} failed; LabelTasks: {dict(told)}")
    print(f"operator: {now} MiB, peak {peak} MiB")
    print(f"refused with 429: {used['429', 'all']}")
    for verb, resource in sorted(OF_THE_OPERATOR):
        print(f"  {verb:6} {resource:18} {used[verb, resource]:8,}  {used[verb, resource] / count:6.2f} a task")
    wrong = []
    if len(jobs.uids) != count:
        wrong.append(f"{len(jobs.uids)} Jobs for {count} tasks")
    if jobs.most_at_once > limit:
        wrong.append(f"{jobs.most_at_once} Jobs at once, the limit is {limit}")
    if peak >= 200:
        wrong.append(f"the operator took {peak} MiB")
    return wrong


def main() -> int:
    """Measure; return 1 when a bound does not hold."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--tasks", type=int, default=100)
    asked.add_argument("--limit", type=int, default=10, help="tasks that may run at once")
    asked.add_argument("--seconds", type=float, default=3600, help="for all tasks together")
    chosen = asked.parse_args()
    installed = install(chosen.limit)
    api = connect()
    print(f"operator at the start: {operator_memory(NAMESPACE)[0]} MiB", flush=True)
    wrong = measure_rush(api, installed, chosen.tasks, chosen.limit, chosen.seconds)
    for problem in wrong:
        print(f"WRONG: {problem}")
    kubectl("delete", "namespace", NAMESPACE, "--timeout", "600s", timeout_seconds=630)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
