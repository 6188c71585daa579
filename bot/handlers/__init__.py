"""What a person's commands, buttons and messages do: thin functions over the domain packages.

Rules, rows and pacing live with the domain; operators have `bot.admin`.
"""

from aiogram import F, Router

from bot.admin import router as admin
from bot.handlers import chat, fallback
from bot.handlers.account import payment, preferences, privacy, start
from bot.handlers.personas import faces, memory, own_persona, persona_picker, stories
from bot.handlers.photos import gallery, reactions, takes, waiting
from bot.updates.filters import Adult


def build_router() -> Router:
    """The whole bot. Groups and channels are left in silence: a companion talks with one person."""
    private = Router(name="private")
    private.message.filter(F.chat.type == "private")
    private.callback_query.filter(F.message.chat.type == "private")
    grown_up = Router(name="grown_up")
    grown_up.message.filter(Adult())
    grown_up.callback_query.filter(Adult())
    grown_up.include_routers(
        persona_picker.build_router(),
        stories.build_router(),
        own_persona.build_router(),
        faces.build_router(),
        preferences.build_router(),
        memory.build_router(),
        gallery.build_router(),
        payment.build_router(),
        waiting.build_router(),
        takes.build_router(),
        reactions.build_router(),
        chat.build_router(),
    )
    private.include_routers(
        payment.service_router(),
        # What is stored may be seen and deleted by everybody about whom something is.
        privacy.build_router(),
        # Before the question of age: an operator in the middle of the night may never have talked with a persona.
        admin.build_router(),
        start.build_router(),
        grown_up,
        fallback.build_router(),
    )
    root = Router(name="root")
    root.include_routers(reactions.emoji_router(), private, fallback.group_router())
    return root
