"""Premium and packs for Telegram Stars: what they give, paying, /paysupport and /terms, invitations."""

import asyncio

import structlog
from aiogram import Bot, F, Router
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramBadRequest
from aiogram.filters import Command, CommandObject
from aiogram.types import BotSubscriptionUpdated, CallbackQuery, LabeledPrice, Message, PreCheckoutQuery
from sqlalchemy import func, select

from bot.accounts import invitations, payments, support
from bot.accounts.photo_quota import pack_balance
from bot.accounts.plans import plan
from bot.models import Payment, Person, PhotoGrant
from bot.settings import Settings
from bot.telegram.callbacks import Pack, ShowPremium
from bot.telegram.messages import acknowledge, keyboard, send_text
from bot.texts import Say, Texts
from bot.updates.middlewares import FOR_BANNED, REPORT
from generation.runtime.database import CONNECTION_ERRORS, Database, database_now
from generation.runtime.monitoring import incidents

log = structlog.get_logger(__name__)

#: Seconds of the second in which a checkout is to be answered.
LOOK_FOR_SUBSCRIPTION = 0.7
#: Telegram waits 10 s for the answer.
CHECKOUT_TRIES, CHECKOUT_SECONDS = 4, 2
#: Payments that /paysupport lists.
LISTED = 5
#: Characters of a question to the operators.
MAX_QUESTION = 2000


def build_router() -> Router:
    """/premium, /invite and the buttons that sell."""
    router = Router(name="payment")
    router.message.register(show_premium, Command("premium", "buy", ignore_case=True))
    router.message.register(show_invitation, Command("invite", ignore_case=True))
    router.callback_query.register(show_premium_by_button, ShowPremium.filter())
    router.callback_query.register(sell_pack, Pack.filter())
    return router


def service_router() -> Router:
    """What Telegram itself reports, and rights: money counts whatever else is known of the person."""
    router = Router(name="payment_service")
    router.message.register(paid, F.successful_payment, flags=dict(REPORT))
    router.message.register(refunded, F.refunded_payment, flags=dict(REPORT))
    router.message.register(ask_for_support, Command("paysupport", ignore_case=True), flags=dict(FOR_BANNED))
    router.message.register(show_terms, Command("terms", ignore_case=True), flags=dict(FOR_BANNED))
    router.subscription.register(subscription_changed)
    return router


async def answer_checkout(
    bot: Bot, query: PreCheckoutQuery, settings: Settings, texts: Texts, database: Database
) -> None:
    """Say yes or no before Telegram gives up; waits for nothing else of this person, and hardly for PostgreSQL."""
    say = texts.in_locale(texts.locale_of(query.from_user.language_code))
    refused = None
    if not payments.is_sold(query, settings):
        refused = say("payment-old-invoice")
    else:
        refused = await _objection(database, query, say)
    for left in reversed(range(CHECKOUT_TRIES)):
        try:
            await bot.answer_pre_checkout_query(
                query.id, ok=refused is None, error_message=refused, request_timeout=CHECKOUT_SECONDS
            )
        except TelegramBadRequest:
            return  # answered already, or too late
        except (TelegramAPIError, ClientDecodeError) as error:
            log.warning("checkout.not_answered", error=type(error).__name__, tries_left=left)
            if not left:
                await incidents.note(database, incidents.PAYMENT, type(error).__name__)
        else:
            return


async def _objection(database: Database, query: PreCheckoutQuery, say: Say) -> str | None:
    """Why a checkout is refused, in words: the month is paid already, or the pack cannot be used.

    None when it may go on, also when PostgreSQL does not answer in time.
    """
    try:
        async with asyncio.timeout(LOOK_FOR_SUBSCRIPTION), database.unit() as session:
            person = await session.get(Person, query.from_user.id)
            if person is not None and person.banned_at is not None:
                return say("banned")
            if query.invoice_payload == payments.PREMIUM:
                runs, _ = await payments.subscription(session, query.from_user.id)
                return say("payment-subscribed-already") if runs else None
    except CONNECTION_ERRORS:
        pass
    return None


