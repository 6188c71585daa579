"""The chat page in a real browser. Skipped where there is no Chromium; CI installs it."""

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from arq import Worker
from playwright.async_api import Page, async_playwright, expect

from bot.app import Application
from sandbox.telegram import TelegramServer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
#: Set it to keep the pictures that the test takes.
SCREENSHOTS = os.environ.get("SCREENSHOTS")

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine (Debian: apt install chromium)")

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"]


@pytest_asyncio.fixture
async def page(telegram: TelegramServer) -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page(viewport={"width": 1200, "height": 860})
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.set_default_timeout(20_000)
        expect.set_options(timeout=20_000)
        await page.goto(telegram.url)
        yield page
        await browser.close()
        assert problems == []


async def keep(page: Page, name: str) -> None:
    if SCREENSHOTS:
        await page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png")


async def test_hello_and_a_photo(bot: Application, worker: Worker, page: Page) -> None:
    await page.get_by_role("button", name="START").click()
    await page.get_by_role("button", name="Мне есть 18").click()
    await keep(page, "gallery")
    await page.get_by_role("button", name="Алиса").click()
    await expect(page.locator("#messages").get_by_text("Дождь стучит")).to_be_visible()
    await page.get_by_label("Message", exact=True).fill("Привет! Покажи себя, пришли фото")
    await page.keyboard.press("Enter")
    photo = page.get_by_role("img", name="Photo", exact=True)
    await expect(photo).to_have_count(1)
    await expect(page.locator(".bubble.photo .reply")).to_contain_text("Привет!")
    assert await photo.evaluate("image => image.decode().then(() => image.naturalWidth)") == 832
    await keep(page, "photo")
    await photo.click()
    await expect(page.locator("#viewer")).to_be_visible()
    await page.locator("#viewer").click()
    await expect(page.locator("#viewer")).to_be_hidden()


async def test_the_commands_menu_and_another_person(bot: Application, page: Page) -> None:
    await page.get_by_role("button", name="START").click()
    await page.get_by_role("button", name="Мне есть 18").click()
    await expect(page.get_by_role("button", name="Вера")).to_be_visible()
    await page.get_by_label("Commands").click()
    await page.get_by_role("button", name="/help").click()
    await expect(page.locator("#messages").get_by_text("Просто пиши")).to_be_visible()
    await page.get_by_role("button", name="Ben").click()
    await expect(page.get_by_text("You write as Ben")).to_be_visible()
    await page.get_by_role("button", name="START").click()
    await expect(page.locator("#messages").get_by_text("Hi Ben!")).to_be_visible()
    await page.get_by_label("Send something that is not text").click()
    await page.get_by_role("button", name="Sticker").click()
    await expect(page.locator("#messages").get_by_text("confirm first")).to_be_visible()
    await keep(page, "another-person")


async def test_a_chat_finds_its_messages_again_after_the_page_is_loaded_anew(bot: Application, page: Page) -> None:
    await page.get_by_role("button", name="START").click()
    await expect(page.locator("#messages").get_by_text("Привет, Аня!")).to_be_visible()
    await page.reload()
    await expect(page.locator("#messages").get_by_text("Привет, Аня!")).to_be_visible()


async def test_it_fits_a_phone(bot: Application, page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 800})
    await page.reload()
    await page.locator("#chats li").first.click()
    await page.get_by_role("button", name="START").click()
    await expect(page.get_by_role("button", name="Мне есть 18")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    await keep(page, "phone")
    await page.get_by_label("Back to the chats").click()
    await expect(page.locator("#dialogue")).to_be_hidden()
