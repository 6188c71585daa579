"""`arq sandbox.scaled_worker.WorkerSettings`: a worker with other pauses, for tests and benchmarks.

SANDBOX_TIMINGS holds them as JSON, fields of `generation.worker.timings.Timings`.
"""

import json
import os
from typing import Any

from generation.runtime import logs
from generation.runtime.settings import load
from generation.settings import Settings
from generation.worker.arq_settings import worker_options
from generation.worker.timings import Timings

#: The environment variable.
TIMINGS = "SANDBOX_TIMINGS"


def __getattr__(name: str) -> Any:
    if name == "WorkerSettings":
        settings = load(Settings)
        logs.configure(settings.log_format, settings.log_level, process="worker", sentry_dsn=settings.sentry_dsn)
        timings = Timings(**json.loads(os.environ.get(TIMINGS, "{}")))
        return type("WorkerSettings", (), worker_options(settings, timings=timings, signals=True))
    raise AttributeError(name)
