"""`python -m generation bench-gpu` against the stand-in: what it measures, writes down, and says when it cannot."""

import asyncio
import io
import json
import shutil
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

from generation.backends.comfyui import ComfyUI
from generation.bench_gpu import command, report
from generation.bench_gpu.measuring import IDENTICAL, Card, Row, measure, signal_to_noise
from generation.workflows import workflow
from generation.workflows.definition import FOLDER, BatchWay
from sandbox.comfyui import ComfyUIServer, Cost


def row(batch: int, seconds: float | None, *, equality: float | None = 50, switch: str = "one_pass") -> Row:
    return Row("w", switch, True, "one_pass", batch, seconds=seconds, solo_equality=equality)


@pytest.mark.parametrize(
    ("rows", "best"),
    [
        # The research's world: 4 photos in less than twice the time of one.
        ([row(1, 8.5), row(2, 12), row(4, 16)], (4, [8.5, 12.0, 14.0, 16.0])),
        # Others' measurements: nothing is gained near 1024 x 1024.
        ([row(1, 8.5), row(2, 16.6), row(4, 33)], (1, [8.5])),
        # Two pay off, four do not more.
        ([row(1, 8), row(2, 12), row(4, 24)], (2, [8.0, 12.0])),
        # A batch whose photos are others than alone is none.
        ([row(1, 8), row(2, 9, equality=21), row(4, 10)], (1, [8.0])),
        ([row(1, 8), row(2, None), row(4, 10)], (1, [8.0])),
        # So is one that nobody compared: the time was over, or the picture did not come.
        ([row(1, 8), row(2, 9, equality=None), row(4, 10)], (1, [8.0])),
        ([row(1, None)], (1, [])),
    ],
)
def test_the_batch_that_pays_off(rows: list[Row], best: tuple[int, list[float]]) -> None:
    assert report.best_batch(rows) == best


