"""/settings: how often photos come."""

from aiogram import Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, Message
from sqlalchemy import update

from bot.handlers.filters import FrequencyChoice
from bot.models import Person
from bot.sending import acknowledge, replace_buttons
from bot.texts import Say
from generation.database import Database
from triggers import Frequency


def build_router() -> Router:
    router = Router(name="preferences")
    router.message.register(show_settings, Command("settings"))
    router.callback_query.register(choose_frequency, FrequencyChoice.filter())
    return router


async def show_settings(message: Message, person: Person, say: Say) -> None:
    await message.answer(say("settings"), reply_markup=_buttons(say, person.photo_frequency))


async def choose_frequency(
    query: CallbackQuery, callback_data: FrequencyChoice, person: Person, say: Say, database: Database
) -> None:
    chosen = callback_data.frequency
    async with database.unit() as session:
        await session.execute(update(Person).where(Person.id == person.id).values(photo_frequency=chosen))
    await acknowledge(query, say("settings-saved", frequency=say(f"frequency-{chosen}")))
    if chosen is not person.photo_frequency:
        await replace_buttons(query, _buttons(say, chosen))


def _buttons(say: Say, chosen: Frequency) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(
        inline_keyboard=[
            [
                InlineKeyboardButton(
                    text=f"{'✓ ' if each is chosen else ''}{say(f'frequency-{each}')}",
                    callback_data=FrequencyChoice(frequency=each).pack(),
                )
            ]
            for each in Frequency
        ]
    )
