"""Everything a person can do in the chat. Routers are built by functions: importing has no effect."""

from aiogram import F, Router

from bot.handlers import admin, chat, leftovers, onboarding, photo, preferences
from bot.handlers.filters import Adult


def build_router() -> Router:
    """The whole bot. Groups and channels are left in silence: a companion talks with one person."""
    root = Router(name="root")
    root.message.filter(F.chat.type == "private")
    root.callback_query.filter(F.message.chat.type == "private")
    grown_up = Router(name="grown_up")
    grown_up.message.filter(Adult())
    grown_up.callback_query.filter(Adult())
    grown_up.include_routers(
        admin.build_router(),
        onboarding.personas_router(),
        preferences.build_router(),
        photo.build_router(),
        chat.build_router(),
    )
    root.include_routers(onboarding.age_router(), grown_up, leftovers.build_router())
    return root
