"""One JSON object a line on stdout, for a program's own lines and its libraries' alike.

Errors are logged by their class and the places they passed, never by their text: a library's text may quote what it
was given, and what it was given may be a password.
"""

import logging
import sys
import traceback
from collections.abc import Iterable
from types import TracebackType

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from labeltask_contract.errors import LabelTaskError

# At DEBUG these write whole bodies, a Secret's too.
_TALKATIVE = ("kubernetes", "urllib3", "pymysql", "asyncio")


def configure_logging(level: str, *, errors_only: Iterable[str] = ()) -> None:
    """Send every log line of the process through one formatter.

    ``errors_only`` names loggers of libraries that tell of each thing that went well.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        replace_exception,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in errors_only:
        logging.getLogger(name).setLevel(logging.ERROR)


def text_of(error: BaseException) -> str:
    """Return what may be logged of an error: our own ones' words, of any other the class."""
    return str(error) if isinstance(error, LabelTaskError) else type(error).__name__


def replace_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Put class names and code places where ``exc_info`` was."""
    exc_info = event.pop("exc_info", None)
    if exc_info is True:
        exc_info = sys.exc_info()
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if isinstance(error, BaseException):
        chain: list[dict[str, object]] = []
        while error is not None and len(chain) < 5:
            chain.append({"error": type(error).__qualname__, "at": _places(error.__traceback__)})
            error = error.__cause__ or error.__context__
        event["exception"] = chain
    return event


def _places(trace: TracebackType | None) -> list[str]:
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(trace)]
