"""The local Telegram on one port: Bot API, page API and the page."""

import asyncio
import contextlib
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from sandbox.faults import Faults
from sandbox.http import HttpServer
from sandbox.telegram.bot_api import BotApi
from sandbox.telegram.events import Events
from sandbox.telegram.flood import Flood
from sandbox.telegram.people_api import PeopleApi, add_person
from sandbox.telegram.stars import Stars
from sandbox.telegram.store import Json, Store
from sandbox.telegram.updates import Updates

#: Opens nothing but this local server.
TOKEN = "1000000001:local-bot-api-stand-in-token"
PAGE = Path(__file__).parent / "page"
ME: Json = {
    "id": 1000000001,
    "is_bot": True,
    "first_name": "Vitte",
    "username": "vitte_local_bot",
    "can_join_groups": True,
    "can_read_all_group_messages": True,
    "supports_inline_queries": False,
}
PEOPLE: tuple[Json, ...] = (
    {"id": 1001, "is_bot": False, "first_name": "Аня", "username": "anya", "language_code": "ru"},
    {"id": 1002, "is_bot": False, "first_name": "Ben", "username": "ben", "language_code": "en"},
    {"id": 1003, "is_bot": False, "first_name": "Olga (admin)", "username": "olga_admin", "language_code": "ru"},
)
ADMIN_ID = 1003
GROUP: Json = {"id": -2001, "type": "group", "title": "Друзья · Friends"}


class TelegramServer:
    """A Telegram on loopback. `path` keeps the conversations; None forgets them.

    `parts` is what the page says about the services behind the bot: name, kind and whether it is a stand-in.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        port: int = 0,
        flood: Flood | None = None,
        parts: list[Json] | None = None,
    ) -> None:
        self.faults = Faults()
        self.store = Store(path)
        self._updates = Updates(self.store)
        self._events = Events(self.store)
        for person in PEOPLE:
            add_person(self.store, person)
        self.store.add_chat(GROUP, [person["id"] for person in PEOPLE])
        stars = Stars(me=ME, store=self.store, updates=self._updates, events=self._events)
        bot_api = BotApi(
            token=TOKEN,
            me=ME,
            store=self.store,
            updates=self._updates,
            events=self._events,
            flood=flood or Flood(),
            stars=stars,
        )
        application = web.Application(client_max_size=64 * 1024 * 1024)
        self.faults.install(application)
        application.router.add_route("*", "/bot{token}/{method}", bot_api.handle)
        application.router.add_get("/file/bot{token}/{path}", bot_api.download)
        PeopleApi(
            me=ME,
            store=self.store,
            updates=self._updates,
            events=self._events,
            bot_api=bot_api,
            stars=stars,
            parts=parts or [],
        ).add_routes(application)
        application.router.add_get("/", _index)
        application.router.add_static("/page", PAGE)
        self._server = HttpServer(application, port=port)
        self._delivery: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return self._server.url

    async def __aenter__(self) -> Self:
        await self._server.start()
        self._delivery = asyncio.create_task(self._updates.deliver())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._delivery is not None:
            self._delivery.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._delivery
        self._events.close()
        await self._server.stop()
        self.store.close()


async def _index(_request: web.Request) -> web.FileResponse:
    return web.FileResponse(PAGE / "index.html", headers={"Cache-Control": "no-store"})
