"""JSON lines on stderr, one object a line, each with the task's id. Values of variables never get into them."""

import logging
import sys

import structlog


def configure_logs() -> None:
    """Make structlog write JSON lines to stderr."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Tracebacks without locals: those hold rows and, somewhere, the password.
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # Looked up for each line: a progress bar stands in for stderr while it is shown.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
