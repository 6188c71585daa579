"""Compile the lock files: hashes for every file, no index address, one set of versions for all of them.

dev.txt holds everything; the others are cut from the same resolution, so that what is
tested is what runs.
"""

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
COMPILE = [
    sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal",
    "--python-version", "3.11", "--generate-hashes", "--no-annotate", "--no-header",
    "--no-emit-index-url", "--no-emit-find-links",
]  # fmt: skip
LOCKS = {
    "dev.txt": ["pyproject.toml", "--extra", "sandbox", "--extra", "dev"],
    "sandbox.txt": ["pyproject.toml", "--extra", "sandbox"],
    "production.txt": ["pyproject.toml"],
    # Of production's packages those that a worker's image needs.
    "worker.txt": ["--group", "worker"],
}


def main() -> None:
    constraints: list[str] = []
    for name, chosen in LOCKS.items():
        target = HERE / name
        subprocess.run([*COMPILE, *chosen, *constraints, "-o", str(target)], check=True, cwd=HERE.parent)
        constraints = ["--constraint", str(HERE / "dev.txt")]


if __name__ == "__main__":
    argparse.ArgumentParser(prog="make lock", description=__doc__).parse_args()
    main()
