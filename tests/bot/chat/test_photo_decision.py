"""When photos come and what they show, through the whole dispatcher and a real worker."""

import json
from datetime import timedelta
from typing import Any

import pytest
from arq import Worker
from sqlalchemy import func, select, update

from bot.app import Application
from bot.models import Dialogue, Message, Person, PhotoMoment, Reaction, Role
from bot.personas.camera import framing
from bot.personas.scene import MARKER
from generation.models import Photo, PhotoStatus
from generation.runtime.database import Database
from sandbox.comfyui import ComfyUIServer
from sandbox.llm import LanguageModelServer
from sandbox.settings import ProductSettings
from sandbox.telegram import TelegramServer
from sandbox.wiring import bot_running, worker_running
from tests.conftest import all_handled, settled
from tests.player import Player, has_buttons, has_text, says

SCENE = {"atmosphere": "cosy", "action": "sitting", "camera": "medium shot", "visual": False}


def answers(llm: LanguageModelServer, text: str, scene: dict[str, Any] | None = SCENE) -> None:
    """What the language model will say next; None for an answer without a scene line."""
    line = f"\n{MARKER} {json.dumps(scene)}" if scene else ""
    llm.faults.add(path="completion", kind="say", text=f"{text}{line}")


async def ordered(database: Database) -> list[Photo]:
    async with database.unit() as session:
        return list(await session.scalars(select(Photo).order_by(Photo.id)))


async def delivered(database: Database) -> list[Photo]:
    """All photos, once each row says what the chat shows already."""
    return [await settled(database, photo.id, PhotoStatus.DELIVERED) for photo in await ordered(database)]


async def scene_of(database: Database, person: Player) -> dict[str, str]:
    await all_handled(database)
    async with database.unit() as session:
        open_one = select(Dialogue.scene).where(Dialogue.person_id == person.id, Dialogue.ended_at.is_(None))
        return dict((await session.scalars(open_one)).one())


# -- promises ------------------------------------------------------------------------------------------


