"""What operators (ADMIN_IDS) may ask in the chat."""

import re
from contextlib import suppress

import structlog
from aiogram import Bot, F, Router
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramBadRequest, TelegramForbiddenError
from aiogram.filters import Command, CommandObject
from aiogram.types import Message
from magic_filter import RegexpMode
from sqlalchemy import ColumnElement, select

from bot import payments, privacy
from bot.handlers.filters import Admin
from bot.models import Payment, Person
from bot.sending import send_text
from bot.texts import Say, Texts
from generation.database import Database
from generation.models import Photo

log = structlog.get_logger(__name__)

#: The person's number in a question that was passed on.
_ASKER = re.compile(r"#(\d{1,18})\b")
#: Largest number of PostgreSQL's bigint.
LARGEST_ID = 2**63 - 1


def build_router() -> Router:
    router = Router(name="admin")
    router.message.register(why, Command("why", ignore_case=True), Admin())
    router.message.register(
        answer_support, F.reply_to_message.text.regexp(_ASKER, mode=RegexpMode.SEARCH).as_("asker"), F.text, Admin()
    )
    router.message.register(refund, Command("refund", ignore_case=True), Admin())
    return router


async def why(message: Message, command: CommandObject, say: Say, database: Database) -> None:
    """Why this photo: by its number, or as a reply to the photo."""
    which = _which(message, (command.args or "").strip())
    if which is None:
        await message.answer(say("why-how"))
        return
    async with database.unit() as session:
        photo = await session.scalar(select(Photo).where(which))
    if photo is None:
        await message.answer(say("why-unknown"))
        return
    words = say(
        "why",
        id=str(photo.id),
        status=photo.status,
        rule=photo.rule,
        reason=photo.reason,
        workflow=photo.workflow,
        orientation=photo.orientation,
        prompt=photo.prompt,
    )
    await send_text(message.bot, message.chat.id, words)  # type: ignore[arg-type]


async def answer_support(
    message: Message, asker: re.Match[str], say: Say, database: Database, bot: Bot, texts: Texts
) -> None:
    """A reply to a question about a payment goes to whoever asked."""
    async with database.unit() as session:
        person = await session.get(Person, int(asker[1]))
    reached = person is not None and person.blocked_at is None
    if person is not None and reached:
        tell = texts.in_locale(person.locale)
        try:
            await send_text(bot, person.id, tell("paysupport-answer", text=message.text or ""))
        except TelegramForbiddenError:
            reached = False
    await message.answer(say("paysupport-answered" if reached else "paysupport-gone"))


async def refund(
    message: Message, command: CommandObject, person: Person, say: Say, database: Database, bot: Bot, texts: Texts
) -> None:
    """`/refund CHARGE`: Telegram gives the stars back, and what they bought is taken back. Twice does no harm."""
    charge_id = (command.args or "").strip()
    async with database.unit() as session:
        payment = await session.get(Payment, charge_id) if charge_id else None
    if payment is None:
        await message.answer(say("refund-unknown" if charge_id else "refund-how"))
        return
    try:
        await bot.refund_star_payment(payment.person_id, charge_id)
    except TelegramBadRequest as error:
        if "ALREADY_REFUNDED" not in str(error):
            await message.answer(say("refund-refused", why=error.message))
            return
    if payment.premium_until is not None:
        # A refund ends no subscription: without this Telegram would take the next month.
        await privacy.end_subscription(bot, payment.person_id, charge_id)
    async with database.unit() as session:
        taken_back = await payments.take_back(session, charge_id)
        payer = await session.get(Person, payment.person_id)
    if taken_back and payer:
        # Telegram reports it as well; whoever notes it first says it.
        tell = texts.in_locale(payer.locale)
        with suppress(TelegramAPIError, ClientDecodeError):
            await bot.send_message(payer.id, tell("payment-refunded", stars=payment.stars))
    log.info("admin.refunded", admin=person.id, stars=payment.stars)
    await message.answer(say("refund-done" if taken_back else "refund-known", stars=payment.stars))


def _which(message: Message, number: str) -> ColumnElement[bool] | None:
    if number.isdecimal() and int(number) <= LARGEST_ID:
        return Photo.id == int(number)
    if replied := message.reply_to_message:
        # In a private chat the chat is its person, whose photos an index finds.
        return (Photo.owner_id == message.chat.id) & (Photo.telegram_message_id == replied.message_id)
    return None
