"""Settings, privacy, quiet hours, and leaving people alone."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from arq import ArqRedis, Worker
from sqlalchemy import func, select, text, update

from bot.app import Application
from bot.chat.proactive import is_quiet
from bot.chat.reply import OFFERED_AFTER
from bot.models import Dialogue, Payment, Person, PhotoGrant, Receipt, ReceivedUpdate
from bot.monitoring.figures import _stars_today
from generation.errors import ObjectGone
from generation.models import DiscardedObject, Photo, PhotoStatus
from generation.runtime.database import Base, Database
from generation.storage import Storage
from sandbox.comfyui import ComfyUIServer
from sandbox.llm import LanguageModelServer
from sandbox.settings import ProductSettings
from sandbox.telegram import TelegramServer
from sandbox.wiring import bot_running, worker_running
from tests.bot.handlers.test_photo_buttons import a_photo, emptied
from tests.conftest import all_handled, settled
from tests.player import Player, has_buttons, has_text, labels, says

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def row(database: Database, player: Player) -> Person:
    async with database.unit() as session:
        return await session.get_one(Person, player.id)


# -- settings ------------------------------------------------------------------------------------------


async def test_the_language_can_be_changed_whatever_telegram_says(
    bot: Application, anya: Player, database: Database
) -> None:
    await anya.enter("Алиса")
    await anya.say("/settings")
    await anya.press(await anya.hears(has_buttons), "🌐")
    languages = await anya.edited()
    assert labels(languages)[:2] == ["English", "✓ Русский"]
    await anya.press(languages, "English")
    assert (await anya.edited())["text"].startswith("Settings.")
    await anya.say("/help")
    await anya.hears(says("ask for a photo"))
    # Their clock was Moscow's by the language, and stays so.
    assert (await row(database, anya)).utc_offset == 180


@pytest.mark.parametrize(
    ("alias", "words"),
    [
        ("/menu", "ask for a photo"), ("/stories", "Pick a story"), ("/personas", "Who would you"),
        ("/photos", "no photos yet"), ("/buy", "Premium"), ("/delete", "What is stored"),
        ("/language", "Settings."),
    ],
)  # fmt: skip
async def test_obvious_commands_are_understood(bot: Application, ben: Player, alias: str, words: str) -> None:
    await ben.enter("Alisa")
    await ben.say(alias)
    await ben.hears(says(words))


async def test_a_switch_that_is_pressed_twice_stays_where_it_was_put(
    bot: Application, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("/settings")
    page = await ben.hears(has_buttons)
    for _ in range(2):
        await ben.press(page, "💌")
        await ben.answers()
    assert (await row(database, ben)).writes_first


async def test_quiet_hours_follow_the_persons_own_clock(bot: Application, ben: Player, database: Database) -> None:
    await ben.enter("Alisa")
    await ben.say("/settings")
    await ben.press(await ben.hears(has_buttons), "🌙")
    clocks = await ben.edited()
    assert len(labels(clocks)) == 25
    await ben.press_data(clocks, "my_time:300")
    await ben.edited()
    assert (await row(database, ben)).utc_offset == 300
    for forged in ("my_time:99999", "switch:photo_frequency:1", "settings:nothing", "language:xx", "frequency:x"):
        await ben.press_data(clocks, forged)
        assert "no longer works" in await ben.answers()


@pytest.mark.parametrize(
    ("hour", "hours", "quiet"),
    [(22, (22, 9), True), (3, (22, 9), True), (9, (22, 9), False), (12, (22, 9), False), (13, (12, 15), True),
     (15, (12, 15), False), (5, (5, 5), False)],
)  # fmt: skip
def test_quiet_hours_may_reach_over_midnight(hour: int, hours: tuple[int, int], quiet: bool) -> None:
    assert is_quiet(hour, hours) is quiet


# -- what the bot begins by itself ---------------------------------------------------------------------


async def talked(player: Player, database: Database, *, hours_ago: float) -> None:
    """A dialogue whose last word was said so long ago."""
    await player.say("How are you?")
    await player.hears(has_text)
    await all_handled(database)
    async with database.unit() as session:
        await session.execute(update(Dialogue).values(said_at=func.now() - timedelta(hours=hours_ago)))


async def looks(bot: Application, now: datetime = NOON) -> None:
    await bot.proactive.look_around(now)


async def test_nobody_is_written_to_who_did_not_switch_it_on(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await talked(ben, database, hours_ago=48)
    await looks(bot)
    assert len(llm.requests) == 1


async def test_she_writes_first_once_in_three_days_and_one_tap_stops_it(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await talked(ben, database, hours_ago=48)
    await ben.say("/settings")
    await ben.press(await ben.hears(has_buttons), "💌")
    assert "💌 May write first: yes" in labels(await ben.edited())
    await looks(bot, NOON.replace(hour=3))  # the middle of the night
    assert len(llm.requests) == 1
    for _ in range(3):
        await looks(bot)
    first = await ben.hears(lambda it: "🔕" in str(labels(it)))
    assert first["silent"]
    assert len(llm.requests) == 2
    assert "has not written for a while" in llm.instructions
    async with database.unit() as session:
        await session.execute(update(Person).values(wrote_first_at=func.now() - timedelta(days=4)))
        await session.execute(update(Dialogue).values(said_at=func.now() - timedelta(days=4)))
    await ben.press(first, "🔕")
    assert "won't write first" in await ben.answers()
    await looks(bot)
    assert len(llm.requests) == 2


async def test_she_does_not_write_first_to_somebody_who_is_talking_with_her(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await talked(ben, database, hours_ago=1)
    async with database.unit() as session:
        await session.execute(update(Person).values(writes_first=True))
    await looks(bot)
    assert len(llm.requests) == 1


@pytest.mark.parametrize(("answer", "writes"), [("Yes", True), ("No", False)])
async def test_after_a_good_talk_she_asks_once_whether_she_may(
    bot: Application, ben: Player, database: Database, answer: str, writes: bool
) -> None:
    await ben.enter("Alisa")
    await ben.say("Hello")
    await ben.hears(has_text)
    await all_handled(database)
    async with database.unit() as session:
        await session.execute(update(Dialogue).values(answers=OFFERED_AFTER - 1))
    await ben.say("I like talking with you")
    question = await ben.hears(says("write to you first"))
    await ben.press(question, answer)
    await ben.edited()
    assert (await row(database, ben)).writes_first is writes
    async with database.unit() as session:
        await session.execute(update(Dialogue).values(answers=OFFERED_AFTER - 1))
        await session.execute(update(Person).values(writes_first=False))
    await ben.say("And what else?")
    await ben.hears(has_text)
    await all_handled(database)
    asked = [it for it in await ben.messages() if "write to you first" in it.get("text", "")]
    assert asked == []


# -- blocking ------------------------------------------------------------------------------------------


async def test_whoever_blocks_the_bot_is_left_alone_until_they_write(
    settings: ProductSettings, bucket: Storage, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    """No worker runs: the photo waits when the person leaves."""
    async with bot_running(settings) as bot:
        await ben.enter("Alisa")
        await ben.say("/photo")
        await ben.hears(says("late"))
        await all_handled(database)
        async with database.unit() as session:
            await session.execute(update(Person).values(writes_first=True))
        await ben.block()
        async with database.unit() as session:
            photo_id = (await session.scalars(select(Photo.id))).one()
        photo = await settled(database, photo_id, PhotoStatus.DROPPED)
        assert photo.error == "the person blocked the bot"
        async with database.unit() as session:
            await session.execute(update(Dialogue).values(said_at=func.now() - timedelta(days=4)))
        await looks(bot)
        await ben.unblock()
        count = len(await ben.messages())
        # Nothing came by itself.
        assert len(llm.requests) == 1
        await ben.say("Hello?")
        await ben.hears(has_text)
        assert len(await ben.messages()) == count + 2
        assert (await row(database, ben)).blocked_at is None


async def test_whoever_opens_the_bot_again_can_be_written_to(
    bot: Application, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.block()
    async with asyncio.timeout(20):
        while (await row(database, ben)).blocked_at is None:
            await asyncio.sleep(0.02)
        await ben.unblock()
        while (await row(database, ben)).blocked_at is not None:
            await asyncio.sleep(0.02)


async def test_a_photo_in_a_workers_hands_is_not_sent_to_somebody_who_left(
    bot: Application, comfyui: ComfyUIServer, worker: Worker, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    comfyui.faults.add(path="/prompt", kind="delay", seconds=1)
    await ben.say("/photo")
    await ben.hears(has_text)
    await all_handled(database)
    async with database.unit() as session:
        photo_id = (await session.scalars(select(Photo.id))).one()
    await settled(database, photo_id, PhotoStatus.RENDERING)
    await ben.block()
    await settled(database, photo_id, PhotoStatus.DROPPED)
    await ben.unblock()
    await ben.say("/start")
    await ben.hears(has_buttons)
    while worker.ctx["worker"].pipeline.held:
        await asyncio.sleep(0.02)
    assert await ben.photos() == []


async def test_a_403_counts_as_blocking(
    bot: Application, telegram: TelegramServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    telegram.store.set_blocked(ben.id, blocked=True)
    await ben.api("POST", "/updates", {"message": {**(await ben.messages())[0], "text": "hello"}})
    async with asyncio.timeout(20):
        while (await row(database, ben)).blocked_at is None:
            await asyncio.sleep(0.02)


# -- privacy -------------------------------------------------------------------------------------------


async def test_everything_can_be_saved_as_a_file(
    bot: Application, worker: Worker, ben: Player, telegram: TelegramServer, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("My secret is a blue door")
    await ben.hears(has_text)
    await a_photo(ben, database)
    await ben.say("/privacy")
    await ben.press(await ben.hears(has_buttons), "Save my data")
    document = (await ben.hears(lambda it: "document" in it))["document"]
    file = telegram.store.file(document["file_id"])
    assert file is not None
    content = json.loads(file[2])
    assert content["person"][0]["id"] == ben.id
    assert "My secret is a blue door" in [it["text"] for it in content["messages"]]
    assert content["photos"][0]["prompt"]
    assert all(str(ben.id) in str(content[name]) for name in ("dialogues", "photos"))


async def rows_about(database: Database, person_id: int) -> dict[str, int]:
    """Rows that hold a person's number in any column that can, by table."""
    found = {}
    async with database.unit() as session:
        for table in Base.metadata.sorted_tables:
            columns = [
                it.name for it in table.columns if it.name in {"person_id", "owner_id", "chat_id", "invited_by"}
            ]
            columns += ["id"] if table.name == "people" else []
            for column in columns:
                query = text(f"SELECT count(*) FROM {table.name} WHERE {column} = :id")  # noqa: S608 - our own names
                if count := await session.scalar(query, {"id": person_id}):
                    found[f"{table.name}.{column}"] = count
            # And in whatever a row says, such as the cause of a grant.
            query = text(f"SELECT count(*) FROM {table.name} AS it WHERE it::text ~ :id")  # noqa: S608
            if count := await session.scalar(query, {"id": rf"\\y{person_id}\\y"}):
                found[table.name] = count
    return found


