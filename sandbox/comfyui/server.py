"""ComfyUI's HTTP and WebSocket API over the stand-in's executor (server.py, read at 0.3.64, run at 0.33.0)."""

import asyncio
import json
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import WSMsgType, web

from generation.comfyui_nodes import access
from sandbox.comfyui.execution import Cost, Executor, Prompt
from sandbox.comfyui.nodes import MODELS, nodes_of
from sandbox.comfyui.validation import Invalid, validate
from sandbox.faults import Faults
from sandbox.http import HttpServer

VERSION = "0.33.0"
VRAM = 24 * 1024**3
MODEL_VRAM = 10 * 1024**3


class ComfyUIServer:
    """A ComfyUI without a GPU on loopback. `folder` takes its output files.

    `stop` and a new instance are a restart: queue and history are gone, as with the original.
    Faults beside those of `sandbox.faults`, with path "render": `out_of_memory`, `black`, `noise`, `stall`,
    `stuck` (a stall that no interrupt ends), `no_events`; with path "/view": `truncated`; with path "/history":
    `empty` (no outputs yet). `executor.broken` raises in each graph until a restart, `executor.asleep` takes graphs
    and begins none.
    """

    def __init__(self, folder: Path, *, cost: Cost | None = None, port: int = 0) -> None:
        self.faults = Faults()
        self.executor = Executor(folder, cost or Cost(), self.faults, self._send)
        self._sockets: dict[str, web.WebSocketResponse] = {}
        self._outbox: asyncio.Queue[tuple[str, dict[str, Any], str | None]] = asyncio.Queue()
        self._number = 0
        #: Names of the pictures that were uploaded, in order.
        self.uploads: list[str] = []
        #: Model files and node classes that it lacks.
        self.missing: set[str] = set()
        #: "cpu" for a machine without a card, whose memory ComfyUI then calls VRAM.
        self.device_type = "cuda"
        #: What it was started with; docs/operations.md names a flag that belongs there.
        self.argv = ["main.py", "--disable-metadata"]
        #: Seconds after the end of a graph at which its history can be read.
        self.history_late = 0.0
        #: Degrees Celsius that the node of comfyui_nodes tells; None while it is not installed.
        self.temperature: float | None = None
        #: Their VITTE_SECRET.
        self.secret = ""
        #: What was asked of those nodes beside that.
        self.asked_of_nodes: list[str] = []
        self._tasks: list[asyncio.Task[None]] = []
        application = web.Application(client_max_size=100 * 1024 * 1024)
        self.faults.install(application)
        self._add_routes(application)
        self._server = HttpServer(application, port=port)

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def port(self) -> int:
        return self._server.port

    async def start(self) -> Self:
        await self._server.start()
        self._tasks = [asyncio.create_task(self.executor.work()), asyncio.create_task(self._publish())]
        return self

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in list(self._sockets.values()):
            await socket.close()
        await self._server.stop()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def restart(self) -> None:
        """What a restart leaves of the queue, the history and the graph that runs: nothing."""
        self._tasks[0].cancel()
        await asyncio.gather(self._tasks[0], return_exceptions=True)
        self.executor.forget()
        self._tasks[0] = asyncio.create_task(self.executor.work())

    def drop_sockets(self) -> None:
        """Break every WebSocket off without a word."""
        for socket in self._sockets.values():
            if socket._req is not None and socket._req.transport is not None:
                socket._req.transport.abort()

    # -- routes ----------------------------------------------------------------------------------------

    def _add_routes(self, application: web.Application) -> None:
        for prefix in ("", "/api"):
            application.add_routes(
                [
                    web.get(f"{prefix}/ws", self._websocket),
                    web.post(f"{prefix}/prompt", self._prompt),
                    web.get(f"{prefix}/queue", self._get_queue),
                    web.post(f"{prefix}/queue", self._post_queue),
                    web.post(f"{prefix}/interrupt", self._interrupt),
                    web.get(f"{prefix}/history", self._all_history),
                    web.get(f"{prefix}/history/{{prompt_id}}", self._history),
                    web.get(f"{prefix}/view", self._view),
                    web.post(f"{prefix}/upload/image", self._upload),
                    web.get(f"{prefix}/system_stats", self._system_stats),
                    web.post(f"{prefix}/free", self._free),
                    web.get(f"{prefix}/object_info", self._object_info),
                    web.get(f"{prefix}/object_info/{{name}}", self._object_info),
                    web.get(f"{prefix}/models", self._model_folders),
                    web.get(f"{prefix}/models/{{folder}}", self._models),
                ]
            )
        # Those of generation/comfyui_nodes, where a test has installed it by giving the card a temperature.
        application.add_routes(
            [
                web.get("/vitte/gpu", self._of_nodes),
                web.post("/vitte/gpu/forget_peak", self._of_nodes),
                web.delete("/vitte/models", self._of_nodes),
                web.post("/vitte/restart", self._of_nodes),
            ]
        )
        application.router.add_get("/sandbox/record", self._record)

    async def _prompt(self, request: web.Request) -> web.Response:
        # A body that is no JSON object raises here: the original answers such things with a bare 500 too.
        body = await request.json()
        if "number" in body:
            number = float(body["number"])
        else:
            number = -self._number if body.get("front") else self._number
            self._number += 1
        if "prompt" not in body:
            error = {"type": "no_prompt", "message": "No prompt provided", "details": "No prompt provided"}
            return web.json_response({"error": error | {"extra_info": {}}, "node_errors": {}}, status=400)
        prompt_id = str(body.get("prompt_id", uuid.uuid4()))
        try:
            outputs, node_errors = validate(body["prompt"], nodes_of(self.missing), self._files())
        except Invalid as invalid:
            answer = {"error": invalid.error, "node_errors": invalid.node_errors}
            return web.json_response(answer, status=400)
        extra = body.get("extra_data", {})
        if "client_id" in body:
            extra["client_id"] = body["client_id"]
        self.executor.put(Prompt(number, prompt_id, body["prompt"], extra, outputs))
        return web.json_response({"prompt_id": prompt_id, "number": number, "node_errors": node_errors})

    async def _get_queue(self, _request: web.Request) -> web.Response:
        running = self.executor.running
        return web.json_response(
            {
                "queue_running": [running.as_item()] if running else [],
                "queue_pending": [prompt.as_item() for prompt in self.executor.waiting],
            }
        )

    async def _post_queue(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body.get("clear"):
            for prompt in list(self.executor.waiting):
                self.executor.delete(prompt.prompt_id)
        for prompt_id in body.get("delete", []):
            self.executor.delete(prompt_id)
        return web.Response()

    async def _interrupt(self, request: web.Request) -> web.Response:
        try:
            body = await request.json()
        except json.JSONDecodeError:
            body = {}
        self.executor.interrupt(body.get("prompt_id"))
        return web.Response()

    async def _free(self, request: web.Request) -> web.Response:
        if (await request.json()).get("unload_models"):
            self.executor.loaded_model = None
        return web.Response()

    async def _all_history(self, _request: web.Request) -> web.Response:
        return web.json_response(self.executor.history)

    async def _history(self, request: web.Request) -> web.Response:
        prompt_id = request.match_info["prompt_id"]
        entry = self.executor.history.get(prompt_id)
        ended = self.executor.record.get(prompt_id, {}).get("ended", 0)
        if time.time() < ended + self.history_late:
            entry = None
        elif entry and self.faults.take("/history", "empty"):
            entry = {**entry, "outputs": {}}
        return web.json_response({prompt_id: entry} if entry else {})

    def _files(self) -> set[str]:
        """Names in the input folder."""
        folder = self.executor.inputs
        return {path.name for path in folder.iterdir()} if folder.is_dir() else set()

    async def _upload(self, request: web.Request) -> web.Response:
        """Into the input folder; without `overwrite` another file of the same name gets a number."""
        form = await request.post()
        image = form.get("image")
        if not isinstance(image, web.FileField) or not image.filename:
            return web.Response(status=400)
        folder = self.executor.inputs
        folder.mkdir(parents=True, exist_ok=True)
        path = (folder / image.filename).resolve()
        if not path.is_relative_to(folder.resolve()):
            return web.Response(status=400)
        content, name = image.file.read(), path.name
        if path.exists() and form.get("overwrite") not in {"true", "1"} and path.read_bytes() != content:
            name = f"{path.stem} (1){path.suffix}"
        (folder / name).write_bytes(content)
        self.uploads.append(name)
        return web.json_response({"name": name, "subfolder": "", "type": "input"})

    async def _view(self, request: web.Request) -> web.StreamResponse:
        name, subfolder = request.query.get("filename", ""), request.query.get("subfolder", "")
        if not name:
            return web.Response(status=404)
        if name.startswith("/") or ".." in name:
            return web.Response(status=400)
        path = (self.executor.folder / subfolder / name).resolve()
        if not path.is_relative_to(self.executor.folder.resolve()):
            return web.Response(status=403)
        if not path.is_file():
            return web.Response(status=404)
        content = path.read_bytes()
        if self.faults.take("/view", "truncated"):
            content = content[: len(content) // 2]
        return web.Response(body=content, content_type="image/png")

    async def _system_stats(self, _request: web.Request) -> web.Response:
        free = VRAM - (MODEL_VRAM if self.executor.loaded_model else 0) - self.executor.leaked
        device = {"name": "stand-in", "type": self.device_type, "index": 0, "vram_total": VRAM, "vram_free": free}
        device |= {"torch_vram_total": VRAM - free, "torch_vram_free": 0}
        system = {"os": "posix", "comfyui_version": VERSION, "pytorch_version": "stand-in", "argv": self.argv}
        return web.json_response({"system": system, "devices": [device]})

    async def _of_nodes(self, request: web.Request) -> web.Response:
        if self.temperature is None:
            return web.Response(status=404)
        if not access.allowed(request.headers, request.remote, self.secret):
            return web.Response(status=403)
        if request.path == "/vitte/gpu":
            return self._gpu(self.temperature)
        self.asked_of_nodes.append(f"{request.method} {request.path}")
        if request.path == "/vitte/restart":
            await self.restart()
        return web.Response()

    def _gpu(self, temperature: float) -> web.Response:
        vram = MODEL_VRAM if self.executor.loaded_model else 0
        models = {"hits": 0, "loads": self.executor.swaps, "load_seconds": self.executor.swaps * 1.0}
        return web.json_response({"load": 0.9, "temperature": temperature, "vram_peak": vram, "models": models})

    async def _object_info(self, request: web.Request) -> web.Response:
        name = request.match_info.get("name")
        nodes = nodes_of(self.missing)
        if name is None:
            return web.json_response(nodes)
        return web.json_response({name: nodes[name]} if name in nodes else {})

    async def _record(self, _request: web.Request) -> web.Response:
        """Not ComfyUI's: what a bench wants to know of each prompt."""
        return web.json_response(self.executor.record)

    async def _model_folders(self, _request: web.Request) -> web.Response:
        return web.json_response(list(MODELS))

    async def _models(self, request: web.Request) -> web.Response:
        folder = request.match_info["folder"]
        return web.json_response(MODELS[folder]) if folder in MODELS else web.Response(status=404)

    # -- events ----------------------------------------------------------------------------------------

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        client_id = request.query.get("clientId") or uuid.uuid4().hex
        self._sockets[client_id] = socket
        try:
            await socket.send_json(
                {
                    "type": "status",
                    "data": {
                        "status": {"exec_info": {"queue_remaining": self.executor.remaining()}},
                        "sid": client_id,
                    },
                }
            )
            async for message in socket:
                if message.type is WSMsgType.ERROR:
                    break
        finally:
            # By id, like the original: an old socket that closes late takes a new one of the same id with it.
            self._sockets.pop(client_id, None)
        return socket

    def _send(self, name: str, data: dict[str, Any], client: str | None) -> None:
        self._outbox.put_nowait((name, data, client))

    async def _publish(self) -> None:
        while True:
            name, data, client = await self._outbox.get()
            sockets = list(self._sockets.values()) if client is None else [self._sockets.get(client)]
            for socket in sockets:
                if socket is not None and not socket.closed:
                    try:
                        await socket.send_json({"type": name, "data": data})
                    except (ConnectionError, RuntimeError):
                        continue
