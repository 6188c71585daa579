"""What our client relies on. Runs against the stand-in, and against a real ComfyUI when COMFYUI_URL names one.

    COMFYUI_URL=http://127.0.0.1:8188 python -m pytest tests/generation/backends/test_comfyui_contract.py

The sampler's tests need a checkpoint: CONTRACT_CHECKPOINT (tiny.safetensors by default), skipped without it; the
restart's test needs COMFYUI_RESTART_COMMAND.
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from generation.backends.comfyui import ComfyUI
from generation.errors import GraphRejected, RenderFailed, RenderInterrupted, RenderTimeout
from sandbox.comfyui import ComfyUIServer, Cost

Json = dict[str, Any]
CHECKPOINT = os.environ.get("CONTRACT_CHECKPOINT", "tiny.safetensors")


class Server:
    """One connection with events to a ComfyUI."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self.session = session
        self.client_id = uuid.uuid4().hex
        self.events: list[Json] = []
        self.stand_in: ComfyUIServer | None = None
        self._news = asyncio.Condition()

    async def listen(self, opened: asyncio.Event) -> None:
        async with self.session.ws_connect(f"{self.url}/ws", params={"clientId": self.client_id}) as socket:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    async with self._news:
                        self.events.append(message.json())
                        self._news.notify_all()
                    opened.set()

    async def until(self, kind: str, prompt_id: str, **data: Any) -> list[Json]:
        """The events of a prompt up to the first one of this kind and data."""

        def wanted(event: Json) -> bool:
            it = event["data"]
            return bool(event["type"] == kind and it.get("prompt_id") == prompt_id and data.items() <= it.items())

        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(lambda: any(map(wanted, self.events)))
        end = next(index for index, event in enumerate(self.events) if wanted(event))
        return [event for event in self.events[: end + 1] if event["data"].get("prompt_id") == prompt_id]

    async def submit(self, graph: Json) -> str:
        status, answer = await self.post("/prompt", {"prompt": graph, "client_id": self.client_id})
        assert status == 200, answer
        return str(answer["prompt_id"])

    async def run(self, graph: Json) -> tuple[list[Json], Json]:
        """Events and history entry of a graph that is run to its end."""
        prompt_id = await self.submit(graph)
        events = await self.until("executing", prompt_id, node=None)
        return events, (await self.get(f"/history/{prompt_id}"))[prompt_id]

    async def get(self, path: str) -> Any:
        async with self.session.get(self.url + path) as response:
            assert response.status == 200
            return await response.json()

    async def post(self, path: str, body: Json) -> tuple[int, Any]:
        async with self.session.post(self.url + path, json=body) as response:
            text = await response.text()
            return response.status, await response.json() if text else None


@asynccontextmanager
async def connected(folder: Path, cost: Cost) -> AsyncIterator[Server]:
    """A connection to the server of COMFYUI_URL, else to a stand-in."""
    async with AsyncExitStack() as stack:
        real = os.environ.get("COMFYUI_URL")
        stand_in = None if real else await stack.enter_async_context(ComfyUIServer(folder, cost=cost))
        server = await stack.enter_async_context(listening(real or (stand_in.url if stand_in else "")))
        server.stand_in = stand_in
        yield server


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[Server]:
    """One client with events of its own."""
    async with aiohttp.ClientSession() as session:
        server = Server(url, session)
        opened = asyncio.Event()
        task = asyncio.create_task(server.listen(opened))
        await asyncio.wait_for(opened.wait(), 20)
        try:
            yield server
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with connected(tmp_path, Cost(batch=(3.0,), swap=0.0)) as server:
        yield server


def plain(colour: int, prefix: str = "contract") -> Json:
    """A graph of core nodes that needs no model."""
    return {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 48, "batch_size": 1, "color": colour}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": prefix}},
    }


def new_colour() -> int:
    return uuid.uuid4().int % 0xFFFFFF


async def sampled(server: Server, *, steps: int) -> Json:
    if CHECKPOINT not in await server.get("/models/checkpoints"):
        pytest.skip(f"this ComfyUI has no checkpoint {CHECKPOINT}")
    sampler = {"seed": new_colour(), "steps": steps, "cfg": 2.0, "sampler_name": "euler", "scheduler": "simple"}
    links = {"model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]}
    latent = {"width": 64, "height": 64, "batch_size": 1}
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": CHECKPOINT}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": "a cat"}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": ""}},
        "4": {"class_type": "EmptyLatentImage", "inputs": latent},
        "5": {"class_type": "KSampler", "inputs": {**sampler, **links, "denoise": 1.0}},
        "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
        "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "contract"}},
    }


