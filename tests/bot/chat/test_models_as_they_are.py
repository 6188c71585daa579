"""Answers as models and servers give them, in a real dialogue: cut, filtered, repeated, refused, broken off."""

import asyncio

import pytest
from sqlalchemy import select

from bot.app import Application
from bot.dialogues.memory import useless
from bot.models import Dialogue, Message, ModelServerRow, Role
from bot.personas.repetition import goes_round, is_repeated, without_loop
from bot.personas.speech import showable, split_answer, whole_sentences
from generation.runtime.database import Database
from sandbox.llm import LanguageModelServer
from sandbox.settings import ProductSettings
from sandbox.telegram import TelegramServer
from sandbox.wiring import bot_running
from tests.conftest import all_handled
from tests.player import Player, has_text, says

BEFORE = "I have been sitting by the window all morning, and the rain would not stop for a minute."


async def test_an_answer_that_was_cut_by_length_ends_with_a_sentence(
    bot: Application, llm: LanguageModelServer, ben: Player
) -> None:
    await ben.enter("Alisa")
    llm.faults.add(path="completion", kind="finish", text="length")
    await ben.say("How are you?")
    assert (await ben.hears(has_text))["text"].endswith((".", "!", "?", "…"))


async def test_what_a_server_filters_is_answered_kindly_and_the_talk_goes_on(
    bot: Application, llm: LanguageModelServer, ben: Player
) -> None:
    await ben.enter("Alisa")
    llm.faults.add(path="completion", kind="finish", text="content_filter")
    await ben.say("How are you?")
    await ben.hears(says("change the subject"))
    body = {"error": {"code": "content_filter", "message": "filtered"}}
    llm.faults.add(path="completion", kind="status", status=400, body=body)
    await ben.say("And now?")
    await ben.hears(says("change the subject"))
    await ben.say("How is the weather?")
    await ben.hears(has_text)


async def test_what_the_person_saw_growing_does_not_vanish_at_the_time_limit(
    settings: ProductSettings, bucket: object, llm: LanguageModelServer, ben: Player
) -> None:
    async with bot_running(settings.model_copy(update={"llm_timeout": 2.5})):
        await ben.enter("Alisa")
        llm.faults.add(path="completion", kind="say", text=f"{BEFORE} Then a friend came by. {BEFORE} {BEFORE}")
        llm.faults.add(path="completion", kind="stall")
        await ben.say("What did you do?")
        said = (await ben.hears(says(BEFORE)))["text"]
        assert said.startswith(f"{BEFORE} Then a friend came by.")
        assert said.endswith(".")


async def test_an_answer_that_was_given_before_is_asked_for_once_more_in_other_words(
    bot: Application, llm: LanguageModelServer, ben: Player
) -> None:
    await ben.enter("Alisa")
    llm.faults.add(path="completion", kind="say", text=BEFORE)
    await ben.say("How are you?")
    await ben.hears(says(BEFORE))
    llm.faults.add(path="completion", kind="say", text=BEFORE.replace("morning", "mornings"))
    llm.faults.add(path="completion", kind="say", text="But now the sun is out.")
    await ben.say("And now?")
    await ben.hears(says("the sun is out"))
    assert llm.requests[-1]["frequency_penalty"]
    assert "just said this before" in llm.instructions


@pytest.mark.parametrize(
    ("status", "words"), [(402, "has to be put right on our side"), (503, "write to me again in a little while")]
)
async def test_people_are_told_later_where_only_an_operator_helps(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database, status: int, words: str
) -> None:
    await ben.enter("Alisa")
    llm.faults.add(path="completion", kind="status", status=status, body={"error": {"message": "x"}}, times=9)
    await ben.say("How are you?")
    await ben.hears(says(words))


async def test_operators_see_why_the_model_refuses_at_once_and_can_ask_it(
    settings: ProductSettings,
    bucket: object,
    llm: LanguageModelServer,
    telegram: TelegramServer,
    ben: Player,
    database: Database,
) -> None:
    async with bot_running(settings, alerts_every=0.2), Player(telegram.url, 1003) as olga:
        await ben.enter("Alisa")
        await olga.enter("Алиса")
        await ben.say("How are you?")
        await ben.hears(has_text)
        body = {"error": {"message": "You said: my secret", "code": "insufficient_quota"}}
        llm.faults.add(path="completion", kind="status", status=429, body=body, times=3)
        await ben.say("And now?")
        await ben.hears(says("put right on our side"))
        await olga.hears(says("429 credit insufficient_quota"))
        await olga.say("/llm")
        page = await olga.hears(says("stand-in"))
        assert "✗ 429 credit" in page["text"]
        await olga.press(page, "💬")
        await olga.notices("answer", lambda it: it["text"].startswith("✓ stand-in"))
        await olga.say("/llm")
        assert "✗" not in (await olga.hears(says("stand-in")))["text"].splitlines()[1]
    async with database.unit() as session:
        row = (await session.scalars(select(ModelServerRow))).one()
    assert row.prompt_tokens > 0
    assert "secret" not in str(row.__dict__)


