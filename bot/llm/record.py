"""What is known of the language model's servers, as rows: it outlives the process, and operators see it."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot.background import Background
from bot.llm.profiles import Profile
from bot.llm.server import ModelServer
from bot.models import ModelServerRow
from generation.runtime.database import CONNECTION_ERRORS, Database

log = structlog.get_logger(__name__)

#: Seconds between two writings of a server that answers well; what is new of it is written at once.
EVERY = 10.0
_TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens")


class ModelRecord:
    """Writes down what changes. One per process, built by `bot.app`."""

    def __init__(self, database: Database, background: Background) -> None:
        self._database = database
        self._background = background
        self._written: dict[str, tuple[float, Profile, str, bool]] = {}
        self._told: dict[str, dict[str, int]] = {}
        self._lock = asyncio.Lock()

    async def recall(self, servers: Sequence[ModelServer]) -> None:
        """Give servers what was learnt of them before; what cannot be read is learnt anew."""
        try:
            async with self._database.unit() as session:
                rows = {row.key: row for row in await listed(session)}
        except CONNECTION_ERRORS as error:
            log.warning("language_model.not_recalled", error=type(error).__name__)
            return
        for server in servers:
            if server.address.profile != "auto" or server.key not in rows:
                continue
            try:
                server.remember(Profile.model_validate(rows[server.key].profile))
            except ValidationError:
                log.info("language_model.profile_not_read")

    def changed(self, server: ModelServer) -> None:
        """Note it soon; what is new at once."""
        now = time.monotonic()
        news = (server.profile, server.status.last_error, self._is_away(server))
        at, *known = self._written.get(server.key, (0.0, None, "", False))
        if tuple(known) != news or now - at > EVERY:
            self._written[server.key] = (now, *news)
            self._background(self._write(server))

    @staticmethod
    def _is_away(server: ModelServer) -> bool:
        return (server.status.last_error_at or 0) > (server.status.last_answer_at or 0)

    async def _write(self, server: ModelServer) -> None:
        async with self._lock:
            status, told = server.status, self._told.setdefault(server.key, {})
            more = {name: status.tokens.get(name, 0) - told.get(name, 0) for name in _TOKENS}
            values: dict[str, Any] = {"profile": server.profile.model_dump(mode="json")}
            if status.last_answer_at:
                values |= {
                    "last_answer_at": _moment(status.last_answer_at),
                    "last_finish": status.finish,
                    "first_text_seconds": status.first_text_seconds,
                }
            if status.last_error_at:
                values |= {
                    "last_error": status.last_error,
                    "last_error_at": _moment(status.last_error_at),
                    "error_lasts": status.lasts,
                }
            row = insert(ModelServerRow).values(key=server.key, **values, **more)
            sums = {name: getattr(ModelServerRow, name) + row.excluded[name] for name in _TOKENS}
            try:
                async with self._database.autocommit() as session:
                    await session.execute(row.on_conflict_do_update(index_elements=["key"], set_=values | sums))
            except CONNECTION_ERRORS as error:
                log.info("language_model.not_recorded", error=type(error).__name__)
                return
            self._told[server.key] = {name: told.get(name, 0) + more[name] for name in _TOKENS}


async def listed(session: AsyncSession) -> list[ModelServerRow]:
    """Every server that was asked, those of late first."""
    newest = ModelServerRow.last_answer_at.desc().nulls_last()
    return list(await session.scalars(select(ModelServerRow).order_by(newest, ModelServerRow.key)))


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
