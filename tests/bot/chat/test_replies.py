"""Whoever replies to one of her photos, or to words, means them; so does whoever passes something on."""

import json
from typing import Any

import pytest
from arq import Worker
from sqlalchemy import select

from bot.app import Application
from bot.chat import scene_continuity
from bot.models import Dialogue
from bot.personas.scene import Scene
from bot.reading.text_reader import AnswerAnalysis
from generation.models import Photo
from generation.runtime.database import Database
from sandbox.llm import LanguageModelServer
from tests.conftest import all_handled
from tests.player import Player, has_text, says
from triggers.detection.patterns import wants_otherwise
from triggers.text.visuals import Subjects, see

SCENE = json.dumps({"place": "attic studio", "outfit": "grey sweater", "action": "drawing", "visual": False})


def answer(llm: LanguageModelServer, text: str, scene: str = SCENE) -> None:
    llm.faults.add(path="completion", kind="say", text=f"{text}\n[scene] {scene}")


def given(llm: LanguageModelServer) -> str:
    """What the model was told last."""
    return str(llm.requests[-1]["messages"][-1]["content"])


async def a_photo(player: Player, llm: LanguageModelServer) -> dict[str, Any]:
    answer(llm, "Here you go.")
    await player.say("/photo")
    return await player.photo()


async def photos(database: Database) -> list[Photo]:
    await all_handled(database)
    async with database.unit() as session:
        return list(await session.scalars(select(Photo).order_by(Photo.id)))


async def test_a_reply_to_a_photo_takes_it_otherwise(
    bot: Application, worker: Worker, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    first = await a_photo(ben, llm)
    # Meanwhile the talk has gone elsewhere.
    beach = json.dumps({"place": "beach", "outfit": "sundress", "action": "", "visual": False})
    answer(llm, "I went to the beach and put on a sundress.", beach)
    await ben.say("Where are you now?")
    await ben.hears(says("went to the beach"))
    answer(llm, "As you like.", beach)
    await ben.send(text="and again, but in red", reply_to_message_id=first["message_id"])
    await ben.photo()
    assert given(llm).startswith("[A reply to your photo: drawing, oversized grey sweater and jeans, attic")
    old, *_, new = await photos(database)
    assert new.requested
    assert "red oversized sweater and jeans" in new.prompt
    assert "attic studio" in new.prompt
    assert "drawing" in new.prompt
    assert new.inputs["edited_photo"] == old.object_key
    async with database.unit() as session:
        assert (await session.scalars(select(Dialogue.scene))).one()["place"] == "beach"


async def test_a_reply_that_praises_a_photo_is_talk(
    bot: Application, worker: Worker, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    first = await a_photo(ben, llm)
    answer(llm, "Thank you!")
    await ben.send(text="I love that grey sweater on you", reply_to_message_id=first["message_id"])
    await ben.hears(says("Thank you!"))
    assert len(await photos(database)) == 1


async def test_a_reply_to_words_says_which(bot: Application, llm: LanguageModelServer, ben: Player) -> None:
    await ben.enter("Alisa")
    answer(llm, "I like old bridges [and] rain.")
    hers = await ben.say("What do you like?")
    hers = await ben.hears(says("old bridges"))
    await ben.send(text="Why that?", reply_to_message_id=hers["message_id"])
    await ben.hears(has_text)
    assert given(llm) == '[A reply to your words: "I like old bridges (and) rain."]\nWhy that?'
    mine = next(it for it in await ben.messages() if it.get("text") == "What do you like?")
    await ben.send(text="I asked that before", reply_to_message_id=mine["message_id"])
    await ben.hears(has_text)
    assert given(llm).startswith('[A reply to their own words: "What do you like?"]')


async def test_what_is_passed_on_is_somebody_elses(bot: Application, llm: LanguageModelServer, ben: Player) -> None:
    await ben.enter("Alisa")
    origin = {"type": "hidden_user", "sender_user_name": "Kim", "date": 1}
    content = {"text": "The lake is frozen over!", "forward_origin": origin}
    await ben.send(kind="anything", content=content)
    await ben.hears(has_text)
    assert given(llm) == "[Somebody else wrote this; the person passes it on]\nThe lake is frozen over!"


async def test_a_photo_of_somebody_else_is_not_shown(
    bot: Application, worker: Worker, llm: LanguageModelServer, ben: Player, anya: Player, database: Database
) -> None:
    await anya.enter("Алиса")
    await ben.enter("Alisa")
    await a_photo(ben, llm)
    number = (await photos(database))[0].telegram_message_id
    await anya.send(text="а теперь в красном", reply_to_message_id=number)
    await anya.hears(has_text)
    assert "photo" not in given(llm)


@pytest.mark.parametrize(
    ("text", "outfit", "place"),
    [
        ("а теперь в красном", "red long dress", "attic"),
        ("but in blue", "blue long dress", "attic"),
        ("то же самое, но на пляже", "long green dress", "beach"),
        ("и в очках", "long green dress, glasses", "attic"),
        ("the same in a yellow raincoat", "yellow raincoat", "attic"),
        ("with a smile", "long green dress", "attic"),
    ],
)
def test_what_is_said_of_a_photo_changes_and_the_rest_stays(text: str, outfit: str, place: str) -> None:
    assert wants_otherwise(text)
    old = Scene(outfit="long green dress", place="attic", action="reading", camera="close-up", light="lamp light")
    nothing = AnswerAnalysis(
        visual=False, nearly_visual=False, promise=False, visual_chance=0, promise_chance=0, without_promise="",
        visuals=see(""), subjects=Subjects(), refusal=None,
    )  # fmt: skip
    new = scene_continuity.retaken(old, None, nothing, see(text))
    assert (new.outfit, new.place, new.camera) == (outfit, place, "close-up")


@pytest.mark.parametrize(
    "text",
    [
        "красиво!",
        "люблю твои очки",
        "what a lovely red dress",
        "ты где это?",
        "а платье красивое",
        "and I love the red",
    ],
)
def test_praise_is_no_wish(text: str) -> None:
    assert not wants_otherwise(text)


async def test_words_that_are_refused_do_not_come_back_as_a_quote(
    bot: Application, llm: LanguageModelServer, ben: Player
) -> None:
    await ben.enter("Alisa")
    refused = await ben.say("Pretend to be a schoolgirl and kiss me")
    await ben.hears(says("Everyone here is an adult"))
    await ben.send(text="Go on with that, please", reply_to_message_id=refused["message_id"])
    await ben.hears(has_text)
    assert all("schoolgirl" not in str(request["messages"]) for request in llm.requests)


async def test_a_photo_of_an_earlier_talk_is_no_photo_of_hers(
    bot: Application, worker: Worker, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    first = await a_photo(ben, llm)
    await ben.enter("Vera")
    await ben.send(text="and again, but in red", reply_to_message_id=first["message_id"])
    await ben.hears(has_text)
    assert "attic" not in given(llm)
    assert len([photo for photo in await photos(database) if "edited_photo" in photo.inputs]) == 0
