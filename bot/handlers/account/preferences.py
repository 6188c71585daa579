"""/settings: language, photos, blur, sound, quiet hours, and whether she may write first."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from aiogram import Router
from aiogram.filters import Command
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message
from sqlalchemy import update

from bot.accounts.people import utc_offset
from bot.handlers.personas.persona_picker import PersonaPicker
from bot.handlers.personas.stories import show_stories
from bot.models import Person
from bot.personas.catalog import PersonaCatalog
from bot.settings import Settings
from bot.telegram.callbacks import (
    FrequencyChoice,
    LanguageChoice,
    MayWrite,
    MyTime,
    SettingsPage,
    StopWriting,
    Switch,
)
from bot.telegram.messages import acknowledge, keyboard, replace_buttons, replace_text
from bot.texts import Say, Texts
from generation.runtime.database import Database
from triggers import Frequency

#: Switches by name: the column of a person that each turns.
SWITCHES = {"blur": "blur_photos", "silent": "silent_photos", "first": "writes_first"}
#: Clocks of the world, in minutes ahead of UTC; whole hours are enough to know when it is night.
OFFSETS = tuple(range(-11 * 60, 13 * 60, 60))

Page = tuple[str, InlineKeyboardMarkup]


def build_router() -> Router:
    """/settings and its pages."""
    router = Router(name="preferences")
    router.message.register(show_settings, Command("settings", "language", ignore_case=True))
    router.callback_query.register(open_page, SettingsPage.filter())
    router.callback_query.register(choose_frequency, FrequencyChoice.filter())
    router.callback_query.register(choose_language, LanguageChoice.filter())
    router.callback_query.register(turn_switch, Switch.filter())
    router.callback_query.register(choose_time, MyTime.filter())
    router.callback_query.register(stop_writing, StopWriting.filter())
    router.callback_query.register(may_write, MayWrite.filter())
    return router


async def show_settings(message: Message, person: Person, say: Say, settings: Settings) -> None:
    """/settings: the first page."""
    text, buttons = _main(person, say, settings)
    await message.answer(text, reply_markup=buttons)


async def open_page(
    query: CallbackQuery,
    callback_data: SettingsPage,
    person: Person,
    say: Say,
    settings: Settings,
    texts: Texts,
    database: Database,
    catalog: PersonaCatalog,
    picker: PersonaPicker,
) -> None:
    """A page of the settings in place of this one."""
    if callback_data.name == "story" and isinstance(query.message, Message):
        await acknowledge(query)
        await show_stories(query.message, person, say, database, catalog, picker)
        return
    pages: dict[str, Callable[[], Page]] = {
        "main": lambda: _main(person, say, settings),
        "photos": lambda: _photos(person, say),
        "language": lambda: _languages(person, say, texts),
        "time": lambda: _times(say, settings),
    }
    page = pages.get(callback_data.name)
    await acknowledge(query, None if page else say("stale-button"))
    if page is not None:
        await replace_text(query, *page())


async def choose_frequency(
    query: CallbackQuery,
    callback_data: FrequencyChoice,
    person: Person,
    say: Say,
    database: Database,
    settings: Settings,
) -> None:
    """How often photos come by themselves."""
    chosen = callback_data.frequency
    await _save(database, person, photo_frequency=chosen)
    await acknowledge(query, say("settings-saved", frequency=say(f"frequency-{chosen}")))
    await replace_text(query, *_main(person, say, settings))


async def choose_language(
    query: CallbackQuery,
    callback_data: LanguageChoice,
    person: Person,
    say: Say,
    database: Database,
    settings: Settings,
    texts: Texts,
) -> None:
    """Another language for everything that the bot says."""
    if callback_data.locale not in texts.locales:
        await acknowledge(query, say("stale-button"))
        return
    # Their clock was guessed by the old language, and does not change with it.
    await _save(database, person, locale=callback_data.locale, utc_offset=utc_offset(person))
    say = texts.in_locale(person.locale)
    await acknowledge(query, say("language-chosen"))
    await replace_text(query, *_main(person, say, settings))


async def turn_switch(
    query: CallbackQuery, callback_data: Switch, person: Person, say: Say, database: Database, settings: Settings
) -> None:
    """A setting that is on or off."""
    column = SWITCHES.get(callback_data.name)
    if column is None:
        await acknowledge(query, say("stale-button"))
        return
    await _save(database, person, **{column: callback_data.on})
    await acknowledge(query)
    await replace_text(query, *_main(person, say, settings))


async def choose_time(
    query: CallbackQuery, callback_data: MyTime, person: Person, say: Say, database: Database, settings: Settings
) -> None:
    """What the person's clock shows, for the quiet hours."""
    await _save(database, person, utc_offset=callback_data.offset)
    await acknowledge(query)
    await replace_text(query, *_main(person, say, settings))


