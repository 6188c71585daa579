"""`make run`: everything on one bare machine. Prints one address; Ctrl-C stops all of it."""

import asyncio
import os
import sys

from generation.runtime.settings import load
from sandbox.machine import run
from sandbox.settings import SandboxSettings

if __name__ == "__main__":
    sys.exit(asyncio.run(run(load(SandboxSettings), dict(os.environ))))