def kinds(events: list[Json]) -> list[str]:
    return [event["type"] for event in events if event["type"] not in {"progress", "progress_state"}]


async def test_a_run_sends_its_events_in_order_and_ends_with_its_history_there(server: Server) -> None:
    events, entry = await server.run(plain(new_colour()))
    steps = ["execution_start", "execution_cached", "executing", "executing", "executed", "execution_success"]
    assert kinds(events) == [*steps, "executing"]
    assert events[-1]["data"]["node"] is None
    assert "display_node" not in events[-1]["data"]
    assert entry["status"]["status_str"] == "success"
    assert entry["status"]["completed"] is True
    image = entry["outputs"]["2"]["images"][0]
    assert set(image) == {"filename", "subfolder", "type"}
    executed = next(event["data"] for event in events if event["type"] == "executed")
    assert executed["output"]["images"] == [image]


async def test_the_same_graph_again_is_served_from_cache_and_names_the_old_file(server: Server) -> None:
    graph = plain(new_colour())
    _, first = await server.run(graph)
    events, second = await server.run(graph)
    cached = next(event["data"]["nodes"] for event in events if event["type"] == "execution_cached")
    assert sorted(cached) == ["1", "2"]
    assert kinds(events) == ["execution_start", "execution_cached", "executed", "execution_success", "executing"]
    assert second["outputs"]["2"]["images"] == first["outputs"]["2"]["images"]


async def test_an_unknown_node_class_is_refused_with_its_name(server: Server) -> None:
    status, answer = await server.post("/prompt", {"prompt": {"1": {"class_type": "NoNode", "inputs": {}}}})
    assert status == 400
    # "invalid_prompt" and "does not exist" until 0.3.68 or so.
    assert answer["error"]["type"] in {"missing_node_type", "invalid_prompt"}
    assert "NoNode" in answer["error"]["message"]
    assert answer["error"]["details"] == "Node ID '#1'"
    assert not answer["node_errors"]


async def test_a_missing_input_is_refused_with_the_node_it_misses_in(server: Server) -> None:
    graph = plain(1)
    del graph["1"]["inputs"]["width"]
    status, answer = await server.post("/prompt", {"prompt": graph})
    assert status == 400
    assert answer["error"]["type"] == "prompt_outputs_failed_validation"
    report = answer["node_errors"]["1"]
    assert report["class_type"] == "EmptyImage"
    assert report["dependent_outputs"] == ["2"]
    assert [(problem["type"], problem["details"]) for problem in report["errors"]] == [
        ("required_input_missing", "width")
    ]


async def test_a_value_out_of_its_list_is_refused_with_the_allowed_ones(server: Server) -> None:
    graph = await sampled(server, steps=1)
    graph["1"]["inputs"]["ckpt_name"] = "nope.safetensors"
    status, answer = await server.post("/prompt", {"prompt": graph})
    assert status == 400
    problem = answer["node_errors"]["1"]["errors"][0]
    assert problem["type"] == "value_not_in_list"
    assert problem["details"].startswith("ckpt_name: 'nope.safetensors' not in [")
    assert problem["extra_info"]["received_value"] == "nope.safetensors"


async def test_a_number_out_of_bounds_and_a_link_of_the_wrong_type_are_refused(server: Server) -> None:
    graph = plain(1)
    graph["1"]["inputs"]["width"] = 0
    _, answer = await server.post("/prompt", {"prompt": graph})
    assert answer["node_errors"]["1"]["errors"][0]["type"] == "value_smaller_than_min"
    graph = await sampled(server, steps=1)
    graph["7"]["inputs"]["images"] = ["4", 0]
    _, answer = await server.post("/prompt", {"prompt": graph})
    assert answer["node_errors"]["7"]["errors"][0]["type"] == "return_type_mismatch"


async def test_a_graph_without_outputs_is_refused(server: Server) -> None:
    graph = plain(1)
    del graph["2"]
    status, answer = await server.post("/prompt", {"prompt": graph})
    assert (status, answer["error"]["type"]) == (400, "prompt_no_outputs")


async def test_one_good_and_one_bad_output_pass_with_errors(server: Server) -> None:
    graph = plain(new_colour())
    graph["3"] = {"class_type": "SaveImage", "inputs": {"filename_prefix": "contract"}}
    status, answer = await server.post("/prompt", {"prompt": graph, "client_id": server.client_id})
    assert status == 200
    assert list(answer["node_errors"]) == ["3"]
    await server.until("executing", answer["prompt_id"], node=None)


