"""What answering works with."""

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from aiogram import Bot
from arq import ArqRedis

from bot.chat.drafts import Drafts
from bot.llm.client import LanguageModel
from bot.llm.text_analysis import Reader
from bot.personas.catalog import Cast
from bot.photos.service import Ordering
from bot.settings import Settings
from bot.updates.follow_ups import Arrivals
from generation.runtime.database import Database


class Background(Protocol):
    """Starts work that nobody waits for; the one supervised place of the process (`bot.app`)."""

    def __call__(self, work: Coroutine[Any, Any, None]) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """All of it is built and closed by `bot.app`, and lives as long as the process."""

    settings: Settings
    database: Database
    redis: ArqRedis
    bot: Bot
    language_model: LanguageModel
    cast: Cast
    reader: Reader
    ordering: Ordering
    drafts: Drafts
    arrivals: Arrivals
    background: Background
