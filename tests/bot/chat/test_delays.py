"""A photo that was asked for and takes long is spoken of, once, and one that comes soon is not."""

from datetime import timedelta

from sqlalchemy import func, select, update

from bot.app import Application
from bot.photos.delays import Delays
from bot.texts import Texts
from generation.models import Photo
from generation.runtime.database import Database
from sandbox.settings import ProductSettings
from sandbox.wiring import worker_running
from tests.conftest import all_handled
from tests.player import Player, has_text, labels, says


def of(bot: Application, database: Database) -> Delays:
    return Delays(settings=bot.settings, database=database, bot=bot.bot, texts=Texts())


async def long_ago(database: Database, *, told: bool = False) -> None:
    """As if everything had been ordered half a minute ago."""
    await all_handled(database)
    async with database.unit() as session:
        values = {"queued_at": func.now() - timedelta(seconds=30)} | ({} if told else {"wait_told_at": None})
        await session.execute(update(Photo).values(**values))


async def test_an_outage_after_the_order_is_told_once(bot: Application, ben: Player, database: Database) -> None:
    await ben.enter("Alisa")
    await ben.say("/photo")
    await ben.hears(says("a little late"))
    await long_ago(database)
    delays = of(bot, database)
    await delays.look()
    late = await ben.hears(says("something is not working"))
    assert labels(late) == ["⏳ How long now?", "Cancel"]
    count = len(await ben.messages())
    await delays.look()
    assert len(await ben.messages()) == count
    await ben.press(late, "Cancel")
    assert "cancelled" in await ben.answers()


async def test_what_the_answer_said_already_is_not_said_again(
    bot: Application, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("/photo")
    await ben.hears(says("a little late"))
    await long_ago(database, told=True)
    count = len(await ben.messages())
    await of(bot, database).look()
    assert len(await ben.messages()) == count


async def test_with_a_worker_it_says_how_long_and_nothing_of_what_has_come(
    settings: ProductSettings, bot: Application, ben: Player, anya: Player, database: Database
) -> None:
    await anya.enter("Алиса")
    await ben.enter("Alisa")
    async with worker_running(settings):
        await anya.say("/photo")
        await anya.photo()
    await ben.say("/photo")
    await ben.hears(has_text)
    await long_ago(database)
    seen = len(await anya.messages())
    await of(bot, database).look()
    await ben.hears(says("photo is"))
    assert len(await anya.messages()) == seen


async def test_an_automatic_photo_may_be_late_in_silence(bot: Application, ben: Player, database: Database) -> None:
    await ben.enter("Alisa")
    await ben.say("/photo")
    await ben.hears(says("a little late"))
    await long_ago(database)
    async with database.unit() as session:
        await session.execute(update(Photo).values(requested=False))
    count = len(await ben.messages())
    await of(bot, database).look()
    assert len(await ben.messages()) == count
    async with database.unit() as session:
        assert (await session.scalars(select(Photo.wait_told_at))).one() is None