async def test_our_own_prompt_id_is_taken(server: Server) -> None:
    mine = str(uuid.uuid4())
    _, answer = await server.post(
        "/prompt", {"prompt": plain(new_colour()), "prompt_id": mine, "client_id": server.client_id}
    )
    assert answer["prompt_id"] == mine
    await server.until("executing", mine, node=None)
    assert list(await server.get(f"/history/{mine}")) == [mine]


async def test_an_unknown_prompt_has_an_empty_history(server: Server) -> None:
    assert await server.get(f"/history/{uuid.uuid4()}") == {}


async def test_progress_is_told_and_interrupting_ends_only_that_run(server: Server) -> None:
    prompt_id = await server.submit(await sampled(server, steps=400))
    await server.until("progress", prompt_id)
    assert (await server.post("/interrupt", {"prompt_id": str(uuid.uuid4())}))[0] == 200
    await server.until("progress", prompt_id)
    assert (await server.post("/interrupt", {"prompt_id": prompt_id}))[0] == 200
    events = await server.until("executing", prompt_id, node=None)
    assert kinds(events)[-2:] == ["execution_interrupted", "executing"]
    entry = (await server.get(f"/history/{prompt_id}"))[prompt_id]
    assert entry["status"]["status_str"] == "error"
    assert entry["status"]["completed"] is False
    assert "execution_interrupted" in [message[0] for message in entry["status"]["messages"]]
    _, next_entry = await server.run(plain(new_colour()))
    assert next_entry["status"]["status_str"] == "success"


async def test_deleting_reaches_waiting_graphs_only(server: Server) -> None:
    running = await server.submit(await sampled(server, steps=400))
    await server.until("progress", running)
    waiting = await server.submit(plain(new_colour()))
    queue = await server.get("/queue")
    assert [item[1] for item in queue["queue_running"]] == [running]
    assert [item[1] for item in queue["queue_pending"]] == [waiting]
    await server.post("/queue", {"delete": [waiting, running]})
    queue = await server.get("/queue")
    assert [item[1] for item in queue["queue_running"]] == [running]
    assert queue["queue_pending"] == []
    await server.post("/interrupt", {"prompt_id": running})
    await server.until("executing", running, node=None)
    assert await server.get(f"/history/{waiting}") == {}


async def test_a_node_that_raises_is_told_with_its_type(server: Server) -> None:
    events, entry = await server.run(plain(new_colour(), prefix="../../outside"))
    assert kinds(events)[-2:] == ["execution_error", "executing"]
    error = events[-2]["data"] if events[-2]["type"] == "execution_error" else {}
    assert error["node_id"] == "2"
    assert error["node_type"] == "SaveImage"
    assert error["exception_type"]
    assert entry["status"]["status_str"] == "error"


async def test_view_gives_the_file_and_refuses_paths(server: Server) -> None:
    _, entry = await server.run(plain(new_colour(), prefix="contract/deeper"))
    image = entry["outputs"]["2"]["images"][0]
    assert image["subfolder"] == "contract"
    async with server.session.get(f"{server.url}/view", params=image) as response:
        content = await response.read()
        assert response.status == 200
    assert content.startswith(b"\x89PNG")
    assert b"class_type" in content, "SaveImage writes the graph into its file"
    for name, expected in (("../secret.png", 400), ("gone.png", 404)):
        async with server.session.get(f"{server.url}/view", params={**image, "filename": name}) as response:
            assert response.status == expected


async def test_system_stats_tell_version_and_memory(server: Server) -> None:
    stats = await server.get("/system_stats")
    assert stats["system"]["comfyui_version"]
    assert {"vram_total", "vram_free", "torch_vram_total", "torch_vram_free"} <= stats["devices"][0].keys()


async def test_object_info_describes_every_node_of_our_workflows(server: Server) -> None:
    from generation.workflows import workflow  # noqa: PLC0415 - only this test needs it

    info = await server.get("/object_info")
    for loaded in workflow.load_all().values():
        for node in loaded.graph.values():
            description = info[node["class_type"]]["input"]
            known = description.get("required", {}).keys() | description.get("optional", {}).keys()
            assert set(node["inputs"]) <= known
            assert set(description.get("required", {})) <= set(node["inputs"])


# -- connections ----------------------------------------------------------------------------------------


async def ended(server: Server, prompt_id: str) -> Json:
    """The history entry of a graph, once it is there."""
    async with asyncio.timeout(30):
        while not (found := await server.get(f"/history/{prompt_id}")):
            await asyncio.sleep(0.05)
    entry: Json = found[prompt_id]
    return entry


