"""Callback data of all buttons, the operators' too. It can be forged, so it is checked here first."""

from typing import Annotated

from aiogram.filters.callback_data import CallbackData
from pydantic import Field

from bot.models import DislikeReason
from triggers import Frequency

#: What PostgreSQL can look up.
RowId = Annotated[int, Field(gt=0, lt=2**63)]
Page = Annotated[int, Field(ge=0, lt=10_000)]


class AgeAnswer(CallbackData, prefix="age"):
    adult: bool


class GalleryPage(CallbackData, prefix="gallery"):
    page: Page


class PersonaChoice(CallbackData, prefix="persona"):
    key: str


class StoryChoice(CallbackData, prefix="story"):
    persona: str
    key: str


class AtmosphereChoice(CallbackData, prefix="mood"):
    atmosphere: str


class AnswerAgain(CallbackData, prefix="answer_again"):
    message_id: RowId


class SendAgain(CallbackData, prefix="photo_again"):
    photo_id: RowId


class Retake(CallbackData, prefix="photo_retake"):
    photo_id: RowId


class Another(CallbackData, prefix="photo_another"):
    photo_id: RowId


class Like(CallbackData, prefix="photo_like"):
    photo_id: RowId


class Dislike(CallbackData, prefix="photo_dislike"):
    photo_id: RowId


class DislikeBecause(CallbackData, prefix="photo_because"):
    reason: DislikeReason
    photo_id: RowId


class Delete(CallbackData, prefix="photo_delete"):
    photo_id: RowId


class DeleteSurely(CallbackData, prefix="photo_delete_surely"):
    photo_id: RowId


class Keep(CallbackData, prefix="photo_keep"):
    photo_id: RowId


class Cancel(CallbackData, prefix="photo_cancel"):
    photo_id: RowId


class HowLong(CallbackData, prefix="photo_how_long"):
    photo_id: RowId


class AlbumPage(CallbackData, prefix="album"):
    #: The photo whose neighbour is wanted.
    photo_id: RowId
    older: bool


class Original(CallbackData, prefix="original"):
    photo_id: RowId


class FrequencyChoice(CallbackData, prefix="frequency"):
    frequency: Frequency


class Switch(CallbackData, prefix="switch"):
    #: What it shall be, and not "the other way round": a press may be handled twice.
    name: str
    on: bool


class LanguageChoice(CallbackData, prefix="language"):
    locale: str


class SettingsPage(CallbackData, prefix="settings"):
    name: str


class MyTime(CallbackData, prefix="my_time"):
    #: Minutes ahead of UTC.
    offset: Annotated[int, Field(ge=-720, le=840)]


class ForgetFact(CallbackData, prefix="forget"):
    fact_id: RowId


class ForgetAll(CallbackData, prefix="forget_all"):
    pass


class Privacy(CallbackData, prefix="privacy"):
    action: str


class OwnPersonaAnswer(CallbackData, prefix="own"):
    action: str


class DeleteOwnPersona(CallbackData, prefix="own_delete"):
    persona_id: RowId


class ShowPremium(CallbackData, prefix="premium"):
    pass


class Pack(CallbackData, prefix="pack"):
    photos: Annotated[int, Field(gt=0, lt=100_000)]


class StopWriting(CallbackData, prefix="stop_writing"):
    pass


class AdminPage(CallbackData, prefix="admin"):
    page: str


class AdminAct(CallbackData, prefix="act"):
    action: str
    target: str = ""
    #: Asked and answered: do it.
    sure: bool = False


class BroadcastTo(CallbackData, prefix="cast"):
    broadcast_id: RowId
    audience: str
    sure: bool = False
