"""`python -m sandbox.bench [NAME ...]`: measures, prints one table and writes build/bench.json."""

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path

from sandbox.bench import bot, database, figures, growth, idle, prefix_cache, processes, scheduling
from sandbox.bench.figures import Figure
from sandbox.cluster import servers

OUTPUT = Path("build/bench.json")
PARTS = {
    "overhead": figures.overhead,
    "premium": figures.premium,
    "saturation": figures.saturation,
    "side_by_side": figures.side_by_side,
    "gains": figures.gains,
    "database": database.measure,
    "idle": idle.measure,
    "scheduling": scheduling.measure,
    "prefix_cache": prefix_cache.measure,
    "growth": growth.measure,
    "bot": bot.measure,
    "processes": processes.measure,
}


async def main(names: list[str]) -> int:
    found: list[Figure] = []
    began = time.monotonic()
    async with servers() as running:
        for name, measure in PARTS.items():
            if names and name not in names:
                continue
            async for figure in measure(running):
                found.append(figure)
                print(_line(figure), flush=True)
    machine = {"cpu_cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()}
    report = {
        "machine": machine,
        "seconds": round(time.monotonic() - began),
        "figures": [asdict(it) for it in found],
    }
    _write(json.dumps(report, indent=2) + "\n")
    print(f"\n{report['seconds']} s in all; written to {OUTPUT}.")
    return 1 if any(figure.met is False for figure in found) else 0


def _write(report: str) -> None:
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(report)


def _line(figure: Figure) -> str:
    mark = {True: "met", False: "MISSED", None: ""}[figure.met]
    return f"{figure.name:<75} {figure.value:>9.3f} {figure.unit:<8} {figure.target:<9} {mark:<7} {figure.note}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m sandbox.bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*PARTS, []], metavar="NAME", help=", ".join(PARTS))
    sys.exit(asyncio.run(main(parser.parse_args().names)))