async def show_premium(
    message: Message, person: Person, say: Say, database: Database, settings: Settings, bot: Bot
) -> None:
    """What both plans give, until when premium is paid, and what can be bought."""
    async with database.unit() as session:
        now = await database_now(session)
        left = await pack_balance(session, person.id)
    free, paid_plan = plan(settings, premium=False), plan(settings, premium=True)
    has = person.is_premium(now, settings.premium_ids)
    text = say(
        "premium",
        free=free.daily_limit,
        paid=paid_plan.daily_limit,
        free_facts=free.facts,
        paid_facts=paid_plan.facts,
        free_own=free.own_personas,
        paid_own=paid_plan.own_personas,
    )
    if has:
        until = f"{person.premium_until:%d.%m.%Y}" if person.premium_until and person.premium_until > now else ""
        # What one has comes first.
        given = say("premium-until", day=until) if until else say("premium-given")
        text = f"{given}\n\n{text}"
    if left:
        text += "\n\n" + say("pack-left", count=left)
    rows = [] if has else [[(say("premium-buy", stars=settings.premium_stars), await _link(bot, say, settings))]]
    rows += [[(say("pack-buy", count=pack.photos, stars=pack.stars), Pack(photos=pack.photos).pack())]
             for pack in payments.packs(settings)]  # fmt: skip
    await message.answer(text, reply_markup=keyboard(*rows))


async def show_premium_by_button(
    query: CallbackQuery, person: Person, say: Say, database: Database, settings: Settings, bot: Bot
) -> None:
    """The same behind a button, wherever it stands."""
    await acknowledge(query)
    if isinstance(query.message, Message):
        await show_premium(query.message, person, say, database, settings, bot)


async def sell_pack(
    query: CallbackQuery, callback_data: Pack, person: Person, say: Say, settings: Settings, bot: Bot
) -> None:
    """An invoice for a pack; one that is not sold any more is a stale button."""
    pack = next((each for each in payments.packs(settings) if each.photos == callback_data.photos), None)
    await acknowledge(query, None if pack else say("stale-button"))
    if pack is None:
        return
    await bot.send_invoice(
        chat_id=person.id,
        title=say("pack-title", count=pack.photos),
        description=say("pack-description", count=pack.photos),
        payload=pack.key,
        currency=payments.CURRENCY,
        prices=[LabeledPrice(label=say("pack-title", count=pack.photos), amount=pack.stars)],
    )


async def paid(
    message: Message, person: Person, say: Say, database: Database, settings: Settings, bot: Bot
) -> None:
    """The grant and the thanks; Telegram may bring the same payment ten times."""
    payment = message.successful_payment
    if payment is None:
        return
    async with database.unit() as session:
        await payments.grant(session, person.id, payment, settings)
        due = (await session.get_one(Payment, payment.telegram_payment_charge_id)).thanked_at is None
        until = (await session.get_one(Person, person.id)).premium_until
        left = await pack_balance(session, person.id)
        second = await payments.is_second(session, person.id, payment)
    if not due:
        return
    if not payments.is_as_offered(payment, settings):
        await incidents.note(database, incidents.PAYMENT, "not as offered")
        await message.answer(say("payment-not-as-offered"))
    elif second:
        await _give_back(bot, database, person, payment.telegram_payment_charge_id)
        await message.answer(say("premium-second", stars=payment.total_amount))
    elif payment.invoice_payload == payments.PREMIUM:
        renewed = payment.is_recurring and not payment.is_first_recurring
        key = "premium-renewed" if renewed else "premium-paid"
        await message.answer(say(key, day=f"{until:%d.%m.%Y}" if until else ""))
    else:
        await message.answer(say("pack-paid", count=left))
    async with database.unit() as session:
        await payments.thanked(session, payment.telegram_payment_charge_id)


async def _give_back(bot: Bot, database: Database, person: Person, charge_id: str) -> None:
    """A second subscription of the same month. What Telegram refuses is left to the operators."""
    await payments.end_subscription(bot, person.id, charge_id)
    try:
        await payments.refund(bot, person.id, charge_id)
    except TelegramBadRequest as error:
        log.error("payment.not_given_back", error=type(error).__name__)
        await incidents.note(database, incidents.PAYMENT, "second subscription")
        return
    async with database.unit() as session:
        await payments.take_back(session, charge_id)