async def test_a_promise_brings_a_photo(
    bot: Application, worker: Worker, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    answers(llm, "Fine, here you go, just took this selfie for you.")
    await ben.say("How was your day?")
    await ben.photo()
    assert [photo.rule for photo in await ordered(database)] == ["promise"]


async def test_a_promise_that_cannot_be_kept_is_taken_out(
    settings: ProductSettings, bucket: object, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    async with bot_running(settings.model_copy(update={"premium_photos_a_day": 0})):
        await ben.enter("Alisa")
        answers(llm, "The rain has stopped at last. Here you go, just took this selfie for you.")
        await ben.say("How was your day?")
        assert (await ben.hears(has_text))["text"] == "The rain has stopped at last."
        answers(llm, "Here you go, just took this selfie for you.")
        await ben.say("Good for you.")
        assert (await ben.hears(has_text))["text"] == "No photo this time, but I'm here."
    assert await ordered(database) == []


async def test_a_promise_at_the_end_of_a_long_answer_is_heard(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    answers(
        llm,
        "The morning was slow and grey, and nobody called. " * 12 + "Here you go, just took this selfie for you.",
    )
    await ben.say("How was your day?")
    await ben.hears(has_text)
    assert [photo.rule for photo in await ordered(database)] == ["promise"]


async def test_a_promised_photo_that_comes_too_late_is_said(
    settings: ProductSettings, bucket: object, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    async with bot_running(settings):
        await ben.enter("Alisa")
        answers(llm, "Here you go, just took this selfie for you.")
        await ben.say("How was your day?")
        await ben.hears(says("selfie"))
        await ben.hears(says("a little late"))
        await all_handled(database)
        async with database.unit() as session:
            await session.execute(update(Photo).values(expires_at=func.now()))
        async with worker_running(settings):
            await ben.hears(says("didn't make it in time"))


async def test_another_photo_on_its_way_does_not_excuse_a_refused_one(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("send me a photo")
    await ben.hears(has_text)
    answers(llm, "Here you go, just took this selfie!", SCENE | {"action": "posing naked"})
    await ben.say("please send me one more photo")
    await ben.hears(says("isn't one for a photo"))
    assert not any("just took this" in message.get("text", "") for message in await ben.messages())


async def test_a_refused_wish_never_leaves_a_promise_standing(
    settings: ProductSettings, bucket: object, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    async with bot_running(settings.model_copy(update={"queue_limit": 1})):
        await ben.enter("Alisa")
        await ben.say("send me a photo")
        await ben.hears(has_text)
        await all_handled(database)
        async with database.unit() as session:
            # Somebody else's photo, as far as limits are concerned.
            await session.execute(update(Photo).values(owner_id=7))
        answers(llm, "Okay, here you go, just took this selfie!")
        await ben.say("send me a photo")
        assert "Photos aren't working just now" in (await ben.hears(has_text))["text"]
        assert len(await ordered(database)) == 1


async def test_an_order_that_fails_is_explained_in_the_personas_own_words(
    bot: Application, worker: Worker, comfyui: ComfyUIServer, llm: LanguageModelServer, ben: Player
) -> None:
    comfyui.faults.add(path="render", kind="black", times=3)
    await ben.enter("Vera")
    await ben.say("send me a photo")
    await ben.hears(lambda it: "diva" in it.get("text", "") or "blur" in it.get("text", ""))
    await ben.say("Oh well")
    await ben.hears(has_text)
    system = llm.instructions
    assert "The last photo did not come out, and you have said so" in system


@pytest.mark.parametrize("flaw", ["black", "noise"])
async def test_a_worthless_picture_is_made_again_before_anyone_sees_it(
    bot: Application, worker: Worker, comfyui: ComfyUIServer, ben: Player, database: Database, flaw: str
) -> None:
    comfyui.faults.add(path="render", kind=flaw)
    await ben.enter("Alisa")
    await ben.say("send me a photo")
    await ben.photo()
    (photo,) = await delivered(database)
    assert (photo.status, photo.attempt, photo.failures) == (PhotoStatus.DELIVERED, 2, 1)


# -- the person's own pace -----------------------------------------------------------------------------


async def how_often(person: Player) -> dict[str, Any]:
    """The page of /settings that asks how often photos shall come."""
    await person.say("/settings")
    await person.press(await person.hears(has_buttons), "📷")
    return await person.notices("edited", has_buttons)


async def choose(person: Player, label: str) -> None:
    await person.press(await how_often(person), label)
    await person.notices("answer", lambda it: label in it["text"])


async def test_whoever_wants_no_photos_gets_none_and_is_told_so_when_asking(
    bot: Application, llm: LanguageModelServer, anya: Player, database: Database
) -> None:
    await anya.enter("Алиса")
    await choose(anya, "никогда")
    answers(llm, "Сижу у окна в красном свитере.", SCENE | {"visual": True})
    await anya.say("Чем занята?")
    await anya.hears(says("свитере"))
    await anya.say("/photo")
    await anya.hears(says("Включить снова: /settings"))
    answers(llm, "Ладно, вот, держи селфи!")
    await anya.say("пришли фото")
    assert "Включить снова" in (await anya.hears(has_text))["text"]
    assert await ordered(database) == []
    assert "switched photos off" in llm.instructions


async def test_only_when_asked_means_only_when_asked(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await choose(ben, "only when I ask")
    answers(llm, "I'm by the window in a red sweater.", SCENE | {"visual": True})
    await ben.say("What are you up to?")
    await ben.hears(says("sweater"))
    assert await ordered(database) == []
    await ben.say("send me a photo")
    await ben.hears(has_text)
    assert [photo.rule for photo in await ordered(database)] == ["request"]


async def test_the_setting_that_counts_is_marked(bot: Application, ben: Player) -> None:
    await ben.enter("Alisa")
    await choose(ben, "rarely")
    rows = (await how_often(ben))["reply_markup"]["inline_keyboard"]
    assert [row[0]["text"] for row in rows[:-1]] == ["often", "normally", "✓ rarely", "only when I ask", "never"]


async def test_a_day_has_so_many_photos_and_failed_ones_do_not_count(
    settings: ProductSettings, bucket: object, ben: Player, database: Database
) -> None:
    async with bot_running(settings.model_copy(update={"premium_photos_a_day": 1})):
        await ben.enter("Alisa")
        await ben.say("/photo")
        await ben.hears(has_text)
        await ben.say("/photo")
        await ben.hears(says("1 per 24 hours. The next one in about 24 hours."))
        await all_handled(database)
        async with database.unit() as session:
            await session.execute(update(Photo).values(status=PhotoStatus.FAILED, told_at=func.now()))
        await ben.say("/photo")
        await ben.hears(has_text)
    assert len(await ordered(database)) == 2


OTHER_WORDS = (
    "I see, tell me more", "What a day that was", "You poor thing, rest a little", "My tea is cold by now",
    "Somebody is singing downstairs",
)  # fmt: skip


async def test_three_unwelcome_photos_slow_the_cadence_down_until_one_is_liked(
    settings: ProductSettings, bucket: object, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    changes = {"premium_photo_gap": (1, 1), "premium_photo_cooldown": 0}
    async with bot_running(settings.model_copy(update=changes)), worker_running(settings):
        await ben.enter("Alisa")
        for number in range(3):
            answers(llm, f"{OTHER_WORDS[number]}, number {number}.")
            await ben.say("It was a long day at work.")
            photo = await ben.photo()
            await delivered(database)
            await ben.press(photo, "👎")
            await ben.notices("answer", lambda it: "What is wrong" in it["text"])
        answers(llm, "I was just thinking of it, number 4.")
        await ben.say("It was a long day at work.")
        await ben.hears(says("number 4"))
        assert len(await ordered(database)) == 3
        # The gap of one answer has become two.
        answers(llm, "My cat would agree with you, number 5.")
        await ben.say("It was a long day at work.")
        photo = await ben.photo()
        await delivered(database)
        await ben.press(photo, "👍")
        await ben.notices("answer", lambda it: "Glad" in it["text"])
        answers(llm, "Then sleep well tonight, number 6.")
        await ben.say("It was a long day at work.")
        await ben.photo()
    await all_handled(database)
    async with database.unit() as session:
        reactions = list(await session.scalars(select(PhotoMoment.reaction).order_by(PhotoMoment.photo_id)))
    assert reactions == [Reaction.DISLIKED] * 3 + [Reaction.LIKED, None]


@pytest.mark.parametrize(("minutes_ago", "photos"), [(0, 5), (11, 3)])
async def test_photos_that_nobody_notices_slow_the_cadence_down_as_well(
    settings: ProductSettings,
    bucket: object,
    llm: LanguageModelServer,
    ben: Player,
    database: Database,
    minutes_ago: int,
    photos: int,
) -> None:
    """Whoever writes within ten minutes of a photo has noticed it."""
    changes = {"premium_photo_gap": (1, 1)}
    async with bot_running(settings.model_copy(update=changes)), worker_running(settings):
        await ben.enter("Alisa")
        for number in range(photos):
            answers(llm, f"{OTHER_WORDS[number]}, number {number}.")
            await ben.say("It was a long day at work.")
            await ben.photo()
            await delivered(database)
            async with database.unit() as session:
                before = Photo.delivered_at - timedelta(minutes=minutes_ago)
                await session.execute(update(Photo).values(delivered_at=before))
        answers(llm, "I see, tell me more, at last.")
        await ben.say("It was a long day at work.")
        await ben.hears(says("at last"))
        assert len(await ordered(database)) == (photos if photos == 3 else photos + 1)


# -- again ---------------------------------------------------------------------------------------------


async def test_again_changes_the_camera_and_the_seed_and_keeps_the_scene(
    bot: Application,
    worker: Worker,
    comfyui: ComfyUIServer,
    llm: LanguageModelServer,
    ben: Player,
    database: Database,
) -> None:
    await ben.enter("Alisa")
    answers(llm, "One second.", SCENE | {"outfit": "blue dress", "action": "pouring tea", "camera": "wide shot"})
    await ben.say("send me a photo")
    first = await ben.photo()
    # All three presses fall while the first take is on its way.
    comfyui.faults.add(path="/prompt", kind="delay", seconds=2)
    for _ in range(3):
        await ben.press(first, "Another")
    second = await ben.photo()
    await ben.press(second, "Another")
    await ben.photo()
    # The first one's take has come: its button works anew.
    await delivered(database)
    await ben.press(first, "Another")
    await ben.photo()
    photos = await ordered(database)
    assert [photo.rule for photo in photos] == ["request", "another", "another", "another"]
    assert len({photo.seed for photo in photos}) == 4
    first_one, take, take_of_take, second_take = (photo.prompt for photo in photos)
    assert len({first_one, take, second_take}) == len({first_one, take, take_of_take}) == 3
    assert all("pouring tea" in photo.prompt for photo in photos)
    async with database.unit() as session:
        moments = list(await session.scalars(select(PhotoMoment).order_by(PhotoMoment.photo_id)))
    framings = [framing(moment.scene["camera"]) for moment in moments]
    assert framings[0] is not framings[1]
    assert framings[1] is not framings[2]


@pytest.mark.parametrize("number", ["99999999999999999999", "0", "-1", "x", "", "1:2"])
async def test_a_forged_button_costs_nobody_anything(bot: Application, ben: Player, number: str) -> None:
    await ben.enter("Alisa")
    await ben.say("/help")
    message = await ben.hears(says("/photo"))
    for data in ("photo_another", "photo_like", "photo_dislike", "photo_again"):
        await ben.press_data(message, f"{data}:{number}")
        await ben.notices("answer", lambda it: "no longer works" in it["text"])
    await ben.say("Still there?")
    await ben.hears(has_text)


async def test_the_buttons_under_a_photo_are_only_for_whom_it_was_made(
    bot: Application, worker: Worker, anya: Player, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await anya.enter("Алиса")
    await ben.say("send me a photo")
    await ben.photo()
    (photo,) = await ordered(database)
    await anya.say("/help")
    message = await anya.hears(says("/photo"))
    for data in ("photo_another", "photo_like", "photo_dislike"):
        await anya.press_data(message, f"{data}:{photo.id}")
        await anya.notices("answer", lambda it: "не действует" in it["text"])
    assert len(await ordered(database)) == 1


# -- what is shown -------------------------------------------------------------------------------------


async def test_clothes_and_place_change_only_when_the_words_say_so(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    before = await scene_of(database, ben)
    answers(llm, "That made me laugh.", SCENE | {"outfit": "red ball gown", "place": "a palace"})
    await ben.say("I told my boss a joke.")
    await ben.hears(has_text)
    drifted = await scene_of(database, ben)
    assert (drifted["outfit"], drifted["place"]) == (before["outfit"], before["place"])
    answers(llm, "I changed and went out to the pier.", SCENE | {"outfit": "red coat", "place": "a pier"})
    await ben.say("Come outside!")
    await ben.hears(has_text)
    after = await scene_of(database, ben)
    assert (after["outfit"], after["place"]) == ("red coat", "a pier")
    assert "ball gown" not in str(llm.requests)
    await ben.say("And?")
    await ben.hears(has_text)
    assert '"outfit": "red coat"' in llm.instructions


async def test_without_a_scene_line_the_words_make_the_prompt_in_english(
    bot: Application, llm: LanguageModelServer, anya: Player, database: Database
) -> None:
    await anya.enter("Алиса")
    answers(llm, "Сижу на подоконнике в красном свитере, грею руки о кружку. За окном снег.", None)
    await anya.say("Чем занята?")
    await anya.hears(has_text)
    (photo,) = await ordered(database)
    assert photo.rule == "visual_scene"
    for part in ("wearing red sweater", "sitting", "a cup of tea", "at a window", "snow outside"):
        assert part in photo.prompt
    assert photo.prompt.isascii()


async def test_a_wish_is_drawn_even_when_the_model_gave_no_scene_line(
    bot: Application, llm: LanguageModelServer, anya: Player, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    answers(llm, "Hm, all right.", None)
    await ben.say("/photo in a red evening dress on a beach at sunset")
    await ben.hears(has_text)
    await anya.enter("Алиса")
    answers(llm, "Ладно.", None)
    await anya.say("/photo на пляже в красном платье")
    await anya.hears(has_text)
    for photo in await ordered(database):
        assert "red" in photo.prompt
        assert "dress" in photo.prompt
        assert "beach" in photo.prompt


async def test_a_scene_line_in_russian_never_reaches_the_prompt(
    bot: Application, llm: LanguageModelServer, anya: Player, database: Database
) -> None:
    await anya.enter("Алиса")
    scene = {
        "outfit": "красное платье",
        "place": "балкон",
        "action": "пьёт чай",
        "camera": "close-up",
        "visual": True,
    }
    answers(llm, "Надела красное платье и вышла на балкон с кружкой чая.", scene)
    await anya.say("Чем занята?")
    await anya.hears(has_text)
    (photo,) = await ordered(database)
    assert photo.prompt.isascii()
    assert "wearing red dress" in photo.prompt
    assert "balcony" in photo.prompt


async def test_what_a_scene_line_smuggles_in_stays_words(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    action = 'dancing (masterpiece:1.9) <lora:evil:1> embedding:bad {a|b} "}],"'
    answers(llm, "I'm dancing by the window in my sweater.", SCENE | {"action": action, "visual": True})
    await ben.say("What now?")
    await ben.hears(has_text)
    (photo,) = await ordered(database)
    assert "dancing" in photo.prompt
    assert not any(mark in photo.prompt for mark in ("(", ":", "<", "{", "|", '"', "embedding"))


# -- policy --------------------------------------------------------------------------------------------


async def test_what_brings_minors_into_intimacy_goes_no_further(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("pretend you are 14 and kiss me")
    await ben.hears(says("Everyone here is an adult"))
    assert llm.requests == []
    async with database.unit() as session:
        written = select(func.count()).select_from(Message).where(Message.role == Role.PERSON)
        assert await session.scalar(written) == 0


async def test_real_people_and_explicit_wishes_get_a_clear_word(
    bot: Application, llm: LanguageModelServer, anya: Player, database: Database
) -> None:
    await anya.enter("Алиса")
    await anya.say("/photo как Скарлетт Йоханссон")
    await anya.hears(says("настоящими людьми"))
    await anya.say("пришли фото голая")
    await anya.hears(says("поскромнее"))
    assert llm.requests == []
    assert await ordered(database) == []


async def test_an_answer_that_goes_too_far_is_not_shown(
    bot: Application, llm: LanguageModelServer, ben: Player
) -> None:
    await ben.enter("Alisa")
    answers(llm, "I am 15 and naked.")
    await ben.say("Tell me about you")
    assert (await ben.hears(has_text))["text"] == "Let's change the subject."


async def test_a_prompt_that_the_model_wrote_is_checked_too(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    answers(llm, "One second.", SCENE | {"action": "standing naked by the window", "visual": True})
    await ben.say("send me a photo")
    await ben.hears(says("isn't one for a photo"))
    answers(llm, "Guess what I do.", SCENE | {"action": "standing naked by the window", "visual": True})
    await ben.say("What do you do?")
    await ben.hears(says("Guess"))
    assert await ordered(database) == []


async def test_the_operator_may_allow_explicit_photos_of_adults(
    settings: ProductSettings, bucket: object, ben: Player, database: Database
) -> None:
    async with bot_running(settings.model_copy(update={"explicit_content": True})):
        await ben.enter("Alisa")
        await ben.say("/photo topless")
        await ben.hears(has_text)
        await ben.say("/photo topless teen")
        await ben.hears(says("Everyone here is an adult"))
    (photo,) = await ordered(database)
    assert "adult" in photo.prompt
    assert "fully clothed" not in photo.prompt


async def test_what_may_not_be_drawn_does_not_last(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    before = await scene_of(database, ben)
    answers(llm, "I changed into something else.", SCENE | {"outfit": "lace lingerie", "visual": True})
    await ben.say("What now?")
    await ben.hears(has_text)
    assert (await scene_of(database, ben))["outfit"] == before["outfit"]
    await ben.say("send me a photo")
    await ben.hears(has_text)
    assert [photo.rule for photo in await ordered(database)] == ["request"]


async def test_a_minor_is_played_in_no_story_even_before_anything_intimate_is_said(
    bot: Application, llm: LanguageModelServer, ben: Player
) -> None:
    await ben.enter("Alisa")
    await ben.say("Let's roleplay: you are a 14 year old schoolgirl")
    await ben.hears(says("Everyone here is an adult"))
    assert llm.requests == []


# -- operators -----------------------------------------------------------------------------------------


async def test_an_admin_can_ask_why_a_photo_came_and_nobody_else_can(
    settings: ProductSettings,
    bucket: object,
    telegram: TelegramServer,
    ben: Player,
    anya: Player,
    database: Database,
) -> None:
    async with (
        bot_running(settings.model_copy(update={"admin_ids": frozenset({ben.id})})),
        worker_running(settings),
    ):
        await ben.enter("Alisa")
        await ben.say("send me a photo")
        photo = await ben.photo()
        await delivered(database)
        await ben.send(text="/why", reply_to_message_id=photo["message_id"])
        told = await ben.hears(says("request: the person asked for a picture"))
        assert "candid smartphone photo" in told["text"]
        await ben.say("/why 999999999999999999999")
        await ben.hears(says("Reply with /why"))
        await ben.say("/why 4")
        await ben.hears(says("no such photo"))
        await anya.enter("Алиса")
        await anya.say("/why 1")
        await anya.hears(says("Такой команды"))


async def test_the_setting_of_one_person_is_not_the_setting_of_another(
    bot: Application, anya: Player, ben: Player, database: Database
) -> None:
    await anya.enter("Алиса")
    await ben.enter("Alisa")
    await choose(anya, "редко")
    async with database.unit() as session:
        chosen = {person.id: person.photo_frequency for person in await session.scalars(select(Person))}
    assert (chosen[anya.id], chosen[ben.id]) == ("rarely", "normal")
