"""Telling a stand-in to fail: rules that are set over HTTP and used up one request at a time.

    POST /sandbox/faults   {"path": "sendPhoto", "kind": "status", "status": 500, "times": 1}
    DELETE /sandbox/faults

`path` is a part of the request's path. Kinds: `status` (answers with `status` and `body` or `text`),
`delay` (waits `seconds`, then goes on), `hang` (never answers), `drop` (breaks the connection off),
`lose_answer` (does the work, then breaks off), `keep_answer` (does the work, then says nothing), and kinds
that a stand-in adds of its own.
"""

import asyncio
import re
from typing import Annotated, Any

from aiohttp import web
from aiohttp.typedefs import Handler
from pydantic import BaseModel, Field, ValidationError

PATH = "/sandbox/faults"
#: Those that every stand-in knows.
_KINDS = ("status", "delay", "hang", "drop", "lose_answer", "keep_answer")


class Fault(BaseModel):
    path: str = ""
    kind: str
    status: int = 500
    body: dict[str, Any] | None = None
    text: str = ""
    seconds: float = 0
    times: Annotated[int, Field(gt=0)] = 1


class Faults:
    """The rules of one stand-in. Lives as long as its server."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []

    def add(self, **fault: Any) -> None:
        self._rules.append(Fault(**fault))

    def clear(self) -> None:
        self._rules.clear()

    @property
    def pending(self) -> int:
        """Rules that no request has met yet."""
        return len(self._rules)

    def take(self, path: str, *kinds: str) -> Fault | None:
        """The next rule for this path (and one of `kinds`, if given), used up once."""
        for rule in self._rules:
            if _is_of(rule.path, path) and (not kinds or rule.kind in kinds):
                rule.times -= 1
                if not rule.times:
                    self._rules.remove(rule)
                return rule
        return None

    def install(self, application: web.Application) -> None:
        """Serve the control address and let the rules act on every other request."""
        application.router.add_post(PATH, self._post)
        application.router.add_delete(PATH, self._delete)
        application.middlewares.append(self._middleware)

    async def _post(self, request: web.Request) -> web.Response:
        try:
            self._rules.append(Fault.model_validate_json(await request.read()))
        except ValidationError as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"faults": len(self._rules)})

    async def _delete(self, _request: web.Request) -> web.Response:
        self.clear()
        return web.json_response({"faults": 0})

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == PATH:
            return await handler(request)
        rule = self.take(request.path, *_KINDS)
        if rule is None:
            return await handler(request)
        if rule.kind == "status":
            if rule.body is not None:
                return web.json_response(rule.body, status=rule.status)
            return web.Response(text=rule.text, status=rule.status)
        if rule.kind in {"delay", "lose_answer", "keep_answer"}:
            await asyncio.sleep(rule.seconds)
            answer = await handler(request)
        if rule.kind == "delay":
            return answer
        if rule.kind in {"hang", "keep_answer"}:
            await asyncio.sleep(3600)
        return _break_off(request)


def _is_of(named: str, path: str) -> bool:
    """Whether a part of a path is named; `sendMessage` is no part of `sendMessageDraft`."""
    return bool(re.search(re.escape(named) + (r"(?![A-Z])" if named[-1:].isalpha() else ""), path))


def _break_off(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