async def refunded(message: Message, person: Person, say: Say, database: Database) -> None:
    """Telegram reports a refund, whoever made it."""
    refund = message.refunded_payment
    if refund is None:
        return
    async with database.unit() as session:
        taken_back = await payments.take_back(session, refund.telegram_payment_charge_id)
        if taken_back is None:
            # It came before its payment, which will find it and give nothing.
            await payments.note_refund(session, person.id, refund)
    if taken_back is not None:
        await message.answer(say("payment-refunded", stars=refund.total_amount))


async def subscription_changed(event: BotSubscriptionUpdated, person: Person, say: Say, bot: Bot) -> None:
    """Cancelled or taken up again in the client's settings, or Telegram could not take the stars."""
    day = f"{person.premium_until:%d.%m.%Y}" if person.premium_until else ""
    words = {
        "canceled": say("subscription-canceled", day=day),
        "active": say("subscription-active"),
        "failed": say("subscription-failed", day=day),
    }
    if event.state in words:
        await bot.send_message(person.id, words[event.state])


async def ask_for_support(
    message: Message,
    command: CommandObject,
    person: Person,
    say: Say,
    database: Database,
    settings: Settings,
    bot: Bot,
    texts: Texts,
) -> None:
    """/paysupport: without words it says how to ask; words go to the operators with the last payments."""
    question = (command.args or "").strip()[:MAX_QUESTION]
    async with database.unit() as session:
        allowed = not question or await support.may_ask(session, person.id)
        last = await payments.latest(session, person.id, count=LISTED)
        operators = list(await session.scalars(select(Person).where(Person.id.in_(settings.admin_ids))))
    if not allowed:
        await message.answer(say("paysupport-enough"))
        return
    if question:
        reached = [
            await _told(bot, operator, _report(texts.in_locale(operator.locale), person, question, last))
            for operator in operators
        ]
        await message.answer(say("paysupport-sent" if any(reached) else "paysupport-nobody"))
        return
    contact = say("paysupport-contact", contact=settings.support_contact) if settings.support_contact else ""
    await send_text(
        bot, message.chat.id, "\n\n".join(filter(None, (say("paysupport"), contact, *_listed(last, say))))
    )


async def show_terms(message: Message, say: Say, settings: Settings) -> None:
    """/terms, as Telegram demands of whoever takes Stars."""
    await message.answer(say("terms", stars=settings.premium_stars))


async def show_invitation(
    message: Message, person: Person, say: Say, database: Database, settings: Settings, bot: Bot
) -> None:
    """/invite: the person's own link, and what it has brought."""
    async with database.unit() as session:
        code = await invitations.code(session, person.id)
        came = await session.scalar(
            select(func.count())
            .select_from(PhotoGrant)
            .where(PhotoGrant.person_id == person.id, PhotoGrant.cause.startswith("invited:"))
        )
        left = await pack_balance(session, person.id)
    link = f"https://t.me/{(await bot.me()).username}?start={invitations.PREFIX}{code}"
    await message.answer(say("invite", count=settings.invitation_photos, link=link, came=came or 0, left=left))


async def _link(bot: Bot, say: Say, settings: Settings) -> str:
    return await bot.create_invoice_link(
        title=say("premium-title"),
        description=say("premium-description"),
        payload=payments.PREMIUM,
        currency=payments.CURRENCY,
        prices=[LabeledPrice(label=say("premium-title"), amount=settings.premium_stars)],
        subscription_period=payments.MONTH,
    )


def _name(product: str, say: Say) -> str:
    pack = payments.pack_of(product)
    return say("pack-title", count=pack) if pack else say("premium-title")


def _listed(found: list[Payment], say: Say) -> list[str]:
    return [
        say(
            "paysupport-payment",
            day=f"{payment.paid_at:%d.%m.%Y}",
            product=_name(payment.product, say),
            stars=payment.stars,
            charge=payment.charge_id,
            refunded="yes" if payment.refunded_at else "no",
        )
        for payment in found
    ]


def _report(say: Say, person: Person, question: str, last: list[Payment]) -> str:
    """What the operators get: they answer by a reply to it (`bot.admin.details`)."""
    return "\n\n".join((say("paysupport-question", person=f"#{person.id}", question=question), *_listed(last, say)))


async def _told(bot: Bot, operator: Person, report: str) -> bool:
    try:
        await send_text(bot, operator.id, report)
    except (TelegramAPIError, ClientDecodeError):
        return False
    return True
