"""The client finds out what became of a graph, whatever the server does."""

import asyncio
import uuid
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from generation.backends.comfyui import ComfyUI
from generation.errors import (
    ComfyUIError,
    ComfyUIUnreachable,
    GraphRejected,
    PromptLost,
    RenderFailed,
    RenderInterrupted,
    RenderTimeout,
)
from generation.models import Orientation
from generation.workflows import workflow
from generation.workflows.definition import Graph
from generation.workflows.workflow import Filling
from sandbox.comfyui import ComfyUIServer

WORKFLOW = workflow.load_all()["z-image-turbo"]
KLEIN = workflow.load_all()["flux2-klein"]
PERSONAS = Path(__file__).parents[3] / "bot" / "personas" / "data"


def graph(prompt: str = "a woman by the sea") -> Graph:
    filling = Filling(
        prompt=prompt,
        negative_prompt="",
        seed=uuid.uuid4().int % 2**40,
        orientation=Orientation.PORTRAIT,
        filename_prefix="vitte/test",
    )
    return WORKFLOW.fill([filling])[0]


def with_reference() -> tuple[Graph, dict[str, bytes], str]:
    """A graph that names a picture, the picture, and the output node."""
    name, content = "vitte-0123.jpg", (PERSONAS / "alisa.jpg").read_bytes()
    filling = Filling(
        prompt="a woman by the sea",
        negative_prompt="",
        seed=uuid.uuid4().int % 2**40,
        orientation=Orientation.PORTRAIT,
        filename_prefix="vitte/test",
        inputs={"reference_1": name},
    )
    return KLEIN.fill([filling])[0], {name: content}, KLEIN.output


async def render(client: ComfyUI, it: Graph | None = None, *, timeout: float = 10) -> bytes:
    rendered = await client.render(it or graph(), prompt_id=str(uuid.uuid4()), timeout=timeout)
    return await client.view(rendered.outputs[WORKFLOW.output][0])


async def stalled(comfyui: ComfyUIServer) -> None:
    """Until the sampler hangs, as a `stall` fault told it."""
    while comfyui.faults.pending:
        await asyncio.sleep(0.001)


async def test_a_graph_is_rendered_and_its_picture_fetched(client: ComfyUI) -> None:
    assert (await render(client)).startswith(b"\x89PNG")


async def test_several_graphs_are_rendered_one_after_the_other(client: ComfyUI, comfyui: ComfyUIServer) -> None:
    await asyncio.gather(*(render(client) for _ in range(4)))
    assert comfyui.executor.renders == [1, 1, 1, 1]


async def test_a_completion_event_that_never_comes_is_made_up_for_by_the_history(
    client: ComfyUI, comfyui: ComfyUIServer
) -> None:
    comfyui.faults.add(path="render", kind="no_events")
    assert (await render(client)).startswith(b"\x89PNG")


async def test_a_websocket_that_breaks_off_loses_nothing(client: ComfyUI, comfyui: ComfyUIServer) -> None:
    running = asyncio.create_task(render(client))
    while comfyui.executor.running is None:
        await asyncio.sleep(0.001)
    comfyui.drop_sockets()
    assert (await running).startswith(b"\x89PNG")


async def test_a_refused_graph_brings_comfyuis_own_node_errors(client: ComfyUI) -> None:
    it = graph()
    it["1"]["inputs"]["unet_name"] = "missing.safetensors"
    with pytest.raises(GraphRejected) as raised:
        await render(client, it)
    assert raised.value.node_errors["1"]["errors"][0]["type"] == "value_not_in_list"


async def test_a_graph_with_one_bad_output_is_refused_although_comfyui_takes_it(client: ComfyUI) -> None:
    it = graph()
    it["11"] = {"class_type": "SaveImage", "inputs": {"filename_prefix": "x"}}
    with pytest.raises(GraphRejected) as raised:
        await render(client, it)
    assert list(raised.value.node_errors) == ["11"]


async def test_out_of_memory_is_a_failed_render_with_its_type(client: ComfyUI, comfyui: ComfyUIServer) -> None:
    comfyui.faults.add(path="render", kind="out_of_memory")
    with pytest.raises(RenderFailed) as raised:
        await render(client)
    assert raised.value.exception_type == "torch.OutOfMemoryError"


async def test_an_interrupted_render_is_told_from_a_failed_one(client: ComfyUI, comfyui: ComfyUIServer) -> None:
    comfyui.faults.add(path="render", kind="stall")
    running = asyncio.create_task(render(client))
    await stalled(comfyui)
    comfyui.executor.interrupt(None)
    with pytest.raises(RenderInterrupted):
        await running


async def test_a_render_without_end_is_stopped_at_its_time_limit(client: ComfyUI, comfyui: ComfyUIServer) -> None:
    comfyui.faults.add(path="render", kind="stall")
    with pytest.raises(RenderTimeout):
        await render(client, timeout=0.3)
    assert (await render(client)).startswith(b"\x89PNG")


async def test_a_cancelled_render_frees_comfyui(client: ComfyUI, comfyui: ComfyUIServer) -> None:
    comfyui.faults.add(path="render", kind="stall")
    running = asyncio.create_task(render(client))
    await stalled(comfyui)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await render(client)).startswith(b"\x89PNG")


