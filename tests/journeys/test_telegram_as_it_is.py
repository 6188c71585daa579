"""What the real Telegram does and stand-ins forget: nothing of it meets with silence, nothing is said twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from aiogram.enums import ContentType
from aiogram.types import Message as TelegramMessage
from aiohttp import web
from pydantic import SecretStr
from sqlalchemy import select, update

from bot.app import Application
from bot.models import Message, Payment, PhotoGrant, Role
from bot.telegram.content import OF_THE_CHAT, SENT
from bot.telegram.messages import is_visible, split
from generation.models import Photo
from generation.runtime import telegram as api
from generation.runtime.database import Database
from generation.storage import Storage
from sandbox.http import HttpServer
from sandbox.llm import LanguageModelServer
from sandbox.settings import ProductSettings
from sandbox.sockets import free_port
from sandbox.telegram import TelegramServer
from sandbox.wiring import bot_running, worker_running
from tests.conftest import all_handled
from tests.player import Player, has_text, says

THREAD = 77


# -- whatever a person sends ---------------------------------------------------------------------------


def test_every_kind_of_content_is_something_that_a_person_sends_or_that_telegram_tells() -> None:
    known = {*SENT, *OF_THE_CHAT, ContentType.TEXT, ContentType.UNKNOWN, ContentType.ANY, ContentType.USER_SHARED}
    assert set(ContentType) == known


ANYTHING = {
    "live photo": ({"live_photo": {"file_id": "a", "file_unique_id": "a", "width": 9, "height": 9, "duration": 3}},
                   "[The person sent a moving picture, which you cannot see or open]"),
    "checklist": ({"checklist": {"title": "Shopping", "tasks": [
        {"id": 1, "text": "tea"}, {"id": 2, "text": "[x]"}]}},
                  "[The person sent a checklist: Shopping · tea · (x)]"),
    "gift": ({"gift": {"gift": {"id": "1", "star_count": 15, "sticker": {
        "file_id": "s", "file_unique_id": "s", "type": "regular", "width": 9, "height": 9,
        "is_animated": False, "is_video": False}}, "text": "For you"}}, "[The person sent a gift: For you]"),
    "game": ({"game": {"title": "Chess", "description": "Play", "photo": []}},
             "[The person sent a game, which you cannot see or open]"),
    "paid media": ({"paid_media": {"star_count": 5, "paid_media": [{"type": "preview"}]}},
                   "[The person sent a picture, which you cannot see or open]"),
    "giveaway": ({"giveaway": {"chats": [], "winners_selection_date": 1, "winner_count": 1}},
                 "[The person sent a giveaway, which you cannot see or open]"),
    "users": ({"users_shared": {"request_id": 1, "users": [{"user_id": 5}]}},
              "[The person sent a contact, which you cannot see or open]"),
    "app data": ({"web_app_data": {"data": "{}", "button_text": "Send"}},
                 "[The person sent something from an app, which you cannot see or open]"),
    "poll": ({"poll": {"id": "1", "question": "Tea?", "options": [{"text": "Yes", "voter_count": 0,
              "persistent_id": "1"}], "total_voter_count": 0, "is_closed": False, "is_anonymous": True,
              "type": "regular", "allows_multiple_answers": False, "allows_revoting": False,
              "members_only": False}}, "[The person sent a poll: Tea? · Yes]"),
    "what nobody knows yet": ({"hologram": {"file_id": "h"}},
                              "[The person sent something, which you cannot see or open]"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ANYTHING)
async def test_whatever_a_person_sends_gets_a_word(
    bot: Application, llm: LanguageModelServer, ben: Player, kind: str
) -> None:
    content, known = ANYTHING[kind]
    await ben.enter("Alisa")
    await ben.send(kind="anything", content=content)
    await ben.hears(has_text)
    assert llm.requests[-1]["messages"][-1]["content"] == known


def test_the_fields_of_a_message_that_say_what_it_is_are_all_kinds_of_content() -> None:
    # A field that aiogram has and its ContentType has not would be of no kind: it is told as "something".
    kinds = {each.value for each in ContentType}
    named = {name for name in TelegramMessage.model_fields if name in kinds}
    assert named >= {"live_photo", "checklist", "gift", "rich_message", "users_shared", "web_app_data"}


async def test_a_file_that_is_gone_does_not_hold_up_what_comes_after_it(
    settings: ProductSettings, bucket: Storage, telegram: TelegramServer, llm: LanguageModelServer, ben: Player
) -> None:
    async with bot_running(settings.model_copy(update={"llm_transcription_model": "whisper"})):
        await ben.enter("Alisa")
        telegram.faults.add(path="/file/bot", kind="status", status=404, times=5)
        await ben.send(kind="voice")
        await ben.hears(has_text)
        assert "which you could not listen to" in llm.requests[-1]["messages"][-1]["content"]


async def test_a_local_bot_api_server_gives_files_by_their_path(
    settings: ProductSettings,
    bucket: Storage,
    telegram: TelegramServer,
    llm: LanguageModelServer,
    ben: Player,
    tmp_path: Path,
) -> None:
    voice = telegram.store.file("voc")
    assert voice
    (tmp_path / "voice.ogg").write_bytes(voice[2])
    local = {"telegram_api_local": True, "llm_transcription_model": "whisper"}
    async with bot_running(settings.model_copy(update=local)):
        await ben.enter("Alisa")
        for path, known in (
            (tmp_path / "voice.ogg", "How is your day"),
            (tmp_path / "gone.ogg", "could not listen"),
        ):
            told = {"file_id": "voc", "file_unique_id": "voc", "file_path": str(path)}
            body = {"ok": True, "result": told}
            telegram.faults.add(path="getFile", kind="status", status=200, body=body, times=2)
            await ben.send(kind="voice")
            await ben.hears(has_text)
            assert known in llm.requests[-1]["messages"][-1]["content"]
            telegram.faults.clear()


# -- topics --------------------------------------------------------------------------------------------


async def test_what_is_asked_in_a_topic_is_answered_in_it_photo_included(
    settings: ProductSettings, bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    async with worker_running(settings):
        await ben.send(text="/photo", message_thread_id=THREAD)
        words = await ben.hears(has_text)
        photo = await ben.photo()
    assert (words["message_thread_id"], photo["message_thread_id"]) == (THREAD, THREAD)
    actions = [data for kind, data in ben.heard if kind == "action" and data["action"] == "typing"]
    assert actions[-1]["message_thread_id"] == THREAD
    under = words["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    await ben.press_data(words, f"{under.replace('again', 'as')}:again")
    await all_handled(database)
    await ben.say("And outside of it?")
    assert "message_thread_id" not in await ben.hears(has_text)


# -- once, and not silence -----------------------------------------------------------------------------


async def test_an_answer_whose_receipt_is_lost_comes_twice_at_most(
    bot: Application, telegram: TelegramServer, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    llm.faults.add(path="completion", kind="say", text="Only for you, and only once.")
    telegram.faults.add(path="sendMessage", kind="lose_answer", times=20)
    await ben.say("How are you?")
    await all_handled(database)
    telegram.faults.clear()
    said = [it for it in await ben.messages() if it.get("text") == "Only for you, and only once."]
    assert len(said) == 2
    async with database.unit() as session:
        newest = await session.scalars(select(Message).order_by(Message.id.desc()).limit(1))
        assert newest.one().sent_at
    before = len(await ben.messages())
    telegram.faults.add(path="sendMessage", kind="lose_answer", times=20)
    await ben.say("/help")
    async with asyncio.timeout(20):
        while len(await ben.messages()) < before + 3:
            await asyncio.sleep(0.05)
    await all_handled(database)
    telegram.faults.clear()
    # The command, and its answer twice.
    assert len(await ben.messages()) - before == 3


async def test_two_pollers_for_one_bot_ask_the_model_once(
    settings: ProductSettings, bucket: Storage, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    async with bot_running(settings):
        await ben.enter("Alisa")
        llm.faults.add(path="completion", kind="delay", seconds=1.5)
        asked = len(llm.requests)
        await ben.say("How are you?")
        while llm.faults.pending:
            await asyncio.sleep(0.01)
        async with bot_running(settings):
            await ben.hears(has_text)
            await all_handled(database)
    assert len(llm.requests) == asked + 1


async def test_many_edits_of_one_message_are_one(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    question = await ben.say("How are you?")
    await ben.hears(has_text)
    await all_handled(database)
    llm.faults.add(path="completion", kind="delay", seconds=1)
    asked = len(llm.requests)
    for number in range(30):
        await ben.edit(question, f"How is the weather, number {number}?")
    await all_handled(database)
    assert len(llm.requests) - asked <= 4
    async with database.unit() as session:
        texts = await session.scalars(select(Message.text).where(Message.role == Role.PERSON))
        assert list(texts) == ["How is the weather, number 29?"]


@pytest.mark.parametrize("text", ["\u200b", "\u2800 \u3164 \u200d", "\ufe0f\u00ad\u2060"])
async def test_an_answer_of_nothing_that_can_be_seen_is_none(
    bot: Application, llm: LanguageModelServer, ben: Player, text: str
) -> None:
    assert not is_visible(text)
    assert list(split(text)) == ["…"]
    await ben.enter("Alisa")
    llm.faults.add(path="completion", kind="say", text=text)
    await ben.say("How are you?")
    await ben.hears(has_text)


async def test_words_that_telegram_refuses_are_not_met_with_silence(
    bot: Application, telegram: TelegramServer, ben: Player
) -> None:
    await ben.enter("Alisa")
    body = {"ok": False, "error_code": 400, "description": "Bad Request: something about entities"}
    telegram.faults.add(path="sendMessage", kind="status", status=400, body=body)
    await ben.say("How are you?")
    await ben.hears(says("went wrong"))


async def test_a_photo_that_telegram_knows_no_more_comes_from_our_storage(
    settings: ProductSettings, bot: Application, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    async with worker_running(settings):
        for _ in range(2):
            await ben.say("/photo")
            await ben.photo()
    await all_handled(database)
    async with database.unit() as session:
        await session.execute(update(Photo).values(file_id="AgAC-of-another-bot"))
    await ben.say("/gallery")
    page = await ben.hears(lambda it: "photo" in it)
    await ben.press(page, "▶")
    assert "photo" in await ben.edited()


async def test_a_refund_that_comes_before_its_payment_wins(
    bot: Application, telegram: TelegramServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    paid = {"currency": "XTR", "total_amount": 100, "invoice_payload": "photos_20"}
    charge = {"telegram_payment_charge_id": "late", "provider_payment_charge_id": "p"}
    await ben.send(kind="anything", content={"refunded_payment": paid | charge})
    await ben.send(kind="anything", content={"successful_payment": paid | charge})
    await all_handled(database)
    async with database.unit() as session:
        payment = (await session.scalars(select(Payment))).one()
        grants = list(await session.scalars(select(PhotoGrant)))
    assert payment.refunded_at
    assert grants == []


# -- the way to Telegram -------------------------------------------------------------------------------


@asynccontextmanager
async def socks_server() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A SOCKS5 proxy (RFC 1928) without a password, and the addresses that were asked for."""
    asked: list[bytes] = []

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        *_, kind = await reader.readexactly(4)
        size = 4 if kind == 1 else (await reader.readexactly(1))[0]
        host, port = await reader.readexactly(size), int.from_bytes(await reader.readexactly(2))
        asked.append(host)
        onward = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        await asyncio.gather(pipe(reader, onward[1]), pipe(onward[0], writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()


async def test_telegram_is_reached_through_a_socks_proxy_which_resolves_its_name(
    settings: ProductSettings, bucket: Storage, ben: Player
) -> None:
    async with socks_server() as (address, asked):
        url = settings.telegram_api_url.replace("127.0.0.1", "telegram.invalid")
        changes = {"telegram_api_url": url, "telegram_proxy": SecretStr(f"socks5://{address}")}
        async with bot_running(settings.model_copy(update=changes)):
            await ben.enter("Alisa")
            await ben.say("How are you?")
            await ben.hears(has_text)
    assert b"telegram.invalid" in asked


async def test_telegram_is_reached_through_the_proxy_of_the_environment(
    settings: ProductSettings, bucket: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    passed: list[str] = []

    async def forward(request: web.Request) -> web.Response:
        passed.append(f"{request.url.host} {request.path.rpartition('/')[2]}")
        return web.json_response({"ok": True, "result": []})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", forward)
    server = HttpServer(application)
    await server.start()
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    bot = api.connect(settings.model_copy(update={"telegram_api_url": "http://telegram.invalid"}))
    assert await bot.get_updates() == []
    at_home = api.connect(settings)
    assert await at_home.get_me()
    for each in (bot, at_home):
        await each.session.close()
    await server.stop()
    assert passed == ["telegram.invalid getUpdates"]


@pytest.mark.parametrize("proxy", ["socks5://host", "ftp://host:1", "host:1080", "socks5://a b:1"])
def test_a_proxy_that_is_none_is_refused_at_the_start(settings: ProductSettings, proxy: str) -> None:
    with pytest.raises(ValueError, match="socks5"):
        ProductSettings.example(**(settings.model_dump() | {"telegram_proxy": proxy}))


async def test_the_process_is_not_ready_until_telegram_has_taken_its_webhook(
    settings: ProductSettings, bucket: Storage, telegram: TelegramServer
) -> None:
    port = free_port()
    body = {"ok": False, "error_code": 400, "description": "Bad Request: bad webhook: Failed to resolve host"}
    telegram.faults.add(path="setWebhook", kind="status", status=400, body=body, times=3)
    values = settings.model_dump() | {
        "webhook_url": f"http://127.0.0.1:{port}", "webhook_port": port, "webhook_secret": "s",
    }  # fmt: skip
    async with (
        bot_running(ProductSettings.example(**values)) as application,
        aiohttp.ClientSession() as session,
    ):
        address = f"http://127.0.0.1:{application.endpoint_port}/readyz"
        told, status = "", 503
        while status != 200:
            async with session.get(address) as response:
                status, text = response.status, await response.text()
                told += text
            await asyncio.sleep(0.05)
    assert "Failed to resolve host" in told
