"""`make run`: everything on one bare machine. Prints one address; Ctrl-C stops all of it."""

import argparse
import asyncio
import os
import sys

from generation.runtime.settings import load
from sandbox.machine import run
from sandbox.settings import SandboxSettings

if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="python -m sandbox",
        description=__doc__,
        epilog="Settings are environment variables or lines of .env: see .env.example.",
    ).parse_args()
    sys.exit(asyncio.run(run(load(SandboxSettings), dict(os.environ))))
