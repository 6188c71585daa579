"""The way in: age, links, invitations, and the gallery."""

import pytest
from sqlalchemy import func, select

from bot.app import Application
from bot.models import Dialogue, Person, PhotoGrant
from bot.texts import Texts
from bot.updates.menu import introduce
from generation.runtime.database import Database
from sandbox.llm import LanguageModelServer
from sandbox.telegram import TelegramServer
from tests.conftest import all_handled
from tests.player import Player, has_buttons, has_text, labels, says


async def person(database: Database, person_id: int) -> Person:
    async with database.unit() as session:
        return await session.get_one(Person, person_id)


async def test_a_refusal_is_final_until_start_asks_again(bot: Application, ben: Player, database: Database) -> None:
    await ben.say("/start")
    question = await ben.hears(has_buttons)
    await ben.press(question, "No")
    await ben.hears(says("not for you yet"))
    await ben.press_data(question, "age:1")
    assert "not for you yet" in await ben.answers()
    await ben.say("hello?")
    assert "reply_markup" not in await ben.hears(says("not for you yet"))
    assert (await person(database, ben.id)).adult_confirmed_at is None
    await ben.say("/start")
    await ben.press(await ben.hears(has_buttons), "18")
    await ben.hears(says("Who would you like"))


async def test_the_question_loses_its_buttons_once_it_is_answered(bot: Application, ben: Player) -> None:
    await ben.say("/start")
    question = await ben.hears(has_buttons)
    await ben.press(question, "18")
    assert labels(await ben.edited()) == []
    await ben.press_data(question, "age:0")
    assert "no longer works" in await ben.answers()


async def test_the_gallery_is_one_picture_with_a_name_age_two_lines_and_a_button_for_each(
    bot: Application, anya: Player
) -> None:
    await anya.say("/start")
    await anya.press(await anya.hears(has_buttons), "18")
    gallery = await anya.hears(has_buttons)
    assert gallery["photo"]
    assert "Алиса, 27." in gallery["caption"]
    assert labels(gallery) == ["Алиса", "Даниэль", "Марк", "Вера", "✨ Придумать своего"]
    # The second time it goes by the name that Telegram gave the picture.
    await anya.say("/persona")
    again = await anya.hears(has_buttons)
    assert again["photo"][-1]["file_id"] == gallery["photo"][-1]["file_id"]


async def test_a_link_leads_to_its_persona_right_after_the_age(bot: Application, ben: Player) -> None:
    await ben.say("/start persona_vera")
    await ben.press(await ben.hears(has_buttons), "18")
    await ben.hears(says("Vera · After the show"))
    assert "stage dress" in (await ben.hears(has_text))["text"]
    # And at once for somebody who is known.
    await ben.say("/start persona_mark")
    await ben.hears(says("Mark · "))


@pytest.mark.parametrize("parameter", ["persona_gone", "persona_", "ref_zzzzzzzzzz", "x" * 64, "own_1"])
async def test_a_link_that_leads_nowhere_shows_the_gallery(bot: Application, ben: Player, parameter: str) -> None:
    await ben.say(f"/start {parameter}")
    await ben.press(await ben.hears(has_buttons), "18")
    await ben.hears(says("Who would you like"))


async def test_an_invitation_brings_photos_to_both_once_the_friend_has_talked(
    bot: Application, ben: Player, telegram: TelegramServer, llm: LanguageModelServer, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("/invite")
    text = (await ben.hears(says("https://t.me/vitte_local_bot?start=ref_")))["text"]
    code = text.split("start=")[1].split()[0]
    await ben.api("POST", "/people", {"id": 77, "first_name": "Eve", "language_code": "en"})
    async with Player(telegram.url, 77) as eve:
        await eve.say(f"/start persona_alisa-{code}")
        await eve.press(await eve.hears(has_buttons), "18")
        await eve.hears(says("Rain"))
        for number in range(4):
            await eve.say(f"Hello number {number}")
            await eve.hears(has_text)
    await all_handled(database)
    async with database.unit() as session:
        grants = {
            grant.cause: (grant.person_id, grant.photos) for grant in await session.scalars(select(PhotoGrant))
        }
    assert sorted(grants.values()) == [(77, 5), (ben.id, 5)]
    assert not any(cause.partition(":")[2] == "77" for cause in grants)
    await ben.say("/invite")
    await ben.hears(says("Friends joined: 1"))


async def test_nobody_invites_themselves_or_somebody_who_talks_here_already(
    bot: Application, ben: Player, anya: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await anya.enter("Алиса")
    await ben.say("/invite")
    code = (await ben.hears(says("ref_")))["text"].split("start=")[1].split()[0]
    for player in (ben, anya):
        await player.say(f"/start {code}")
        await player.hears(has_buttons)
    await all_handled(database)
    async with database.unit() as session:
        assert await session.scalar(select(func.count()).where(Person.invited_by.is_not(None))) == 0
        assert await session.scalar(select(func.count()).select_from(Dialogue)) == 2


async def test_the_menu_and_the_descriptions_are_there_in_both_languages(
    bot: Application, telegram: TelegramServer, ben: Player, anya: Player
) -> None:
    await introduce(bot.bot, Texts(), bot.settings.admin_ids)
    for player, word in ((ben, "my photos"), (anya, "мои фото")):
        menu = {it["command"]: it["description"] for it in await player.api("GET", f"/people/{player.id}/commands")}
        assert menu["gallery"] == word
        assert "why" not in menu
        assert "18" in (await player.api("GET", f"/people/{player.id}/description"))["text"]
    operator = await ben.api("GET", "/people/1003/commands")
    assert {"why", "refund"} <= {it["command"] for it in operator}
    assert len(telegram.store.setting("short_description:")) <= 120


async def test_the_way_in_goes_on_where_the_network_broke_it(
    bot: Application, ben: Player, telegram: TelegramServer
) -> None:
    await ben.say("/start")
    telegram.faults.add(path="sendPhoto", kind="drop")
    await ben.press(await ben.hears(has_buttons), "18")
    gallery = await ben.hears(says("Who would you like"))
    telegram.faults.add(path="sendMessage", kind="drop")
    await ben.press(gallery, "Alisa")
    await ben.hears(says("Alisa · "))
    assert "Rain" in (await ben.hears(has_text))["text"]
