"""What a Sentry server gets when something is logged as an error: enough to find it, nothing that people wrote."""

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio
import sentry_sdk
import structlog
from aiohttp import web
from pydantic import SecretStr

from generation.runtime import logs
from sandbox.http import HttpServer
from tests.test_configuration import start

WRITTEN = "what a person wrote in confidence"


class Sentry:
    """Takes envelopes (https://develop.sentry.dev/sdk/foundations/transport/envelopes/)."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        application = web.Application()
        application.add_routes([web.post("/api/7/envelope/", self._take)])
        self.server = HttpServer(application)

    @property
    def dsn(self) -> str:
        return self.server.url.replace("http://", "http://key@") + "/7"

    async def _take(self, request: web.Request) -> web.Response:
        assert "sentry_key=key" in request.headers["X-Sentry-Auth"]
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip" and body.startswith(b"\x1f\x8b"):
            body = gzip.decompress(body)
        _, heading, event = body.split(b"\n")[:3]
        assert json.loads(heading)["type"] == "event"
        self.events.put_nowait(json.loads(event))
        return web.json_response({})


@pytest_asyncio.fixture
async def sentry() -> AsyncIterator[Sentry]:
    sentry = Sentry()
    async with sentry.server:
        yield sentry


@pytest.fixture
def logging_as_in_a_process(sentry: Sentry) -> Iterator[None]:
    handlers, level, settings = logging.root.handlers, logging.root.level, structlog.get_config()
    structlog.contextvars.clear_contextvars()
    logs.configure("json", "info", process="worker", sentry_dsn=SecretStr(sentry.dsn))
    yield
    sentry_sdk.init()
    logging.root.handlers = handlers
    logging.root.setLevel(level)
    structlog.configure(**settings)
    structlog.contextvars.clear_contextvars()


def break_down(text: str) -> None:
    raise OSError(f"a disk that is {len(text)} letters full")


async def test_an_error_arrives_with_its_place_and_trace_and_without_what_was_written(
    logging_as_in_a_process: None, sentry: Sentry
) -> None:
    log = structlog.get_logger("generation.test")
    log.warning("render.slow")
    with structlog.contextvars.bound_contextvars(trace_id="t-1"):
        try:
            break_down(WRITTEN)
        except OSError:
            log.exception("render.broke", photo_id=5, stage="store")
    event = await asyncio.wait_for(sentry.events.get(), 10)
    assert event["message"] == "render.broke"
    assert event["tags"] == {"trace_id": "t-1", "photo_id": "5", "process": "worker"}
    assert event["extra"]["stage"] == "store"
    (raised,) = event["exception"]["values"]
    assert raised["type"] == "OSError"
    assert raised["stacktrace"]["frames"][-1]["function"] == "break_down"
    assert WRITTEN not in json.dumps(event)
    logging.getLogger("asyncio").error("Task exception was never retrieved")
    assert (await asyncio.wait_for(sentry.events.get(), 10))["logger"] == "asyncio"
    assert sentry.events.empty()


def test_a_wrong_address_stops_the_start_with_a_sentence() -> None:
    ended = start(["bot"], SENTRY_DSN="https://hunter2@nowhere")
    assert ended.returncode == 1
    assert ended.stderr.strip() == "SENTRY_DSN is wrong: must look like https://key@host/number."
