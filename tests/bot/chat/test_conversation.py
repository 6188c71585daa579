"""Talking with the bot, through the whole dispatcher, on the local Bot API."""

import asyncio
from datetime import timedelta

from sqlalchemy import func, select, update

from bot.app import Application
from bot.dialogues import memory
from bot.models import Dialogue, Fact, Message, Person, ReceivedUpdate, Role
from generation.models import Photo, PhotoStatus
from generation.runtime.database import Database
from sandbox.llm import LanguageModelServer
from sandbox.settings import ProductSettings
from sandbox.telegram import TelegramServer
from sandbox.wiring import bot_running
from tests.conftest import all_handled
from tests.player import Player, has_buttons, has_text, says


async def test_start_asks_for_the_age_then_shows_the_personas_then_the_persona_begins(
    bot: Application, anya: Player
) -> None:
    await anya.say("/start")
    question = await anya.hears(has_buttons)
    assert "Привет, Аня!" in question["text"]
    await anya.press(question, "Мне есть 18")
    gallery = await anya.hears(has_buttons)
    assert all(name in gallery["caption"] for name in ("Алиса", "Марк", "Вера", "Даниэль"))
    await anya.press(gallery, "Марк")
    await anya.hears(says("Марк · Приют на перевале"))
    assert "печки" in (await anya.hears(has_text))["text"]


async def test_nobody_gets_in_without_confirming_the_age(bot: Application, ben: Player, database: Database) -> None:
    await ben.say("Hello, send me a photo")
    await ben.hears(says("confirm first"))
    await ben.say("/start")
    question = await ben.hears(has_buttons)
    await ben.press(question, "No")
    await ben.hears(says("not for you yet"))
    await ben.press_data(question, "persona:alisa")
    await ben.notices("answer", lambda it: "confirm" in it["text"])
    await all_handled(database)
    async with database.unit() as session:
        assert await session.scalar(select(func.count()).select_from(Dialogue)) == 0


async def test_the_answer_comes_in_the_persons_language_without_the_scene_line(
    bot: Application, anya: Player, ben: Player, database: Database
) -> None:
    await anya.enter("Алиса")
    await ben.enter("Alisa")
    await anya.say("Как дела?")
    await ben.say("How are you?")
    for player, letters in ((anya, "абвгд"), (ben, "abcde")):
        text = (await player.hears(has_text))["text"]
        assert any(letter in text for letter in letters)
        assert "scene" not in text
        assert "{" not in text
    await all_handled(database)
    async with database.unit() as session:
        scene = (await session.scalars(select(Dialogue.scene).where(Dialogue.person_id == anya.id))).one()
    assert scene["place"]


async def test_a_model_that_gives_no_scene_line_still_works(
    bot: Application, llm: LanguageModelServer, ben: Player
) -> None:
    await ben.enter("Alisa")
    for kind in ("no_scene", "broken_scene"):
        llm.faults.add(path="completion", kind=kind)
        await ben.say("Hello!")
        assert "[scene]" not in (await ben.hears(has_text))["text"]


async def test_an_answer_over_4096_characters_comes_in_parts(
    bot: Application, llm: LanguageModelServer, ben: Player
) -> None:
    await ben.enter("Alisa")
    llm.faults.add(
        path="completion", kind="say", text=" ".join(f"A rather long sentence, number {n}." for n in range(270))
    )
    await ben.say("Tell me everything")
    first, second, third = [await ben.hears(has_text) for _ in range(3)]
    assert len(first["text"] + second["text"] + third["text"]) > 9500


