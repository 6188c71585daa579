"""The operators' panel: only for them, from one source, each action noted, dangerous ones asked twice."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest_asyncio
from PIL import Image
from sqlalchemy import select, update

from bot.admin.actions.registry import ACTIONS
from bot.app import Application
from bot.models import AdminAction, Person, PhotoGrant
from bot.updates.menu import ADMIN_COMMANDS, COMMANDS
from generation.models import Photo, PhotoStatus, RenderWorker
from generation.runtime import operator_switches
from generation.runtime.database import Database
from generation.runtime.models import OperatorSwitch
from sandbox.llm import LanguageModelServer
from sandbox.settings import ProductSettings
from sandbox.telegram import TelegramServer
from sandbox.wiring import bot_running, worker_running
from tests.conftest import all_handled, settled
from tests.player import Player, has_buttons, has_text, says

OLGA = 1003


@pytest_asyncio.fixture
async def olga(telegram: TelegramServer, bot: Application) -> AsyncIterator[Player]:
    """The operator; speaks Russian."""
    async with Player(telegram.url, OLGA) as player:
        await player.enter("Алиса")
        yield player


async def done(database: Database) -> list[tuple[int, str, str]]:
    async with database.unit() as session:
        rows = await session.scalars(select(AdminAction).order_by(AdminAction.id))
        return [(row.admin_id, row.action, row.target) for row in rows]


async def ordered(player: Player, database: Database) -> Photo:
    """A photo that waits, for no worker runs."""
    await player.say("/photo")
    await player.hears(says("late"))
    await all_handled(database)
    async with database.unit() as session:
        return (await session.scalars(select(Photo).order_by(Photo.id.desc()).limit(1))).one()


async def test_an_operator_who_never_said_an_age_sees_the_panel(bot: Application, telegram: TelegramServer) -> None:
    async with Player(telegram.url, OLGA) as olga:
        await olga.say("/gpu")
        assert "18" not in (await olga.hears(has_text))["text"]


async def test_for_everybody_else_the_commands_do_not_exist(bot: Application, ben: Player) -> None:
    await ben.enter("Alisa")
    for command in (*ADMIN_COMMANDS, "maintenance on", "user 1003", "why 1"):
        if command not in COMMANDS:
            await ben.say(f"/{command}")
            await ben.hears(says("don't know that command"))


async def test_forged_buttons_of_the_panel_do_nothing(bot: Application, ben: Player, database: Database) -> None:
    await ben.enter("Alisa")
    message = next(it for it in await ben.messages() if has_buttons(it))
    for data in (
        *(f"act:{action}:{ben.id}:1" for action in ACTIONS),
        "act:nothing::1",
        "admin:log",
        "admin:nothing",
    ):
        await ben.press_data(message, data)
        await ben.notices("answer", lambda it: "no longer works" in it["text"])
    assert await done(database) == []
    async with database.unit() as session:
        assert list(await session.scalars(select(OperatorSwitch))) == []
        assert (await session.get_one(Person, ben.id)).banned_at is None


async def test_the_panel_shows_figures_and_leads_everywhere(olga: Player) -> None:
    await olga.say("/admin")
    panel = await olga.hears(says("Очередь: 0"))
    assert "Воркеры: работают 0" in panel["text"]
    await olga.press(panel, "Очередь")
    page = await olga.edited()
    assert "Ждут: премиум 0" in page["text"]
    await olga.press(page, "Панель")
    assert "Языковая модель" in (await olga.edited())["text"]
    for name, words in (("gpu", "Ни одного воркера"), ("alerts", "тревог не было"), ("log", "Пока ничего")):
        await olga.say(f"/{name}")
        await olga.hears(says(words))


async def test_stats_come_with_a_chart(olga: Player, telegram: TelegramServer) -> None:
    await olga.say("/stats")
    sent = await olga.hears(lambda it: "photo" in it and "Очередь" in it.get("caption", ""))
    assert sent["photo"][-1]["width"] > 500
    async with aiohttp.ClientSession() as session:
        answer = await session.get(f"{telegram.url}/api/files/{sent['photo'][-1]['file_id']}")
        picture = Image.open(io.BytesIO(await answer.read())).convert("RGB")
    assert len(picture.getcolors(1_000_000) or ()) > 20


async def test_pause_and_resume_by_button(
    olga: Player, ben: Player, database: Database, settings: ProductSettings
) -> None:
    await ben.enter("Alisa")
    await olga.say("/queue")
    await olga.press(await olga.hears(has_buttons), "Пауза")
    page = await olga.edited()
    assert "на паузе" in page["text"]
    photo = await ordered(ben, database)
    async with worker_running(settings):
        async with asyncio.timeout(20):
            while True:
                async with database.unit() as session:
                    if await session.scalar(select(OperatorSwitch.name)) and await _workers(database):
                        break
                await asyncio.sleep(0.05)
        assert (await _photo(database, photo.id)).status is PhotoStatus.QUEUED
        await olga.press(page, "Продолжить")
        await settled(database, photo.id, PhotoStatus.DELIVERED)
    assert [action for _, action, _ in await done(database)] == ["pause", "resume"]


async def _workers(database: Database) -> bool:
    async with database.unit() as session:
        return bool(await session.scalar(select(RenderWorker.name).where(RenderWorker.problem.is_(None))))


async def _photo(database: Database, photo_id: int) -> Photo:
    async with database.unit() as session:
        return await session.get_one(Photo, photo_id)


async def test_what_cannot_be_taken_back_is_asked_twice(olga: Player, ben: Player, database: Database) -> None:
    await ben.enter("Alisa")
    photo = await ordered(ben, database)
    await olga.say("/queue")
    await olga.press(await olga.hears(has_buttons), "Сбросить")
    question = await olga.hears(says("Сбросить ждущие?"))
    assert await done(database) == []
    await olga.press(question, "Да")
    assert "Сброшено фото: 1" in (await olga.edited())["text"]
    assert await done(database) == [(OLGA, "drop_waiting", "")]
    assert (await _photo(database, photo.id)).expires_at is not None


async def test_while_draining_nobody_can_order(olga: Player, ben: Player, database: Database) -> None:
    await ben.enter("Alisa")
    async with database.unit() as session:
        await operator_switches.switch(session, operator_switches.QUEUE_DRAINING, on=True)
    await ben.say("/photo")
    await all_handled(database)
    async with database.unit() as session:
        assert list(await session.scalars(select(Photo))) == []


async def test_a_failed_photo_can_be_tried_again_and_given_back_once(
    olga: Player, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    photo = await ordered(ben, database)
    async with database.unit() as session:
        failed = {"status": PhotoStatus.FAILED, "error": "RenderFailed: boom", "failures": 3}
        await session.execute(update(Photo).values(**failed, failed_at=photo.queued_at))
    await olga.say(f"/photo {photo.id}")
    card = await olga.hears(says("RenderFailed: boom"))
    assert photo.prompt[:40] in card["text"]
    assert photo.trace_id is not None
    assert photo.trace_id in card["text"]
    await olga.press(card, "Повторить")
    await olga.notices("answer", lambda it: "Готово" in it["text"])
    again = await _photo(database, photo.id)
    assert (again.status, again.failures, again.error) == (PhotoStatus.QUEUED, 0, None)
    for words in ("Готово", "уже сделано"):
        await olga.press(card, "Вернуть")
        await olga.notices("answer", says(words))
    await all_handled(database)
    async with database.unit() as session:
        grants = list(await session.scalars(select(PhotoGrant)))
    assert [(grant.person_id, grant.photos) for grant in grants] == [(ben.id, 1)]


async def test_a_persons_card_gives_and_closes(olga: Player, anya: Player, database: Database) -> None:
    await anya.enter("Алиса")
    await olga.say(f"/user {anya.id}")
    card = await olga.hears(says(f"Человек {anya.id}"))
    for label in ("+30 дней", "+10 фото"):
        await olga.press(card, label)
        sure = await olga.hears(says(label))
        # Twice by mistake: it is given once.
        for _ in range(2):
            await olga.press(sure, "Да")
        await olga.notices("edited", says("Готово"))
    await all_handled(database)
    async with database.unit() as session:
        person = await session.get_one(Person, anya.id)
        assert person.premium_until is not None
        assert (await session.scalars(select(PhotoGrant.photos))).all() == [10]
    await olga.press(card, "Закрыть доступ")
    await olga.press(await olga.hears(says("Закрыть доступ?")), "Да")
    await anya.hears(says("Доступ закрыт"))
    await anya.say("Привет")
    await anya.say("/privacy")
    assert "хранится" in (await anya.hears(has_text))["text"]
    await olga.say(f"/user {anya.id}")
    await olga.press(await olga.hears(says("доступ закрыт: 2")), "Открыть доступ")
    await olga.notices("answer", lambda it: "Готово" in it["text"])
    await anya.say("Привет")
    await anya.hears(has_text)


async def test_a_command_is_no_answer_to_a_question(olga: Player, ben: Player) -> None:
    await ben.enter("Alisa")
    await ben.say("/paysupport where are my photos")
    question = await olga.hears(says(f"#{ben.id}"))
    await olga.send(text="/refund nonsense", reply_to_message_id=question["message_id"])
    await olga.hears(says("Такого платежа нет"))
    await olga.send(text="Уже в пути", reply_to_message_id=question["message_id"])
    await ben.hears(says("Уже в пути"))
    assert not any("/refund" in it.get("text", "") for it in await ben.messages() if it["from"]["is_bot"])


async def test_an_operator_cannot_be_shut_out(olga: Player, database: Database) -> None:
    message = next(it for it in await olga.messages() if has_buttons(it))
    await olga.press_data(message, f"act:ban:{OLGA}:1")
    await olga.notices("answer", lambda it: "не получится" in it["text"])


async def test_in_maintenance_people_are_told_once_and_answered_after_it(
    olga: Player, ben: Player, llm: LanguageModelServer, database: Database
) -> None:
    await ben.enter("Alisa")
    await olga.say("/maintenance on")
    await olga.press(await olga.hears(says("Перерыв?")), "Да")
    await olga.edited()
    async with asyncio.timeout(20):
        while not any("for maintenance" in it.get("text", "") for it in await ben.messages()):
            await ben.say("Hello")
            await asyncio.sleep(0.3)
    await ben.say("Did you see the comet?")
    await all_handled(database)
    told = [it for it in await ben.messages() if "for maintenance" in it.get("text", "")]
    assert len(told) == 1
    asked = len(llm.requests)
    await olga.say("Привет")
    await olga.hears(has_text)
    await olga.say("/maintenance off")
    await olga.hears(says("Готово"))
    # What was written meanwhile is answered without another word.
    async with asyncio.timeout(20):
        while not any("the comet" in str(request["messages"][-1]) for request in llm.requests[asked:]):
            await asyncio.sleep(0.1)
    await all_handled(database)
    async with asyncio.timeout(20):
        while True:
            before = len(await ben.messages())
            await ben.say("And now?")
            await all_handled(database)
            if len(await ben.messages()) > before + 1:
                break
            await asyncio.sleep(0.3)


async def test_reload_reads_files_again_and_refuses_a_wrong_one_whole(
    settings: ProductSettings, bucket: object, telegram: TelegramServer, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('window = 60\n[rules.mine]\nfigure = "silence"\nabove = 5\nuntil = 1\n')
    async with (
        bot_running(settings.model_copy(update={"alerts_file": str(rules)})),
        Player(telegram.url, OLGA) as olga,
    ):
        await olga.enter("Алиса")
        await olga.say("/reload")
        await olga.hears(says("правил: 1."))
        rules.write_text('window = 60\n[rules.mine]\nfigure = "nonsense"\nabove = 5\nuntil = 1\n')
        await olga.say("/reload")
        await olga.hears(says("Ничего не изменилось: rules.toml"))
