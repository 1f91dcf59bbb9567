"""A MariaDB (MySQL 8.4 with Docker) in the cluster: a source schema, an output schema, a least-privilege account.

The data lives in the pod: deleting the pod empties it. Reached from this machine at a port of 127.0.0.1.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pymysql
import pymysql.connections
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from labeltask_testing.cluster_commands import Manifest, apply, wait_rollout
from localkube.kind_config import PortMapping

NAME = "database"
SOURCE_TABLE = "ts_page_content"
SOURCE_COLUMNS = (
    "id VARCHAR(32) NOT NULL PRIMARY KEY, s_id VARCHAR(32), s_area_id VARCHAR(64), author VARCHAR(255), title TEXT, "
    "content LONGTEXT, post_time DATETIME, KEY post_time (post_time)"
)
Db = pymysql.connections.Connection


@dataclass(frozen=True)
class ClusterDatabase:
    """One database server in one namespace."""

    namespace: str
    port: PortMapping
    image: str
    root_password: str
    user: str
    password: str
    source_schema: str
    output_schema: str

    @property
    def host_in_cluster(self) -> str:
        """The name under which pods reach it."""
        return f"{NAME}.{self.namespace}.svc.cluster.local"

    @property
    def site_config(self) -> dict[str, str | int]:
        """SITE_CONFIG as a caller sends it."""
        return {
            "host": self.host_in_cluster,
            "port": 3306,
            "user": self.user,
            "password": self.password,
            "db": self.source_schema,
            "charset": "utf8mb4",
        }

    @contextmanager
    def as_root(self) -> Iterator[Db]:
        """A connection from this machine with every right; committed at the end."""
        connection = _connect(self.port.host_port, self.root_password)
        try:
            yield connection
            connection.commit()
        finally:
            connection.close()


def deploy(database: ClusterDatabase) -> None:
    """Afterwards the server answers, and schemas and account exist. Harmless to repeat."""
    apply(*_manifests(database))
    wait_rollout(database.namespace, f"deployment/{NAME}")
    with database.as_root() as connection, connection.cursor() as cursor:
        for schema in (database.source_schema, database.output_schema):
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{schema}` CHARACTER SET utf8mb4")
        account = (database.user,)
        cursor.execute("CREATE USER IF NOT EXISTS %s@'%%' IDENTIFIED BY %s", (*account, database.password))
        cursor.execute(f"GRANT SELECT ON `{database.source_schema}`.* TO %s@'%%'", account)
        rights = "CREATE, ALTER, INDEX, SELECT, INSERT, UPDATE, DELETE, DROP"
        cursor.execute(f"GRANT {rights} ON `{database.output_schema}`.* TO %s@'%%'", account)


@retry(retry=retry_if_exception_type(pymysql.err.OperationalError), stop=stop_after_delay(60), wait=wait_fixed(0.5))
def _connect(port: int, password: str) -> Db:
    return pymysql.connect(
        host="127.0.0.1",
        port=port,
        user="root",
        password=password,
        charset="utf8mb4",
        connect_timeout=5,
        read_timeout=120,
        write_timeout=120,
    )


def _manifests(database: ClusterDatabase) -> list[Manifest]:
    labels = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "labeltask"}
    metadata = {"name": NAME, "namespace": database.namespace, "labels": labels}
    volumes = {"data": "/var/lib/mysql", "run": "/run/mysqld", "tmp": "/tmp"}
    container = {
        "name": NAME,
        "image": database.image,
        "env": [{"name": "MYSQL_ROOT_PASSWORD_FILE", "value": "/etc/database/root-password"}],
        "ports": [{"name": "mysql", "containerPort": 3306}],
        "readinessProbe": {"tcpSocket": {"port": "mysql"}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "2Gi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            *({"name": name, "mountPath": path} for name, path in volumes.items()),
            {"name": "passwords", "mountPath": "/etc/database", "readOnly": True},
        ],
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 999,
            "runAsGroup": 999,
            "fsGroup": 999,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            *({"name": name, "emptyDir": {}} for name in volumes),
            {"name": "passwords", "secret": {"secretName": NAME}},
        ],
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata,
            "stringData": {"root-password": database.root_password},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {
                "type": "NodePort",
                "selector": labels,
                "ports": [{"name": "mysql", "port": 3306, "targetPort": "mysql", "nodePort": database.port.node_port}],
            },
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "replicas": 1,
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
    ]
