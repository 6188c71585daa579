"""What the product is measured beside: three ways to use one ComfyUI, each as its users would write it.

They render and fetch the picture, and nothing more: no database, no S3, no Telegram. That flatters them.
"""

import asyncio
import time
import uuid
from collections.abc import Sequence
from typing import Any, Protocol

import aiohttp
from arq import Worker, func
from arq.connections import RedisSettings, create_pool

from generation.backends.comfyui import ComfyUI
from generation.models import Orientation
from generation.workflows.workflow import Filling, Workflow
from sandbox.simulation import Arrival

#: Workflows of the two models of a workload.
WORKFLOWS = {"a": "one-pass", "b": "one-pass-sdxl"}


class Contender(Protocol):
    async def run(self, arrivals: Sequence[Arrival]) -> list[float]:
        """Serve all arrivals at their times; seconds that each waited from its order to its picture."""


class Client:
    """Renders with the product's own client."""

    def __init__(self, url: str, workflows: dict[str, Workflow]) -> None:
        self._url = url
        self._workflows = workflows

    async def __aenter__(self) -> "Client":
        self._session = aiohttp.ClientSession()
        self._comfyui = ComfyUI(self._session, self._url)
        self._listening = asyncio.create_task(self._comfyui.listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        await self._session.close()

    async def render(self, model: str, numbers: Sequence[int]) -> None:
        """One graph with a photo for each number; ends when all pictures are here."""
        fillings = [
            Filling(
                prompt=f"scene {number}",
                negative_prompt="",
                seed=number,
                orientation=Orientation.PORTRAIT,
                filename_prefix=f"bench/{uuid.uuid4().hex}",
            )
            for number in numbers
        ]
        graph, places = self._workflows[WORKFLOWS[model]].fill(fillings)
        rendered = await self._comfyui.render(graph, prompt_id=str(uuid.uuid4()), timeout=3600)
        await asyncio.gather(*(self._comfyui.view(rendered.outputs[place.node][place.index]) for place in places))


async def _arrive(arrivals: Sequence[Arrival], began: float) -> Any:
    for number, arrival in enumerate(arrivals):
        await asyncio.sleep(max(0, began + arrival.at - time.monotonic()))
        yield number, arrival


class PlainComfyUI:
    """Each order goes to ComfyUI's own queue at once: first come, first served, one by one."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def run(self, arrivals: Sequence[Arrival]) -> list[float]:
        began = time.monotonic()

        async def serve(number: int, arrival: Arrival) -> float:
            await self._client.render(arrival.model, [number])
            return time.monotonic() - began - arrival.at

        return await asyncio.gather(
            *[asyncio.create_task(serve(number, arrival)) async for number, arrival in _arrive(arrivals, began)]
        )


class DefaultArq:
    """An arq worker with arq's default settings, one job for each photo; the pause between its looks is scaled."""

    def __init__(self, client: Client, redis_url: str, *, scale: float) -> None:
        self._client = client
        self._redis = RedisSettings.from_dsn(redis_url)
        self._scale = scale

    async def run(self, arrivals: Sequence[Arrival]) -> list[float]:
        queue = f"bench:{uuid.uuid4().hex}"
        pool = await create_pool(self._redis, default_queue_name=queue)
        began = time.monotonic()
        waits: dict[int, float] = {}
        done = asyncio.Event()

        async def photo(_ctx: dict[str, Any], number: int) -> None:
            arrival = arrivals[number]
            await self._client.render(arrival.model, [number])
            waits[number] = time.monotonic() - began - arrival.at
            if len(waits) == len(arrivals):
                done.set()

        worker = Worker(
            functions=[func(photo, name="photo")],  # type: ignore[arg-type]
            queue_name=queue,
            redis_pool=await create_pool(self._redis),
            poll_delay=0.5 / self._scale,
            handle_signals=False,
            job_timeout=3600,
        )
        running = asyncio.create_task(worker.async_run())
        async for number, _ in _arrive(arrivals, began):
            await pool.enqueue_job("photo", number)
        await done.wait()
        while worker.tasks:
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await worker.close()
        await pool.aclose()
        return [waits[number] for number in range(len(arrivals))]


class Research:
    """The customer's research: one sequential worker, a fixed window of 200 ms (scaled), batches of four."""

    def __init__(self, client: Client, *, scale: float) -> None:
        self._client = client
        self._window = 0.2 / scale

    async def run(self, arrivals: Sequence[Arrival]) -> list[float]:
        began = time.monotonic()
        waiting: list[int] = []
        arrived = asyncio.Event()
        waits: dict[int, float] = {}

        async def arrive() -> None:
            async for number, _ in _arrive(arrivals, began):
                waiting.append(number)
                arrived.set()

        arriving = asyncio.create_task(arrive())
        while len(waits) < len(arrivals):
            while not waiting:
                arrived.clear()
                await arrived.wait()
            if len(waiting) < 4:
                await asyncio.sleep(self._window)
            model = arrivals[waiting[0]].model
            batch = [number for number in waiting if arrivals[number].model == model][:4]
            for number in batch:
                waiting.remove(number)
            await self._client.render(model, batch)
            for number in batch:
                waits[number] = time.monotonic() - began - arrivals[number].at
        await arriving
        return [waits[number] for number in range(len(arrivals))]
