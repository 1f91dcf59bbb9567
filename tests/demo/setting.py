"""What the demo needs before its first request: cluster, images, a filled database, the chart."""

from demo.tasks import END, START
from labeltask_testing.cluster_database import SOURCE_TABLE, ClusterDatabase
from labeltask_testing.installation import Installation
from labeltask_testing.source_rows import create_source_table, generate_posts, load_posts
from localkube.cache import exclusive_lock
from localkube.cluster import ensure_cluster, ensure_tools
from localkube.engine import current_engine
from localkube.images import ImageReferences, ensure_images
from localkube.kind_config import DEMO_DATABASE, DEMO_GATEWAY
from localkube.reporting import step

ROW_COUNT = 200_000
DEMO_PASSWORD = "demo-only"
NAMESPACE = "labeltask-demo"


def prepare() -> Installation:
    """Afterwards the gateway answers and the source table is full. A second call takes seconds."""
    images = ensure_cluster_with_images()
    database = ClusterDatabase(
        namespace=NAMESPACE,
        port=DEMO_DATABASE,
        image=images.mariadb,
        root_password=DEMO_PASSWORD,
        user="labeltask",
        password=DEMO_PASSWORD,
        source_schema="wh_demo",
        output_schema="audience_result",
    )
    demo = Installation("labeltask", NAMESPACE, DEMO_GATEWAY, database, images)
    with step("install database and chart", expected="20 s"):
        demo.install()
    _fill(database)
    return demo


def ensure_cluster_with_images() -> ImageReferences:
    """Afterwards a cluster runs and its nodes hold today's images."""
    with exclusive_lock():
        engine = current_engine()
        ensure_tools(engine)
        ensure_cluster(engine)
        return ensure_images(engine)


def _fill(database: ClusterDatabase) -> None:
    with database.as_root() as connection:
        create_source_table(connection, database.source_schema, SOURCE_TABLE)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*) FROM `{database.source_schema}`.`{SOURCE_TABLE}`")
            (found,) = cursor.fetchall()
        if found[0] == ROW_COUNT:
            return
        with step(f"fill {database.source_schema}.{SOURCE_TABLE} with {ROW_COUNT:,} posts", expected="15 s"):
            with connection.cursor() as cursor:
                cursor.execute(f"TRUNCATE TABLE `{database.source_schema}`.`{SOURCE_TABLE}`")
            posts = generate_posts(ROW_COUNT, seed=1, start=START, end=END)
            load_posts(connection, database.source_schema, SOURCE_TABLE, posts)
