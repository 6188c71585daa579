"""The local Telegram is as strict as the original, told by what aiogram raises."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)
from aiogram.types import BufferedInputFile, InlineKeyboardButton, InlineKeyboardMarkup, ReplyParameters
from PIL import Image

from sandbox.telegram import TOKEN, TelegramServer
from sandbox.telegram.flood import Flood, Rate
from tests.player import Player, has_text, says


def client(telegram: TelegramServer, token: str = TOKEN) -> Bot:
    return Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(telegram.url)))


@pytest_asyncio.fixture
async def api(telegram: TelegramServer) -> AsyncIterator[Bot]:
    api = client(telegram)
    yield api
    await api.session.close()


def button(data: str) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="x", callback_data=data)]])


def picture(width: int, height: int) -> BufferedInputFile:
    buffer = io.BytesIO()
    Image.effect_noise((width, height), 50).convert("RGB").save(buffer, "JPEG")
    return BufferedInputFile(buffer.getvalue(), "photo.jpg")


async def test_texts_over_4096_and_empty_ones_are_refused(api: Bot) -> None:
    assert (await api.send_message(1001, "я" * 4096)).text == "я" * 4096
    with pytest.raises(TelegramBadRequest, match="message is too long"):
        await api.send_message(1001, "я" * 4097)
    with pytest.raises(TelegramBadRequest, match="message is too long"):
        await api.send_message(1001, "😀" * 2049)
    with pytest.raises(TelegramBadRequest, match="message text is empty"):
        await api.send_message(1001, "  \n ")


async def test_callback_data_over_64_bytes_is_refused(api: Bot) -> None:
    await api.send_message(1001, "x", reply_markup=button("d" * 64))
    with pytest.raises(TelegramBadRequest, match="BUTTON_DATA_INVALID"):
        await api.send_message(1001, "x", reply_markup=button("я" * 33))


async def test_photos_have_their_limits(api: Bot) -> None:
    message = await api.send_photo(1001, picture(300, 200), caption="c" * 1024)
    assert message.photo
    assert (message.photo[-1].width, message.photo[-1].height) == (300, 200)
    again = await api.send_photo(1001, message.photo[-1].file_id)
    assert again.photo
    for photo, caption, complaint in (
        (picture(300, 200), "c" * 1025, "caption is too long"),
        (picture(8, 400), "", "PHOTO_INVALID_DIMENSIONS"),
        (picture(9990, 20), "", "PHOTO_INVALID_DIMENSIONS"),
        (BufferedInputFile(b"no picture", "x.jpg"), "", "IMAGE_PROCESS_FAILED"),
        (BufferedInputFile(b"0" * (10 * 1024 * 1024 + 1), "x.jpg"), "", "too big"),
        ("made-up-file-id", "", "wrong file identifier"),
    ):
        with pytest.raises(TelegramBadRequest, match=complaint):
            await api.send_photo(1001, photo, caption=caption or None)


async def test_unknown_chats_methods_and_tokens_are_refused(api: Bot, telegram: TelegramServer) -> None:
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        await api.send_message(99, "x")
    with pytest.raises(TelegramNotFound):
        await api.get_my_name()
    stranger = client(telegram, "1:wrong-token-altogether")
    with pytest.raises(TelegramUnauthorizedError):
        await stranger.get_me()
    await stranger.session.close()


async def test_a_person_who_blocked_the_bot_cannot_be_reached(api: Bot, anya: Player) -> None:
    await anya.block()
    with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
        await api.send_message(1001, "x")
    await anya.unblock()
    await api.send_message(1001, "x")


async def test_floods_are_answered_with_429_and_the_seconds_to_wait() -> None:
    async with TelegramServer(flood=Flood(private=Rate(1, 3))) as telegram:
        api = client(telegram)
        for _ in range(3):
            await api.send_message(1001, "x")
        with pytest.raises(TelegramRetryAfter) as raised:
            await api.send_message(1001, "x")
        assert raised.value.retry_after == 1
        await api.send_message(1002, "another chat is free")
        await asyncio.sleep(1)
        await api.send_message(1001, "x")
        await api.session.close()


async def test_updates_come_again_until_the_offset_confirms_them(api: Bot, anya: Player) -> None:
    await anya.say("one")
    await anya.say("two")
    first = await api.get_updates()
    assert [update.message.text for update in first if update.message] == ["one", "two"]
    assert await api.get_updates() == first
    assert len(await api.get_updates(offset=first[0].update_id + 1)) == 1
    assert await api.get_updates(offset=first[1].update_id + 1) == []


async def test_a_long_poll_returns_as_soon_as_something_comes(api: Bot, anya: Player) -> None:
    waiting = asyncio.create_task(api.get_updates(timeout=30))
    await asyncio.sleep(0.1)
    await anya.say("hello")
    assert len(await asyncio.wait_for(waiting, 5)) == 1


async def test_two_pollers_and_polling_beside_a_webhook_conflict(api: Bot) -> None:
    first = asyncio.create_task(api.get_updates(timeout=30))
    await asyncio.sleep(0.1)
    second = asyncio.create_task(api.get_updates(timeout=1))
    with pytest.raises(TelegramConflictError, match="terminated by other getUpdates"):
        await first
    await second
    await api.set_webhook("http://127.0.0.1:9/hook", secret_token="s")
    with pytest.raises(TelegramConflictError, match="webhook is active"):
        await api.get_updates()
    assert (await api.get_webhook_info()).url.endswith("/hook")
    await api.delete_webhook()
    assert await api.get_updates() == []


async def test_replies_edits_and_deletions_need_their_message(api: Bot, anya: Player) -> None:
    said = await anya.say("hello")
    reply = await api.send_message(1001, "x", reply_parameters=ReplyParameters(message_id=said["message_id"]))
    assert reply.reply_to_message
    with pytest.raises(TelegramBadRequest, match="message to be replied not found"):
        await api.send_message(1001, "x", reply_parameters=ReplyParameters(message_id=999))
    await api.edit_message_text("y", chat_id=1001, message_id=reply.message_id)
    with pytest.raises(TelegramBadRequest, match="message can't be edited"):
        await api.edit_message_text("y", chat_id=1001, message_id=said["message_id"])
    await api.delete_message(1001, reply.message_id)
    with pytest.raises(TelegramBadRequest, match="message to delete not found"):
        await api.delete_message(1001, reply.message_id)


async def test_a_press_becomes_a_query_that_is_answered_once(api: Bot, anya: Player) -> None:
    await api.send_message(1001, "choose", reply_markup=button("a"))
    await anya.press(await anya.hears(has_text), "x")
    update = (await api.get_updates())[-1]
    assert update.callback_query
    assert update.callback_query.data == "a"
    await api.answer_callback_query(update.callback_query.id, text="done")
    await anya.notices("answer", lambda it: it["text"] == "done")
    with pytest.raises(TelegramBadRequest, match="query is too old"):
        await api.answer_callback_query(update.callback_query.id)


async def test_a_restart_finds_conversations_and_unconfirmed_updates(tmp_path: Path) -> None:
    async with TelegramServer(tmp_path / "t.sqlite3") as telegram, Player(telegram.url, 1001) as anya:
        await anya.say("remember me")
    async with TelegramServer(tmp_path / "t.sqlite3") as telegram:
        api = client(telegram)
        update = (await api.get_updates())[0]
        assert update.message
        assert update.message.text == "remember me"
        await api.session.close()


async def test_the_page_api_says_what_is_wrong(telegram: TelegramServer, anya: Player) -> None:
    for path, body in (
        ("/people/1001/chats/1001/messages", {"text": " "}),
        ("/people/1001/chats/1001/messages", {"kind": "spaceship"}),
        ("/people/1001/chats/1002/messages", {"text": "not my chat"}),
        ("/people/5/chats/5/messages", {"text": "nobody"}),
        ("/people/1001/chats/1001/messages/99/press", {"data": "x"}),
    ):
        with pytest.raises(AssertionError, match="error"):
            await anya.api("POST", path, body)
    await anya.say("long " * 2000)
    assert len(await anya.messages()) == 3


async def test_faults_can_be_set_over_http(telegram: TelegramServer, api: Bot, anya: Player) -> None:
    session = anya._session
    async with session.post(f"{telegram.url}/sandbox/faults", json={"kind": "status"}) as response:
        assert response.status == 200
    async with session.post(f"{telegram.url}/sandbox/faults", json={"times": 0}) as response:
        assert response.status == 400
        assert "kind" in json.dumps(await response.json())
    async with session.delete(f"{telegram.url}/sandbox/faults") as response:
        assert (await response.json())["faults"] == 0
    await api.send_message(1001, "fine")
    await anya.hears(says("fine"))
