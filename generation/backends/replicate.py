"""Replicate's predictions API (replicate.com/docs/reference/http) in front of our Cog image (deploy/cog)."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import aiohttp
from aiohttp import web

from generation.backends.comfyui_history import Rendered
from generation.backends.http_jobs import HttpJobs, Service, failure, images_of
from generation.errors import RenderFailed, RenderInterrupted
from generation.workflows.definition import Graph

#: Seconds by which a webhook's time stamp may be off: an older one is played again by somebody.
TOLERANCE = 300
_VERSION = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where Replicate says that a prediction has ended, and what it signs that with."""

    url: str
    secret: str = field(repr=False)


class Replicate(HttpJobs):
    """One deployment (`owner/name`) or one version of a model (64 hexadecimal digits).

    Outputs are links that end after an hour, so they are fetched at once. `Prefer: wait` is not used: a request
    that is broken off while it waits would leave a prediction that nobody can cancel.
    """

    name = "replicate"
    title = "Replicate"
    states: Mapping[str, Literal["waits", "runs"]] = MappingProxyType({"starting": "waits", "processing": "runs"})
    refusals: Mapping[int, str] = MappingProxyType(
        {
            404: "there is no such deployment or version (404)",
            422: "the version is not one of deploy/cog (422)",
        }
    )
    health = "/account"

    def __init__(
        self,
        session: aiohttp.ClientSession,
        service: Service,
        *,
        model: str,
        webhook: Webhook | None = None,
        own_is_idle: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        super().__init__(session, service, own_is_idle=own_is_idle)
        self._model = model
        self._webhook = webhook
        self._rung: dict[str, asyncio.Event] = {}

    async def receive(self, request: web.Request) -> web.Response:
        """POST of a webhook. It only ends a pause early: what became of a prediction is always asked."""
        body = await request.read()
        if self._webhook is None or not is_signed(self._webhook.secret, request.headers, body):
            return web.Response(status=401)
        try:
            prediction = json.loads(body)
        except ValueError:
            return web.Response(status=400)
        rung = self._rung.get(str(prediction.get("id"))) if isinstance(prediction, dict) else None
        if rung:
            rung.set()
        return web.Response()

    def _creation(
        self, graph: Graph, timeout: float, pictures: Sequence[dict[str, str]]
    ) -> tuple[str, dict[str, Any]]:
        asked: dict[str, Any] = {"workflow": json.dumps(graph), "timeout": int(timeout)}
        body: dict[str, Any] = {"input": asked | ({"images": json.dumps(list(pictures))} if pictures else {})}
        if self._webhook:
            body |= {"webhook": self._webhook.url, "webhook_events_filter": ["completed"]}
        if _VERSION.fullmatch(self._model):
            return "/predictions", body | {"version": self._model}
        return f"/deployments/{self._model}/predictions", body

    def _job_path(self, job_id: str) -> str:
        return f"/predictions/{job_id}"

    def _cancel_path(self, job_id: str) -> str:
        return f"/predictions/{job_id}/cancel"

    async def _pause(self, job_id: str) -> None:
        rung = self._rung.setdefault(job_id, asyncio.Event())
        try:
            async with asyncio.timeout(self._service.poll):
                await rung.wait()
        except TimeoutError:
            pass
        finally:
            self._rung.pop(job_id, None)

    def _rendered(self, prefixes: dict[str, str], job: dict[str, Any]) -> Rendered:
        status, output = job.get("status"), job.get("output")
        if status in {"canceled", "aborted"}:
            raise RenderInterrupted("cancelled")
        if status != "succeeded":
            raise failure(self.title, str(job.get("error") or status))
        if not isinstance(output, dict) or not output.get("images"):
            raise RenderFailed(self.title, "no output; the version is not one of deploy/cog")
        names = output.get("files") or []
        listed = [
            {"filename": name, "data": data}
            for name, data in zip([*names, *[""] * len(output["images"])], output["images"], strict=False)
        ]
        seconds = (job.get("metrics") or {}).get("predict_time")
        return Rendered(images_of(prefixes, listed), float(seconds) if seconds else None)


def is_signed(secret: str, headers: Mapping[str, str], body: bytes, now: float | None = None) -> bool:
    """Whether Replicate sent this webhook, and lately (replicate.com/docs/topics/webhooks/verify-webhook).

    `secret` begins with `whsec_`; the signature header lists one or more of `v1,BASE64`.
    """
    sent_at = headers.get("webhook-timestamp", "")
    if not sent_at.isdigit() or abs((now or time.time()) - int(sent_at)) > TOLERANCE:
        return False
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return False
    signed = f"{headers.get('webhook-id', '')}.{sent_at}.".encode() + body
    right = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    told = (each.partition(",")[2] for each in headers.get("webhook-signature", "").split())
    return any(hmac.compare_digest(right, signature) for signature in told)
