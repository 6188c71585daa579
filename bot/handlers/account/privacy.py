"""/privacy: what is stored, all of it as a file, or all of it deleted."""

from aiogram import Bot, F, Router
from aiogram.filters import Command
from aiogram.types import BufferedInputFile, CallbackQuery, InlineKeyboardMarkup, Message
from arq import ArqRedis

from bot.accounts import privacy
from bot.background import Background
from bot.models import Person
from bot.settings import Settings
from bot.telegram.callbacks import Privacy
from bot.telegram.messages import acknowledge, keyboard, replace_buttons, replace_text
from bot.texts import Say
from bot.updates.middlewares import FOR_BANNED
from generation.orders import erasure
from generation.runtime.database import Database
from generation.storage import Storage

#: What is kept for a time (`RetentionSettings`).
KEPT = ("messages", "ended_talks", "prompts", "originals")


def build_router() -> Router:
    """/privacy and its buttons, for the banned as well."""
    router = Router(name="privacy")
    router.message.register(show_privacy, Command("privacy", "delete", ignore_case=True), flags=dict(FOR_BANNED))
    router.callback_query.register(send_export, Privacy.filter(F.action == "export"), flags=dict(FOR_BANNED))
    router.callback_query.register(ask_to_erase, Privacy.filter(F.action == "erase"), flags=dict(FOR_BANNED))
    router.callback_query.register(erase, Privacy.filter(F.action == "erase_surely"), flags=dict(FOR_BANNED))
    router.callback_query.register(keep, Privacy.filter(F.action == "keep"), flags=dict(FOR_BANNED))
    return router


async def show_privacy(message: Message, say: Say, settings: Settings) -> None:
    """/privacy: what is stored and for how long, and the two buttons."""
    await message.answer(_page(say, settings), reply_markup=_buttons(say))


async def send_export(query: CallbackQuery, person: Person, say: Say, database: Database, bot: Bot) -> None:
    """All that is stored about the person, as a JSON file."""
    await acknowledge(query)
    async with database.unit() as session:
        content = await privacy.export(session, person.id)
    file = BufferedInputFile(content, "vitte.json")
    await bot.send_document(person.id, file, caption=say("privacy-file"))


async def ask_to_erase(query: CallbackQuery, say: Say) -> None:
    """The question before everything is deleted."""
    await acknowledge(query)
    buttons = keyboard(
        [(say("privacy-erase-surely"), Privacy(action="erase_surely").pack())],
        [(say("privacy-keep"), Privacy(action="keep").pack())],
    )
    await replace_text(query, say("privacy-erase-what"), buttons)


async def keep(query: CallbackQuery, say: Say, settings: Settings) -> None:
    """Back to the first page; nothing is deleted."""
    await acknowledge(query)
    await replace_text(query, _page(say, settings), _buttons(say))


async def erase(
    query: CallbackQuery,
    person: Person,
    say: Say,
    database: Database,
    redis: ArqRedis,
    bot: Bot,
    originals: Storage,
    background: Background,
    settings: Settings,
) -> None:
    """Delete everything about the person, in the rows and in S3."""
    await acknowledge(query)
    ended = await privacy.erase(database, redis, bot, person.id, settings)
    background(erasure.sweep(database, originals))
    await replace_buttons(query, None)
    await bot.send_message(person.id, say("privacy-erased"))
    if not ended:
        await bot.send_message(person.id, say("privacy-subscription-left"))


def _page(say: Say, settings: Settings) -> str:
    days = {what: getattr(settings, f"keep_{what}_days") for what in KEPT}
    lines = [say(f"privacy-kept-{what}", days=many) for what, many in days.items() if many]
    return "\n".join([say("privacy"), *(["", say("privacy-kept"), *lines] if lines else [])])


def _buttons(say: Say) -> InlineKeyboardMarkup:
    return keyboard(
        [(say("privacy-export"), Privacy(action="export").pack())],
        [(say("privacy-erase"), Privacy(action="erase").pack())],
    )
