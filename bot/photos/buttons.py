"""Buttons under a photo, and under the words that one takes a while."""

from aiogram.types import InlineKeyboardMarkup

from bot.telegram import callbacks
from bot.telegram.callbacks import Cancel, HowLong
from bot.telegram.messages import keyboard
from bot.texts import Say

LIKE = "👍"


def photo_buttons(say: Say) -> tuple[tuple[tuple[str, str], ...], ...]:
    """What can be pressed under a photo: text, and callback data that its number follows."""
    retake = (say("photo-retake"), callbacks.Retake.__prefix__)
    another = (say("photo-another"), callbacks.Another.__prefix__)
    like, dislike = (LIKE, callbacks.Like.__prefix__), ("👎", callbacks.Dislike.__prefix__)
    return ((retake, another), (like, dislike, ("🗑", callbacks.Delete.__prefix__)))


def under_photo(say: Say, photo_id: int, *, liked: bool = False) -> InlineKeyboardMarkup:
    """The buttons that a photo came with; a like leaves its mark."""
    marked = {LIKE: f"{LIKE} ✓"} if liked else {}
    return keyboard(
        *([(marked.get(text, text), f"{data}:{photo_id}") for text, data in row] for row in photo_buttons(say))
    )


def waiting_buttons(say: Say, photo_id: int) -> InlineKeyboardMarkup:
    """Under the words that a photo takes a while."""
    how_long = (say("photo-how-long"), HowLong(photo_id=photo_id).pack())
    return keyboard([how_long, (say("photo-cancel"), Cancel(photo_id=photo_id).pack())])
