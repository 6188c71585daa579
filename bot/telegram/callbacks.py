"""Callback data of all buttons, the operators' too. It can be forged, so it is checked here first."""

from enum import StrEnum
from typing import Annotated

from aiogram.filters.callback_data import CallbackData
from pydantic import Field

from bot.models import DislikeReason
from triggers import Frequency

#: What PostgreSQL can look up.
RowId = Annotated[int, Field(gt=0, lt=2**63)]
Page = Annotated[int, Field(ge=0, lt=10_000)]


class AgeAnswer(CallbackData, prefix="age"):
    """Whether the person said to be 18 or older."""

    adult: bool


class PersonaPage(CallbackData, prefix="gallery"):
    """Another page of the personas."""

    page: Page


class PersonaChoice(CallbackData, prefix="persona"):
    """A persona of the gallery."""

    key: str


class StoryChoice(CallbackData, prefix="story"):
    """A story of a persona."""

    persona: str
    key: str


class AtmosphereChoice(CallbackData, prefix="mood"):
    """An atmosphere of the present persona."""

    atmosphere: str


class Reset(CallbackData, prefix="reset"):
    """Whether this dialogue shall begin anew: the answer to the question before it."""

    dialogue_id: RowId
    sure: bool


class ResetBack(CallbackData, prefix="reset_back"):
    """Take that back: the dialogue that ended."""

    dialogue_id: RowId


class Manner(StrEnum):
    """What a person would like otherwise in an answer."""

    AGAIN = "again"
    WARMER = "warmer"
    SHORTER = "shorter"
    OTHER = "other"


class AnswerAgain(CallbackData, prefix="answer_again"):
    """Under an answer: in which way shall it be another one?"""

    message_id: RowId


class AnswerAs(CallbackData, prefix="answer_as"):
    """The answer to that."""

    message_id: RowId
    manner: Manner


class AnswerKeep(CallbackData, prefix="answer_keep"):
    """In none."""

    message_id: RowId


class SendAgain(CallbackData, prefix="photo_again"):
    """A photo whose delivery was doubtful did not arrive."""

    photo_id: RowId


class Retake(CallbackData, prefix="photo_retake"):
    """The same moment once more."""

    photo_id: RowId


class Another(CallbackData, prefix="photo_another"):
    """The same moment as another camera sees it."""

    photo_id: RowId


class Like(CallbackData, prefix="photo_like"):
    """Under a photo."""

    photo_id: RowId


class Dislike(CallbackData, prefix="photo_dislike"):
    """Under a photo."""

    photo_id: RowId


class DislikeBecause(CallbackData, prefix="photo_because"):
    """The reason for a dislike."""

    reason: DislikeReason
    photo_id: RowId


class Delete(CallbackData, prefix="photo_delete"):
    """Delete a photo: asks first."""

    photo_id: RowId


class DeleteSurely(CallbackData, prefix="photo_delete_surely"):
    """The answer yes to that."""

    photo_id: RowId


class Keep(CallbackData, prefix="photo_keep"):
    """The answer no to that."""

    photo_id: RowId


class Cancel(CallbackData, prefix="photo_cancel"):
    """A photo that waits is not wanted any more."""

    photo_id: RowId


class HowLong(CallbackData, prefix="photo_how_long"):
    """How long a photo will take."""

    photo_id: RowId


class GalleryPage(CallbackData, prefix="album"):
    """The older or newer neighbour of a photo in the album."""

    #: The photo whose neighbour is wanted.
    photo_id: RowId
    older: bool


class GalleryOpen(CallbackData, prefix="album_open"):
    """One photo of the album, with its buttons."""

    photo_id: RowId


class GalleryAlbum(CallbackData, prefix="album_of"):
    """Ten photos older than this one, or the newest ones; `liked`: of those with a like."""

    before: Annotated[int, Field(ge=0, lt=2**63)] = 0
    liked: bool = False


class Original(CallbackData, prefix="original"):
    """The photo's original as a file."""

    photo_id: RowId


class FrequencyChoice(CallbackData, prefix="frequency"):
    """How often photos come by themselves."""

    frequency: Frequency


class Switch(CallbackData, prefix="switch"):
    """A setting that is on or off."""

    #: What it shall be, and not "the other way round": a press may be handled twice.
    name: str
    on: bool


class LanguageChoice(CallbackData, prefix="language"):
    """A language of the bot."""

    locale: str


class SettingsPage(CallbackData, prefix="settings"):
    """A page of the settings."""

    name: str


class MyTime(CallbackData, prefix="my_time"):
    """What the person's clock shows."""

    #: Minutes ahead of UTC.
    offset: Annotated[int, Field(ge=-720, le=840)]


class ForgetFact(CallbackData, prefix="forget"):
    """A fact that a persona shall forget."""

    fact_id: RowId


class ForgetAll(CallbackData, prefix="forget_all"):
    """All facts that a persona shall forget."""


class Privacy(CallbackData, prefix="privacy"):
    """Export or erase, and the answers to the question before it."""

    action: str


class OwnPersonaAnswer(CallbackData, prefix="own"):
    """Create, woman, man, back, finish, again or cancel."""

    action: str


class DeleteOwnPersona(CallbackData, prefix="own_delete"):
    """A persona that the person wrote."""

    persona_id: RowId


class OwnFaces(CallbackData, prefix="own_faces"):
    """Candidate faces for a persona that the person wrote."""

    persona_id: RowId


class ChooseFace(CallbackData, prefix="own_face"):
    """The candidate that becomes her face."""

    photo_id: RowId


class ShowPremium(CallbackData, prefix="premium"):
    """What can be bought."""


class Pack(CallbackData, prefix="pack"):
    """A pack of so many photos."""

    photos: Annotated[int, Field(gt=0, lt=100_000)]


class MayWrite(CallbackData, prefix="may_write"):
    """Whether the persona may write first now and then: the answer to the one question about it."""

    may: bool


class StopWriting(CallbackData, prefix="stop_writing"):
    """The persona shall not write first any more."""


class AdminPage(CallbackData, prefix="admin"):
    """A page of the operators' panel."""

    page: str


class AdminAct(CallbackData, prefix="act"):
    """An action of an operator and its target."""

    action: str
    target: str = ""
    #: Asked and answered: do it.
    sure: bool = False


class BroadcastTo(CallbackData, prefix="cast"):
    """The audience of a broadcast."""

    broadcast_id: RowId
    audience: str
    sure: bool = False
