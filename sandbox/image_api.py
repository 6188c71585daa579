"""An engine that batches by itself, as vLLM-Omni serves it: OpenAI's image API, in batches of `max_num_seqs`.

What comes within one step's time is rendered together, each with its own seed; a request that fails leaves the
others alone. It draws the same pictures as `sandbox.comfyui`.
"""

import asyncio
import base64
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from sandbox.comfyui.drawing import draw, to_png
from sandbox.faults import Faults
from sandbox.http import HttpServer

API_KEY = "sandbox-image-key"
MODEL = "Tongyi-MAI/Z-Image-Turbo"


class ImageApiServer:
    """One model on loopback; a batch takes `seconds`, however many are in it. Fault "generate": `out_of_memory`."""

    def __init__(self, *, seconds: float = 0.1, max_num_seqs: int = 4) -> None:
        self.faults = Faults()
        self.requests: list[dict[str, Any]] = []
        #: How many were rendered together, batch by batch.
        self.batches: list[int] = []
        self._seconds = seconds
        self._most = max_num_seqs
        self._waiting: list[tuple[dict[str, Any], asyncio.Future[bytes]]] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        application = web.Application()
        self.faults.install(application)
        application.router.add_get("/v1/models", self._models)
        application.router.add_post("/v1/images/generations", self._generate)
        self._server = HttpServer(application)

    @property
    def url(self) -> str:
        return f"{self._server.url}/v1"

    async def __aenter__(self) -> Self:
        await self._server.start()
        self._task = asyncio.create_task(self._work())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._server.stop()

    async def _models(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {API_KEY}":
            return _error(401, "Unauthorized")
        return web.json_response({"object": "list", "data": [{"id": MODEL, "object": "model"}]})

    async def _generate(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {API_KEY}":
            return _error(401, "Unauthorized")
        body = await request.json()
        if body.get("model", MODEL) != MODEL:
            return _error(404, f"The model `{body['model']}` does not exist.")
        if (wrong := _wrong(body)) is not None:
            return _error(422, wrong)
        self.requests.append(body)
        if self.faults.take("generate", "out_of_memory"):
            return _error(500, "CUDA out of memory. Tried to allocate 2.00 GiB.")
        picture: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting.append((body, picture))
        self._wake.set()
        content = base64.b64encode(await picture).decode()
        return web.json_response(
            {"created": 0, "data": [{"b64_json": content, "url": None, "revised_prompt": None}]}
        )

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            # --request-batch-max-wait-ms
            await asyncio.sleep(0.02)
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            if not self._waiting:
                self._wake.clear()
            self.batches.append(len(batch))
            await asyncio.sleep(self._seconds)
            for body, picture in batch:
                width, height = map(int, body["size"].split("x"))
                image = await asyncio.to_thread(draw, body["prompt"], body.get("seed", 0), width, height)
                if not picture.done():
                    picture.set_result(to_png(image, None))


def _wrong(body: dict[str, Any]) -> str | None:
    size = str(body.get("size", ""))
    width, _, height = size.partition("x")
    if not body.get("prompt"):
        return "prompt: Field required"
    if not (width.isdigit() and height.isdigit()):
        return f"size: {size!r} is not WIDTHxHEIGHT"
    if body.get("response_format") != "b64_json":
        return "response_format: only b64_json is supported"
    if not 0 <= int(body.get("seed", 0)) < 2**63 or body.get("n", 1) != 1:
        return "seed or n is out of range"
    return None


def _error(status: int, message: str) -> web.Response:
    return web.json_response(
        {"error": {"message": message, "type": "BadRequestError", "code": status}}, status=status
    )
