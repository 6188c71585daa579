"""Callback data of the operators' buttons. It can be forged, and says nothing of who presses."""

from aiogram.filters.callback_data import CallbackData


class AdminPage(CallbackData, prefix="admin"):
    page: str


class AdminAct(CallbackData, prefix="act"):
    action: str
    target: str = ""
    #: Asked and answered: do it.
    sure: bool = False
