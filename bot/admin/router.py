"""One router with the `Admin` filter holds all that operators can do."""

from aiogram import Router

from bot.admin import broadcast, details, panel
from bot.updates.filters import Admin


def build_router() -> Router:
    """Everything of this package, behind the `Admin` filter."""
    router = Router(name="admin")
    router.message.filter(Admin())
    router.callback_query.filter(Admin())
    router.include_routers(panel.build_router(), details.build_router(), broadcast.build_router())
    return router
