"""``python -m labeltask_operator``: settings from the environment, then kopf until the process is told to stop."""

import os
import socket
import sys

import kopf
from pydantic import ValidationError

from labeltask_logs.json_lines import configure_logging
from labeltask_operator import handlers  # noqa: F401 - registers the handlers
from labeltask_operator.settings import Settings

# kopf and aiohttp tell of each event and probe that went well; urllib3 of each connection it drops.
CHATTY = ("kopf.objects", "kopf.activities.probe", "aiohttp.access", "urllib3")


def main() -> int:
    """Run the operator; return the exit code."""
    try:
        settings = Settings()  # the environment gives what has no default
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False, include_context=False):
            field = "_".join(str(part) for part in problem["loc"])
            sys.stderr.write(f"LABELTASK_{field.upper()}: {problem['msg']}\n")
        return 2
    configure_logging(settings.log_level, errors_only=CHATTY)
    # kopf names itself; without this it asks for the account's name, which uid 65532 has none of in the image.
    os.environ.setdefault("POD_ID", socket.gethostname())
    kopf.run(
        standalone=True,
        namespaces=settings.namespaces,
        liveness_endpoint=f"http://0.0.0.0:{settings.liveness_port}/healthz",
        memo=kopf.Memo(settings=settings),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
