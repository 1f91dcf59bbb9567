"""Log lines on stderr, each with the task's id: JSON, on a terminal words. Values of variables never get into them."""

import logging
import sys

import structlog
from structlog.typing import Processor


def configure_logs() -> None:
    """Make structlog write to stderr: one JSON object a line, on a terminal a line that people read."""
    clock = structlog.processors.TimeStamper(fmt="iso", utc=True)
    renderer: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if sys.stderr.isatty():
        clock = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
        # Its own tracebacks would show local variables.
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            clock,
            # Tracebacks without locals: those hold rows and, somewhere, the password.
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # Looked up for each line: a progress bar stands in for stderr while it is shown.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
