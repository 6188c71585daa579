"""One person's way, from /start to a paid subscription and on, on the local Bot API and a real worker."""

from datetime import UTC, datetime

from sqlalchemy import select

from bot.models import Person
from generation.models import Photo, PhotoStatus
from generation.runtime.database import Database
from generation.storage import Storage
from sandbox.settings import ProductSettings
from sandbox.telegram import TelegramServer
from sandbox.wiring import bot_running, worker_running
from tests.conftest import settled
from tests.player import Json, Player, has_buttons, has_text, labels, says


async def test_from_the_first_start_to_a_paid_month(
    settings: ProductSettings, bucket: Storage, telegram: TelegramServer, anya: Player, database: Database
) -> None:
    plans = {"premium_ids": frozenset(), "free_photos_a_day": 2, "premium_photos_a_day": 50}
    async with bot_running(settings.model_copy(update=plans)), worker_running(settings):
        await comes_in(anya)
        photo = await gets_the_first_photo_unasked(anya)
        await asks_for_another(anya, photo)
        await reaches_the_limit(anya)
        await pays(anya)
        await has_more(anya, database)
        await looks_back(anya)
    async with database.unit() as session:
        person = await session.get_one(Person, anya.id)
    assert person.premium_until is not None
    assert person.premium_until > datetime.now(UTC)


async def comes_in(anya: Player) -> None:
    await anya.say("/start")
    await anya.press(await anya.hears(says("Привет, Аня!")), "Мне есть 18")
    gallery = await anya.hears(says("Алиса, 27."))
    await anya.press(gallery, "Алиса")
    await anya.hears(says("Алиса · Мастерская под крышей"))
    await anya.hears(says("Как прошёл твой день?"))


async def gets_the_first_photo_unasked(anya: Player) -> Json:
    """Within the first exchanges, as a reply, without having been asked for."""
    for text in ("Привет! День был длинный, но хороший", "А ты чем сейчас занята?", "Расскажи, что видно из окна?"):
        await anya.say(text)
        await anya.hears(has_text)
    anya.look_back()
    return await anya.photo()


async def asks_for_another(anya: Player, photo: Json) -> None:
    await anya.press(photo, "👍")
    assert "нравится" in await anya.answers()
    await anya.press(photo, "📷 Другой ракурс")
    await anya.photo()


async def reaches_the_limit(anya: Player) -> None:
    await anya.say("Пришли ещё фото, пожалуйста")
    told = await anya.hears(says("Фото на сегодня закончились: за сутки можно 2."))
    await anya.press(told, "⭐ Больше фото")


async def pays(anya: Player) -> None:
    offer = await anya.hears(says("фото в сутки: 50"))
    assert labels(offer) == ["Премиум на месяц: 350 ⭐", "➕ 20 фото: 100 ⭐", "➕ 60 фото: 250 ⭐"]
    link = offer["reply_markup"]["inline_keyboard"][0][0]["url"]
    paid = await anya.pay(link=link)
    assert paid["successful_payment"]["total_amount"] == 350
    await anya.hears(says("Спасибо! Премиум действует до"))


async def has_more(anya: Player, database: Database) -> None:
    await anya.say("/photo у окна с чашкой кофе")
    await anya.photo()
    async with database.unit() as session:
        newest = (await session.scalars(select(Photo.id).order_by(Photo.id.desc()).limit(1))).one()
    row = await settled(database, newest, PhotoStatus.DELIVERED)
    assert row.premium


async def looks_back(anya: Player) -> None:
    await anya.say("/gallery")
    await anya.press(await anya.hears(has_buttons), "1")
    page = await anya.hears(lambda it: "caption" in it)
    assert page["caption"].startswith("1 из 3")
    await anya.say("/memory")
    await anya.hears(says("Алиса"))
    await anya.say("/settings")
    await anya.press(await anya.hears(has_buttons), "🌐")
    await anya.press(await anya.edited(), "English")
    await anya.edited()
    await anya.say("/premium")
    await anya.hears(says("You have premium until"))
