"""What can be bought with Telegram Stars, and what a payment, a renewal or a refund changes.

A payment is a row under Telegram's charge id, so the same update grants once however often it comes. Premium lasts
as long as the last payment that was not refunded says; a pack is a grant of photos
(`bot.accounts.photo_quota.pack_balance`).
"""

import re
import secrets
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramBadRequest
from aiogram.types import PreCheckoutQuery, RefundedPayment, SuccessfulPayment
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts.photo_quota import pack_balance
from bot.models import (
    Payment,
    Person,
    PhotoGrant,
    Receipt,
)
from bot.settings import Settings

log = structlog.get_logger(__name__)

CURRENCY = "XTR"
PREMIUM = "premium"
#: The only period that Telegram knows, in seconds.
MONTH = 2_592_000
#: Seconds for which a payment's report may be late.
LATE = 365 * 86_400
#: A subscription may be renewed for so long after its end.
RENEWED_WITHIN = timedelta(days=3)
_PACK = re.compile(r"photos_([1-9]\d{0,4})")


@dataclass(frozen=True, slots=True)
class Product:
    """`key` is the invoice's payload; `photos` is 0 for premium."""

    key: str
    stars: int
    photos: int = 0


def pack_of(product: str) -> int:
    """How many photos a pack has; 0 for what is no pack."""
    pack = _PACK.fullmatch(product)
    return int(pack[1]) if pack else 0


def premium(settings: Settings) -> Product:
    """A month of premium, as it is sold now."""
    return Product(PREMIUM, settings.premium_stars)


def packs(settings: Settings) -> list[Product]:
    """The packs of photos, as they are sold now (PHOTO_PACKS)."""
    return [Product(f"photos_{photos}", stars, photos) for photos, stars in settings.photo_packs]


def _price(key: str, settings: Settings) -> int | None:
    """Stars that a product costs now; None for one that is not sold."""
    return next((each.stars for each in (premium(settings), *packs(settings)) if each.key == key), None)


def is_sold(query: PreCheckoutQuery, settings: Settings) -> bool:
    """Whether this invoice still says what is sold; an old one may have another price. Pure: answered at once."""
    return query.currency == CURRENCY and _price(query.invoice_payload, settings) == query.total_amount


def is_as_offered(payment: SuccessfulPayment, settings: Settings) -> bool:
    """Whether a payment is for what is sold, in Stars and not below its price; renewals keep the price of old."""
    price = _price(payment.invoice_payload, settings)
    renewed = payment.invoice_payload == PREMIUM and payment.is_recurring and not payment.is_first_recurring
    return payment.currency == CURRENCY and price is not None and (renewed or payment.total_amount >= price)


async def grant(session: AsyncSession, person_id: int, payment: SuccessfulPayment, settings: Settings) -> bool:
    """Write a payment down and give what was paid for.

    False when it was given already, or is not as offered: then the row is all, for operators to refund.
    """
    pack, until = None, None
    if not is_as_offered(payment, settings):
        log.error("payment.not_as_offered", stars=payment.total_amount, currency=payment.currency)
    elif payment.invoice_payload == PREMIUM:
        until = _paid_until(payment)
    else:
        pack = _PACK.fullmatch(payment.invoice_payload)
    written = await session.execute(
        insert(Payment)
        .values(
            charge_id=payment.telegram_payment_charge_id,
            person_id=person_id,
            product=payment.invoice_payload,
            stars=payment.total_amount,
            premium_until=until,
        )
        .on_conflict_do_nothing()
        .returning(Payment.charge_id)
    )
    if written.scalar_one_or_none() is None:
        log.info("payment.known_already")
        return False
    # Whoever has just paid is told of the next limit anew.
    await session.execute(update(Person).where(Person.id == person_id).values(limit_told_at=None))
    if pack is not None:
        cause = _cause(payment.telegram_payment_charge_id)
        await session.execute(
            insert(PhotoGrant)
            .values(cause=cause, person_id=person_id, photos=int(pack[1]))
            .on_conflict_do_nothing()
        )
    if until is not None:
        await _set_premium(session, person_id)
    log.info("payment.granted", product=payment.invoice_payload, stars=payment.total_amount)
    return pack is not None or until is not None


def _paid_until(payment: SuccessfulPayment) -> datetime:
    """The end of the month that Telegram names; one that no month has is not believed."""
    now = datetime.now(UTC)
    expires, second = payment.subscription_expiration_date, now.timestamp()
    if expires is not None and second - LATE <= expires <= second + 2 * MONTH:
        return datetime.fromtimestamp(expires, UTC)
    if expires is not None:
        log.error("payment.end_not_believed")
    return now + timedelta(seconds=MONTH)


async def take_back(session: AsyncSession, charge_id: str) -> Payment | None:
    """Note a refund and take back what the payment gave; None when that was done already."""
    payment: Payment | None = await session.scalar(
        update(Payment)
        .where(Payment.charge_id == charge_id, Payment.refunded_at.is_(None))
        .values(refunded_at=func.now())
        .returning(Payment)
    )
    if payment is None:
        return None
    if payment.premium_until is not None:
        await _set_premium(session, payment.person_id)
    else:
        # What was used of a pack stays granted, or it would be taken from the next one.
        left = await pack_balance(session, payment.person_id)
        await session.execute(
            update(PhotoGrant)
            .where(PhotoGrant.cause == _cause(charge_id))
            .values(photos=func.greatest(0, PhotoGrant.photos - left))
        )
    log.info("payment.refunded", product=payment.product, stars=payment.stars)
    return payment


