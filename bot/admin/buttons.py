"""Callback data of the operators' buttons. It can be forged, and says nothing of who presses."""

from typing import Annotated

from aiogram.filters.callback_data import CallbackData
from pydantic import Field


class AdminPage(CallbackData, prefix="admin"):
    page: str


class AdminAct(CallbackData, prefix="act"):
    action: str
    target: str = ""
    #: Asked and answered: do it.
    sure: bool = False


class BroadcastTo(CallbackData, prefix="cast"):
    broadcast_id: Annotated[int, Field(gt=0, lt=2**63)]
    audience: str
    sure: bool = False
