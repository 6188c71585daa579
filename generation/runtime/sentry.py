"""Errors of a process to Sentry, or to a server that speaks its protocol (GlitchTip), when SENTRY_DSN is set.

Only what the log says anyway leaves the machine: no local variables (they hold what people write), no source lines,
no breadcrumbs, no bodies of requests, and nothing is hooked into other libraries.
"""

import logging
import sys
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.utils import event_from_exception

#: Fields that one searches for; the others are shown with the event.
TAGS = ("trace_id", "photo_id", "process", "worker")


class ToSentry(logging.Handler):
    """Sends each line of level error and above as an event."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record on, unless it is Sentry's own."""
        # The SDK logs its own troubles; they must not become events that fail as well.
        if record.name.startswith(("sentry_sdk", "urllib3")):
            return
        fields = dict(record.msg) if isinstance(record.msg, dict) else {"event": record.getMessage()}
        told = fields.pop("exc_info", None) or record.exc_info
        if told is True:
            told = sys.exc_info()
        exception = told[1] if isinstance(told, tuple) else told
        event: dict[str, Any] = {
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": str(fields.pop("event", "")),
            "tags": {name: str(fields.pop(name)) for name in TAGS if name in fields},
            "extra": {name: str(value) for name, value in fields.items() if not name.startswith("_")},
        }
        if isinstance(exception, BaseException):
            raised, _ = event_from_exception(exception, client_options=sentry_sdk.get_client().options)
            event = {**raised, **event}
        sentry_sdk.capture_event(event)  # type: ignore[arg-type]


def report_to(dsn: str) -> None:
    """From now on each error that is logged becomes an event; they are sent by a thread of the SDK.

    Raises sentry_sdk.utils.BadDsn when that is no address of a Sentry project.
    """
    sentry_sdk.init(
        dsn,
        default_integrations=False,
        auto_enabling_integrations=False,
        # At the end of the process what waits is sent, for two seconds at most, without a word on the terminal.
        integrations=[AtexitIntegration(callback=lambda *_: None)],
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        max_request_body_size="never",
    )
    logging.root.addHandler(ToSentry())
