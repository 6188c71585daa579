"""What one person may cost in a day, in calls, tokens, voice and pictures; and what an operator sees of it."""

import base64
import io
from datetime import timedelta

import pytest
from PIL import Image
from sqlalchemy import func, select, update

from bot.accounts import usage
from bot.accounts.usage import Used
from bot.app import Application
from bot.models import Message, Person, Role, Usage
from generation.models import Photo
from generation.runtime.database import Database
from sandbox.llm import LanguageModelServer
from sandbox.settings import ProductSettings
from sandbox.telegram import TelegramServer
from sandbox.wiring import bot_running
from tests.bot.accounts.test_respect import erased
from tests.bot.reading.test_attachments import spoken
from tests.conftest import all_handled
from tests.player import Player, has_buttons, has_text, labels, says

REST = says("I need a rest")


def in_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


async def used(database: Database, player: Player) -> Used:
    async with database.unit() as session:
        return await usage.of_person(session, player.id)


def on_the_free_plan(settings: ProductSettings, **limits: object) -> ProductSettings:
    return settings.model_copy(update={"premium_ids": frozenset(), **limits})


async def a_day_passes(database: Database) -> None:
    async with database.unit() as session:
        await session.execute(update(Usage).values(hour=Usage.hour - timedelta(hours=25)))


# -- calls and tokens ----------------------------------------------------------------------------------