def png(colour: tuple[int, int, int], size: tuple[int, int] = (64, 64)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def test_equality_is_a_signal_to_noise_ratio() -> None:
    assert signal_to_noise(png((9, 9, 9)), png((9, 9, 9))) == IDENTICAL
    assert signal_to_noise(png((0, 0, 0)), png((1, 1, 1))) == pytest.approx(48.13, abs=0.01)
    assert signal_to_noise(png((0, 0, 0)), png((255, 255, 255))) == pytest.approx(0)
    assert signal_to_noise(png((0, 0, 0)), png((0, 0, 0), (32, 64))) == 0


async def bench(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch, *options: str) -> tuple[int | str, Any]:
    monkeypatch.setenv("COMFYUI_URL", url)
    monkeypatch.setenv("WORKFLOWS_FOLDER", str(folder / "workflows"))
    if not (folder / "workflows").exists():
        shutil.copytree(FOLDER, folder / "workflows")
    status = await asyncio.to_thread(command.main, [*options, "--output", str(folder)])
    found = folder / "bench-gpu.json"
    return status, json.loads(found.read_text()) if found.exists() else None


async def test_a_card_on_which_batches_pay_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Far apart: half a second of a busy machine's noise must not turn the result.
    cost = Cost(batch=(0.8, 0.84, 0.88, 0.9), swap=0.0)
    options = ("--workflow", "sdxl", "--switch", "one_pass", "--batches", "1,2", "--write")
    async with ComfyUIServer(tmp_path / "comfyui", cost=cost) as comfyui:
        status, found = await bench(tmp_path, comfyui.url, monkeypatch, *options)
    assert status == 0
    assert found["gpu"] == "stand-in"
    rows = {(row["switch"], row["batch"]): row for row in found["rows"]}
    assert set(rows) == {("", 1), ("one_pass", 1), ("one_pass", 2)}
    assert rows["one_pass", 2]["solo_equality"] == IDENTICAL
    assert len(rows["one_pass", 2]["runs"]) == 3
    assert rows["one_pass", 2]["vram_peak"]
    assert rows["one_pass", 2]["first_seconds"]
    table = (tmp_path / "bench-gpu.md").read_text()
    assert "| sdxl | one_pass on | one_pass | 2 |" in table
    assert "and batches: 900" in table
    # What pays off is on from now on, and the comments are still there.
    written = workflow.load(tmp_path / "workflows" / "sdxl.toml")
    assert written.way is BatchWay.ONE_PASS
    assert len(written.seconds()) == 2
    assert written.is_measured
    assert "# Optimisations" in (tmp_path / "workflows" / "sdxl.toml").read_text()


async def test_what_cannot_be_measured_is_named_and_it_ends_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ComfyUIServer(tmp_path / "comfyui", cost=Cost(batch=(0.01,), swap=0.0)) as comfyui:
        comfyui.faults.add(path="render", kind="out_of_memory")
        which = ("--workflow", "z-image-turbo", "--workflow", "z-image-turbo-lora", "--switch", "one_pass")
        options = ("--batches", "2,4", "--seconds", "1.5")
        status, found = await bench(tmp_path, comfyui.url, monkeypatch, *which, *options)
    assert status == 0
    problems = [row["problem"] for row in found["rows"]]
    assert any("OutOfMemory" in problem for problem in problems)
    assert any("needs a persona's LoRA" in problem for problem in problems)
    assert any("the time was over" in problem for problem in problems)
    assert not any("OutOfTime" in before and "smaller batch" in after for before, after in pairwise(problems))


async def test_a_graph_that_the_end_cuts_off_is_out_of_time_and_not_too_slow(tmp_path: Path) -> None:
    async with (
        ComfyUIServer(tmp_path / "comfyui", cost=Cost(batch=(30,), swap=0.0)) as server,
        aiohttp.ClientSession() as session,
    ):
        comfyui = ComfyUI(session, server.url, poll=0.1)
        card = Card(comfyui, time.monotonic() + 0.5)
        found = Row("sdxl", "", False, "one_by_one", 1)
        graph = workflow.load(FOLDER / "sdxl.toml")
        await measure(card, graph, graph, found)
        await comfyui.close()
    assert found.problem == "OutOfTime: the time was over"
    assert found.seconds is None


async def test_without_comfyui_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, _ = await bench(tmp_path, "http://127.0.0.1:9", monkeypatch)
    assert str(status).startswith("ComfyUI at COMFYUI_URL: GET /system_stats")
    status, _ = await bench(tmp_path, "http://127.0.0.1:9", monkeypatch, "--workflow", "gone")
    assert status == "There is no such workflow."
    status, _ = await bench(tmp_path, "http://127.0.0.1:9", monkeypatch, "--switch", "one_pas")
    assert str(status).startswith("No workflow has the switch one_pas. There are ")
    status, _ = await bench(tmp_path, "http://127.0.0.1:9", monkeypatch, "--turn", "warp=on")
    assert str(status).startswith("No workflow has the switch warp.")


async def test_what_was_not_measured_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with ComfyUIServer(tmp_path / "comfyui", cost=Cost(batch=(0.02,), swap=0.0)) as comfyui:
        options = ("--workflow", "sdxl", "--switch", "one_pass", "--turn", "one_pass=on", "--batches", "1")
        path = tmp_path / "workflows" / "sdxl.toml"
        shutil.copytree(FOLDER, tmp_path / "workflows")
        path.write_text(path.read_text().replace("[switches.one_pass]\n", "[switches.one_pass]\non = true\n"))
        await bench(tmp_path, comfyui.url, monkeypatch, *options, "--write")
    assert workflow.load(path).way is BatchWay.ONE_PASS


def test_a_switch_is_measured_without_those_that_it_excludes() -> None:
    found = {it.switch: it for it in command.variants(FOLDER / "z-image-turbo.toml", [], {})}
    kinds = {node["class_type"] for node in found["compile"].workflow.graph.values()}
    assert "TorchCompileModel" in kinds
    assert found["compile"].workflow.graph["1"]["inputs"]["weight_dtype"] == "default"
    assert found["fp8_fast"].workflow.graph["1"]["inputs"]["weight_dtype"] == "fp8_e4m3fn_fast"
