"""The worker with a fraction of its patience, so that tests see the end of it: ``python impatient_worker.py run …``.

Seconds from the environment: IMPATIENT_READ, IMPATIENT_RETRY, IMPATIENT_IDLE (what it asks of the server, too, while it
takes no rows). Everything else is the worker's own.
"""

import os

from labeltask_store import connection

# Before anybody else imports it by name.
connection.READ_SECONDS = int(os.environ["IMPATIENT_READ"])
connection.STREAM_WRITE_SECONDS = int(os.environ["IMPATIENT_IDLE"])

from labeltask_worker import database  # noqa: E402

database.RETRY_SECONDS = float(os.environ["IMPATIENT_RETRY"])
database.IDLE_SECONDS = int(os.environ["IMPATIENT_IDLE"])

from labeltask_worker.commands import app  # noqa: E402

app()