async def may_write(
    query: CallbackQuery, callback_data: MayWrite, person: Person, say: Say, database: Database
) -> None:
    """The answer to the one question whether a persona may write first."""
    await _save(database, person, writes_first=callback_data.may)
    await acknowledge(query)
    await replace_text(query, say("writes-first-allowed" if callback_data.may else "writes-first-stopped"))


async def stop_writing(query: CallbackQuery, person: Person, say: Say, database: Database) -> None:
    """The button under a message that the persona began: she does not write first any more."""
    await _save(database, person, writes_first=False)
    await acknowledge(query, say("writes-first-stopped"), alert=True)
    await replace_buttons(query, None)


async def _save(database: Database, person: Person, **values: object) -> None:
    async with database.unit() as session:
        await session.execute(update(Person).where(Person.id == person.id).values(**values))
    for name, value in values.items():
        setattr(person, name, value)


def _main(person: Person, say: Say, settings: Settings) -> Page:
    start, end = settings.quiet_hours
    clock = f"{datetime.now(timezone(timedelta(minutes=utc_offset(person)))):%H:%M}"
    buttons = keyboard(
        [(say("settings-language", language=say("language-name")), _page("language"))],
        [(say("settings-photos", frequency=say(f"frequency-{person.photo_frequency}")), _page("photos"))],
        [(say("settings-blur", state=_state(say, person.blur_photos)), _switch("blur", not person.blur_photos))],
        [
            (
                say("settings-silent", state=_state(say, not person.silent_photos)),
                _switch("silent", not person.silent_photos),
            )
        ],
        [
            (
                say("settings-first", state=_state(say, person.writes_first)),
                _switch("first", not person.writes_first),
            )
        ],
        [(say("settings-time", clock=clock), _page("time"))],
        [(say("settings-story"), _page("story"))],
    )
    return say("settings", start=f"{start:02}:00", end=f"{end:02}:00"), buttons


def _photos(person: Person, say: Say) -> Page:
    rows = [
        [
            (
                f"{'✓ ' if each is person.photo_frequency else ''}{say(f'frequency-{each}')}",
                FrequencyChoice(frequency=each).pack(),
            )
        ]
        for each in Frequency
    ]
    return say("settings-how-often"), keyboard(*rows, _back(say))


def _languages(person: Person, say: Say, texts: Texts) -> Page:
    rows = [
        [
            (
                f"{'✓ ' if locale == person.locale else ''}{texts.in_locale(locale)('language-name')}",
                LanguageChoice(locale=locale).pack(),
            )
        ]
        for locale in texts.locales
    ]
    return say("settings-which-language"), keyboard(*rows, _back(say))


def _times(say: Say, settings: Settings) -> Page:
    """Buttons by the time that a clock shows now: people know that, and not their offset."""
    now = datetime.now(UTC)
    clocks = [(f"{now + timedelta(minutes=offset):%H:%M}", MyTime(offset=offset).pack()) for offset in OFFSETS]
    rows = [clocks[start : start + 4] for start in range(0, len(clocks), 4)]
    start, end = settings.quiet_hours
    return say("settings-what-time", start=f"{start:02}:00", end=f"{end:02}:00"), keyboard(*rows, _back(say))


def _state(say: Say, on: bool) -> str:
    return say("switch-on" if on else "switch-off")


def _page(name: str) -> str:
    return SettingsPage(name=name).pack()


def _switch(name: str, on: bool) -> str:
    return Switch(name=name, on=on).pack()


def _back(say: Say) -> list[tuple[str, str]]:
    return [(say("settings-back"), _page("main"))]
