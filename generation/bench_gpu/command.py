"""The command line of the bench."""

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from generation.backends.comfyui import ComfyUI
from generation.bench_gpu import report
from generation.bench_gpu.measuring import Card, OutOfTime, Row, measure
from generation.errors import ComfyUIError, WorkflowError
from generation.runtime.settings import HttpAddress, load
from generation.workflows import workflow as workflows
from generation.workflows.compatibility import ObjectInfo, problems
from generation.workflows.definition import FOLDER, BatchWay, WorkflowFile
from generation.workflows.workflow import Workflow


class BenchSettings(BaseSettings):
    """All that the bench reads from the environment and `.env`."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    comfyui_url: HttpAddress
    comfyui_secret: SecretStr | None = None
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


def variants(path: Path, switches: Sequence[str], turned: Mapping[str, bool]) -> Iterator[Variant]:
    """The workflow as its file and `turned` say, then with each switch the other way. Raises WorkflowError."""
    file = WorkflowFile.read(path)
    known = file.description.switches
    base = {name: on for name, on in turned.items() if name in known}
    one_by_one = {"one_pass": False} if "one_pass" in known else {}
    yield Variant(workflows.load(path, base), workflows.load(path, base | one_by_one))
    for name, switch in known.items():
        if switches and name not in switches:
            continue
        on = not base.get(name, switch.on)
        # What it excludes gives way, so that it can be measured at all.
        changed = base | (file.alone(name) if on else {name: False})
        yield Variant(workflows.load(path, changed), workflows.load(path, changed | one_by_one), name, on)


async def bench(card: Card, found: Sequence[Variant], batches: Sequence[int], rows: list[Row]) -> None:
    """Measure all of it into `rows`, as far as the time goes; what was left out says so."""
    object_info = await card.comfyui.object_info()
    for variant in found:
        unfit = "; ".join(_unfit(variant.workflow, object_info))
        failed = ""
        for row in variant.rows(batches):
            rows.append(row)
            row.problem = unfit or failed
            if not row.problem:
                print(f"{row.workflow}, {row.switch or 'as it is'}, batch {row.batch} ...", file=sys.stderr)  # noqa: T201
                await measure(card, variant.workflow, variant.alone, row)
                # What does not fit into VRAM fits even less with more photos.
                over = row.problem.startswith(OutOfTime.__name__)
                failed = row.problem and (row.problem if over else "a smaller batch failed")


def _unfit(workflow: Workflow, object_info: ObjectInfo) -> list[str]:
    # A LoRA's file comes with the photo; the bench has none.
    sentences = [sentence.partition(": ")[2] for sentence in problems(workflow, object_info)]
    return [*sentences, *(["needs a persona's LoRA"] if workflow.takes("lora_name") else [])]


def main(arguments: Sequence[str]) -> int | str:
    """Measure, write the report, and with --write the workflows; the exit status or a sentence."""
    options = _options(arguments)
    settings = load(BenchSettings)
    folder = Path(settings.workflows_folder or FOLDER)
    try:
        found = [
            variant
            for path in sorted(folder.glob("*.toml"))
            if not options.workflow or path.stem in options.workflow
            for variant in variants(path, options.switch, dict(options.turn))
        ]
    except WorkflowError as error:
        return f"Workflows cannot be read: {error}."
    if not found:
        return "There is no such workflow."
    known = {
        name for path in sorted(folder.glob("*.toml")) for name in WorkflowFile.read(path).description.switches
    }
    if unknown := ({*options.switch, *dict(options.turn)} - known):
        return f"No workflow has the switch {', '.join(sorted(unknown))}. There are {', '.join(sorted(known))}."
    card: dict[str, Any] = {}
    rows: list[Row] = []
    try:
        asyncio.run(_run(settings, found, options, card, rows))
    except ComfyUIError as error:
        problem = f"ComfyUI at COMFYUI_URL: {error}."
    except KeyboardInterrupt:
        problem = "Stopped; what was measured so far is kept."
    else:
        problem = ""
    if not rows:
        return problem or 1
    print(problem, file=sys.stderr)  # noqa: T201
    return _report(card, rows, folder, options)


def _report(card: dict[str, Any], rows: Sequence[Row], folder: Path, options: argparse.Namespace) -> int | str:
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "bench-gpu.json").write_text(report.as_json(card, rows), "utf-8")
        (options.output / "bench-gpu.md").write_text(report.markdown(card, rows), "utf-8")
        print(report.markdown(card, rows))  # noqa: T201
        for sentence in report.write(folder, rows) if options.write else ():
            print(sentence)  # noqa: T201
    except OSError as error:
        return f"The results cannot be written: {error}"
    return 0 if any(row.seconds for row in rows) else "Nothing could be measured; the last column says why."


async def _run(
    settings: BenchSettings,
    found: Sequence[Variant],
    options: argparse.Namespace,
    card: dict[str, Any],
    rows: list[Row],
) -> None:
    """Fill `card` and `rows`, which are there for the report whatever happens on the way."""
    async with aiohttp.ClientSession() as session:
        comfyui = ComfyUI(session, settings.comfyui_url, secret=settings.comfyui_secret, poll=0.2)
        card |= _described(await comfyui.system_stats())
        listening = asyncio.create_task(comfyui.listen())
        try:
            await bench(Card(comfyui, time.monotonic() + options.seconds), found, options.batches, rows)
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
            await comfyui.close()


def _described(stats: dict[str, Any]) -> dict[str, Any]:
    device = (stats.get("devices") or [{}])[0]
    return {
        "gpu": device.get("name", "unknown"),
        # Without a card ComfyUI calls the machine's memory so.
        "vram_gib": 0.0 if device.get("type") == "cpu" else round((device.get("vram_total") or 0) / report.GIB, 1),
        "comfyui": stats.get("system", {}).get("comfyui_version", "unknown"),
        "pytorch": stats.get("system", {}).get("pytorch_version", "unknown"),
        "at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m generation bench-gpu", description=__doc__)
    parser.add_argument("--workflow", action="append", help="only this one; may be given several times")
    parser.add_argument("--switch", action="append", default=[], help="only this switch beside the file as it is")
    parser.add_argument(
        "--turn",
        action="append",
        type=_turned,
        default=[],
        help="measure all with this: compile=on, fp8_weights=off",
    )
    parser.add_argument("--batches", type=_sizes, default=[1, 2, 4, 8], help="sizes with commas: 1,2,4,8")
    parser.add_argument("--seconds", type=float, default=1800, help="end after so long")
    parser.add_argument("--write", action="store_true", help="put what pays off into the workflows' TOML files")
    parser.add_argument("--output", type=Path, default=Path("build"), help="folder of bench-gpu.md and .json")
    return parser.parse_args(arguments)


def _turned(text: str) -> tuple[str, bool]:
    name, _, state = text.partition("=")
    if state not in {"on", "off"}:
        raise argparse.ArgumentTypeError("must look like compile=on")
    return name, state == "on"


def _sizes(text: str) -> list[int]:
    # Without one alone nobody could say what a batch is worth.
    sizes = sorted({1, *(int(part) for part in text.split(","))})
    if sizes[0] < 1 or sizes[-1] > 16:
        raise argparse.ArgumentTypeError("sizes from 1 to 16")
    return sizes
