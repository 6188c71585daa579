"""Commands and descriptions, as Telegram shows them in each language."""

from collections.abc import Collection, Sequence
from contextlib import suppress

from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import BotCommand, BotCommandScopeAllPrivateChats, BotCommandScopeChat

from bot.texts import DEFAULT, Say, Texts
from generation.runtime.telegram import WRONG_TOKEN, until_telegram_answers

COMMANDS = (
    "photo", "persona", "story", "create", "gallery", "memory", "premium", "invite", "settings", "privacy", "reset",
    "terms", "paysupport", "help",
)  # fmt: skip
ADMIN_COMMANDS = (
    "admin", "stats", "queue", "gpu", "llm", "alerts", "log", "user", "broadcast", "why", "refund", "maintenance",
    "reload", *COMMANDS,
)  # fmt: skip
#: Seconds before it is tried again while Telegram is away.
PAUSE = 10.0


async def introduce(bot: Bot, texts: Texts, admin_ids: Collection[int]) -> None:
    """Set menus and descriptions, in every language; without Telegram it is tried until it works."""

    async def once() -> None:
        for locale in texts.locales:
            await _introduce(bot, texts.in_locale(locale), None if locale == DEFAULT else locale, admin_ids)

    # A wrong token ends the process where updates are asked for, with a sentence.
    with suppress(*WRONG_TOKEN):
        await until_telegram_answers(once, pause=PAUSE, event="bot.not_introduced")


async def _introduce(bot: Bot, say: Say, language_code: str | None, admin_ids: Collection[int]) -> None:
    everybody = BotCommandScopeAllPrivateChats()
    await bot.set_my_commands(_menu(say, COMMANDS), scope=everybody, language_code=language_code)
    await bot.set_my_description(say("bot-description"), language_code=language_code)
    await bot.set_my_short_description(say("bot-short-description"), language_code=language_code)
    for admin in admin_ids:
        scope = BotCommandScopeChat(chat_id=admin)
        # An operator who has never written to the bot has no chat yet.
        with suppress(TelegramBadRequest):
            await bot.set_my_commands(_menu(say, ADMIN_COMMANDS), scope=scope, language_code=language_code)


def _menu(say: Say, names: Sequence[str]) -> list[BotCommand]:
    return [BotCommand(command=name, description=say(f"command-{name}")) for name in names]
