"""structlog for a process: readable in a terminal, JSON otherwise; other libraries' lines go the same way."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from pydantic import SecretStr

from generation.runtime.plain_text import one_line
from generation.runtime.sentry import report_to

#: Their info lines repeat what ours say, and could hold a prompt or a token in an address.
LIBRARIES = (
    "arq.worker", "aiogram", "httpx", "httpx2", "httpcore", "httpcore2", "openai", "botocore", "aiobotocore",
    "boto3", "aiohttp.access", "asyncio", "pymorphy3",
)  # fmt: skip


#: Tracebacks, which are our own code's.
_OF_LINES = ("exception", "stack")


def _important(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


def _plain(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A value can hold what a stranger wrote: it stays on its line and moves no cursor."""
    for key, value in line.items():
        if isinstance(value, str) and key not in _OF_LINES:
            line[key] = one_line(value)
    return line


def quiet_libraries() -> None:
    """Warnings only from the libraries, and through our handler alone."""
    logging.getLogger("arq").handlers = []
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    # arq's command line configures logging after us and resets the levels of its loggers, but not their filters.
    worker = logging.getLogger("arq.worker")
    if _important not in worker.filters:
        worker.addFilter(_important)


def configure(log_format: str, level: str, *, process: str, sentry_dsn: SecretStr | None = None) -> None:
    """Set up logging once per process; `process` names it in every line. Errors go to `sentry_dsn` as well."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        _plain,
    ]
    readable = log_format == "console" or (log_format == "auto" and sys.stderr.isatty())
    rendering: list[Any] = (
        [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
        if readable
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
        )
    )
    logging.root.handlers = [handler]
    logging.root.setLevel(level.upper())
    quiet_libraries()
    structlog.contextvars.bind_contextvars(process=process)
    if sentry_dsn is not None:
        report_to(sentry_dsn.get_secret_value())
