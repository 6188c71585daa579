"""S3 servers as people have them: full, read-only, with a token that may not ask for the bucket, another clock.

It keeps objects in memory and checks no signature; `refuse` says which calls it answers with which error of S3.
"""

from types import TracebackType
from typing import Self

from aiohttp import web

from sandbox.http import HttpServer

#: Errors of S3, MinIO and R2, by their codes: HTTP status and words.
ERRORS = {
    "XMinioStorageFull": (507, "Storage backend has reached its minimum free drive threshold."),
    "QuotaExceeded": (507, "Bucket quota exceeded."),
    "AccessDenied": (403, "Access Denied."),
    "SignatureDoesNotMatch": (
        403,
        "The request signature we calculated does not match the one you provided.",
    ),
    "InvalidAccessKeyId": (403, "The access key ID you provided does not exist in our records."),
    "RequestTimeTooSkewed": (403, "The difference between the request time and the current time is too large."),
    "NoSuchBucket": (404, "The specified bucket does not exist."),
    "SlowDown": (503, "Resource requested is unreadable, please reduce your request rate."),
}


class ObjectStore:
    """One bucket of any name on loopback."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        #: Methods, and the code with which each is refused.
        self.refuse: dict[str, str] = {}
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_route("*", "/{bucket}{key:/?.*}", self._serve)
        self._server = HttpServer(application)

    @property
    def url(self) -> str:
        return self._server.url

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.stop()

    async def _serve(self, request: web.Request) -> web.Response:
        key = request.match_info["key"].strip("/")
        if code := self.refuse.get(request.method):
            return _error(code, head=request.method == "HEAD")
        match request.method:
            case "PUT" if key:
                self.objects[key] = await request.read()
            case "GET" if key:
                if key not in self.objects:
                    return web.Response(status=404, text=_xml("NoSuchKey", "There is no such key."))
                return web.Response(body=self.objects[key])
            case "DELETE":
                self.objects.pop(key, None)
                return web.Response(status=204)
        return web.Response()


def _error(code: str, *, head: bool) -> web.Response:
    status, words = ERRORS[code]
    return web.Response(status=status, text="" if head else _xml(code, words), content_type="application/xml")


def _xml(code: str, words: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{words}</Message></Error>'
