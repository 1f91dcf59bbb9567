"""``python -m labeltask_gateway.write_openapi FILE``: the OpenAPI document, made without a cluster."""

import json
import sys
from pathlib import Path
from typing import Any, cast

from labeltask_gateway.app import Backends, create_app
from labeltask_gateway.settings import Settings


def document_text() -> str:
    """Return the document."""
    # Describing the routes calls none of the backends.
    nothing = cast("Any", None)
    app = create_app(Settings(namespace="any"), Backends(nothing, nothing, nothing, nothing, nothing), {})
    return json.dumps(app.openapi(), ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document_text(), encoding="utf-8")
