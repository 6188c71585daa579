"""Stories, atmospheres, and personas that a person wrote."""

import json

import pytest
from sqlalchemy import func, select, update

from bot.app import Application
from bot.models import Dialogue, Fact, Message, OwnPersona, PhotoMoment
from generation.models import Photo, PhotoStatus
from generation.runtime.database import Database
from sandbox.llm import LanguageModelServer
from sandbox.telegram import TelegramServer
from tests.conftest import all_handled
from tests.player import Player, has_buttons, has_text, labels, says

ANSWERS = (
    "Nora",
    "a woman",
    "34",
    "A sound engineer. Quiet, precise, laughs rarely but well.",
    "Short dark hair, grey eyes, round glasses",
)


async def write(player: Player, answers: tuple[str, ...] = ANSWERS) -> dict[str, object]:
    """From /create to the summary of the answers."""
    await player.say("/create")
    for answer in answers:
        await player.hears(has_buttons)
        await player.say(answer)
    return await player.hears(has_buttons)


async def test_a_persona_of_ones_own_talks_and_has_photos(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    summary = await write(ben)
    assert "Nora, 34" in str(summary["text"])
    await ben.press(summary, "Start talking")
    await ben.hears(says("Nora · A table by the window"))
    await ben.hears(says("window is ours"))
    await ben.say("Send me a photo")
    await ben.hears(has_text)
    instructions = llm.instructions
    assert "You are Nora, 34" in instructions
    assert "sound engineer" in instructions
    async with database.unit() as session:
        prompt = (await session.scalars(select(Photo.prompt))).one()
    assert "woman, Short dark hair, grey eyes, round glasses, 34 years old, adult" in prompt
    await ben.say("/persona")
    assert "Nora, 34." in (await ben.hears(has_buttons))["caption"]


async def test_looks_in_russian_are_drawn_in_english(
    bot: Application, ben: Player, anya: Player, database: Database
) -> None:
    await anya.enter("Алиса")
    summary = await write(
        anya, ("Нина", "женщина", "40", "Врач скорой, спокойная и смешливая", "Рыжие волосы, зелёные глаза")
    )
    assert "Рыжие волосы" in str(summary["text"])
    # It is shown before it is written down.
    await all_handled(database)
    async with database.unit() as session:
        assert (await session.scalars(select(OwnPersona.looks_english))).one() == "red hair, green eyes"


@pytest.mark.parametrize(
    ("answers", "wrong", "word"),
    [
        (ANSWERS[:2], "17", "from 21 to 99"),
        (ANSWERS[:2], "twenty", "from 21 to 99"),
        (ANSWERS[:2], "٣٤٥٦", "from 21 to 99"),
        (ANSWERS[:3], "short", "10 to 400"),
        (ANSWERS[:3], "x" * 401, "10 to 400"),
        (ANSWERS[:3], "a naked schoolgirl who likes to play", "fictional adult"),
        (ANSWERS[:4], "looks like a naked teenage girl, small", "fictional adult"),
        ((), "Taylor Swift", "fictional adult"),
        ((), "<b>Zoe</b>", "letters"),
        ((), "Nora2", "letters"),
        ((), "N0ra", "letters"),
        (ANSWERS[:1], "maybe", "A woman or a man?"),
        (ANSWERS[:3], "a schoolgirl pretending to be older", "fictional adult"),
        (ANSWERS[:3], "милая школьница, весёлая", "fictional adult"),
        (ANSWERS[:4], "young child-like face, pigtails", "fictional adult"),
        (ANSWERS[:4], "миниатюрная девочка с косичками", "fictional adult"),
    ],
)
async def test_an_answer_that_will_not_do_is_asked_for_again(
    bot: Application, ben: Player, database: Database, answers: tuple[str, ...], wrong: str, word: str
) -> None:
    await ben.enter("Alisa")
    await ben.say("/create")
    for answer in answers:
        await ben.hears(has_buttons)
        await ben.say(answer)
    await ben.hears(has_buttons)
    await ben.say(wrong)
    await ben.hears(says(word))
    # The next proper answer goes to the same question.
    await ben.say(ANSWERS[len(answers)])
    await ben.hears(has_buttons)
    field = getattr(OwnPersona, ("name", "gender", "age", "character", "looks")[len(answers)])
    await all_handled(database)
    async with database.unit() as session:
        written = (await session.scalars(select(field))).one()
    assert str(written) == ANSWERS[len(answers)].removeprefix("a ")


async def test_the_questions_can_be_left_and_the_talk_goes_on(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("/create")
    await ben.press(await ben.hears(has_buttons), "Cancel")
    await ben.answers()
    await ben.say("How are you?")
    await ben.hears(has_text)
    await ben.say("/cancel")
    await ben.hears(says("nothing to cancel"))
    await all_handled(database)
    async with database.unit() as session:
        assert await session.scalar(select(func.count()).select_from(OwnPersona)) == 0


async def test_while_the_model_is_away_the_answer_is_asked_for_later(
    bot: Application, llm: LanguageModelServer, anya: Player
) -> None:
    await anya.enter("Алиса")
    await anya.say("/create")
    for answer in ("Нина", "женщина", "40", "Врач скорой, спокойная"):
        await anya.hears(has_buttons)
        await anya.say(answer)
    await anya.hears(has_buttons)
    llm.faults.add(path="completions", kind="status", status=500, times=3)
    await anya.say("Рыжие волосы, зелёные глаза")
    await anya.hears(says("чуть позже"))
    await anya.say("Рыжие волосы, зелёные глаза")
    assert "Начать разговор" in str(labels(await anya.hears(has_buttons)))


async def test_the_free_plan_has_one_and_a_deleted_one_makes_room(
    bot: Application, anya: Player, database: Database
) -> None:
    await anya.enter("Алиса")
    await anya.press(
        await write(anya, ("Nina", "Женщина", "40", "A calm paramedic", "Red hair, green eyes")), "Начать разговор"
    )
    await anya.hears(says("столик у окна"))
    await anya.say("/create")
    await anya.hears(says("может быть 1"))
    await anya.say("/persona")
    await anya.press(await anya.hears(has_buttons), "🗑 Nina")
    assert "Удалено" in await anya.answers()
    await all_handled(database)
    async with database.unit() as session:
        assert await session.scalar(select(func.count()).where(Dialogue.ended_at.is_(None))) == 0
    await anya.say("/create")
    await anya.hears(says("Как его зовут?"))


async def test_nobody_elses_persona_can_be_begun_or_deleted(
    bot: Application, ben: Player, anya: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await anya.enter("Алиса")
    await ben.press(await write(ben), "Start talking")
    await ben.hears(says("window is ours"))
    await all_handled(database)
    async with database.unit() as session:
        number = (await session.scalars(select(OwnPersona.id))).one()
    message = next(it for it in await anya.messages() if has_buttons(it))
    for data in (f"persona:own_{number}", f"own_delete:{number}", "own:finish", "persona:own_x", "own:nonsense"):
        await anya.press_data(message, data)
        assert "не действует" in await anya.answers()
    await all_handled(database)
    async with database.unit() as session:
        assert await session.scalar(select(func.count()).select_from(OwnPersona)) == 1


async def test_another_atmosphere_changes_the_scene_the_prompt_and_the_photo(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("/story")
    await ben.hears(has_buttons)
    moods = await ben.hears(says("another mood"))
    assert "✓ cosy" in labels(moods)
    await ben.press(moods, "dreamy")
    await ben.hears(says("The mood has changed: dreamy. Alisa"))
    ben.look_back()
    ticked = await ben.notices("edited", lambda it: "✓ dreamy" in labels(it))
    assert "✓ cosy" not in labels(ticked)
    scene = json.dumps({"place": "attic studio", "outfit": "grey sweater", "atmosphere": "dreamy", "visual": False})
    llm.faults.add(path="completion", kind="say", text=f"Let me think.\n[scene] {scene}")
    await ben.say("What now?")
    await ben.hears(has_text)
    assert '"atmosphere": "dreamy"' in llm.instructions
    async with database.unit() as session:
        photo = (await session.scalars(select(Photo))).one()
    assert photo.rule == "atmosphere_change"
    assert "dreamy atmosphere" in photo.prompt
    await ben.press(moods, "dreamy")
    assert "dreamy already" in await ben.answers()


async def test_every_persona_has_three_stories_and_named_atmospheres(
    bot: Application, telegram: TelegramServer
) -> None:
    async with Player(telegram.url, 1002) as ben:
        await ben.enter("Vera")
        await ben.say("/story")
        assert len(labels(await ben.hears(has_buttons))) >= 3
        assert not any("atmosphere-" in label for label in labels(await ben.hears(has_buttons)))


async def test_a_deleted_persona_takes_everything_along_but_the_counts(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.press(await write(ben), "Start talking")
    await ben.hears(says("window is ours"))
    await ben.say("My name is Ben")
    await ben.hears(has_text)
    await ben.say("/photo")
    await ben.hears(says("late"))
    await all_handled(database)
    async with database.unit() as session:
        await session.execute(update(PhotoMoment).values(from_pack=True))
        number = (await session.scalars(select(OwnPersona.id))).one()
        session.add(Fact(person_id=ben.id, persona=f"own_{number}", text="My name is Ben"))
    await ben.say("/persona")
    await ben.press_data(await ben.hears(has_buttons), f"own_delete:{number}")
    assert "Deleted" in await ben.answers()
    await all_handled(database)
    async with database.unit() as session:
        assert list(await session.scalars(select(Fact))) == []
        assert not [it for it in await session.scalars(select(Message.text)) if "Ben" in it]
        (photo,) = await session.scalars(select(Photo))
        assert (photo.prompt, photo.status) == ("", PhotoStatus.DROPPED)
        moment = await session.get_one(PhotoMoment, photo.id)
        assert (moment.scene, moment.from_pack) == ({}, True)
    await ben.say("Are you there?")
    await ben.hears(says("Who would you like"))


async def test_looks_of_dots_are_no_looks(bot: Application, ben: Player) -> None:
    await ben.enter("Alisa")
    await ben.say("/create")
    for answer in (*ANSWERS[:4], "............"):
        await ben.hears(has_buttons)
        await ben.say(answer)
    await ben.hears(says("fictional adult"))
    await ben.say(ANSWERS[4])
    assert "💬 Start talking" in labels(await ben.hears(has_buttons))


async def test_an_answer_handled_twice_is_not_the_answer_to_the_next_question(
    bot: Application, ben: Player, telegram: TelegramServer, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("/create")
    await ben.hears(has_buttons)
    telegram.faults.add(path="sendMessage", kind="drop")
    await ben.say("Nora")
    await ben.hears(says("A woman or a man?"))
    await all_handled(database)
    async with database.unit() as session:
        row = (await session.scalars(select(OwnPersona))).one()
    assert (row.name, row.gender) == ("Nora", None)


async def test_gender_is_chosen_by_a_button_and_every_answer_can_be_taken_back(
    bot: Application, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("/create")
    assert "‹ Back" not in labels(await ben.hears(has_buttons))
    await ben.say("Boris")
    await ben.press(await ben.hears(says("A woman or a man?")), "A man")
    old = await ben.hears(says("How old?"))
    await ben.press(old, "‹ Back")
    await ben.press(await ben.hears(says("A woman or a man?")), "A woman")
    for answer in ANSWERS[2:]:
        await ben.hears(has_buttons)
        await ben.say(answer)
    summary = await ben.hears(has_buttons)
    await ben.press(summary, "‹ Back")
    await ben.hears(says("What do they look like?"))
    await ben.say("Red hair, green eyes, freckles")
    await ben.press(await ben.hears(has_buttons), "Start talking")
    await ben.hears(says("window is ours"))
    await all_handled(database)
    async with database.unit() as session:
        row = (await session.scalars(select(OwnPersona))).one()
    assert (row.gender, row.looks_english) == ("woman", "Red hair, green eyes, freckles")
    await ben.press_data(old, "own:back")
    assert "no longer" in await ben.answers()


@pytest.mark.parametrize(
    ("said", "drawn"),
    [("девушка", "woman"), ("Мужчина.", "man"), ("парень", "man"), ("Female", "woman"), ("m", "man")],
)
async def test_gender_may_be_written_as_well(
    bot: Application, anya: Player, database: Database, said: str, drawn: str
) -> None:
    await anya.enter("Алиса")
    await anya.say("/create")
    for answer in ("Саша", said):
        await anya.hears(has_buttons)
        await anya.say(answer)
    await anya.hears(says("Сколько"))
    await all_handled(database)
    async with database.unit() as session:
        assert (await session.scalars(select(OwnPersona.gender))).one() == drawn
