"""Which Vitte this is: its version, and the commit it was made from, for /admin, metrics and `--version`."""

import os
import subprocess
from functools import cache
from pathlib import Path

from prometheus_client import Info

from generation import __version__
from generation.runtime.monitoring.metrics import REGISTRY

ROOT = Path(__file__).parents[3]
#: Letters of a commit that are shown, and seconds that git may take.
SHOWN, PATIENCE = 10, 5


@cache
def commit() -> str:
    """Of VITTE_COMMIT, which the image's build sets, or of the checkout; empty where nobody knows."""
    if given := os.environ.get("VITTE_COMMIT", "").strip():
        return given[:SHOWN]
    if not (ROOT / ".git").exists():
        return ""
    try:
        asked = subprocess.run(
            ["git", "rev-parse", "HEAD"],  # noqa: S607 - whichever git the engineer has
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout.strip()[:SHOWN]


def version() -> str:
    """`2026.11.27 (21e21e1416)`"""
    return f"{__version__} ({commit()})" if commit() else __version__


def tell() -> None:
    """Have Prometheus know it: once per process."""
    BUILD.info({"version": __version__, "commit": commit()})


BUILD = Info("vitte_build", "Which Vitte this process is.", registry=REGISTRY)