async def test_several_quick_messages_are_answered_together(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    llm.faults.add(path="completion", kind="delay", seconds=20)
    llm.faults.add(path="completion", kind="say", text="To all three of you.")
    for text in ("Hello!", "I am Ben", "How are you?"):
        await ben.api("POST", f"/people/{ben.id}/chats/{ben.id}/messages", {"text": text})
        if llm.faults.pending == 2:
            # The answer to the first one is being made when the others come.
            await ben.notices("action", lambda it: it["action"] == "typing")
            while llm.faults.pending == 2:
                await asyncio.sleep(0.01)
    await ben.hears(says("To all three of you."))
    given = [message["content"] for message in llm.requests[-1]["messages"]]
    assert given[-3:] == ["Hello!", "I am Ben", "How are you?"]
    async with database.unit() as session:
        said = list(await session.scalars(select(Message.role).where(Message.update_id.is_not(None))))
    assert said.count(Role.PERSONA) == 1


async def test_a_wish_for_a_photo_among_quick_messages_is_heard(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    llm.faults.add(path="completion", kind="delay", seconds=20)
    await ben.say("Send me a photo please")
    while llm.faults.pending:
        await asyncio.sleep(0.01)
    await ben.say("And how was your day?")
    await ben.hears(has_text)
    await all_handled(database)
    async with database.unit() as session:
        assert [photo.requested for photo in await session.scalars(select(Photo))] == [True]


async def test_somebody_who_never_stops_writing_is_answered_all_the_same(
    bot: Application, llm: LanguageModelServer, ben: Player
) -> None:
    await ben.enter("Alisa")
    for number in range(8):
        await ben.api("POST", f"/people/{ben.id}/chats/{ben.id}/messages", {"text": f"message {number}"})
    await ben.hears(has_text)
    await ben.hears(has_text)


async def test_one_chat_does_not_wait_for_another(
    bot: Application, llm: LanguageModelServer, anya: Player, ben: Player
) -> None:
    await anya.enter("Алиса")
    await ben.enter("Alisa")
    llm.faults.add(path="completion", kind="delay", seconds=5)
    await anya.say("Как дела?")
    await anya.notices("action", lambda it: it["action"] == "typing")
    while llm.faults.pending:
        await asyncio.sleep(0.01)
    await ben.say("How are you?")
    await ben.hears(has_text)
    assert (await anya.messages())[-1]["from"]["id"] == anya.id


async def test_when_the_model_is_down_the_person_is_told_and_nothing_is_lost(
    bot: Application, llm: LanguageModelServer, anya: Player
) -> None:
    await anya.enter("Алиса")
    llm.faults.add(path="completions", kind="status", status=500, times=3)
    await anya.say("Меня зовут Аня, я пилот")
    await anya.hears(says("Твоё сообщение сохранено"))
    await anya.say("Ты тут?")
    await anya.hears(has_text)
    given = [message["content"] for message in llm.requests[-1]["messages"]]
    assert "Меня зовут Аня, я пилот" in given


async def test_old_messages_go_into_a_summary_that_the_model_is_given(
    settings: ProductSettings, bucket: object, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    async with bot_running(settings.model_copy(update={"free_memory_tokens": 400, "premium_memory_tokens": 400})):
        await ben.enter("Alisa")
        for number in range(10):
            await ben.say(f"My secret number {number} is told in a rather long sentence about nothing at all")
            await ben.hears(has_text)
        async with asyncio.timeout(10):
            while True:
                async with database.unit() as session:
                    dialogue = (await session.scalars(select(Dialogue))).one()
                if dialogue.summary:
                    break
                await asyncio.sleep(0.02)
        await ben.say("Do you remember?")
        await ben.hears(has_text)
    assert "secret number 0" in dialogue.summary
    asked = [each["messages"] for each in llm.requests if each["messages"][-1]["content"] == "Do you remember?"]
    assert dialogue.summary[:40] in str(asked[-1])


async def test_a_summary_that_is_refused_is_not_remembered_and_the_talk_goes_on(
    settings: ProductSettings, bucket: object, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    llm.faults.add(path="summary", kind="say", text="Alisa is a schoolgirl and they kissed.")
    async with bot_running(settings.model_copy(update={"free_memory_tokens": 400, "premium_memory_tokens": 400})):
        await ben.enter("Alisa")
        for number in range(10):
            await ben.say(f"My secret number {number} is told in a rather long sentence about nothing at all")
            await ben.hears(has_text)
        async with asyncio.timeout(20):
            while not (dialogue := await the_dialogue(database)).summarised_to:
                await asyncio.sleep(0.02)
        await ben.say("Do you remember?")
        await ben.hears(has_text)
    assert "schoolgirl" not in dialogue.summary
    assert "schoolgirl" not in str(llm.requests)


async def the_dialogue(database: Database) -> Dialogue:
    async with database.unit() as session:
        return (await session.scalars(select(Dialogue))).one()


async def test_reset_forgets_the_dialogue(bot: Application, llm: LanguageModelServer, ben: Player) -> None:
    await ben.enter("Alisa")
    await ben.say("Remember the word pineapple")
    await ben.hears(has_text)
    await ben.say("/reset")
    question = await ben.hears(has_buttons)
    await ben.press(question, "No")
    assert "we go on" in (await ben.edited())["text"]
    await ben.say("/reset")
    question = await ben.hears(has_buttons)
    await ben.press(question, "Yes")
    await ben.hears(says("Rain is drumming"))
    # Pressed twice.
    await ben.press(question, "Yes")
    await ben.say("Hello")
    await ben.hears(has_text)
    assert "pineapple" not in str(llm.requests[-1])


async def test_a_reset_can_be_taken_back_for_ten_minutes(
    bot: Application, llm: LanguageModelServer, ben: Player, anya: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await anya.enter("Алиса")
    await ben.say("Remember the word pineapple")
    await ben.hears(has_text)
    await all_handled(database)
    async with database.unit() as session:
        session.add(Fact(person_id=ben.id, persona="alisa", text="Likes pineapples."))
        session.add(Fact(person_id=ben.id, persona="vera", text="Likes grapes."))
    await ben.say("/reset")
    await ben.press(await ben.hears(has_buttons), "Yes")
    cleaned = await ben.edited()
    assert "remembers nothing" in cleaned["text"]
    await ben.hears(says("Rain is drumming"))
    await ben.say("Hello")
    await ben.hears(has_text)
    assert "pineapple" not in str(llm.requests[-1])
    # Nobody else takes it back.
    data = cleaned["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    await anya.press_data((await anya.messages())[-1], data)
    assert "не действует" in await anya.answers()
    await ben.press(cleaned, "Bring it back")
    assert "remembers everything" in (await ben.edited())["text"]
    await ben.say("Which word was it?")
    await ben.hears(has_text)
    assert "Remember the word pineapple" in str(llm.requests[-1])
    assert "Likes pineapples." in str(llm.requests[-1])
    await ben.press(cleaned, "Bring it back")
    assert "no longer" in await ben.answers()


async def test_a_stale_undo_brings_nothing_back(bot: Application, ben: Player, database: Database) -> None:
    await ben.enter("Alisa")
    async with database.unit() as session:
        session.add(Fact(person_id=ben.id, persona="alisa", text="Likes pineapples."))
    await ben.say("/reset")
    await ben.press(await ben.hears(has_buttons), "Yes")
    cleaned = await ben.edited()
    await ben.enter("Vera")
    await ben.press(cleaned, "Bring it back")
    await ben.notices("answer", lambda it: "no longer" in it["text"])
    async with database.unit() as session:
        assert (await session.scalars(select(Fact.forgotten_at))).one() is not None


async def test_a_reset_whose_words_were_lost_is_told_again(
    bot: Application, telegram: TelegramServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("/reset")
    question = await ben.hears(has_buttons)
    telegram.faults.add(path="editMessageText", kind="status", status=502, text="Bad Gateway", times=1)
    await ben.press(question, "Yes")
    cleaned = await ben.edited()
    assert "remembers nothing" in cleaned["text"]
    await ben.press(cleaned, "Bring it back")
    assert "remembers everything" in (await ben.edited())["text"]
    await all_handled(database)
    async with database.unit() as session:
        assert await session.scalar(select(func.count()).select_from(Dialogue)) == 2


async def test_a_reset_stays_when_the_ten_minutes_are_over(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("/reset")
    async with database.unit() as session:
        session.add(Fact(person_id=ben.id, persona="alisa", text="Likes pineapples."))
    await ben.press(await ben.hears(has_buttons), "Yes")
    cleaned = await ben.edited()
    await all_handled(database)
    async with database.unit() as session:
        past = func.now() - timedelta(minutes=11)
        await session.execute(update(Fact).values(forgotten_at=past))
        await session.execute(update(Dialogue).where(Dialogue.ended_at.is_not(None)).values(ended_at=past))
        await memory.forget_old(session)
        assert list(await session.scalars(select(Fact))) == []
    await ben.press(cleaned, "Bring it back")
    assert "no longer" in await ben.answers()


async def test_a_new_story_changes_the_scene_and_brings_a_photo(
    bot: Application, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("/story")
    await ben.press(await ben.hears(has_buttons), "sea")
    await ben.hears(says("Imagine"))
    await ben.say("Interesting")
    await ben.hears(has_text)
    await all_handled(database)
    async with database.unit() as session:
        photo = (await session.scalars(select(Photo))).one()
    assert photo.rule == "story_change"
    assert "promenade" in photo.prompt
    assert "mustard raincoat" in photo.prompt


async def test_photo_with_a_wish_orders_a_photo_after_the_answer(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("/photo by the window")
    await ben.hears(has_text)
    assert llm.requests[-1]["messages"][-1]["content"] == "Send me a photo. by the window"
    async with database.unit() as session:
        photo = (await session.scalars(select(Photo))).one()
        answer = (await session.scalars(select(Message).where(Message.photo_id == photo.id))).one()
    assert photo.requested
    assert photo.premium, "Ben has premium"
    assert answer.role is Role.PERSONA


async def test_a_full_queue_is_said_for_a_wish_and_kept_quiet_for_an_automatic_photo(
    settings: ProductSettings,
    bucket: object,
    llm: LanguageModelServer,
    ben: Player,
    anya: Player,
    database: Database,
) -> None:
    async with bot_running(settings.model_copy(update={"queue_limit": 1})):
        await ben.enter("Alisa")
        await ben.say("/photo")
        await ben.hears(has_text)
        await anya.enter("Алиса")
        await anya.say("/photo")
        await anya.hears(says("сейчас не получаются"))
        await anya.say("как дела?")
        await anya.hears(has_text)
        await anya.say("/help")
        await anya.hears(says("/photo"))
    await all_handled(database)
    async with database.unit() as session:
        ordered = (await session.scalars(select(Photo).order_by(Photo.id))).all()
    assert [photo.requested for photo in ordered if photo.status is PhotoStatus.QUEUED] == [True]
    assert sum("не получаются" in it.get("text", "") for it in await anya.messages()) == 1


async def test_nobody_fills_the_queue_with_wishes(bot: Application, ben: Player, database: Database) -> None:
    await ben.enter("Alisa")
    for _ in range(2):
        await ben.say("/photo")
        await ben.hears(has_text)
    await ben.say("/photo")
    await ben.hears(says("already"))
    await all_handled(database)
    async with database.unit() as session:
        assert await session.scalar(select(func.count()).select_from(Photo)) == 2


async def test_what_the_person_wrote_leaves_the_inbox_once_it_is_handled(
    bot: Application, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("a private matter")
    await ben.hears(has_text)
    async with asyncio.timeout(10):
        while True:
            async with database.unit() as session:
                rows = (await session.scalars(select(ReceivedUpdate))).all()
            if all(row.handled_at for row in rows):
                break
            await asyncio.sleep(0.02)
    assert all(row.payload is None for row in rows)


async def test_a_person_who_blocks_the_bot_is_remembered_and_welcomed_back(
    bot: Application, ben: Player, database: Database, telegram: TelegramServer
) -> None:
    await ben.enter("Alisa")

    async def blocked() -> bool:
        async with database.unit() as session:
            return (await session.get_one(Person, ben.id)).blocked_at is not None

    await ben.block()
    async with asyncio.timeout(10):
        while not await blocked():
            await asyncio.sleep(0.02)
    await ben.unblock()
    await ben.say("/start")
    await ben.hears(says("Who would you like"))
    assert not await blocked()


async def test_pressing_a_persona_many_times_begins_one_dialogue(bot: Application, ben: Player) -> None:
    await ben.say("/start")
    await ben.press(await ben.hears(has_buttons), "18")
    gallery = await ben.hears(has_buttons)
    for _ in range(4):
        await ben.press(gallery, "Alisa")
    await ben.say("/help")
    await ben.hears(says("/photo"))
    assert sum("Rain is drumming" in it.get("text", "") for it in await ben.messages()) == 1


async def test_pressing_a_story_many_times_begins_it_once(bot: Application, ben: Player) -> None:
    await ben.enter("Alisa")
    await ben.say("/story")
    stories = await ben.hears(has_buttons)
    for _ in range(4):
        await ben.press(stories, "sea")
    await ben.say("/help")
    await ben.hears(says("/photo"))
    assert sum("Imagine: nobody" in it.get("text", "") for it in await ben.messages()) == 1


async def test_a_gateways_page_in_place_of_telegrams_answer_costs_no_answer(
    bot: Application, telegram: TelegramServer, ben: Player
) -> None:
    await ben.enter("Alisa")
    telegram.faults.add(path="/sendMessage", kind="status", status=502, text="<html>Bad Gateway</html>")
    await ben.say("Hello")
    await ben.hears(has_text)
    assert not any("went wrong" in it.get("text", "") for it in await ben.messages())


async def test_without_redis_the_chat_goes_on_and_the_photo_waits(
    settings: ProductSettings, bucket: object, ben: Player, database: Database
) -> None:
    async with bot_running(settings.model_copy(update={"redis_url": "redis://127.0.0.1:9/0"})):
        await ben.enter("Alisa")
        await ben.say("send me a photo")
        await ben.hears(has_text)
        await ben.say("/help")
        await ben.hears(says("/photo"))
    await all_handled(database)
    async with database.unit() as session:
        assert (await session.scalars(select(Photo.status))).one() == "queued"


async def test_the_words_of_a_refusal_survive_a_telegram_that_fails(
    settings: ProductSettings, bucket: object, telegram: TelegramServer, ben: Player, anya: Player
) -> None:
    async with bot_running(settings.model_copy(update={"queue_limit": 1})):
        await ben.enter("Alisa")
        await ben.say("/photo")
        await ben.hears(has_text)
        await anya.enter("Алиса")
        body = {"ok": False, "error_code": 500, "description": "Internal Server Error"}
        telegram.faults.add(path="/sendMessage", kind="status", status=500, body=body)
        await anya.say("/photo")
        await anya.hears(says("сейчас не получаются"))
    answers = [it for it in await anya.messages() if it["from"]["is_bot"]]
    assert sum("не получаются" in it.get("text", "") for it in answers) == 1
