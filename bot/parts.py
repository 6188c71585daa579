"""What a bot process is made of, each part built of the settings and of other parts."""

import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, fields

import aiohttp
from aiogram import Bot
from arq import ArqRedis

from bot import check_data
from bot.admin.tools import AdminTools
from bot.background import BackgroundTasks
from bot.chat.answer import AnswerWriter
from bot.chat.conversation import Conversation
from bot.chat.drafts import Drafts
from bot.chat.photo_decision import PhotoDecision
from bot.chat.proactive import ProactiveMessages
from bot.chat.reply import ReplySender
from bot.dialogues.memory import Memory
from bot.handlers.personas.persona_picker import PersonaPicker
from bot.llm.client import LanguageModel
from bot.llm.guard import Guard
from bot.llm.metered import MeteredModel
from bot.llm.record import ModelRecord
from bot.monitoring import figures
from bot.monitoring.alerting import Alerting
from bot.personas.catalog import PersonaCatalog
from bot.personas.portraits import Portraits
from bot.photos.delays import Delays
from bot.photos.service import PhotoService
from bot.reading.attachments import Attachments
from bot.reading.text_analysis import TextAnalyzer
from bot.settings import Settings
from bot.telegram.flood_control import RetryAfterMiddleware
from bot.telegram.topics import TopicMiddleware
from bot.texts import Texts
from bot.updates.claims import named, place
from bot.updates.follow_ups import FollowUps
from bot.updates.rate_limit import RateLimit
from bot.updates.switchboard import Switchboard
from generation.orders import jobs
from generation.runtime import telegram
from generation.runtime.database import Database
from generation.runtime.monitoring import alert_rules, incidents
from generation.storage import Storage
from generation.workflows import workflow


@dataclass(frozen=True, kw_only=True, slots=True)
class Base:
    """What every bot process has, whether it answers people or takes updates alone."""

    settings: Settings
    database: Database
    redis: ArqRedis
    bot: Bot
    background: BackgroundTasks
    texts: Texts
    switchboard: Switchboard


@dataclass(frozen=True, kw_only=True, slots=True)
class Shared(Base):
    """What several parts use; no part is given all of it."""

    catalog: PersonaCatalog
    language_model: MeteredModel
    text_analyzer: TextAnalyzer
    rate_limit: RateLimit


async def base(settings: Settings, stack: AsyncExitStack, *, answers: bool = True) -> Base:
    """Connections; closed in reverse order with `stack`. `answers`: whether this process answers people."""
    database = Database(settings.database, pool_size=settings.database_connections)
    stack.push_async_callback(database.close)
    redis = jobs.connect(settings.redis, queue=settings.arq_queue, retries=1)
    stack.push_async_callback(redis.aclose)
    await jobs.refuse_cluster(redis)
    bot = telegram.connect(settings, TopicMiddleware(), RetryAfterMiddleware())
    stack.push_async_callback(bot.session.close)
    background = BackgroundTasks()
    stack.push_async_callback(background.close)
    name = f"{settings.arq_queue}:bot:{bot.id}"
    return Base(
        settings=settings,
        database=database,
        redis=redis,
        bot=bot,
        background=background,
        texts=Texts(),
        switchboard=Switchboard(redis, name=name, replica=named(place()), answers=answers),
    )


async def shared(base: Base, stack: AsyncExitStack, text_analyzer: TextAnalyzer | None) -> Shared:
    """What most parts need; closed in reverse order with `stack`."""
    settings, database, background = base.settings, base.database, base.background
    workflows = workflow.load_or_stop(settings.workflows_folder)

    def model_failed(kind: str) -> None:
        background(incidents.note(database, incidents.LANGUAGE_MODEL, kind))

    record = ModelRecord(database, background)
    language_model = LanguageModel(settings, failed=model_failed, changed=record.changed)
    stack.push_async_callback(language_model.close)
    await record.recall(language_model.servers)
    if text_analyzer is None:
        text_analyzer = TextAnalyzer(settings.text_readers)
        stack.push_async_callback(text_analyzer.close)
    await text_analyzer.open()
    guard = Guard(settings)
    stack.push_async_callback(guard.close)
    text_analyzer = text_analyzer.guarded(guard, waits=settings.guard_away)
    return Shared(
        **{each.name: getattr(base, each.name) for each in fields(base)},
        catalog=PersonaCatalog(check_data.load_all_or_stop(workflows, base.texts)),
        language_model=MeteredModel(language_model, database, settings),
        text_analyzer=text_analyzer,
        rate_limit=RateLimit(settings, base.redis),
    )


async def attachments(shared: Shared, stack: AsyncExitStack) -> Attachments:
    """What people send beside words."""
    attachments = Attachments(shared.bot, shared.language_model, shared.settings)
    stack.push_async_callback(attachments.close)
    return attachments


def drafts(shared: Shared) -> Drafts:
    """Answers while they are written."""

    async def pushed_back(seconds: float) -> None:
        await shared.switchboard.tell_all(pause=seconds)

    return Drafts(shared.bot, shared.text_analyzer.showable, pushed_back)


def conversation(shared: Shared, photos: PhotoService, follow_ups: FollowUps, drafts: Drafts) -> Conversation:
    """The talk, from a person's words to the answer in the chat."""
    settings, database, bot = shared.settings, shared.database, shared.bot
    answers = AnswerWriter(
        settings=settings,
        database=database,
        bot=bot,
        language_model=shared.language_model,
        text_analyzer=shared.text_analyzer,
        photos=photos,
        decision=PhotoDecision(settings=settings, photos=photos, rng=random.Random()),
        drafts=drafts,
        follow_ups=follow_ups,
    )
    replies = ReplySender(
        settings=settings,
        database=database,
        redis=shared.redis,
        bot=bot,
        memory=Memory(database, shared.language_model, shared.text_analyzer, settings),
        background=shared.background,
    )
    return Conversation(
        settings=settings,
        database=database,
        bot=bot,
        catalog=shared.catalog,
        text_analyzer=shared.text_analyzer,
        photos=photos,
        follow_ups=follow_ups,
        answers=answers,
        replies=replies,
    )


def proactive(shared: Shared) -> ProactiveMessages:
    """Personas that write first."""
    return ProactiveMessages(
        settings=shared.settings,
        database=shared.database,
        bot=shared.bot,
        language_model=shared.language_model,
        text_analyzer=shared.text_analyzer,
        catalog=shared.catalog,
        texts=shared.texts,
    )


def delays(shared: Shared) -> Delays:
    """Words about photos that take long."""
    return Delays(settings=shared.settings, database=shared.database, bot=shared.bot, texts=shared.texts)


def picker(shared: Shared, originals: Storage) -> PersonaPicker:
    """The gallery of personas."""
    return PersonaPicker(
        settings=shared.settings,
        database=shared.database,
        catalog=shared.catalog,
        portraits=Portraits(originals),
        bot=shared.bot,
        rng=random.Random(),
    )


def tools(shared: Shared, session: aiohttp.ClientSession, alerts_every: float) -> AdminTools:
    """What operators work with."""
    alerting = Alerting(
        settings=shared.settings,
        database=shared.database,
        bot=shared.bot,
        texts=shared.texts,
        session=session,
        rules=alert_rules.load_or_stop(shared.settings.alerts_file, figures.FIGURES),
        every=alerts_every,
    )
    return AdminTools(
        settings=shared.settings,
        database=shared.database,
        redis=shared.redis,
        bot=shared.bot,
        texts=shared.texts,
        catalog=shared.catalog,
        alerting=alerting,
        language_model=shared.language_model.model,
    )
