"""What Telegram refuses, the local one refuses in its words; what it delivers side by side, comes side by side."""

import asyncio
from typing import Any

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramServerError
from aiogram.types import (
    BotCommand,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    ReplyParameters,
    WebAppInfo,
)
from aiohttp import web

from sandbox.http import HttpServer
from sandbox.telegram import TelegramServer
from tests.player import Player
from tests.sandbox.test_bot_api import api

__all__ = ["api"]


@pytest.mark.parametrize("text", ["\u200b", "\u2060\u200d", "\u2800\u2800", "\ufeff \u3000", "\u00ad"])
async def test_a_text_of_nothing_that_can_be_seen_is_empty(api: Bot, text: str) -> None:
    with pytest.raises(TelegramBadRequest, match="message text is empty"):
        await api.send_message(1001, text)


@pytest.mark.parametrize(
    ("button", "complaint"),
    [
        ({"url": "javascript:alert(1)"}, "Unsupported URL protocol"),
        ({"url": "https://exam ple.org"}, "Wrong HTTP URL"),
        ({"url": "https://nodots"}, "Wrong HTTP URL"),
        ({"web_app": WebAppInfo(url="http://example.org")}, "Only HTTPS links are allowed"),
        ({"pay": True}, "BUTTON_TYPE_INVALID"),
        ({"text": "  ", "callback_data": "x"}, "text must be non-empty"),
    ],
)
async def test_buttons_lead_somewhere(api: Bot, button: dict[str, Any], complaint: str) -> None:
    markup = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(**{"text": "x", **button})]])
    with pytest.raises(TelegramBadRequest, match=complaint):
        await api.send_message(1001, "x", reply_markup=markup)


@pytest.mark.parametrize("url", ["https://example.org/a?b=c", "http://example.org", "tg://user?id=1"])
async def test_buttons_with_addresses_are_taken(api: Bot, url: str) -> None:
    markup = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="x", url=url)]])
    assert await api.send_message(1001, "x", reply_markup=markup)


@pytest.mark.parametrize(
    ("webhook", "complaint"),
    [
        ({"url": "https://example.org", "secret_token": "ü"}, "unallowed characters"),
        ({"url": "https://example.org", "secret_token": "a b"}, "unallowed characters"),
        ({"url": "https://example.org:8081"}, "only on ports 80, 88, 443 or 8443"),
        ({"url": "http://example.org"}, "An HTTPS URL must be provided"),
    ],
)
async def test_webhooks_have_a_secret_and_a_port_as_telegram_wants_them(
    api: Bot, webhook: dict[str, str], complaint: str
) -> None:
    with pytest.raises(TelegramBadRequest, match=complaint):
        await api.set_webhook(webhook["url"], secret_token=webhook.get("secret_token"))


@pytest.mark.parametrize(
    ("name", "language", "complaint"),
    [
        ("Photo", "en", "BOT_COMMAND_INVALID"),
        ("a-b", "en", "BOT_COMMAND_INVALID"),
        ("photo", "eng", "language code"),
    ],
)
async def test_commands_have_names_and_languages(api: Bot, name: str, language: str, complaint: str) -> None:
    with pytest.raises(TelegramBadRequest, match=complaint):
        await api.set_my_commands([BotCommand(command=name, description="x")], language_code=language)


async def test_quotes_effects_and_topics_must_be_there(api: Bot, anya: Player) -> None:
    said = await anya.say("The rain has stopped.")
    reply = {"message_id": said["message_id"]}
    assert await api.send_message(anya.id, "x", reply_parameters=ReplyParameters(**reply, quote="The rain"))
    with pytest.raises(TelegramBadRequest, match="QUOTE_TEXT_INVALID"):
        await api.send_message(anya.id, "x", reply_parameters=ReplyParameters(**reply, quote="The snow"))
    with pytest.raises(TelegramBadRequest, match="EFFECT_ID_INVALID"):
        await api.send_message(anya.id, "x", message_effect_id="1")
    with pytest.raises(TelegramBadRequest, match="message thread not found"):
        await api.send_message(anya.id, "x", message_thread_id=5)
    await anya.send(text="In here", message_thread_id=5)
    assert (await api.send_message(anya.id, "x", message_thread_id=5)).message_thread_id == 5


async def test_a_fault_of_one_method_is_none_of_another_that_begins_like_it(
    api: Bot, telegram: TelegramServer
) -> None:
    body = {"ok": False, "error_code": 500, "description": "Internal Server Error"}
    telegram.faults.add(path="sendMessage", kind="status", status=500, body=body)
    assert await api.send_message_draft(1001, draft_id=1, text="x")
    with pytest.raises(TelegramServerError):
        await api.send_message(1001, "x")


async def test_a_webhook_gets_chats_side_by_side_and_each_of_them_in_order(
    api: Bot, telegram: TelegramServer, anya: Player, ben: Player
) -> None:
    came: list[tuple[int, str]] = []
    ben_came = asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        message = (await request.json())["message"]
        if message["text"] == "first of Anya":
            # Answered only when Ben's, which came later, has come.
            await ben_came.wait()
        came.append((message["chat"]["id"], message["text"]))
        if message["chat"]["id"] == ben.id:
            ben_came.set()
        return web.Response()

    application = web.Application()
    application.router.add_post("/", take)
    server = HttpServer(application)
    await server.start()
    await api.set_webhook(server.url)
    for player, text in ((anya, "first of Anya"), (anya, "second of Anya"), (ben, "of Ben")):
        await player.say(text)
    async with asyncio.timeout(10):
        while len(came) < 3:
            await asyncio.sleep(0.01)
    await server.stop()
    assert came == [(ben.id, "of Ben"), (anya.id, "first of Anya"), (anya.id, "second of Anya")]