async def test_a_lost_websocket_loses_events_and_no_graph(server: Server) -> None:
    async with listening(server.url) as lost:
        prompt_id = await lost.submit(await sampled(server, steps=30))
        await lost.until("progress", prompt_id)
    assert (await ended(server, prompt_id))["status"]["completed"] is True
    assert not [event for event in server.events if event["data"].get("prompt_id") == prompt_id]


async def test_events_go_to_the_client_that_asked_and_the_queue_is_told_to_both(server: Server) -> None:
    async with listening(server.url) as other:
        prompt_id = await server.submit(plain(new_colour()))
        await server.until("executing", prompt_id, node=None)
        mine = await other.submit(plain(new_colour()))
        await other.until("executing", mine, node=None)
        assert not [event for event in other.events if event["data"].get("prompt_id") == prompt_id]
        assert [event for event in other.events if event["type"] == "status"]


async def test_two_graphs_of_two_clients_run_one_after_the_other(server: Server) -> None:
    async with listening(server.url) as other:
        first = await server.submit(await sampled(server, steps=30))
        await server.until("progress", first)
        second = await other.submit(plain(new_colour()))
        assert [item[1] for item in (await server.get("/queue"))["queue_pending"]] == [second]
        await other.until("executing", second, node=None)
        assert await server.get(f"/history/{first}")


async def restarted(server: Server) -> None:
    """Ends and begins again: COMFYUI_RESTART_COMMAND for a real one."""
    if server.stand_in:
        await server.stand_in.restart()
        return
    command = os.environ.get("COMFYUI_RESTART_COMMAND")
    if not command:
        pytest.skip("COMFYUI_RESTART_COMMAND is not set")
    process = await asyncio.create_subprocess_shell(command)
    assert await process.wait() == 0
    async with asyncio.timeout(60):
        while True:
            try:
                await server.get("/system_stats")
            except aiohttp.ClientError:
                await asyncio.sleep(0.5)
            else:
                return


async def test_a_restart_forgets_the_graph_that_runs_and_the_history(server: Server) -> None:
    _, entry = await server.run(plain(new_colour()))
    known = entry["prompt"][1]
    running = await server.submit(await sampled(server, steps=400))
    await server.until("progress", running)
    await restarted(server)
    assert await server.get("/queue") == {"queue_running": [], "queue_pending": []}
    for prompt_id in (known, running):
        assert await server.get(f"/history/{prompt_id}") == {}


# -- our client -----------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def our_client(server: Server) -> AsyncIterator[ComfyUI]:
    client = ComfyUI(server.session, server.url, poll=0.2)
    task = asyncio.create_task(client.listen())
    yield client
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await client.close()


async def test_our_client_renders_fetches_and_reads_the_seconds(our_client: ComfyUI) -> None:
    for _ in range(2):
        rendered = await our_client.render(plain(new_colour()), prompt_id=str(uuid.uuid4()), timeout=30)
        assert (await our_client.view(rendered.outputs["2"][0])).startswith(b"\x89PNG")
        assert rendered.seconds is not None
    await our_client.check()
    assert (await our_client.report()).vram_total


async def test_our_client_tells_refused_failed_and_interrupted_apart(our_client: ComfyUI, server: Server) -> None:
    wrong = plain(1)
    del wrong["1"]["inputs"]["width"]
    with pytest.raises(GraphRejected) as refused:
        await our_client.render(wrong, prompt_id=str(uuid.uuid4()), timeout=30)
    assert "1" in refused.value.node_errors
    with pytest.raises(RenderFailed):
        await our_client.render(plain(1, prefix="../../outside"), prompt_id=str(uuid.uuid4()), timeout=30)
    prompt_id = str(uuid.uuid4())
    graph = await sampled(server, steps=400)
    rendering = asyncio.create_task(our_client.render(graph, prompt_id=prompt_id, timeout=60))
    async with asyncio.timeout(20):
        while prompt_id not in str((await server.get("/queue"))["queue_running"]):
            await asyncio.sleep(0.05)
    await server.post("/interrupt", {"prompt_id": prompt_id})
    with pytest.raises(RenderInterrupted):
        await rendering


async def test_our_client_stops_a_graph_that_takes_too_long(our_client: ComfyUI, server: Server) -> None:
    prompt_id = str(uuid.uuid4())
    with pytest.raises(RenderTimeout):
        await our_client.render(await sampled(server, steps=4000), prompt_id=prompt_id, timeout=0.5)
    await our_client.close()
    assert (await ended(server, prompt_id))["status"]["completed"] is False
