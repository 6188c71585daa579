"""Actions for or against one person, and on what they paid."""

from contextlib import suppress
from datetime import timedelta

import structlog
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramBadRequest
from sqlalchemy import func

from bot.accounts import marks, payments
from bot.admin.actions.action import Done, Refused, Result, action
from bot.admin.tools import AdminTools, number_of
from bot.models import Person
from bot.texts import Say
from generation.orders import lifecycle

log = structlog.get_logger(__name__)

#: What a press on the two gift buttons gives.
GIFT_PREMIUM = timedelta(days=30)
GIFT_PHOTOS = 10


@action(danger=True)
async def ban(tools: AdminTools, target: str, say: Say) -> Result:
    """Shut a person out: waiting photos are dropped, a subscription ends, the person is told."""
    async with tools.database.unit() as session:
        person = await session.get(Person, number_of(target))
        if person is None or person.id in tools.settings.admin_ids:
            return Refused(say("admin-not-possible"))
        if person.banned_at is None:
            person.banned_at = func.now()
        await lifecycle.drop_waiting(session, person.id, why="the person was banned", held=True)
        _, charges = await payments.subscription(session, person.id)
    for charge_id in charges:
        # Whoever is shut out shall not go on paying.
        await payments.end_subscription(tools.bot, person.id, charge_id)
    tell = tools.texts.in_locale(person.locale)
    try:
        await tools.bot.send_message(person.id, tell("banned"))
    except (TelegramAPIError, ClientDecodeError) as error:
        log.info("admin.ban_untold", error=type(error).__name__)
    return Done(say("admin-done"))


@action()
async def unban(tools: AdminTools, target: str, say: Say) -> Result:
    """Let a person in again."""
    async with tools.database.unit() as session:
        person = await session.get(Person, number_of(target))
        if person is None:
            return Refused(say("admin-not-possible"))
        person.banned_at = None
        await marks.lift(session, marks.MarkKind.BANNED, person.id, tools.settings)
    return Done(say("admin-done"))


@action(danger=True)
async def give_premium(tools: AdminTools, target: str, say: Say) -> Result:
    """A month of premium as a gift."""
    async with tools.database.unit() as session:
        given = await payments.give_premium(session, number_of(target), GIFT_PREMIUM)
    return Done(say("admin-done")) if given else Refused(say("admin-not-possible"))


@action(danger=True)
async def give_photos(tools: AdminTools, target: str, say: Say) -> Result:
    """A pack of photos as a gift."""
    async with tools.database.unit() as session:
        given = await payments.give_photos(session, number_of(target), GIFT_PHOTOS)
    return Done(say("admin-done")) if given else Refused(say("admin-not-possible"))


@action(danger=True)
async def refund(tools: AdminTools, target: str, say: Say) -> Result:
    """Telegram gives the Stars back, and what they bought is taken back. Twice does no harm."""
    async with tools.database.unit() as session:
        payment = await payments.by_key(session, target)
    if payment is None:
        return Refused(say("refund-unknown"))
    try:
        if payment.stars:  # else it was a gift, of which Telegram knows nothing
            await payments.refund(tools.bot, payment.person_id, payment.charge_id)
    except TelegramBadRequest as error:
        return Refused(say("refund-refused", why=error.message))
    except (TelegramAPIError, ClientDecodeError) as error:
        return Refused(say("refund-refused", why=type(error).__name__))
    if payment.stars and payment.premium_until is not None:
        # A refund ends no subscription: without this Telegram would take the next month.
        await payments.end_subscription(tools.bot, payment.person_id, payment.charge_id)
    async with tools.database.unit() as session:
        taken_back = await payments.take_back(session, payment.charge_id)
        payer = await session.get(Person, payment.person_id)
    if taken_back and payer:
        # Telegram reports it as well; whoever notes it first says it.
        tell = tools.texts.in_locale(payer.locale)
        with suppress(TelegramAPIError, ClientDecodeError):
            await tools.bot.send_message(payer.id, tell("payment-refunded", stars=payment.stars))
    return Done(say("refund-done" if taken_back else "refund-known", stars=payment.stars))
