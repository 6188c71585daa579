"""The six services of the product: taken from the environment where it names them, embedded where it does not."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dotenv import dotenv_values

from generation.runtime.background import stop_signal
from sandbox.comfyui import ComfyUIServer, Cost
from sandbox.llm import LanguageModelServer
from sandbox.llm.server import API_KEY
from sandbox.llm.stream import MODEL
from sandbox.servers import S3, Postgres, Valkey
from sandbox.settings import SandboxSettings
from sandbox.sockets import free_port
from sandbox.telegram import TOKEN, TelegramServer
from sandbox.telegram.server import ADMIN_ID, PEOPLE

DATABASE = "vitte"


@dataclass(frozen=True, slots=True)
class Part:
    """One service: `what` it is, and whether it only plays the original."""

    name: str
    what: str
    stand_in: bool


class Parts:
    """Starts what the environment does not name and collects the environment of the product's processes."""

    def __init__(self, settings: SandboxSettings, given: Mapping[str, str], stack: AsyncExitStack) -> None:
        self._settings = settings
        self._given = {
            **{k: v for k, v in dotenv_values(".env").items() if v},
            **{k: v for k, v in given.items() if v},
        }
        self._stack = stack
        self.environment: dict[str, str] = {}
        self.parts: list[Part] = []
        self.page: str | None = None

    async def start(self) -> None:
        """Start all parts; Telegram last, since its page says what the others are."""
        started = await asyncio.gather(
            self._part("PostgreSQL", "DATABASE_URL", self._postgres),
            self._part("Redis", "REDIS_URL", self._valkey),
            self._part("S3", "S3_ENDPOINT_URL", self._s3),
            self._part("ComfyUI", "COMFYUI_URL", self._comfyui),
            self._part("language model", "LLM_BASE_URL", self._language_model),
            # All of them end before one failure is told, so that none is left behind half started.
            return_exceptions=True,
        )
        for failure in filter(None, started):
            raise failure
        self.parts.sort(key=lambda part: part.name.lower())
        await self._part("Telegram", "BOT_TOKEN", self._telegram)

    async def _part(self, name: str, variable: str, embed: Callable[[], Awaitable[Part]]) -> None:
        if variable in self._given:
            self.parts.append(Part(name, "yours", stand_in=False))
        else:
            self.parts.append(await embed())

    async def _stay(self, server: Valkey | S3) -> None:
        await self._stack.enter_async_context(server)
        keeping = asyncio.create_task(server.keep_up())
        self._stack.callback(keeping.cancel)

    def _folder(self, name: str) -> Path:
        return self._settings.data.resolve() / name

    async def _postgres(self) -> Part:
        server = await asyncio.to_thread(Postgres, self._folder("postgres"))
        self._stack.callback(server.stop)
        await asyncio.to_thread(server.ensure_database, DATABASE)
        self.environment["DATABASE_URL"] = server.url(DATABASE)
        return Part("PostgreSQL", "embedded server", stand_in=False)

    async def _valkey(self) -> Part:
        server = Valkey(self._folder("valkey"), port=free_port(self._settings.redis_port))
        await self._stay(server)
        self.environment["REDIS_URL"] = server.url
        return Part("Redis", "embedded Valkey", stand_in=False)

    async def _s3(self) -> Part:
        server = S3(self._folder("s3"), port=free_port(self._settings.s3_port))
        await self._stay(server)
        self.environment |= {
            "S3_ENDPOINT_URL": server.url,
            "S3_ACCESS_KEY": S3.access_key,
            "S3_SECRET_KEY": S3.secret_key,
        }
        return Part("S3", "embedded rclone server", stand_in=False)

    async def _comfyui(self) -> Part:
        seconds = self._settings.render_seconds
        cost = Cost(batch=tuple(seconds * share for share in (1, 1.4, 1.7, 1.9)), swap=seconds / 2)
        server = ComfyUIServer(self._folder("comfyui"), cost=cost, port=self._settings.comfyui_port)
        await self._stack.enter_async_context(server)
        self.environment["COMFYUI_URL"] = server.url
        return Part("ComfyUI", f"draws without a GPU, {server.url}", stand_in=True)

    async def _language_model(self) -> Part:
        server = LanguageModelServer(
            seconds=self._settings.llm_seconds,
            word_seconds=self._settings.llm_word_seconds,
            port=self._settings.llm_port,
        )
        await self._stack.enter_async_context(server)
        self.environment |= {"LLM_BASE_URL": server.url, "LLM_API_KEY": API_KEY, "LLM_MODEL": MODEL}
        if "GUARD_MODEL" in self._given and "GUARD_BASE_URL" not in self._given:
            # It plays the guards of sandbox.llm.guard as well.
            self.environment |= {"GUARD_BASE_URL": server.url, "GUARD_API_KEY": API_KEY}
        return Part("language model", f"plays from a script, {server.url}", stand_in=True)

    async def _telegram(self) -> Part:
        part = Part("Telegram", "local Bot API and chat page", stand_in=True)
        parts: list[dict[str, Any]] = [asdict(known) for known in (*self.parts, part)]
        server = TelegramServer(self._folder("telegram.sqlite3"), port=self._settings.port, parts=parts)
        await self._stack.enter_async_context(server)
        self.page = server.url
        if self._settings.port and not server.url.endswith(f":{self._settings.port}"):
            print(f"Port {self._settings.port} is taken; the page takes another one.", flush=True)
        self.environment |= {"BOT_TOKEN": TOKEN, "TELEGRAM_API_URL": server.url}
        # The page's third person is the operator, the second one has premium.
        self.environment.setdefault("ADMIN_IDS", self._given.get("ADMIN_IDS", str(ADMIN_ID)))
        self.environment.setdefault("PREMIUM_IDS", self._given.get("PREMIUM_IDS", str(PEOPLE[1]["id"])))
        return part


#: What can be started alone, and what makes it.
ALONE: dict[str, Callable[[Parts], Awaitable[Part]]] = {
    "telegram": Parts._telegram,
    "comfyui": Parts._comfyui,
    "llm": Parts._language_model,
    "s3": Parts._s3,
    "redis": Parts._valkey,
}


async def run_alone(settings: SandboxSettings, name: str) -> int:
    """One part until SIGINT or SIGTERM; prints the settings with which a product finds it."""
    stop = stop_signal()
    async with AsyncExitStack() as stack:
        parts = Parts(settings, {}, stack)
        part = await ALONE[name](parts)
        print(f"{part.name}: {part.what}", flush=True)
        for variable, value in parts.environment.items():
            print(f"{variable}={value}", flush=True)
        await stop.wait()
    return 0
