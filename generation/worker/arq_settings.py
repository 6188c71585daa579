"""The worker process, one per GPU: `arq generation.worker.WorkerSettings`.

`WorkerSettings` is made when arq asks for it, so that importing this module reads no settings and opens
nothing. arq reads a settings class by its own `__dict__`, so it is given a plain class without bases.
"""

import socket
from typing import Any

from arq.connections import RedisSettings

from generation.orders import jobs
from generation.runtime import logs
from generation.runtime.settings import load
from generation.settings import Settings
from generation.worker.app import NO_LIMIT, Process
from generation.worker.jobs import render_photo

#: Seconds after which arq breaks a job off, whatever it does; what the GPU does is not touched by that.
LONGEST_SESSION = 3600


def worker_options(settings: Settings, *, signals: bool = False) -> dict[str, Any]:
    """Arguments of arq's Worker for these settings."""
    process = Process(settings, signals=signals)
    # Overflow workers have a queue of their own: a token that one of them took would be missed by an idle GPU.
    queue = f"{settings.arq_queue}:overflow" if settings.render_backend == "runpod" else settings.arq_queue
    return {
        "functions": [render_photo],
        "queue_name": queue,
        # Survives a Redis that is away for as long as it likes.
        "redis_pool": jobs.connect(settings.redis_url, queue=settings.arq_queue, retries=-1),
        "on_startup": process.start,
        "on_shutdown": process.stop,
        # A job keeps the GPU busy by itself; a second one would only hide its token from an idle worker.
        "max_jobs": 1,
        "poll_delay": settings.arq_poll_delay,
        # Running jobs of all workers stay in the sorted set and are read along with the waiting ones.
        "queue_read_limit": 1000,
        "job_timeout": LONGEST_SESSION,
        "keep_result": 0,
        "max_tries": NO_LIMIT,
        # What `arq --check` reads; a key for each machine, since arq's own is one for all workers of a queue.
        "redis_settings": RedisSettings.from_dsn(settings.redis_url),
        "health_check_key": f"{settings.arq_queue}:health:{socket.gethostname()}",
        "health_check_interval": 10,
        "job_serializer": jobs.serialize,
        "job_deserializer": jobs.deserialize,
    }


def __getattr__(name: str) -> Any:
    if name == "WorkerSettings":
        settings = load(Settings)
        logs.configure(settings.log_format, settings.log_level, process="worker", sentry_dsn=settings.sentry_dsn)
        return type("WorkerSettings", (), worker_options(settings, signals=True))
    raise AttributeError(name)
