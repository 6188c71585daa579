"""The worker process, one per GPU: claims photos, renders, recovers, reports.

Not here: how a row changes (`generation.orders`) and how a ComfyUI is spoken to (`generation.backends`).
"""

from typing import Any


def __getattr__(name: str) -> Any:
    """`arq generation.worker.WorkerSettings` is the command that operators know; nothing is built at import."""
    if name == "WorkerSettings":
        from generation.worker import arq_settings  # noqa: PLC0415 - importing the package must stay cheap

        return arq_settings.WorkerSettings
    raise AttributeError(name)