async def test_at_the_limit_there_are_kind_words_and_what_was_written_is_answered_later(
    settings: ProductSettings, bucket: object, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    async with bot_running(on_the_free_plan(settings, free_model_calls_a_day=2)):
        await ben.enter("Alisa")
        for _ in range(2):
            await ben.say("Hello")
            await ben.hears(has_text)
        asked = len(llm.requests)
        await ben.say("I have a dog called Biscuit")
        told = await ben.hears(REST)
        assert labels(told) == ["⭐ More photos"]
        await all_handled(database)
        assert len(llm.requests) == asked
        await a_day_passes(database)
        await ben.say("What is my dog called?")
        await ben.hears(has_text)
    said = [message["content"] for message in llm.requests[-1]["messages"] if message["role"] == "user"]
    assert "Biscuit" in " ".join(map(str, said))


async def test_tokens_are_limited_as_the_server_counts_them_and_premium_has_more(
    settings: ProductSettings, bucket: object, ben: Player, anya: Player, database: Database
) -> None:
    few = {"free_model_tokens_a_day": 300, "premium_model_tokens_a_day": 100_000}
    async with bot_running(settings.model_copy(update=few)):
        await ben.enter("Alisa")
        await anya.enter("Алиса")
        for _ in range(2):
            await ben.say("Hello")
            await ben.hears(has_text)
            await anya.say("Привет")
            await anya.hears(has_text)
        await anya.say("И ещё раз")
        await anya.hears(says("нужно передохнуть"))
        await ben.say("And again")
        await ben.hears(has_text)
    assert (await used(database, ben)).calls == 3
    assert 300 <= (await used(database, anya)).tokens < 100_000


async def test_what_a_person_used_is_counted_and_shown_to_the_operator_with_its_cost(
    settings: ProductSettings, bucket: object, telegram: TelegramServer, ben: Player, database: Database
) -> None:
    priced = on_the_free_plan(
        settings, llm_price_prompt=1000.0, llm_price_completion=2000.0, llm_transcription_model="whisper"
    )
    async with bot_running(priced), Player(telegram.url, 1003) as olga:
        await ben.enter("Alisa")
        await ben.say("Hello")
        await ben.hears(has_text)
        await ben.send(kind="voice")
        await ben.hears(has_text)
        await all_handled(database)
        mine = await used(database, ben)
        assert (mine.calls, mine.voice_seconds) == (2, 3)
        assert mine.prompt_tokens > mine.completion_tokens > 0
        assert mine.cost(priced) == pytest.approx(mine.prompt_tokens / 1000 + mine.completion_tokens / 500)
        await olga.say(f"/user {ben.id}")
        card = (await olga.hears(has_buttons))["text"]
        assert "запросов 2/500" in card
        assert "голоса 3/600 с" in card
        await olga.say("/stats")
        figures = (await olga.hears(has_buttons))["caption"]
        assert "Языковая модель за сутки: запросов 2" in figures
        assert f"Больше всех: {ben.id} ({mine.tokens:,})" in figures


async def test_one_answer_is_written_anew_a_few_times_only(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    question = await ben.say("Hello")
    answer = await ben.hears(has_text)
    await all_handled(database)
    asked = len(llm.requests)
    for _ in range(12):
        under = answer["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
        await ben.press_data(answer, f"{under.replace('again', 'as')}:again")
    await ben.notices("answer", lambda it: "anew three times" in it["text"])
    await all_handled(database)
    # Once more each where the words were those of before.
    made = len(llm.requests)
    assert asked + 3 <= made <= asked + 6
    # Nor by editing what it answers; the words change all the same.
    await ben.edit(question, "Hello, it's raining")
    await ben.hears(says("anew three times"))
    async with database.unit() as session:
        texts = await session.scalars(select(Message.text).where(Message.role == Role.PERSON))
        assert list(texts) == ["Hello, it's raining"]
    assert len(llm.requests) == made
    await ben.say("Never mind")
    await ben.hears(has_text)


# -- voice and pictures --------------------------------------------------------------------------------


async def test_voice_is_bounded_before_it_is_paid_whatever_its_sender_says_of_it(
    settings: ProductSettings, bucket: object, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    limited = on_the_free_plan(
        settings, llm_transcription_model="whisper", voice_longest=5, free_voice_seconds_a_day=8
    )
    async with bot_running(limited):
        await ben.enter("Alisa")
        llm.faults.add(path="transcription", kind="status", status=500, times=100)
        for file in ({"fields": {"duration": 3600}}, {"file": in_base64(spoken(9, rate=8_000))}):
            await ben.send(kind="voice", **file)
            await ben.hears(says("up to 5 seconds"))
        llm.faults.clear()
        llm.faults.add(path="transcription", kind="say", text="word " * 30_000)
        await ben.send(kind="voice", file=in_base64(spoken(5, rate=8_000)), fields={"duration": 1})
        await ben.hears(has_text)
        assert len(llm.requests[-1]["messages"][-1]["content"]) <= 4096
        await ben.send(kind="voice", file=in_base64(spoken(5, rate=8_000)), fields={"duration": 1})
        await ben.hears(says("Please write to me instead"))
    assert (await used(database, ben)).voice_seconds == 5


async def test_a_broken_voice_is_one_that_she_could_not_listen_to(
    settings: ProductSettings, bucket: object, llm: LanguageModelServer, ben: Player
) -> None:
    async with bot_running(settings.model_copy(update={"llm_transcription_model": "whisper"})):
        await ben.enter("Alisa")
        await ben.send(kind="voice", file=in_base64(b"OggS" + bytes(3_000)))
        await ben.hears(has_text)
    assert "which you could not listen to" in llm.requests[-1]["messages"][-1]["content"]


async def test_pictures_are_counted_and_a_bomb_is_one_that_she_cannot_see(
    settings: ProductSettings, bucket: object, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (90, 60), "teal").save(picture, "PNG")
    as_file = {"file_name": "me.png", "mime_type": "image/png"}
    async with bot_running(on_the_free_plan(settings, llm_sees_pictures=True, free_pictures_a_day=1)):
        await ben.enter("Alisa")
        await ben.send(kind="photo", file=in_base64(b"<svg/>"), caption="look")
        await ben.hears(has_text)
        await all_handled(database)
        assert "which you cannot see" in llm.requests[-1]["messages"][-1]["content"]
        await ben.send(kind="document", file=in_base64(picture.getvalue()), fields=as_file, caption="and this")
        await ben.hears(has_text)
        await all_handled(database)
        assert llm.requests[-1]["messages"][-1]["content"][1]["image_url"]
        await ben.send(kind="photo", caption="and one more")
        await ben.hears(says("all the pictures I can"))
        await ben.hears(has_text)
        await all_handled(database)
        assert "which you cannot see" in llm.requests[-1]["messages"][-1]["content"]
    assert (await used(database, ben)).pictures == 1


# -- what deleting everything does not give anew -------------------------------------------------------


async def test_deleting_everything_gives_no_new_budget_and_no_new_photos(
    settings: ProductSettings, bucket: object, ben: Player, database: Database
) -> None:
    async with bot_running(on_the_free_plan(settings, free_model_calls_a_day=1, free_photos_a_day=1)):
        await ben.enter("Alisa")
        await ben.say("/photo by the window")
        await ben.hears(has_text)
        await all_handled(database)
        async with database.unit() as session:
            assert await session.scalar(select(func.count()).select_from(Photo)) == 1
        await erased(ben)
        await all_handled(database)
        async with database.unit() as session:
            assert (await session.scalars(select(Usage.person_id))).all() == [None]
            assert await session.get(Person, ben.id) is None
        await ben.enter("Alisa")
        await ben.say("/photo by the window")
        await ben.hears(says("No more photos for today"))
        await ben.say("Hello")
        await ben.hears(REST)
        async with database.unit() as session:
            assert await session.scalar(select(func.count()).select_from(Photo)) == 0


async def test_rows_that_limit_nobody_are_deleted(database: Database, settings: ProductSettings) -> None:
    async with database.unit() as session:
        session.add(Person(id=1, locale="en"))
        await session.flush()
        for who, days in (("kept", 3), ("old", 40)):
            hour = func.date_trunc("hour", func.now()) - timedelta(days=days)
            session.add(Usage(pseudonym=who, hour=hour, person_id=1, calls=1))
        for who, hours in (("erased", 30), ("erased today", 3)):
            hour = func.date_trunc("hour", func.now()) - timedelta(hours=hours)
            session.add(Usage(pseudonym=who, hour=hour, calls=1))
    await usage.forget_old(database)
    async with database.unit() as session:
        left = await session.scalars(select(Usage.pseudonym).order_by(Usage.pseudonym))
        assert list(left) == ["erased today", "kept"]