async def test_what_was_learnt_of_a_server_is_known_to_the_next_process(
    settings: ProductSettings, bucket: object, ben: Player
) -> None:
    async with LanguageModelServer(profile="gemma") as server:
        changed = settings.model_copy(update={"llm_base_url": server.url})
        for _ in range(2):
            refused = server.refused
            async with bot_running(changed):
                if not refused:
                    await ben.enter("Alisa")
                await ben.say("How is the weather?")
                await ben.hears(has_text)
        assert refused > 0
        assert server.refused == refused


async def test_a_useless_summary_does_not_take_the_place_of_the_old_one(
    settings: ProductSettings, bucket: object, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    async with bot_running(settings.model_copy(update={"free_memory_tokens": 500, "premium_memory_tokens": 500})):
        await ben.enter("Alisa")
        for number in range(12):
            await ben.say(f"Today at work I met colleague number {number}, and we talked for an hour about the sea")
            await ben.hears(has_text)
        await all_handled(database)
        before = await summary(database)
        llm.faults.add(path="summary", kind="say", text="I'm sorry, but I can't help with that.", times=2)
        for number in range(12, 24):
            await ben.say(f"Today at work I met colleague number {number}, and we talked for an hour about the sea")
            await ben.hears(has_text)
            assert "sorry" not in await summary(database)
        async with asyncio.timeout(10):
            while await summary(database) == before:
                await asyncio.sleep(0.05)
    assert len(before) > 20


async def summary(database: Database) -> str:
    async with database.unit() as session:
        return (await session.scalars(select(Dialogue))).one().summary


async def test_an_answer_stands_in_the_next_request_with_its_scene(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    for text in ("How is the weather?", "And what are you doing?"):
        await ben.say(text)
        await ben.hears(has_text)
    async with database.unit() as session:
        said = await session.scalars(select(Message).where(Message.role == Role.PERSONA).order_by(Message.id))
        first = list(said)[1]
    told = [each["content"] for each in llm.requests[-1]["messages"] if each["role"] == "assistant"]
    words, scene = split_answer(told[1])
    assert words == first.text
    assert first.scene
    assert scene
    assert scene.place == first.scene["place"]


@pytest.mark.parametrize(
    ("summary", "before", "why"),
    [
        ("", "x" * 100, "empty"),
        ("I can't help with that request.", "", "no summary"),
        ("Извините, я не могу обобщить этот разговор.", "", "no summary"),
        ('{"summary": "They talked."}', "", "no summary"),
        ("They talked about work for a while.", "They talked about work and the sea. " * 10, "much shorter"),
        ("They met. " + "They talked. " * 30, "", "goes round"),
        ("Ben works in a bakery, has a cat called Tom and is looking forward to summer.", "Ben works.", ""),
    ],
)
def test_what_is_no_summary(summary: str, before: str, why: str) -> None:
    assert useless(summary, instead_of=before) == why


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("It rains. I am by the win", "It rains."),
        ("Дождь… А ты как? Я сиж", "Дождь… А ты как?"),
        ('He said "no!" She laug', 'He said "no!"'),
        ("First line\nsecond li", "First line"),
        ("no end at all", ""),
        ("Version 2.5 is", ""),
    ],
)
def test_whole_sentences_are_kept(words: str, kept: str) -> None:
    assert whole_sentences(words) == kept


def test_loops_are_found_and_lose_their_repetitions() -> None:
    looping = "I see. " + "and again and " * 100
    assert goes_round(looping)
    assert without_loop(looping.strip()) in {"I see. and again and", "I see. and again and and again and"}
    verse = " ".join(f"Line {n} of a song, and the rain goes on." for n in range(60))
    assert not goes_round(verse)
    assert without_loop(verse) == verse


@pytest.mark.parametrize(
    ("words", "repeated"),
    [
        (BEFORE, True),
        (BEFORE.upper() + "!!", True),
        (BEFORE.replace("minute", "second"), True),
        ("The rain has stopped at last, so I went out for a walk to the harbour.", False),
        ("Yes, of course!", False),
    ],
)
def test_an_answer_nearly_equal_to_one_before_is_a_repetition(words: str, repeated: bool) -> None:
    assert bool(is_repeated(words, ["Hello!", BEFORE, "Yes, of course!"])) is repeated


@pytest.mark.parametrize("length", range(0, 90, 7))
def test_of_an_object_only_its_words_are_shown_while_it_is_written(length: int) -> None:
    whole = (
        '{"reply": "I said \\"yes\\" \\u2014 and went out.\\nAnd you?", '
        '"scene": {"place": "harbour", "visual": true}}'
    )
    words = split_answer(whole)[0]
    assert words == 'I said "yes" — and went out.\nAnd you?'
    assert words.startswith(showable(whole[:length]))
    assert showable(whole[:-3]) == words
