"""The product as it is, for a bench: real workers in processes of their own over real servers."""

import asyncio
import itertools
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import func, select

from generation import storage
from generation.models import Orientation, Photo, PhotoStatus, RenderWorker
from generation.orders import jobs, placing
from generation.orders.placing import PhotoOrder, PhotoWords
from generation.runtime.database import Database
from sandbox.bench.contenders import WORKFLOWS
from sandbox.bench.services import FIRST_PERSON, PEOPLE
from sandbox.cluster import ROOT, TEMPLATE, Servers
from sandbox.forked import Forked, environment, python_m
from sandbox.scaled_worker import TIMINGS
from sandbox.simulation import Arrival
from sandbox.wiring import product_settings

FOLDER = ROOT / "sandbox" / "workflows"
WORDS = PhotoWords(failed="failed", unconfirmed="lost", send_again="again", send_again_data="again")
_numbers = itertools.count(1)


@asynccontextmanager
async def services(costs: Sequence[Sequence[float]], *, swap: float) -> AsyncIterator[dict[str, Any]]:
    """The stand-ins in a process of their own, a GPU for each cost table; their addresses."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sandbox.bench.services", json.dumps({"gpus": list(costs), "swap": swap})),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        yield json.loads(await process.stdout.readline())
    finally:
        process.terminate()
        await process.wait()


async def record(url: str) -> dict[str, dict[str, Any]]:
    """What a stand-in GPU did, by prompt id."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/sandbox/record") as response:
        answer: dict[str, dict[str, Any]] = await response.json()
        return answer


class Product:
    """Workers of ours, one a GPU, on a database and a queue of their own."""

    def __init__(
        self,
        servers: Servers,
        addresses: dict[str, Any],
        gpus: Sequence[str],
        *,
        folder: Path = FOLDER,
        timings: dict[str, float] | None = None,
        **changes: Any,
    ) -> None:
        self._servers = servers
        self._gpus = gpus
        self._timings = timings or {}
        self._name = f"bench_{next(_numbers)}"
        self.settings = product_settings(
            servers,
            self._name,
            comfyui_url=addresses["gpus"][0],
            telegram_url=addresses["telegram"],
            llm_url=addresses["llm"],
            s3_bucket="bench-photos",
            workflows_folder=str(folder),
            queue_limit=1_000_000,
            # A probe would count as a render.
            probe_workflows=False,
            **changes,
        )
        self.workers: list[Forked] = []

    async def __aenter__(self) -> "Product":
        await asyncio.to_thread(self._servers.postgres.create_database, self._name, template=TEMPLATE)
        self.database = Database(self.settings.database_url, pool_size=10)
        self._redis = jobs.connect(self.settings.redis_url, queue=self._name, retries=1)
        async with storage.opened(self.settings) as opened:
            await opened.create_bucket()
        await self.start_workers(self._gpus)
        return self

    async def start_workers(self, gpus: Sequence[str]) -> None:
        """One for each GPU; returns when all of them are ready."""
        for url in gpus:
            variables = environment(self.settings.model_copy(update={"comfyui_url": url}))
            variables[TIMINGS] = json.dumps(self._timings)
            self.workers.append(
                await python_m("arq", "sandbox.scaled_worker.WorkerSettings", environment=variables)
            )
        await self._until(select(func.count() == len(self.workers)).where(RenderWorker.problem.is_(None)))

    async def __aexit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
            await worker.wait()
        await self._redis.aclose()
        await self.database.close()
        await asyncio.to_thread(self._servers.postgres.drop_database, self._name)

    async def order(self, number: int, arrival: Arrival, *, announce: bool = True) -> tuple[Photo, float]:
        """Order a photo as the bot does; its row, and when it was committed in seconds since 1970."""
        order = PhotoOrder(
            dedup_key=f"bench:{number}",
            chat_id=FIRST_PERSON + number % PEOPLE,
            owner_id=number,
            reply_to_message_id=None,
            requested=True,
            premium=arrival.premium,
            rule="bench",
            reason="",
            workflow=WORKFLOWS[arrival.model],
            orientation=Orientation.PORTRAIT,
            prompt=f"scene {number}",
            negative_prompt="",
            seed=number,
            words=WORDS,
        )
        settings = self.settings
        async with self.database.unit() as session:
            photo = await placing.place(
                session,
                order,
                queue_limit=settings.queue_limit,
                premium_head_start=settings.premium_head_start,
                lease=settings.lease,
            )
        committed = time.time()
        if announce:
            await self.announce(photo)
        return photo, committed

    async def announce(self, photo: Photo) -> None:
        await jobs.enqueue_render(self._redis, photo, premium_head_start=self.settings.premium_head_start)

    async def run(self, arrivals: Sequence[Arrival]) -> list[float]:
        """Serve all arrivals at their times; seconds that each waited from its order to its picture."""
        began = time.monotonic()
        numbers = {}
        for number, arrival in enumerate(arrivals):
            await asyncio.sleep(max(0, began + arrival.at - time.monotonic()))
            numbers[(await self.order(number, arrival))[0].id] = number
        await self.all_delivered()
        async with self.database.unit() as session:
            rows = await session.execute(
                select(Photo.id, func.extract("epoch", Photo.rendered_at - Photo.queued_at))
            )
            waits = {numbers[photo_id]: float(seconds) for photo_id, seconds in rows}
        return [waits[number] for number in range(len(arrivals))]

    async def deliveries(self) -> list[float]:
        """Seconds from each picture to its chat: download, check, PNG, JPEG, S3, Telegram; sorted."""
        async with self.database.unit() as session:
            passed = func.extract("epoch", Photo.delivered_at - Photo.rendered_at)
            return sorted(float(seconds) for seconds in await session.scalars(select(passed)))

    async def all_delivered(self) -> None:
        await self._until(select(func.count() == 0).where(Photo.status != PhotoStatus.DELIVERED))

    async def until_delivered(self, photo: Photo) -> None:
        await self._until(select(Photo.status == PhotoStatus.DELIVERED).where(Photo.id == photo.id))

    async def received_at(self, photo: Photo, gpu: str) -> float:
        """When ComfyUI received the graph that rendered this photo, in seconds since 1970."""
        async with self.database.unit() as session:
            submitted = select(func.extract("epoch", Photo.submitted_at)).where(Photo.id == photo.id)
            seconds = float(await session.scalar(submitted) or 0)
        received = [graph["received"] for graph in (await record(gpu)).values()]
        return float(min(received, key=lambda it: abs(it - seconds)))

    async def _until(self, question: Any) -> None:
        async with asyncio.timeout(600):
            while True:
                async with self.database.unit() as session:
                    if await session.scalar(question):
                        return
                await asyncio.sleep(0.1)
