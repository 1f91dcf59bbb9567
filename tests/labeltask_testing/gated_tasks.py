"""Tasks that go on slowly until their gate opens, so that no test depends on how fast the machine is.

While the gate of an output schema is closed, the server takes two seconds (or as many as are said) for each row that
goes to the table Ptt; a task of one row a transaction then commits rows all the time and is minutes from its end. An
open gate costs nothing.
"""

from dataclasses import dataclass
from typing import Any

from labeltask_testing.cluster_commands import apply
from labeltask_testing.database_rows import assert_as_expected, state
from labeltask_testing.installation import Body, Installation, wait_until
from labeltask_testing.requests import expected_rows, gender_request, gender_resource
from labeltask_testing.running_tasks import wait_rows
from labeltask_testing.source_rows import Post, create_source_table, generate_posts, load_posts

TABLE = "gated_posts"
ROWS = 2_000
"""66 of them go to Ptt."""
_RIGHTS = "CREATE, ALTER, INDEX, SELECT, INSERT, UPDATE, DELETE, DROP"
_RESULT_COLUMNS = (
    "id VARCHAR(32) NOT NULL, task_id VARCHAR(32) NOT NULL, source_author TEXT, panel VARCHAR(200), "
    "create_time DATETIME, field_content TEXT, match_content LONGTEXT, KEY task (task_id)"
)


@dataclass(frozen=True)
class GatedTasks:
    """Tasks that share an output schema and its gate, which is closed at first."""

    installation: Installation
    secret: str
    schema: str
    posts: list[Post]

    def open(self) -> None:
        """Let everything through from now on."""
        self.close(seconds=0)

    def close(self, seconds: int = 2) -> None:
        """Hold everything up again, for so long at each row that goes to Ptt."""
        self._run(f"UPDATE {self.schema}.gate SET seconds = {seconds}")

    def resource(self, name: str, **changes: Any) -> Body:
        """A LabelTask; changes are fields of its spec. A queue of its own, so that none waits for another."""
        source = {"schema": self.installation.database.source_schema, "table": TABLE}
        own = {"input": source, "output": {"schema": self.schema}, "batchRows": 1, "queue": name}
        return gender_resource(self.installation, name, self.secret, **{**own, **changes})

    def create(self, *names: str, **changes: Any) -> None:
        """Create tasks."""
        apply(*(self.resource(name, **changes) for name in names))

    def start(self, *names: str, **changes: Any) -> dict[str, str]:
        """Create tasks and wait until each has committed rows; return their ids by name."""
        self.create(*names, **changes)
        for name in names:
            wait_rows(self.installation, name, more_than=0)
        return {name: self.task_id(name) for name in names}

    def task_id(self, name: str) -> str:
        """The id that the operator has given a task."""
        return str(self.installation.label_task(name)["status"]["taskId"])

    def row(self, task_id: str) -> dict[str, Any]:
        """The task's row of the state table."""
        with self.installation.database.as_root() as db:
            return state(db, self.schema, task_id)

    def wait_finished_row(self, task_id: str, seconds: float = 90) -> None:
        """Wait until the state table says that all is done, whoever knows of it."""
        wait_until(lambda: self.row(task_id)["prod_stat"], lambda seen: seen == "finish", seconds=seconds, what=task_id)

    def wait_stat(self, name: str, stat: str, seconds: float = 60) -> Body:
        """Wait until the status tells of that end, and return it."""
        found: Body = wait_until(
            lambda: self.installation.label_task(name).get("status", {}),
            lambda seen: "completionTime" in seen,
            seconds=seconds,
            what=f"the end of {name}",
        )
        assert found["stat"] == stat, found
        return found

    def assert_whole(self, name: str, seconds: float = 90) -> Body:
        """The task ends in SUCCESS with exactly the rows of an undisturbed run; return its status."""
        status = self.wait_stat(name, "SUCCESS", seconds)
        assert (status["prodStat"], status.get("reason"), status.get("errorMessage")) == ("finish", None, None)
        expected = expected_rows(self.posts, status["taskId"], gender_request(self.installation))
        with self.installation.database.as_root() as db:
            assert_as_expected(db, self.schema, status["taskId"], expected)
        return status

    def _run(self, *statements: str) -> None:
        with self.installation.database.as_root() as db, db.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


def gated_tasks(installation: Installation, secret: str, schema: str) -> GatedTasks:
    """Have source table, output schema and closed gate."""
    posts = list(generate_posts(ROWS, seed=8))
    tasks = GatedTasks(installation, secret, schema, posts)
    source = installation.database.source_schema
    with installation.database.as_root() as db, db.cursor() as cursor:
        create_source_table(db, source, TABLE)
        cursor.execute(f"SELECT COUNT(*) FROM {source}.{TABLE}")
        if cursor.fetchone() == (0,):
            load_posts(db, source, TABLE, posts)
        for statement in (
            f"CREATE DATABASE IF NOT EXISTS {schema} CHARACTER SET utf8mb4",
            f"GRANT {_RIGHTS} ON {schema}.* TO '{installation.database.user}'@'%'",
            f"CREATE TABLE IF NOT EXISTS {schema}.Ptt ({_RESULT_COLUMNS}) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            f"CREATE OR REPLACE TABLE {schema}.gate (seconds INT)",
            f"INSERT INTO {schema}.gate VALUES (2)",
            f"CREATE OR REPLACE TRIGGER {schema}.gated BEFORE INSERT ON {schema}.Ptt FOR EACH ROW "
            f"DO SLEEP((SELECT seconds FROM {schema}.gate))",
        ):
            cursor.execute(statement)
    return tasks
