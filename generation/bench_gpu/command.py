"""The command line of the bench."""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from pydantic_settings import BaseSettings, SettingsConfigDict

from generation import workflow as workflows
from generation.bench_gpu import report
from generation.bench_gpu.measuring import Row, measure
from generation.comfyui import ComfyUI
from generation.errors import ComfyUIError, WorkflowError
from generation.settings import HttpAddress, load
from generation.workflow import Workflow
from generation.workflow_check import ObjectInfo, problems
from generation.workflow_file import FOLDER, BatchWay, WorkflowFile


class BenchSettings(BaseSettings):
    """All that the bench reads from the environment and `.env`."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    comfyui_url: HttpAddress
    workflows_folder: str = ""


@dataclass(frozen=True, slots=True)
class Variant:
    """A workflow with one switch turned, and the one that renders its photos alone."""

    workflow: Workflow
    alone: Workflow
    switch: str = ""
    turned_on: bool = False

    def rows(self, batches: Sequence[int]) -> Iterator[Row]:
        """Sizes that it can render; one by one means that a batch is as many graphs."""
        way = self.workflow.way
        for batch in batches if way is not BatchWay.ONE_BY_ONE else [1]:
            yield Row(self.workflow.name, self.switch, self.turned_on, way.value, batch)


def variants(path: Path, switches: Sequence[str]) -> Iterator[Variant]:
    """The workflow as its file says, then with each switch the other way. Raises WorkflowError."""
    file = WorkflowFile.read(path)
    one_by_one = {"one_pass": False} if "one_pass" in file.description.switches else {}
    yield Variant(workflows.load(path), workflows.load(path, one_by_one))
    for name, switch in file.description.switches.items():
        if switches and name not in switches:
            continue
        turned = {name: not switch.on}
        alone = workflows.load(path, one_by_one | ({} if name == "one_pass" else turned))
        yield Variant(workflows.load(path, turned), alone, name, not switch.on)


async def bench(comfyui: ComfyUI, found: Sequence[Variant], batches: Sequence[int], seconds: float) -> list[Row]:
    """Measure all of it, for so many seconds at most; what was left out says so."""
    until = time.monotonic() + seconds
    object_info = await comfyui.object_info()
    rows: list[Row] = []
    for variant in found:
        unfit = "; ".join(_unfit(variant.workflow, object_info))
        failed = ""
        for row in variant.rows(batches):
            rows.append(row)
            row.problem = unfit or failed
            if time.monotonic() > until:
                row.problem = row.problem or "the time was over"
            if not row.problem:
                print(f"{row.workflow}, {row.switch or 'as it is'}, batch {row.batch} ...", file=sys.stderr)  # noqa: T201
                await measure(comfyui, variant.workflow, variant.alone, row)
                # What does not fit into VRAM fits even less with more photos.
                failed = row.problem and "a smaller batch failed"
    return rows


def _unfit(workflow: Workflow, object_info: ObjectInfo) -> list[str]:
    # A LoRA's file comes with the photo; the bench has none.
    sentences = [sentence.partition(": ")[2] for sentence in problems(workflow, object_info)]
    return [*sentences, *(["needs a persona's LoRA"] if workflow.takes("lora_name") else [])]


def main(arguments: Sequence[str]) -> int | str:
    options = _options(arguments)
    settings = load(BenchSettings)
    folder = Path(settings.workflows_folder or FOLDER)
    try:
        found = [
            variant
            for path in sorted(folder.glob("*.toml"))
            if not options.workflow or path.stem in options.workflow
            for variant in variants(path, options.switch)
        ]
    except WorkflowError as error:
        return f"Workflows cannot be read: {error}."
    if not found:
        return "There is no such workflow."
    try:
        card, rows = asyncio.run(_run(settings.comfyui_url, found, options))
    except ComfyUIError as error:
        return f"ComfyUI at COMFYUI_URL: {error}."
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "bench-gpu.json").write_text(report.as_json(card, rows), "utf-8")
    (options.output / "bench-gpu.md").write_text(report.markdown(card, rows), "utf-8")
    print(report.markdown(card, rows))  # noqa: T201
    for sentence in report.write(folder, rows) if options.write else ():
        print(sentence)  # noqa: T201
    return 0 if any(row.seconds for row in rows) else "Nothing could be measured; the last column says why."


async def _run(url: str, found: Sequence[Variant], options: argparse.Namespace) -> tuple[dict[str, Any], list[Row]]:
    async with aiohttp.ClientSession() as session:
        comfyui = ComfyUI(session, url, poll=0.2)
        stats = await comfyui.system_stats()
        listening = asyncio.create_task(comfyui.listen())
        try:
            rows = await bench(comfyui, found, options.batches, options.seconds)
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
            await comfyui.close()
    device = (stats.get("devices") or [{}])[0]
    return {
        "gpu": device.get("name", "unknown"),
        "vram_gib": round((device.get("vram_total") or 0) / report.GIB, 1),
        "comfyui": stats.get("system", {}).get("comfyui_version", "unknown"),
        "pytorch": stats.get("system", {}).get("pytorch_version", "unknown"),
        "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }, rows


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m generation bench-gpu", description=__doc__)
    parser.add_argument("--workflow", action="append", help="only this one; may be given several times")
    parser.add_argument("--switch", action="append", default=[], help="only this switch beside the file as it is")
    parser.add_argument("--batches", type=_sizes, default=[1, 2, 4, 8], help="sizes with commas: 1,2,4,8")
    parser.add_argument("--seconds", type=float, default=1800, help="begin nothing new after so long")
    parser.add_argument("--write", action="store_true", help="put what pays off into the workflows' TOML files")
    parser.add_argument("--output", type=Path, default=Path("build"), help="folder of bench-gpu.md and .json")
    return parser.parse_args(arguments)


def _sizes(text: str) -> list[int]:
    sizes = sorted({int(part) for part in text.split(",")})
    if not sizes or sizes[0] < 1 or sizes[-1] > 16:
        raise argparse.ArgumentTypeError("sizes from 1 to 16")
    return sizes