async def test_a_restart_that_forgets_the_graph_is_noticed(client: ComfyUI, comfyui: ComfyUIServer) -> None:
    comfyui.faults.add(path="render", kind="stall")
    running = asyncio.create_task(render(client))
    await stalled(comfyui)
    # What a restarted ComfyUI answers: an empty queue and an empty history.
    comfyui.executor.running = None
    with pytest.raises(PromptLost):
        await running


async def test_what_only_the_nodes_can_do_is_done_by_them_or_refused(
    client: ComfyUI, comfyui: ComfyUIServer
) -> None:
    await client.free()
    with pytest.raises(ComfyUIError, match="comfyui_nodes is not installed"):
        await client.restart()
    assert await client.vram_peak() is None
    assert comfyui.asked_of_nodes == []
    comfyui.temperature = 60
    client._has_gpu_node = True
    await render(client)
    assert await client.vram_peak()
    assert (await client.report()).models["loads"] == 1
    await client.vram_peak(forget=True)
    await client.free()
    await client.restart()
    assert comfyui.asked_of_nodes == ["POST /vitte/gpu/forget_peak", "DELETE /vitte/models", "POST /vitte/restart"]
    assert not comfyui.executor.history


async def test_the_nodes_get_their_secret_and_comfyui_itself_does_not(
    comfyui: ComfyUIServer,
) -> None:
    comfyui.temperature, comfyui.secret = 60, "s3cret"
    async with aiohttp.ClientSession() as session:
        stranger = ComfyUI(session, comfyui.url, secret=SecretStr("guessed"))
        with pytest.raises(ComfyUIError, match="COMFYUI_SECRET"):
            await stranger.restart()
        await stranger.free()
        assert (await stranger.report()).temperature is None
        worker = ComfyUI(session, comfyui.url, secret=SecretStr("s3cret"))
        await worker.restart()
        assert (await worker.report()).temperature == 60
        assert comfyui.asked_of_nodes == ["POST /vitte/restart"]
        page = {"Origin": "http://evil.example", "X-Vitte-Secret": "s3cret"}
        async with session.post(f"{comfyui.url}/vitte/restart", headers=page) as response:
            assert response.status == 403


async def test_nobody_there_is_unreachable(client: ComfyUI, comfyui: ComfyUIServer) -> None:
    await comfyui.stop()
    with pytest.raises(ComfyUIUnreachable):
        await client.system_stats()
    with pytest.raises(ComfyUIUnreachable):
        await render(client)


@pytest.mark.parametrize("kind", ["drop", "status"])
async def test_a_broken_answer_is_unreachable_and_not_a_crash(
    client: ComfyUI, comfyui: ComfyUIServer, kind: str
) -> None:
    comfyui.faults.add(path="/prompt", kind=kind, status=502, text="<html>")
    with pytest.raises(ComfyUIUnreachable):
        await render(client)


async def test_a_machine_without_a_card_has_no_vram(client: ComfyUI, comfyui: ComfyUIServer) -> None:
    comfyui.device_type = "cpu"
    await client.check()
    report = await client.report()
    assert (report.vram_used, report.vram_total) == (None, None)


async def test_what_was_true_before_an_outage_is_not_shown_during_it(
    client: ComfyUI, comfyui: ComfyUIServer
) -> None:
    await client.check()
    assert (await client.report()).vram_total
    comfyui.faults.add(path="/system_stats", kind="status", status=503)
    with pytest.raises(ComfyUIUnreachable):
        await client.check()
    assert (await client.report()).vram_total is None


async def test_the_operator_is_told_of_a_missing_flag(client: ComfyUI, comfyui: ComfyUIServer) -> None:
    await client.check()
    assert (await client.report()).warnings == ()
    comfyui.argv = ["main.py"]
    await client.check()
    assert "--disable-metadata" in (await client.report()).warnings[0]


async def rendered_with_reference(client: ComfyUI) -> bytes:
    graph, pictures, output = with_reference()
    rendered = await client.render(graph, prompt_id=str(uuid.uuid4()), timeout=10, pictures=pictures)
    return await client.view(rendered.outputs[output][0])


async def test_a_reference_picture_is_brought_once(client: ComfyUI, comfyui: ComfyUIServer) -> None:
    for _ in range(3):
        assert (await rendered_with_reference(client)).startswith(b"\x89PNG")
    assert comfyui.uploads == ["vitte-0123.jpg"]


async def test_a_reference_picture_that_went_missing_is_brought_again(
    client: ComfyUI, comfyui: ComfyUIServer
) -> None:
    await rendered_with_reference(client)
    for file in comfyui.executor.inputs.iterdir():
        file.unlink()
    assert (await rendered_with_reference(client)).startswith(b"\x89PNG")
    assert comfyui.uploads == ["vitte-0123.jpg"] * 2


@pytest.mark.parametrize(
    "fault", [{"kind": "drop"}, {"kind": "status", "status": 413}, {"kind": "status", "status": 500}]
)
async def test_an_upload_that_fails_costs_no_attempt(
    client: ComfyUI, comfyui: ComfyUIServer, fault: dict[str, Any]
) -> None:
    comfyui.faults.add(path="/upload/image", **fault)
    with pytest.raises(ComfyUIUnreachable):
        await rendered_with_reference(client)
    assert (await rendered_with_reference(client)).startswith(b"\x89PNG")
