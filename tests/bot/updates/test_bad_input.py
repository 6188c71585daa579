"""Whatever comes in gets a fitting answer or silence by design, and the chat lives on."""

import pytest

from bot.app import Application
from sandbox.llm import LanguageModelServer
from sandbox.telegram import TelegramServer
from tests.player import Player, has_buttons, has_text, says


async def alive(player: Player) -> None:
    """The chat still answers."""
    await player.say("/help")
    await player.hears(says("/photo"))


@pytest.mark.parametrize(
    ("kind", "known"),
    [
        ("sticker", "[The person sent a sticker: 👋]"),
        ("voice", "[The person sent a voice message, which you could not listen to]"),
        ("document", "[The person sent a file, which you cannot see or open]"),
        ("photo", "[The person sent a picture, which you cannot see or open]"),
        ("location", "[The person sent their location, which you cannot see or open]"),
    ],
)
async def test_what_is_not_text_gets_an_answer_that_knows_what_it_was(
    bot: Application, llm: LanguageModelServer, ben: Player, kind: str, known: str
) -> None:
    await ben.enter("Alisa")
    await ben.send(kind=kind)
    await ben.hears(has_text)
    assert llm.requests[-1]["messages"][-1]["content"] == known
    await alive(ben)


async def test_an_unknown_command_is_answered_with_help(bot: Application, ben: Player) -> None:
    await ben.enter("Alisa")
    for text in ("/nonsense", "/photo@another_bot hello", "/"):
        await ben.say(text)
        await ben.hears(says("/help"))


@pytest.mark.parametrize(
    "data",
    ["nonsense", "persona:gone", "persona:", "story:alisa:gone", "photo_again:999999", "photo_again:x", "x" * 64],
)
async def test_an_old_or_forged_button_says_so(bot: Application, ben: Player, data: str) -> None:
    await ben.enter("Alisa")
    message = next(it for it in await ben.messages() if has_buttons(it))
    await ben.press_data(message, data)
    await ben.notices("answer", lambda it: "no longer works" in it["text"])
    await alive(ben)


async def test_huge_and_strange_texts_are_answered(bot: Application, ben: Player) -> None:
    await ben.enter("Alisa")
    right_to_left = "\u202eright to left \u05e9\u05dc\u05d5\u05dd"
    markup = "<b>bold</b> & *stars* `code` {braces} %s"
    for text in ("x" * 4096, "😀" * 2048, right_to_left, markup, "a\0b", "\ufdfd" * 500):
        await ben.say(text)
        await ben.hears(has_text)


async def test_html_in_a_name_and_in_an_answer_is_shown_as_it_is(
    bot: Application, telegram: TelegramServer, llm: LanguageModelServer
) -> None:
    telegram_person = {"id": 7, "first_name": "<b>Eve</b> & {co}", "language_code": "en"}
    async with Player(telegram.url, 1001) as admin:
        await admin.api("POST", "/people", telegram_person)
    async with Player(telegram.url, 7) as eve:
        await eve.say("/start")
        assert "<b>Eve</b> & {co}" in (await eve.hears(has_buttons))["text"]
        await eve.press((await eve.messages())[-1], "18")
        await eve.press(await eve.hears(has_buttons), "Alisa")
        await eve.hears(says("Rain"))
        llm.faults.add(path="completion", kind="say", text="<script>alert(1)</script> *bold* {x}")
        await eve.say("Hi")
        assert (await eve.hears(has_text))["text"] == "<script>alert(1)</script> *bold* {x}"


async def test_groups_and_channels_are_left_in_silence(
    bot: Application, telegram: TelegramServer, ben: Player
) -> None:
    async with Player(telegram.url, 1002, chat_id=-2001) as in_group:
        await in_group.say("/start")
        await in_group.say("Hello bot")
        channel = {"id": -100500, "type": "channel", "title": "News"}
        post = {"message_id": 1, "date": 0, "chat": channel, "text": "/start"}
        await in_group.api("POST", "/updates", {"channel_post": post})
        await alive(ben)
        assert all(not it["from"]["is_bot"] for it in await in_group.messages())


@pytest.mark.parametrize("update", [{"message": {}}, {"message": {"text": "x"}}, {"poll": {"id": 7}}])
async def test_an_update_that_aiogram_cannot_read_stops_nobody(
    bot: Application, telegram: TelegramServer, ben: Player, update: dict[str, object]
) -> None:
    telegram.store.set_setting("allowed_updates", [])
    await ben.api("POST", "/updates", update)
    await ben.enter("Alisa")


async def test_an_update_of_a_kind_nobody_knows_is_skipped(
    bot: Application, telegram: TelegramServer, ben: Player
) -> None:
    telegram.store.set_setting("allowed_updates", [])
    await ben.api("POST", "/updates", {"something_new": {"from": {"id": 1002}}})
    await alive(ben)


async def test_an_update_that_cannot_be_stored_stops_nobody(bot: Application, ben: Player) -> None:
    chat = {"id": 2**64, "type": "private", "first_name": "X"}
    user = {"id": 2**64, "is_bot": False, "first_name": "X"}
    await ben.api(
        "POST", "/updates", {"message": {"message_id": 1, "date": 0, "chat": chat, "from": user, "text": "x"}}
    )
    await alive(ben)


async def test_commands_work_in_any_case(bot: Application, ben: Player) -> None:
    await ben.enter("Alisa")
    for text in ("/HELP", "/Help"):
        await ben.say(text)
        await ben.hears(says("/photo"))


async def test_an_answer_without_a_word_is_asked_for_once_more(
    bot: Application, llm: LanguageModelServer, ben: Player
) -> None:
    await ben.enter("Alisa")
    llm.faults.add(path="completion", kind="say", text='[scene] {"place": "cafe", "visual": false}')
    await ben.say("Hello")
    assert (await ben.hears(has_text))["text"] != "…"
    assert len(llm.requests) == 2
