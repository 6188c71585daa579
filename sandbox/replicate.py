"""Replicate's predictions API as its documents say (replicate.com/docs/reference/http), in front of a Cog server.

A prediction is created, waits, runs on the one Cog server that there is, and is asked for or told of by a signed
webhook. Outputs become links that end; the real API's do after an hour.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import time
import uuid
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from sandbox.faults import Faults
from sandbox.http import HttpServer

TOKEN = "r8_sandbox-replicate-token"
DEPLOYMENT = "vitte/photos"
VERSION = hashlib.sha256(b"vitte").hexdigest()
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"sandbox-replicate-webhook").decode()


class ReplicateServer:
    """The API on loopback over a Cog server at `cog_url`; `cold_start` seconds pass before a prediction begins."""

    def __init__(self, cog_url: str, *, cold_start: float = 0) -> None:
        self.faults = Faults()
        self.predictions: dict[str, dict[str, Any]] = {}
        self.cold_start = cold_start
        #: Links to outputs are dead.
        self.expired = False
        self._cog_url = cog_url
        self._files: dict[str, bytes] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._one_at_a_time = asyncio.Lock()
        application = web.Application(middlewares=[_authorized])
        self.faults.install(application)
        application.add_routes(
            [
                web.get("/v1/account", self._account),
                web.post("/v1/predictions", self._create_version),
                web.post("/v1/deployments/{owner}/{name}/predictions", self._create_deployment),
                web.get("/v1/predictions/{id}", self._get),
                web.post("/v1/predictions/{id}/cancel", self._cancel),
                web.get("/delivery/{id}/{name}", self._file),
            ]
        )
        self._server = HttpServer(application)

    @property
    def url(self) -> str:
        return f"{self._server.url}/v1"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.stop()
        await self._session.close()

    async def _account(self, _request: web.Request) -> web.Response:
        return web.json_response({"type": "organization", "username": "vitte", "name": "Vitte"})

    async def _create_version(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body.get("version") != VERSION:
            return _problem(422, "Invalid version or not permitted", "The specified version does not exist")
        return self._created(body)

    async def _create_deployment(self, request: web.Request) -> web.Response:
        if f"{request.match_info['owner']}/{request.match_info['name']}" != DEPLOYMENT:
            return _problem(404, "Not found", "The requested resource could not be found.")
        return self._created(await request.json())

    def _created(self, body: dict[str, Any]) -> web.Response:
        if not isinstance(body.get("input"), dict) or not isinstance(body["input"].get("workflow"), str):
            return _problem(422, "Input validation failed", "- input.workflow: workflow is required")
        prediction: dict[str, Any] = {
            "id": uuid.uuid4().hex[:26],
            "version": VERSION,
            "status": "starting",
            "input": body["input"],
            "output": None,
            "error": None,
            "logs": "",
            "metrics": {},
        }
        self.predictions[prediction["id"]] = prediction
        task = asyncio.create_task(self._run(prediction, body.get("webhook")))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return web.json_response(prediction, status=201)

    async def _get(self, request: web.Request) -> web.Response:
        prediction = self.predictions.get(request.match_info["id"])
        return web.json_response(prediction) if prediction else _problem(404, "Not found", "No such prediction.")

    async def _cancel(self, request: web.Request) -> web.Response:
        prediction = self.predictions.get(request.match_info["id"])
        if prediction is None:
            return _problem(404, "Not found", "No such prediction.")
        if prediction["status"] in {"starting", "processing"}:
            prediction["status"] = "canceled"
            async with self._session.post(f"{self._cog_url}/predictions/{prediction['id']}/cancel"):
                pass
        return web.json_response(prediction)

    async def _file(self, request: web.Request) -> web.Response:
        content = self._files.get(request.path)
        if content is None or self.expired:
            return web.Response(status=404)
        return web.Response(body=content, content_type="image/png")

    async def _run(self, prediction: dict[str, Any], webhook: str | None) -> None:
        await asyncio.sleep(self.cold_start)
        async with self._one_at_a_time:
            if prediction["status"] != "starting":
                return
            prediction["status"] = "processing"
            url = f"{self._cog_url}/predictions/{prediction['id']}"
            answer = await self._predicted(url, prediction["input"])
        if prediction["status"] == "processing":
            prediction |= {name: answer[name] for name in ("status", "error", "metrics") if name in answer}
            if isinstance(answer.get("output"), dict):
                prediction["output"] = self._delivered(prediction["id"], answer["output"])
        if webhook:
            await self._tell(webhook, prediction)

    async def _predicted(self, url: str, given: dict[str, Any]) -> dict[str, Any]:
        while True:
            async with self._session.put(url, json={"input": given}) as response:
                answer: dict[str, Any] = await response.json()
            # Its slot is free a moment after the answer of the one before.
            if response.status != 409:
                return answer
            await asyncio.sleep(0.02)

    def _delivered(self, prediction_id: str, output: dict[str, Any]) -> dict[str, Any]:
        """The Cog server gives files as data URLs; Replicate's own sidecar uploads them and gives links."""
        links = []
        for number, data in enumerate(output.get("images") or []):
            path = f"/delivery/{prediction_id}/{number}.png"
            self._files[path] = base64.b64decode(data.partition(",")[2])
            links.append(f"{self._server.url}{path}")
        return {**output, "images": links}

    async def _tell(self, url: str, prediction: dict[str, Any]) -> None:
        body = json.dumps(prediction).encode()
        async with self._session.post(url, data=body, headers=signed(body)):
            pass


def signed(body: bytes, *, secret: str = WEBHOOK_SECRET, at: float | None = None) -> dict[str, str]:
    """The headers of a webhook with this body."""
    sent_at = str(int(time.time() if at is None else at))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = b"msg_1." + sent_at.encode() + b"." + body
    signature = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": sent_at,
        "webhook-signature": f"v1,{signature}",
        "Content-Type": "application/json",
    }


def _problem(status: int, title: str, detail: str) -> web.Response:
    return web.json_response({"title": title, "detail": detail, "status": status}, status=status)


@web.middleware
async def _authorized(request: web.Request, handler: Any) -> web.StreamResponse:
    if request.path.startswith("/v1") and request.headers.get("Authorization") != f"Bearer {TOKEN}":
        return _problem(401, "Unauthenticated", "You did not pass a valid authentication token")
    answer: web.StreamResponse = await handler(request)
    return answer
