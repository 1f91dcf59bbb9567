"""One installation for all cluster tests: a namespace, a database with 20,000 posts, the chart.

The cluster itself is reused when one runs, and stays; the namespace is made anew and deleted at the end.
"""

import json
import secrets
from collections.abc import Iterator

import pytest

from demo.setting import ensure_cluster_with_images
from labeltask_testing.cluster_commands import apply, ensure_namespace, kubectl
from labeltask_testing.cluster_database import SOURCE_TABLE, ClusterDatabase
from labeltask_testing.holds import slow_small_batches
from labeltask_testing.installation import Installation
from labeltask_testing.requests import GENDER
from labeltask_testing.source_rows import Post, create_source_table, generate_posts, load_posts
from localkube.kind_config import TEST_DATABASE, TEST_GATEWAY

NAMESPACE = "labeltask-test"
DEFAULT_CONNECTION = "default-connection"
SETTINGS = (
    "worker.allowImageOverride=true",
    "operator.pollSeconds=1",
    "operator.statusSeconds=1",
    f'connections={{"main": {{"existingSecret": "{DEFAULT_CONNECTION}"}}}}',
    'defaultConnection="main"',
    'historySchemas=["audience_result"]',
    'queues={"held": 0}',
    # Text inside JSON inside a setting: for requests whose PATTERN is empty.
    f"gateway.defaultRules={json.dumps(json.dumps({'keyword_model': {'author_name': GENDER}}))}",
)


@pytest.fixture(scope="session")
def posts() -> list[Post]:
    return list(generate_posts(20_000, seed=4))


@pytest.fixture(scope="session")
def installation(posts: list[Post]) -> Iterator[Installation]:
    images = ensure_cluster_with_images()
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout", "180s", timeout_seconds=200)
    database = ClusterDatabase(
        namespace=NAMESPACE,
        port=TEST_DATABASE,
        image=images.mariadb,
        root_password=secrets.token_hex(),
        user="labeltask",
        # A canary: test_credentials.py looks for it everywhere. The quotes and signs break careless escaping.
        password=f"p@ss:/%#?'\"\\密-canary-{secrets.token_hex(8)}",
        source_schema="wh_test",
        output_schema="audience_result",
    )
    installed = Installation("labeltask", NAMESPACE, TEST_GATEWAY, database, images)
    ensure_namespace(NAMESPACE)
    make_connection_secret(installed, DEFAULT_CONNECTION)
    installed.install(*SETTINGS)
    with database.as_root() as connection:
        create_source_table(connection, database.source_schema, SOURCE_TABLE)
        load_posts(connection, database.source_schema, SOURCE_TABLE, posts)
    slow_small_batches(database.as_root, database.output_schema)
    yield installed
    # A pod whose files are missing ends no sooner than the kubelet's wait for them, two minutes.
    kubectl("delete", "namespace", NAMESPACE, "--timeout", "180s", timeout_seconds=200)


@pytest.fixture(scope="session")
def connection_secret(installation: Installation) -> str:
    """Name of a Secret with the connection, as a kubectl user makes one."""
    make_connection_secret(installation, "by-kubectl")
    return "by-kubectl"


def make_connection_secret(installation: Installation, name: str) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": installation.namespace},
        "stringData": {"connection.json": json.dumps(installation.database.site_config)},
    }
    apply(secret)
