"""``python -m labeltask_operator``: settings from the environment, then kopf until the process is told to stop."""

import os
import socket
import sys

import kopf
from pydantic import ValidationError

from labeltask_operator import handlers  # noqa: F401 - registers the handlers
from labeltask_operator.logs import configure_logs
from labeltask_operator.settings import Settings


def main() -> int:
    """Run the operator; return the exit code."""
    try:
        settings = Settings()  # the environment gives what has no default
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False, include_context=False):
            field = "_".join(str(part) for part in problem["loc"])
            sys.stderr.write(f"LABELTASK_{field.upper()}: {problem['msg']}\n")
        return 2
    configure_logs(settings.log_level)
    # kopf names itself; without this it asks for the account's name, which uid 65532 has none of in the image.
    os.environ.setdefault("POD_ID", socket.gethostname())
    kopf.run(
        standalone=True,
        namespaces=[settings.namespace],
        liveness_endpoint=f"http://0.0.0.0:{settings.liveness_port}/healthz",
        memo=kopf.Memo(settings=settings),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