async def note_refund(session: AsyncSession, person_id: int, refund: RefundedPayment) -> None:
    """A refund whose payment is not known yet wins over it; a known payment stays as it is."""
    await session.execute(
        insert(Payment)
        .values(
            charge_id=refund.telegram_payment_charge_id,
            person_id=person_id,
            product=refund.invoice_payload,
            stars=refund.total_amount,
            refunded_at=func.now(),
            thanked_at=func.now(),
        )
        .on_conflict_do_nothing()
    )


async def give_premium(session: AsyncSession, person_id: int, period: timedelta) -> bool:
    """An operator's gift, from the end of what is paid already; False for a person who is not there."""
    person = await session.get(Person, person_id, with_for_update=True)
    if person is None:
        return False
    now = datetime.now(UTC)
    until = max(now, person.premium_until or now) + period
    session.add(Payment(charge_id=f"gift:{secrets.token_hex(8)}", person_id=person_id, product=PREMIUM, stars=0,
                        premium_until=until, thanked_at=now))  # fmt: skip
    await session.flush()
    await _set_premium(session, person_id)
    return True


async def give_photos(session: AsyncSession, person_id: int, photos: int) -> bool:
    """The same with photos."""
    if await session.get(Person, person_id) is None:
        return False
    session.add(PhotoGrant(cause=f"gift:{secrets.token_hex(8)}", person_id=person_id, photos=photos))
    return True


async def subscription(session: AsyncSession, person_id: int) -> tuple[bool, list[str]]:
    """Whether a subscription is paid just now, and the charges by which Telegram may know one that it could renew.

    A refund gives Stars back and ends nothing by itself.
    """
    lately = Payment.premium_until > func.now() - RENEWED_WITHIN
    rows = await session.execute(
        select(Payment.charge_id, (Payment.premium_until > func.now()) & Payment.refunded_at.is_(None))
        .where(Payment.person_id == person_id, Payment.stars > 0, lately)
        .order_by(Payment.paid_at)
    )
    charges = rows.all()
    return any(paid for _, paid in charges), [charge_id for charge_id, _ in charges]


async def is_second(session: AsyncSession, person_id: int, payment: SuccessfulPayment) -> bool:
    """Whether a subscription that begins runs beside another one: two links can be paid at once."""
    if payment.invoice_payload != PREMIUM or not payment.is_first_recurring:
        return False
    other = select(Payment.charge_id).where(
        Payment.person_id == person_id,
        Payment.charge_id != payment.telegram_payment_charge_id,
        Payment.stars > 0,
        Payment.premium_until > func.now(),
        Payment.refunded_at.is_(None),
    )
    return bool(await session.scalar(select(other.exists())))


async def refund(bot: Bot, person_id: int, charge_id: str) -> None:
    """Have Telegram give the Stars back; twice does no harm. Raises TelegramAPIError, ClientDecodeError."""
    try:
        await bot.refund_star_payment(person_id, charge_id)
    except TelegramBadRequest as error:
        if "ALREADY_REFUNDED" not in str(error):
            raise


def key_of(payment: Payment) -> str:
    """Short enough for callback data, which a charge id is not."""
    return f"{payment.person_id}-{zlib.crc32(payment.charge_id.encode()):08x}"


async def by_key(session: AsyncSession, key: str) -> Payment | None:
    """The payment of a key; None for one that is none."""
    person = key.partition("-")[0]
    if not (person.isascii() and person.isdigit() and len(person) < len(str(2**63))):
        return None
    found = await session.scalars(select(Payment).where(Payment.person_id == int(person)))
    return next((payment for payment in found if key_of(payment) == key), None)


async def thanked(session: AsyncSession, charge_id: str) -> None:
    """Note that the payer was thanked, so that a second handling says nothing."""
    await session.execute(update(Payment).where(Payment.charge_id == charge_id).values(thanked_at=func.now()))


async def latest(session: AsyncSession, person_id: int, *, count: int) -> list[Payment]:
    """A person's newest payments, newest first."""
    found = await session.scalars(
        select(Payment).where(Payment.person_id == person_id).order_by(Payment.paid_at.desc()).limit(count)
    )
    return list(found)


async def keep_receipts(session: AsyncSession, person_id: int) -> None:
    """Before a person's payments are deleted: what was paid, without who paid."""
    kept = ("charge_id", "product", "stars", "paid_at", "refunded_at")
    paid = select(*(getattr(Payment, name) for name in kept)).where(
        Payment.person_id == person_id, Payment.stars > 0
    )
    await session.execute(insert(Receipt).from_select(kept, paid).on_conflict_do_nothing())


async def _set_premium(session: AsyncSession, person_id: int) -> None:
    # A payment and a refund at the same moment count one after the other.
    await session.execute(select(Person.id).where(Person.id == person_id).with_for_update())
    until = (
        select(func.max(Payment.premium_until))
        .where(Payment.person_id == person_id, Payment.refunded_at.is_(None))
        .scalar_subquery()
    )
    await session.execute(
        update(Person).where(Person.id == person_id).values(premium_until=until, premium_end_told_at=None)
    )


def _cause(charge_id: str) -> str:
    return f"payment:{charge_id}"


async def end_subscription(bot: Bot, person_id: int, charge_id: str) -> bool:
    """Have Telegram take no further month; False when it could not be told. Never raises for Telegram."""
    try:
        return await bot.edit_user_star_subscription(person_id, charge_id, is_canceled=True)
    except (TelegramAPIError, ClientDecodeError) as error:
        log.warning("subscription.not_ended", error=type(error).__name__)
        return False
