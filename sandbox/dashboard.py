"""Draws Grafana's dashboard file without Grafana: `python -m sandbox.dashboard` beside `make run`.

A real Prometheus (it must be installed) asks bot and worker with our rules and answers the queries of each panel,
so that the picture shows what Grafana would; panels that got no figure are named.
"""

import argparse
import asyncio
import contextlib
import json
import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import matplotlib as mpl
import yaml

from sandbox.sockets import free_port

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

MONITORING = Path(__file__).parent.parent / "docs" / "monitoring"
DASHBOARD = MONITORING / "grafana" / "dashboards" / "vitte.json"
SCALE = {"percentunit": (100.0, " %"), "bytes": (1 / 2**30, " GiB"), "s": (1.0, " s"), "celsius": (1.0, " °C")}


@contextlib.asynccontextmanager
async def prometheus(targets: list[str], folder: Path) -> AsyncIterator[str]:
    """A Prometheus that asks these addresses every two seconds; its address."""
    configuration = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "2s", "evaluation_interval": "2s"}
    configuration["rule_files"] = [str(MONITORING / "rules.yml")]
    for job, target in zip(configuration["scrape_configs"], targets, strict=True):
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [target]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def series(session: aiohttp.ClientSession, query: str, seconds: float) -> list[dict[str, Any]]:
    """Labels and values of a query over the last seconds, one point every two."""
    end = (await _ask(session, "query", query="time()"))["result"][0]
    window = {"start": str(end - seconds), "end": str(end), "step": "2"}
    found: list[dict[str, Any]] = (await _ask(session, "query_range", query=query, **window))["result"]
    return found


async def _ask(session: aiohttp.ClientSession, path: str, **parameters: str) -> dict[str, Any]:
    async with session.get(f"/api/v1/{path}", params=parameters) as response:
        answer = await response.json()
        if answer["status"] != "success":
            raise RuntimeError(f"Prometheus: {answer['error']}")
        data: dict[str, Any] = answer["data"]
        return data


async def draw(address: str, seconds: float, path: Path) -> list[str]:
    """Draw every panel at its place; returns the titles of those without a figure."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    empty = []
    with plt.style.context("dark_background"):
        figure = plt.figure(figsize=(15, rows * 0.33), dpi=80, facecolor="#111217", layout="constrained")
        grid = figure.add_gridspec(rows, 24)
        async with aiohttp.ClientSession(address, timeout=aiohttp.ClientTimeout(total=10)) as session:
            for panel in panels:
                at = panel["gridPos"]
                axes = figure.add_subplot(grid[at["y"] : at["y"] + at["h"], at["x"] : at["x"] + at["w"]])
                axes.set_facecolor("#181b1f")
                axes.set_title(panel["title"], fontsize=9, loc="left", color="#ccccdc")
                found = [
                    (target.get("legendFormat", ""), one)
                    for target in panel["targets"]
                    for one in await series(session, target["expr"], seconds)
                ]
                if not found:
                    empty.append(panel["title"])
                unit = panel["fieldConfig"]["defaults"].get("unit", "")
                (_stat if panel["type"] == "stat" else _lines)(axes, found, *SCALE.get(unit, (1.0, "")))
        figure.savefig(path)
        plt.close(figure)
    return empty


def _stat(axes: Axes, found: list[tuple[str, dict[str, Any]]], scale: float, unit: str) -> None:
    axes.set_axis_off()
    value = f"{float(found[0][1]['values'][-1][1]) * scale:.3g}{unit}" if found else "no data"
    axes.text(0.5, 0.4, value, fontsize=20, ha="center", va="center", color="#73bf69", transform=axes.transAxes)


def _lines(axes: Axes, found: list[tuple[str, dict[str, Any]]], scale: float, unit: str) -> None:
    for legend, one in found:
        name = legend
        for label, value in one["metric"].items():
            name = name.replace("{{" + label + "}}", value)
        # Prometheus leaves out a label that is empty.
        name = re.sub(r" ?{{\w+}}", "", name)
        start = one["values"][0][0]
        axes.plot(
            [(when - start) / 60 for when, _ in one["values"]],
            [float(value) * scale for _, value in one["values"]],
            label=name,
            linewidth=1.2,
        )
    axes.tick_params(labelsize=7, colors="#8e8e9c")
    axes.spines[:].set_color("#2f3037")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}{unit}")
    axes.grid(alpha=0.15)
    axes.set_ylim(bottom=0)
    if not found:
        axes.text(0.5, 0.5, "no data", fontsize=9, color="#8e8e9c", ha="center", transform=axes.transAxes)
    else:
        axes.legend(fontsize=7, frameon=False, ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.08))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", nargs=2, default=["127.0.0.1:9101", "127.0.0.1:9102"])
    parser.add_argument("--seconds", type=float, default=300, help="how long Prometheus looks before it is drawn")
    parser.add_argument("--output", type=Path, default=Path("docs/operator/dashboard.png"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        async with prometheus(arguments.targets, Path(folder)) as address:
            await asyncio.sleep(arguments.seconds)
            empty = await draw(address, arguments.seconds, arguments.output)
    print(f"{arguments.output} is drawn." + (f" No figure for: {', '.join(empty)}." if empty else ""))


if __name__ == "__main__":
    asyncio.run(main())
