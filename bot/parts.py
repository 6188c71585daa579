"""What answering works with."""

from dataclasses import dataclass

from aiogram import Bot
from arq import ArqRedis

from bot.background import Background
from bot.chat.drafts import Drafts
from bot.llm.client import LanguageModel
from bot.llm.text_analysis import TextAnalyzer
from bot.personas.catalog import PersonaCatalog
from bot.photos.service import PhotoService
from bot.settings import Settings
from bot.updates.follow_ups import FollowUps
from generation.runtime.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """All of it is built and closed by `bot.app`, and lives as long as the process."""

    settings: Settings
    database: Database
    redis: ArqRedis
    bot: Bot
    language_model: LanguageModel
    catalog: PersonaCatalog
    text_analyzer: TextAnalyzer
    ordering: PhotoService
    drafts: Drafts
    follow_ups: FollowUps
    background: Background
