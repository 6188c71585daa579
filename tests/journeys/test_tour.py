"""The journey of a new person in a real browser, in both languages: the pictures of docs/tour.md.

`make tour` keeps them (TOUR names the folder); without it the same journey is only checked.
"""

import asyncio
import os
import re
from pathlib import Path

import pytest
from arq import Worker
from PIL import Image
from playwright.async_api import Locator, Page, expect
from sqlalchemy import select

from bot.app import Application
from bot.models import Dialogue
from generation.runtime.database import Database
from tests.bot.chat.test_talk import facts
from tests.journeys.test_page import CHROMIUM, page

__all__ = ["page"]

TOUR = os.environ.get("TOUR")

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine (Debian: apt install chromium)")

WORDS = {
    "ru": {
        "person": "Аня", "age": "Мне есть 18", "persona": "Алиса", "hello": "Привет! Как ты там?",
        "wish": "Пришли мне фото, пожалуйста", "premium": "Премиум ⭐", "pay": "Премиум на месяц",
        "paid": "Премиум действует до", "story": "Какую историю выберем?", "settings": "Настройки.",
        "privacy": "Что хранится", "album": "1 из|Какое открыть", "memory": "Алиса помнит о тебе",
        "facts": ("Меня зовут Аня", "Я работаю пилотом", "У меня есть кот Барсик"), "summary": "💬 Начать разговор",
        "own": ("Нина", "женщина", "40", "Врач скорой, спокойная и смешливая", "Рыжие волосы, зелёные глаза"),
    },
    "en": {
        "person": "Ben", "age": "I am 18 or older", "persona": "Alisa", "hello": "Hi! How are you?",
        "wish": "Send me a photo, please", "premium": "Premium ⭐", "pay": "", "paid": "",
        "story": "Pick a story", "settings": "Settings.", "privacy": "What is stored", "album": "1 of|Which",
        "memory": "Alisa remembers", "facts": ("My name is Ben", "I work as a baker", "I have a dog called Rex"),
        "summary": "💬 Start talking", "own": ("Nora", "a woman", "34", "A sound engineer, quiet and precise",
                                            "Short dark hair, round glasses"),
    },
}  # fmt: skip


class Visitor:
    """One person in front of the page, who keeps a picture of each stop."""

    def __init__(self, page: Page, locale: str, *, folder: str = "tour") -> None:
        self._page = page
        self._folder = folder
        self._locale = locale
        self.words = WORDS[locale]
        self.messages = page.locator("#messages")

    async def keep(self, name: str) -> None:
        if not TOUR:
            return
        await self._page.wait_for_timeout(400)  # for pictures to be painted, not for anything to happen
        path = Path(TOUR) / self._folder / f"{self._locale}-{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        await self._page.locator("#dialogue").screenshot(path=path)
        # A palette is enough for a page, and a fifth of the size.
        with Image.open(path) as picture:
            picture.convert("RGB").quantize(128).save(path, optimize=True)

    async def write(self, text: str) -> None:
        await self._page.get_by_label("Message", exact=True).fill(text)
        await self._page.keyboard.press("Enter")

    async def answered(self, text: str) -> None:
        """Write, and wait for her words."""
        before = await self.messages.locator(".message:not(.mine):not(#draft)").count()
        await self.write(text)
        await expect(self.messages.locator(".message:not(.mine):not(#draft)")).not_to_have_count(before)

    async def press(self, label: str) -> None:
        await self.messages.get_by_role("button", name=label).last.click()

    def says(self, text: str | re.Pattern[str]) -> Locator:
        return self.messages.get_by_text(text).last


@pytest.mark.parametrize("locale", ["ru", "en"])
async def test_the_journey_of_a_new_person(
    bot: Application, worker: Worker, page: Page, database: Database, locale: str
) -> None:
    await page.set_viewport_size({"width": 1180, "height": 940})
    if TOUR:
        await page.evaluate("document.getElementById('parts').hidden = true")
    visitor = Visitor(page, locale)
    words = visitor.words
    await page.get_by_role("button", name=str(words["person"])).click()
    await expect(page.locator("#messages .description")).to_contain_text("18")
    await visitor.keep("1-before-the-start")
    await page.get_by_role("button", name="START").click()
    await expect(visitor.messages.get_by_role("button", name=str(words["age"]))).to_be_visible()
    await visitor.keep("2-age")
    await visitor.press(str(words["age"]))
    await expect(visitor.messages.get_by_role("button", name=str(words["persona"]))).to_be_visible()
    await visitor.keep("3-gallery")
    await visitor.press(str(words["persona"]))
    await expect(visitor.messages.get_by_text("·").last).to_be_visible()
    for number, text in enumerate((words["hello"], words["wish"]), start=1):
        await visitor.write(str(text))
        async with asyncio.timeout(60):
            while await _answers(database) < number:
                await asyncio.sleep(0.05)
    await expect(page.locator(".bubble.photo .reply")).not_to_have_count(0)
    await visitor.keep("4-first-photo")
    await talks_of_oneself(visitor, database)
    for number, (command, heard) in enumerate(
        (("/memory", "memory"), ("/story", "story"), ("/gallery", "album"), ("/settings", "settings"),
         ("/privacy", "privacy"), ("/premium", "premium")), start=5,
    ):  # fmt: skip
        await visitor.write(command)
        await expect(visitor.says(re.compile(str(words[heard])))).to_be_visible()
        await visitor.keep(f"{number}-{command[1:]}")
    if words["pay"]:
        await visitor.press(str(words["pay"]))
        await page.locator("#payment button.pay").click()
        await expect(visitor.says(str(words["paid"]))).to_be_visible()
        await visitor.keep("11-paid")
    await writes_a_persona(visitor)
    await visitor.keep("12-own-persona")


async def talks_of_oneself(visitor: Visitor, database: Database) -> None:
    """Until the facts are gathered, which happens after every fourth answer."""
    for number, fact in enumerate(visitor.words["facts"], start=3):
        await visitor.write(fact)
        async with asyncio.timeout(60):
            while await _answers(database) < number:
                await asyncio.sleep(0.05)
    await facts(database, 2)


async def _answers(database: Database) -> int:
    async with database.unit() as session:
        # The page shows her first words a moment before the dialogue is written down.
        return await session.scalar(select(Dialogue.answers)) or 0


async def writes_a_persona(visitor: Visitor) -> None:
    await visitor.write("/create")
    for answer in visitor.words["own"]:
        await visitor.answered(answer)
    await expect(visitor.messages.get_by_role("button", name=str(visitor.words["summary"]))).to_be_visible()