async def test_everything_can_be_deleted_rows_objects_and_jobs(
    settings: ProductSettings, bucket: Storage, redis: ArqRedis, ben: Player, anya: Player, database: Database
) -> None:
    async with bot_running(settings), worker_running(settings):
        await anya.enter("Алиса")
        await anya.say("/invite")
        code = (await anya.hears(says("ref_")))["text"].split("start=")[1].split()[0]
        await ben.say(f"/start {code}")
        await ben.press(await ben.hears(has_buttons), "18")
        await ben.press(await ben.hears(has_buttons), "Alisa")
        await ben.hears(says("Rain"))
        for text_ in ("Hello", "How are you?"):
            await ben.say(text_)
            await ben.hears(has_text)
        await ben.say("My name is Ben")
        await ben.hears(has_text)
        _, photo = await a_photo(ben, database)
        _, hers = await a_photo(anya, database)
        async with database.unit() as session:
            paid = {"product": "premium", "paid_at": func.now()}
            session.add(Payment(charge_id="a-charge", person_id=ben.id, stars=350, **paid))
            session.add(Payment(charge_id="gift:1", person_id=ben.id, stars=0, **paid))
    async with bot_running(settings):
        # Without a worker the next one waits in the queue.
        await ben.say("/photo")
        async with asyncio.timeout(20):
            while await redis.zcard(settings.arq_queue) != 1:
                await asyncio.sleep(0.02)
        await ben.say("/privacy")
        await ben.press(await ben.hears(has_buttons), "Delete everything")
        await ben.press(await ben.edited(), "Yes, delete everything")
        await ben.hears(says("Everything is deleted"))
        assert await redis.zcard(settings.arq_queue) == 0
        await emptied(database)
        with pytest.raises(ObjectGone):
            await bucket.get(photo.object_key or "")
        assert await bucket.get(hers.object_key or "")
        async with asyncio.timeout(20):
            # The row of the press itself is anonymous as soon as it is handled.
            while found := await rows_about(database, ben.id):
                assert set(found) == {"updates.chat_id", "updates"}
                await asyncio.sleep(0.02)
        assert await rows_about(database, anya.id) != {}
        async with database.unit() as session:
            (receipt,) = await session.scalars(select(Receipt))
            assert (receipt.charge_id, receipt.stars) == ("a-charge", 350)
            assert await _stars_today(session) == 350
        await ben.say("/start")
        assert "18 or older" in (await ben.hears(has_buttons))["text"]


