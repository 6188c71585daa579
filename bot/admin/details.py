"""A photo and a person as operators see them, and what concerns their money."""

import re
from typing import Any

import structlog
from aiogram import Bot, F, Router
from aiogram.exceptions import TelegramForbiddenError
from aiogram.filters import Command, CommandObject
from aiogram.types import Message
from magic_filter import RegexpMode
from sqlalchemy import ColumnElement, select

from bot.accounts import payments, usage
from bot.accounts.photo_quota import pack_balance, photo_quota
from bot.accounts.plans import plan_of
from bot.admin.formatting import act_button, photo_words, sure_question, usage_words
from bot.admin.tools import LARGEST_ID, AdminTools, number_of
from bot.models import Payment, Person, Receipt
from bot.monitoring.texts import clock
from bot.settings import Settings
from bot.telegram.callbacks import AdminAct
from bot.telegram.messages import keyboard, send_text
from bot.texts import Say, Texts
from generation.models import Photo, PhotoStatus
from generation.runtime.database import Database

log = structlog.get_logger(__name__)

#: The person's number in a question that was passed on: in its first line (`paysupport-question`).
_ASKER = re.compile(r"\A[^\n]*[^\n\s] #(\d{1,18})\.")
_NUMBER = re.compile(r"^\s*#?[-+]?\d+\s*$")
#: Payments and photos on a person's card.
LISTED = 8


def build_router() -> Router:
    """/why, /photo NUMBER, /user, /refund, and replies to what people asked about payments."""
    router = Router(name="details")
    router.message.register(show_photo, Command("why", ignore_case=True))
    # Of everybody else it is a wish.
    router.message.register(show_photo, Command("photo", ignore_case=True, magic=F.args.regexp(_NUMBER)))
    router.message.register(show_person, Command("user", ignore_case=True))
    router.message.register(answer_support, _is_report(), F.text, ~F.text.startswith("/"))
    router.message.register(refund, Command("refund", ignore_case=True))
    return router


def _is_report() -> Any:
    return F.reply_to_message.from_user.is_bot & F.reply_to_message.text.regexp(_ASKER, mode=RegexpMode.SEARCH).as_(
        "asker"
    )


async def show_photo(message: Message, command: CommandObject, say: Say, database: Database) -> None:
    """A photo's whole life: by its number, or as a reply to the photo."""
    which = _which(message, (command.args or "").strip().removeprefix("#"))
    if which is None:
        await message.answer(say("why-how"))
        return
    async with database.unit() as session:
        photo = await session.scalar(select(Photo).where(which))
    if photo is None:
        await message.answer(say("why-unknown"))
        return
    buttons = [act_button(say, "refund_photo", str(photo.id))]
    if photo.status is PhotoStatus.FAILED:
        buttons.insert(0, act_button(say, "retry_photo", str(photo.id)))
    await send_text(message.bot, message.chat.id, photo_words(say, photo), keyboard(buttons))  # type: ignore[arg-type]


async def show_person(
    message: Message, command: CommandObject, say: Say, database: Database, settings: Settings
) -> None:
    """What is known of a person, and what an operator can do for or against them."""
    async with database.unit() as session:
        person = await session.get(Person, number_of((command.args or "").strip().removeprefix("#")))
        if person is None:
            await message.answer(say("admin-no-person"))
            return
        quota = await photo_quota(session, person.id)
        grants = await pack_balance(session, person.id)
        used = await usage.of_person(session, person.id)
        paid = await payments.latest(session, person.id, count=LISTED)
        latest = select(Photo.id, Photo.status).where(Photo.owner_id == person.id).order_by(Photo.id.desc())
        photos = (await session.execute(latest.limit(LISTED))).all()
    allowed = plan_of(person, quota.now, settings)
    text = say(
        "admin-person",
        id=str(person.id),
        locale=person.locale,
        premium=clock(person.premium_until) if person.is_premium(quota.now, settings.premium_ids) else "–",
        today=str(quota.today),
        limit=str(allowed.daily_limit),
        grants=str(grants),
        usage=usage_words(say, used, settings, allowed),
        created=clock(person.created_at),
        seen=clock(person.seen_at),
        blocked=clock(person.blocked_at),
        banned=clock(person.banned_at),
        payments="\n".join(_payment(each) for each in paid) or "–",
        photos=" · ".join(f"{photo_id} {status}" for photo_id, status in photos) or "–",
    )
    buttons = keyboard(
        [act_button(say, "give_premium", str(person.id)), act_button(say, "give_photos", str(person.id))],
        [act_button(say, "unban" if person.banned_at else "ban", str(person.id))],
    )
    await send_text(message.bot, message.chat.id, text, buttons)  # type: ignore[arg-type]


def _payment(payment: Payment) -> str:
    back = " ↩" if payment.refunded_at else ""
    return f"{clock(payment.paid_at)} {payment.product} {payment.stars} ⭐{back} {payment.charge_id}"


async def answer_support(
    message: Message,
    asker: re.Match[str],
    person: Person,
    say: Say,
    database: Database,
    bot: Bot,
    texts: Texts,
    tools: AdminTools,
) -> None:
    """A reply to a question about a payment goes to whoever asked."""
    async with database.unit() as session:
        asking = await session.get(Person, int(asker[1]))
    reached = asking is not None and asking.blocked_at is None
    if asking is not None and reached:
        tell = texts.in_locale(asking.locale)
        try:
            await send_text(bot, asking.id, tell("paysupport-answer", text=message.text or ""))
        except TelegramForbiddenError:
            reached = False
    await tools.note(person.id, "answer_support", asker[1])
    await message.answer(say("paysupport-answered" if reached else "paysupport-gone"))


async def refund(message: Message, command: CommandObject, say: Say, database: Database) -> None:
    """`/refund CHARGE` asks once more: Stars that were given back are not ours any more."""
    charge_id = (command.args or "").strip()
    async with database.unit() as session:
        payment = await session.get(Payment, charge_id) if charge_id else None
        receipt = await session.get(Receipt, charge_id) if charge_id else None
    if payment is None and receipt is not None:
        await message.answer(say("refund-erased", stars=receipt.stars))
        return
    if payment is None:
        await message.answer(say("refund-unknown" if charge_id else "refund-how"))
        return
    asked = AdminAct(action="refund", target=payments.key_of(payment))
    text, buttons = sure_question(say, asked, _payment(payment))
    await message.answer(text, reply_markup=buttons)


def _which(message: Message, number: str) -> ColumnElement[bool] | None:
    if number.isdecimal() and int(number) <= LARGEST_ID:
        return Photo.id == int(number)
    if replied := message.reply_to_message:
        # In a private chat the chat is its person, whose photos an index finds.
        return (Photo.owner_id == message.chat.id) & (Photo.telegram_message_id == replied.message_id)
    return None
