"""Commands, descriptions and the menu button, as Telegram shows them in each language."""

from collections.abc import Sequence

from aiogram.types import BotCommand

from bot.texts import Say

COMMANDS = (
    "photo", "persona", "story", "create", "gallery", "memory", "premium", "invite", "settings", "privacy", "reset",
    "terms", "paysupport", "help",
)  # fmt: skip
ADMIN_COMMANDS = (
    "admin", "stats", "queue", "gpu", "alerts", "log", "user", "broadcast", "why", "refund", "maintenance",
    "reload", *COMMANDS,
)  # fmt: skip


def _menu(say: Say, names: Sequence[str]) -> list[BotCommand]:
    return [BotCommand(command=name, description=say(f"command-{name}")) for name in names]
