"""`make run`: everything on one bare machine. Prints one address; Ctrl-C stops all of it."""

import argparse
import asyncio
import os
import sys

from generation.runtime.settings import load
from sandbox.machine import run
from sandbox.parts import ALONE, run_alone
from sandbox.settings import SandboxSettings

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m sandbox",
        description=__doc__,
        epilog="Settings are environment variables or lines of .env: see .env.example.",
    )
    parser.add_argument(
        "part", nargs="?", choices=ALONE, help="this one alone, to try a deployment of your own against it"
    )
    given = parser.parse_args()
    settings = load(SandboxSettings)
    sys.exit(asyncio.run(run_alone(settings, given.part) if given.part else run(settings, dict(os.environ))))