async def erased(player: Player) -> None:
    await player.say("/privacy")
    await player.press(await player.hears(has_buttons), "Delete everything")
    await player.press(await player.edited(), "Yes, delete everything")
    await player.hears(says("Everything is deleted"))


async def test_a_ban_outlives_everything_deleted_and_names_nobody(
    bot: Application, telegram: TelegramServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    async with Player(telegram.url, 1003) as olga:
        await olga.say("/admin")
        panel = await olga.hears(has_buttons)
        await olga.press_data(panel, f"act:ban:{ben.id}:1")
        await ben.hears(says("access is closed"))
        await erased(ben)
        async with asyncio.timeout(20):
            while found := await rows_about(database, ben.id):
                assert set(found) <= {"updates.chat_id", "updates"}
                await asyncio.sleep(0.02)
        await ben.say("/start")
        await ben.say("/privacy")
        await ben.hears(has_buttons)
        assert (await row(database, ben)).banned_at is not None
        # Let in by an operator, it is forgotten for good.
        await olga.say("/admin")
        await olga.press_data(await olga.hears(has_buttons), f"act:unban:{ben.id}:1")
        await olga.answers()
        await ben.say("/start")
        await ben.hears(says("18 or older"))
        await erased(ben)
        await ben.say("/start")
        await ben.hears(says("18 or older"))


async def test_an_invitation_is_rewarded_once_however_often_both_delete_everything(
    settings: ProductSettings, bucket: Storage, ben: Player, anya: Player, database: Database
) -> None:
    given = []
    async with bot_running(settings):
        for _ in range(2):
            await anya.enter("Алиса")
            await anya.say("/invite")
            code = (await anya.hears(says("ref_")))["text"].split("start=")[1].split()[0]
            await ben.say(f"/start {code}")
            await ben.press(await ben.hears(has_buttons), "18")
            await ben.press(await ben.hears(has_buttons), "Alisa")
            await ben.hears(says("Rain"))
            for text_ in ("Hello", "How are you?", "What do you do?"):
                await ben.say(text_)
                await ben.hears(has_text)
                await all_handled(database)
            async with database.unit() as session:
                given.append(await session.scalar(select(func.count()).select_from(PhotoGrant)))
            await erased(ben)
            await anya.say("/privacy")
            await anya.press(await anya.hears(has_buttons), "Удалить всё")
            await anya.press(await anya.edited(), "Да, удалить всё")
            await anya.hears(says("удалено"))
            await all_handled(database)
    assert given == [2, 0]


async def test_a_photo_that_renders_while_everything_is_deleted_is_kept_nowhere(
    bot: Application, comfyui: ComfyUIServer, worker: Worker, ben: Player, database: Database, bucket: Storage
) -> None:
    await ben.enter("Alisa")
    comfyui.faults.add(path="/view", kind="delay", seconds=1.5)
    await ben.say("/photo")
    await ben.hears(has_text)
    await all_handled(database)
    async with database.unit() as session:
        photo_id = (await session.scalars(select(Photo.id))).one()
    await settled(database, photo_id, PhotoStatus.RENDERING)
    await ben.say("/privacy")
    await ben.press(await ben.hears(has_buttons), "Delete everything")
    await ben.press(await ben.edited(), "Yes, delete everything")
    await ben.hears(says("Everything is deleted"))
    while worker.ctx["worker"].pipeline.held:
        await asyncio.sleep(0.02)
    assert await ben.photos() == []
    async with database.unit() as session:
        (discarded,) = await session.scalars(select(DiscardedObject))
        assert discarded.until > datetime.now(UTC) + timedelta(minutes=5)
        await session.execute(update(DiscardedObject).values(until=func.now()))
    await emptied(database)
    with pytest.raises(ObjectGone):
        await bucket.get(discarded.object_key)


async def test_a_running_subscription_ends_with_everything_else(
    settings: ProductSettings, bucket: Storage, ben: Player, telegram: TelegramServer, database: Database
) -> None:
    async with bot_running(settings.model_copy(update={"premium_ids": frozenset()})):
        await ben.enter("Alisa")
        await ben.say("/premium")
        link = (await ben.hears(has_buttons))["reply_markup"]["inline_keyboard"][0][0]["url"]
        charge = (await ben.pay(link=link))["successful_payment"]["telegram_payment_charge_id"]
        await ben.hears(says("Premium lasts"))
        await ben.say("/privacy")
        await ben.press(await ben.hears(has_buttons), "Delete everything")
        await ben.press(await ben.edited(), "Yes, delete everything")
        await ben.hears(says("Everything is deleted"))
    assert telegram.store.setting(f"charge:{charge}")["canceled"]


async def test_nothing_is_deleted_by_a_person_who_thinks_better_of_it(
    bot: Application, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("/privacy")
    await ben.press(await ben.hears(has_buttons), "Delete everything")
    await ben.press(await ben.edited(), "No, keep it")
    assert "What is stored" in (await ben.edited())["text"]
    await all_handled(database)
    async with database.unit() as session:
        assert await session.scalar(select(func.count()).select_from(Dialogue)) == 1
        assert await session.scalar(select(func.count()).select_from(ReceivedUpdate))
