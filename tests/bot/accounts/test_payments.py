"""Premium and packs for Telegram Stars, from the invoice to the refund."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy import text as sql

from bot.accounts.photo_quota import pack_balance
from bot.app import Application
from bot.models import Payment, Person, PhotoGrant
from generation.models import Photo, PhotoStatus
from generation.runtime.database import Database
from generation.runtime.models import Incident
from generation.runtime.monitoring import incidents
from sandbox.llm import LanguageModelServer
from sandbox.settings import ProductSettings
from sandbox.telegram import TelegramServer
from sandbox.wiring import bot_running
from tests.conftest import all_handled
from tests.player import Json, Player, has_buttons, has_text, says


@pytest.fixture
def settings(settings: ProductSettings) -> ProductSettings:
    """Nobody has premium for nothing; the free plan has one photo a day."""
    return settings.model_copy(update={"premium_ids": frozenset(), "free_photos_a_day": 1})


async def person(database: Database, player: Player) -> Person:
    async with database.unit() as session:
        return await session.get_one(Person, player.id)


async def balance(database: Database, player: Player) -> int:
    async with database.unit() as session:
        return await pack_balance(session, player.id)


async def subscribe(player: Player) -> Json:
    """The service message of the first month's payment."""
    await player.say("/premium")
    offer = await player.hears(says("Premium ⭐"))
    link = offer["reply_markup"]["inline_keyboard"][0][0]["url"]
    return await player.pay(link=link)


async def buy_pack(player: Player, label: str = "20 photos") -> Json:
    await player.say("/premium")
    await player.press(await player.hears(says("Premium ⭐")), label)
    invoice = await player.hears(lambda it: "invoice" in it)
    return await player.pay(message_id=invoice["message_id"])


async def test_a_subscription_gives_premium_for_a_month_and_a_renewal_one_more(
    bot: Application, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    paid = (await subscribe(ben))["successful_payment"]
    await ben.hears(says("Premium lasts until"))
    first = (await person(database, ben)).premium_until
    assert first is not None
    assert timedelta(days=29) < first - datetime.now(UTC) < timedelta(days=31)
    await ben.say("/premium")
    assert "350" not in str((await ben.hears(says("You have premium until")))["reply_markup"])
    await asyncio.sleep(1.1)  # Telegram's dates are whole seconds
    charge = paid["telegram_payment_charge_id"]
    await ben.api("POST", f"/people/{ben.id}/subscriptions/{charge}/renew", {})
    await ben.hears(says("renewed"))
    renewed = (await person(database, ben)).premium_until
    assert renewed is not None
    assert renewed > first


async def test_the_same_payment_ten_times_grants_once(bot: Application, ben: Player, database: Database) -> None:
    await ben.enter("Alisa")
    message = await buy_pack(ben)
    await ben.hears(says("Extra photos: 20"))
    for _ in range(9):
        await ben.api("POST", "/updates", {"message": message})
    await ben.say("/help")
    await ben.hears(says("/photo"))
    assert await balance(database, ben) == 20
    async with database.unit() as session:
        assert await session.scalar(select(func.count()).select_from(Payment)) == 1
        assert await session.scalar(select(func.count()).select_from(PhotoGrant)) == 1


@pytest.mark.parametrize(
    "forged",
    [{"total_amount": 1}, {"currency": "USD"}, {"invoice_payload": "photos_99999"}, {"invoice_payload": "premium"}],
)
async def test_a_payment_that_is_not_as_offered_gives_nothing_and_stays_for_a_refund(
    bot: Application, ben: Player, database: Database, forged: Json
) -> None:
    await ben.enter("Alisa")
    message = await buy_pack(ben)
    await ben.hears(says("Extra photos: 20"))
    payment = message["successful_payment"] | {"telegram_payment_charge_id": "another"} | forged
    await ben.api("POST", "/updates", {"message": message | {"successful_payment": payment}})
    await ben.hears(says("not for what is sold here"))
    assert await balance(database, ben) == 20
    assert (await person(database, ben)).premium_until is None
    async with database.unit() as session:
        assert await session.get(Payment, "another")
        assert await session.scalar(select(func.count()).where(Incident.kind == incidents.PAYMENT)) == 1


@pytest.mark.parametrize("end", [10**18, 10**12, -(10**17), 2**63])
async def test_an_end_that_no_month_has_is_not_believed_and_holds_nothing_up(
    bot: Application, ben: Player, database: Database, end: int
) -> None:
    await ben.enter("Alisa")
    message = await subscribe(ben)
    await ben.hears(says("Premium lasts until"))
    changed = {"telegram_payment_charge_id": "another", "subscription_expiration_date": end}
    changed |= {"is_recurring": True, "is_first_recurring": False}
    await ben.api(
        "POST", "/updates", {"message": message | {"successful_payment": message["successful_payment"] | changed}}
    )
    await ben.hears(says("renewed"))
    until = (await person(database, ben)).premium_until
    assert until is not None
    assert until < datetime.now(UTC) + timedelta(days=32)


async def test_a_checkout_is_answered_while_the_talk_of_the_same_person_hangs(
    bot: Application, llm: LanguageModelServer, ben: Player
) -> None:
    await ben.enter("Alisa")
    await ben.say("/premium")
    offer = await ben.hears(has_buttons)
    llm.faults.add(path="completion", kind="delay", seconds=30)
    await ben.say("How are you?")
    while llm.faults.pending:
        await asyncio.sleep(0.01)
    async with asyncio.timeout(5):
        await ben.pay(link=offer["reply_markup"]["inline_keyboard"][0][0]["url"])


async def test_an_invoice_with_an_old_price_is_refused_with_a_reason(
    settings: ProductSettings, bucket: object, ben: Player
) -> None:
    async with bot_running(settings):
        await ben.enter("Alisa")
        await ben.say("/premium")
        link = (await ben.hears(has_buttons))["reply_markup"]["inline_keyboard"][0][0]["url"]
    async with bot_running(settings.model_copy(update={"premium_stars": 500})):
        with pytest.raises(AssertionError, match="out of date"):
            await ben.pay(link=link)


async def test_a_pack_is_used_only_for_photos_that_were_asked_for_and_a_failed_one_comes_back(
    bot: Application, ben: Player, llm: LanguageModelServer, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("/photo")
    await ben.hears(says("late"))
    await buy_pack(ben)
    await ben.hears(says("Extra photos: 20"))
    await all_handled(database)
    async with database.unit() as session:
        await session.execute(update(Photo).values(status=PhotoStatus.DELIVERED, telegram_message_id=1))
    await ben.say("It was a long day at work.")
    await ben.hears(has_text)
    assert await balance(database, ben) == 20
    await ben.say("/photo")
    await ben.hears(says("late"))
    assert await balance(database, ben) == 19
    async with database.unit() as session:
        newest = select(func.max(Photo.id)).scalar_subquery()
        await session.execute(
            update(Photo).where(Photo.id == newest).values(status=PhotoStatus.FAILED, told_at=func.now())
        )
    assert await balance(database, ben) == 20


async def test_a_limit_is_told_once_with_what_helps_and_is_no_wall_afterwards(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("/photo")
    await ben.hears(says("late"))
    await all_handled(database)
    async with database.unit() as session:
        await session.execute(update(Photo).values(status=PhotoStatus.DELIVERED, telegram_message_id=1))
    await ben.say("Send me a photo, please")
    told = await ben.hears(says("No more photos for today"))
    await ben.press(told, "More photos")
    await ben.hears(says("Premium ⭐"))
    for text in ("Send me a photo, please", "/photo", "And one more photo?"):
        await ben.say(text)
        assert "No more photos" not in (await ben.hears(has_text))["text"]
        assert "No photo is possible just now" in llm.instructions


async def refund(olga: Player, charge: str) -> None:
    await olga.say(f"/refund {charge}")
    await olga.press(await olga.hears(says("Вернуть звёзды?")), "Да")


async def test_a_refund_by_the_operator_takes_back_what_was_paid_for_and_is_said(
    bot: Application, ben: Player, telegram: TelegramServer, database: Database
) -> None:
    await ben.enter("Alisa")
    paid = (await subscribe(ben))["successful_payment"]
    await ben.hears(says("Premium lasts"))
    await ben.say(f"/refund {paid['telegram_payment_charge_id']}")
    await ben.hears(says("/help"))  # not an operator: no such command
    async with Player(telegram.url, 1003) as olga:
        await olga.enter("Алиса")
        for words in ("Возвращено: 350 ⭐", "возвращена раньше: 350 ⭐"):
            await refund(olga, paid["telegram_payment_charge_id"])
            await olga.notices("edited", says(words))
        await olga.say("/refund nonsense")
        await olga.hears(says("Такого платежа нет"))
    await ben.hears(says("refunded: 350"))
    assert (await person(database, ben)).premium_until is None


async def test_a_refund_that_telegram_reports_takes_a_pack_back(
    bot: Application, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    paid = await buy_pack(ben)
    await ben.hears(says("Extra photos: 20"))
    payment = paid["successful_payment"]
    kept = ("currency", "total_amount", "invoice_payload", "telegram_payment_charge_id")
    message = {key: value for key, value in paid.items() if key != "successful_payment"}
    message["refunded_payment"] = {key: payment[key] for key in kept}
    for _ in range(2):
        await ben.api("POST", "/updates", {"message": message})
    await ben.hears(says("refunded: 100"))
    assert await balance(database, ben) == 0


async def test_the_end_of_a_subscription_is_told_and_ends_premium(
    bot: Application, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    paid = (await subscribe(ben))["successful_payment"]
    await ben.hears(says("Premium lasts"))
    for state, words in (("canceled", "won't be renewed"), ("active", "active again")):
        await ben.api("POST", f"/people/{ben.id}/subscriptions/{paid['telegram_payment_charge_id']}/{state}", {})
        await ben.hears(says(words))
    await all_handled(database)
    async with database.unit() as session:
        await session.execute(update(Person).values(premium_until=func.now() - timedelta(hours=7)))
    noon = datetime.now(UTC).replace(hour=12)
    for _ in range(2):
        await bot.proactive.look_around(noon)
    await ben.hears(says("Premium has ended"))
    ended = [it for it in await ben.messages() if "Premium has ended" in it.get("text", "")]
    assert len(ended) == 1
    await ben.say("/premium")
    assert "350" in str((await ben.hears(has_buttons))["reply_markup"])


async def test_paysupport_lists_payments_and_passes_questions_on(
    bot: Application, ben: Player, telegram: TelegramServer
) -> None:
    await ben.enter("Alisa")
    paid = (await subscribe(ben))["successful_payment"]
    await ben.say("/paysupport")
    assert paid["telegram_payment_charge_id"] in (await ben.hears(says("A person will answer")))["text"]
    async with Player(telegram.url, 1003) as olga:
        await olga.enter("Алиса")
        await ben.say("/paysupport my photos did not come")
        report = await olga.hears(says("my photos did not come"))
        assert paid["telegram_payment_charge_id"] in report["text"]
        assert f"#{ben.id}" in report["text"]
        await ben.hears(says("passed on"))
        await olga.send(text="Скоро придут", reply_to_message_id=report["message_id"])
        await olga.hears(says("Ответ отправлен"))
        await ben.hears(says("Скоро придут"))
    await ben.say("/terms")
    await ben.hears(says("350 ⭐ a month"))


async def test_operators_are_not_flooded_with_questions(
    bot: Application, ben: Player, telegram: TelegramServer, database: Database
) -> None:
    await ben.enter("Alisa")
    async with Player(telegram.url, 1003) as olga:
        await olga.say("/admin")
        panel = await olga.hears(has_buttons)
        for number in range(3):
            await ben.say(f"/paysupport question {number}")
            await ben.hears(says("passed on"))
        for _ in range(5):
            await ben.say("/paysupport and another one")
            await ben.hears(says("until tomorrow"))
        # A day later there are some again.
        async with database.unit() as session:
            await session.execute(update(Person).values(support_since=func.now() - timedelta(hours=25)))
        await ben.say("/paysupport the next day")
        await ben.hears(says("passed on"))
        # Who is banned has one, since they may have paid.
        await olga.press_data(panel, f"act:ban:{ben.id}:1")
        await ben.hears(says("access is closed"))
        await ben.say("/paysupport why")
        await ben.hears(says("passed on"))
        for _ in range(3):
            await ben.say("/paysupport why")
            await ben.hears(says("until tomorrow"))
        passed_on = [it for it in await olga.messages() if f"#{ben.id}" in it.get("text", "")]
        assert len(passed_on) == 5


async def test_a_payment_is_granted_to_somebody_who_blocked_the_bot(
    bot: Application, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    paid = await buy_pack(ben)
    await ben.hears(says("Extra photos: 20"))
    await ben.block()
    payment = paid["successful_payment"] | {"telegram_payment_charge_id": "another"}
    await ben.api("POST", "/updates", {"message": paid | {"successful_payment": payment}})
    async with asyncio.timeout(20):
        while await balance(database, ben) != 40:
            await asyncio.sleep(0.02)


async def test_who_is_shut_out_pays_no_more(bot: Application, ben: Player, telegram: TelegramServer) -> None:
    await ben.enter("Alisa")
    charge = (await subscribe(ben))["successful_payment"]["telegram_payment_charge_id"]
    await ben.hears(says("Premium lasts"))
    await ben.say("/premium")
    await ben.press(await ben.hears(says("Premium ⭐")), "20 photos")
    invoice = await ben.hears(lambda it: "invoice" in it)
    async with Player(telegram.url, 1003) as olga:
        await olga.enter("Алиса")
        await olga.say(f"/user {ben.id}")
        await olga.press(await olga.hears(says("Человек")), "Закрыть доступ")
        await olga.press(await olga.hears(says("Закрыть доступ?")), "Да")
        await olga.notices("edited", says("Готово"))
    assert telegram.store.setting(f"charge:{charge}")["canceled"]
    with pytest.raises(AssertionError, match="access is closed"):
        await ben.pay(message_id=invoice["message_id"])


async def test_nobody_pays_for_the_same_month_twice(bot: Application, ben: Player, database: Database) -> None:
    await ben.enter("Alisa")
    await ben.say("/premium")
    link = (await ben.hears(says("Premium ⭐")))["reply_markup"]["inline_keyboard"][0][0]["url"]
    await ben.pay(link=link)
    await ben.hears(says("Premium lasts"))
    with pytest.raises(AssertionError, match="have premium already"):
        await ben.pay(link=link)
    async with database.unit() as session:
        assert await session.scalar(select(func.count()).select_from(Payment)) == 1


async def test_of_two_subscriptions_paid_at_once_the_second_comes_back(
    bot: Application, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("/premium")
    link = (await ben.hears(says("Premium ⭐")))["reply_markup"]["inline_keyboard"][0][0]["url"]
    async with database.unit() as session:
        # No checkout can see the other payment.
        await session.execute(sql("LOCK TABLE payments IN ACCESS EXCLUSIVE MODE"))
        await asyncio.gather(ben.pay(link=link), ben.pay(link=link))
    await ben.hears(says("Premium lasts"))
    await ben.hears(says("350 ⭐ come back"))
    await all_handled(database)
    async with database.unit() as session:
        rows = list(await session.scalars(select(Payment).order_by(Payment.paid_at)))
    assert len(rows) == 2
    assert [row.refunded_at is None for row in rows].count(True) == 1
    until = (await person(database, ben)).premium_until
    assert until is not None
    assert until > datetime.now(UTC) + timedelta(days=29)
    assert len([it for it in await ben.messages() if "refunded_payment" in it]) == 1


async def nothing_more_today(player: Player, database: Database) -> Json:
    """The day's only photo is delivered; its message."""
    await player.enter("Alisa")
    await player.say("/photo")
    await player.hears(says("late"))
    await all_handled(database)
    async with database.unit() as session:
        await session.execute(update(Photo).values(status=PhotoStatus.DELIVERED, telegram_message_id=1))
        photo_id = (await session.scalars(select(Photo.id))).one()
    return {"message_id": (await player.messages())[-1]["message_id"], "photo_id": photo_id}


async def test_a_button_under_a_photo_uses_a_pack_up_like_any_other_wish(
    bot: Application, ben: Player, database: Database
) -> None:
    photo = await nothing_more_today(ben, database)
    await buy_pack(ben)
    await ben.hears(says("Extra photos: 20"))
    await ben.press_data(photo, f"photo_retake:{photo['photo_id']}")
    await ben.answers()
    assert await balance(database, ben) == 19


async def test_what_was_used_of_a_refunded_pack_is_not_taken_from_the_next_one(
    bot: Application, ben: Player, telegram: TelegramServer, database: Database
) -> None:
    await nothing_more_today(ben, database)
    first = await buy_pack(ben)
    await ben.hears(says("Extra photos: 20"))
    await ben.say("/photo")
    await ben.hears(says("late"))
    async with Player(telegram.url, 1003) as olga:
        await olga.enter("Алиса")
        await refund(olga, first["successful_payment"]["telegram_payment_charge_id"])
        await olga.notices("edited", says("Возвращено"))
    assert await balance(database, ben) == 0
    await buy_pack(ben)
    await ben.hears(says("Extra photos: 20"))


async def test_a_refund_ends_the_subscription_at_telegram(
    bot: Application, ben: Player, telegram: TelegramServer
) -> None:
    await ben.enter("Alisa")
    charge = (await subscribe(ben))["successful_payment"]["telegram_payment_charge_id"]
    await ben.hears(says("Premium lasts"))
    async with Player(telegram.url, 1003) as olga:
        await olga.enter("Алиса")
        await refund(olga, charge)
        await olga.notices("edited", says("Возвращено"))
    assert telegram.store.setting(f"charge:{charge}")["canceled"]


async def test_thanks_that_did_not_get_through_are_said_when_they_can_be(
    bot: Application, ben: Player, telegram: TelegramServer, database: Database
) -> None:
    await ben.enter("Alisa")
    await ben.say("/premium")
    await ben.press(await ben.hears(says("Premium ⭐")), "20 photos")
    invoice = await ben.hears(lambda it: "invoice" in it)
    telegram.faults.add(path="sendMessage", kind="drop")
    await ben.pay(message_id=invoice["message_id"])
    await ben.hears(says("Extra photos: 20"))
    assert await balance(database, ben) == 20
