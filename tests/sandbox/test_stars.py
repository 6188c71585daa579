"""The local Telegram sells as strictly as the original, told by what aiogram raises."""

import asyncio
from typing import Any

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramRetryAfter
from aiogram.types import BufferedInputFile, InputMediaPhoto, LabeledPrice

from sandbox.telegram import TelegramServer
from tests.player import Player
from tests.sandbox.test_bot_api import api, picture

__all__ = ["api"]

MONTH = 2_592_000


def invoice(**changes: Any) -> dict[str, Any]:
    return {
        "title": "Premium",
        "description": "A month",
        "payload": "premium",
        "currency": "XTR",
        "prices": [LabeledPrice(label="Premium", amount=350)],
    } | changes


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"currency": "USD"}, "CURRENCY_INVALID"),
        ({"payload": "x" * 129}, "PAYLOAD_INVALID"),
        ({"payload": ""}, "PAYLOAD_INVALID"),
        ({"title": "x" * 33}, "wrong title length"),
        ({"provider_token": "abc"}, "PAYMENT_PROVIDER_INVALID"),
        ({"prices": []}, "exactly one price"),
        ({"prices": [LabeledPrice(label="", amount=5)]}, "label must be non-empty"),
        ({"subscription_period": 3600}, "SUBSCRIPTION_PERIOD_INVALID"),
        (
            {"subscription_period": MONTH, "prices": [LabeledPrice(label="x", amount=10_001)]},
            "STARS_INVOICE_INVALID",
        ),
    ],
)
async def test_an_invoice_that_telegram_would_refuse_is_refused(
    api: Bot, changes: dict[str, Any], why: str
) -> None:
    with pytest.raises(TelegramBadRequest, match=why):
        await api.create_invoice_link(**invoice(**changes))


async def next_checkout(api: Bot) -> Any:
    while True:
        for update in await api.get_updates(allowed_updates=["pre_checkout_query", "message"]):
            if update.pre_checkout_query:
                return update.pre_checkout_query
        await asyncio.sleep(0.01)


async def test_stars_are_taken_after_a_yes_and_refunded_once(
    api: Bot, telegram: TelegramServer, ben: Player
) -> None:
    link = await api.create_invoice_link(**invoice(subscription_period=MONTH))
    paying = asyncio.create_task(ben.pay(link=link))
    query = await next_checkout(api)
    assert (query.total_amount, query.invoice_payload, query.from_user.id) == (350, "premium", ben.id)
    await api.answer_pre_checkout_query(query.id, ok=True)
    payment = (await paying)["successful_payment"]
    assert payment["is_recurring"]
    assert payment["is_first_recurring"]
    charge = payment["telegram_payment_charge_id"]
    with pytest.raises(TelegramBadRequest, match="too old"):
        await api.answer_pre_checkout_query(query.id, ok=True)
    with pytest.raises(TelegramBadRequest, match="CHARGE_NOT_FOUND"):
        await api.refund_star_payment(1001, charge)
    assert await api.refund_star_payment(ben.id, charge)
    with pytest.raises(TelegramBadRequest, match="CHARGE_ALREADY_REFUNDED"):
        await api.refund_star_payment(ben.id, charge)
    assert (await ben.messages())[-1]["refunded_payment"]["telegram_payment_charge_id"] == charge
    book = (await api.get_star_transactions()).transactions
    assert [(each.id, each.amount, bool(each.source), bool(each.receiver)) for each in book] == [
        (charge, 350, False, True),
        (charge, 350, True, False),
    ]
    assert [each.source is None for each in (await api.get_star_transactions(offset=1, limit=5)).transactions] == [
        False
    ]


async def test_a_no_needs_a_reason_and_takes_nothing(api: Bot, ben: Player) -> None:
    message = await api.send_invoice(ben.id, **invoice())
    paying = asyncio.create_task(ben.pay(message_id=message.message_id))
    query = await next_checkout(api)
    with pytest.raises(TelegramBadRequest, match="error_message"):
        await api.answer_pre_checkout_query(query.id, ok=False)
    await api.answer_pre_checkout_query(query.id, ok=False, error_message="Sold out")
    with pytest.raises(AssertionError, match="Sold out"):
        await paying
    assert not [it for it in await ben.messages() if "successful_payment" in it]


async def test_drafts_are_for_private_chats_and_count_against_floods(api: Bot) -> None:
    with pytest.raises(TelegramBadRequest, match="private chats"):
        await api.send_message_draft(chat_id=-2001, draft_id=1, text="x")
    with pytest.raises(TelegramBadRequest, match="non-zero"):
        await api.send_message_draft(chat_id=1001, draft_id=0, text="x")

    async def many() -> None:
        for number in range(60):
            await api.send_message_draft(chat_id=1001, draft_id=1, text=f"word {number}")

    with pytest.raises(TelegramRetryAfter):
        await many()


async def test_a_page_of_a_gallery_is_edited_in_place_and_a_text_is_no_caption(api: Bot) -> None:
    sent = await api.send_photo(1001, picture(90, 90), caption="one")
    file_id = sent.photo[-1].file_id if sent.photo else ""
    media = InputMediaPhoto(media=file_id, caption="two", has_spoiler=True)
    edited = await api.edit_message_media(media, chat_id=1001, message_id=sent.message_id)
    assert not isinstance(edited, bool)
    assert (edited.caption, edited.has_media_spoiler) == ("two", True)
    with pytest.raises(TelegramBadRequest, match="not modified"):
        await api.edit_message_media(media, chat_id=1001, message_id=sent.message_id)
    with pytest.raises(TelegramBadRequest, match="no text in the message"):
        await api.edit_message_text("three", chat_id=1001, message_id=sent.message_id)
    document = await api.send_document(1001, BufferedInputFile(b"{}", "vitte.json"))
    assert document.document
    assert (document.document.file_name, document.document.file_size) == ("vitte.json", 2)


async def test_a_message_older_than_two_days_cannot_be_deleted(api: Bot, telegram: TelegramServer) -> None:
    sent = await api.send_message(1001, "old")
    stored = telegram.store.message(1001, sent.message_id)
    assert stored is not None
    telegram.store.change_message(stored | {"date": stored["date"] - 49 * 3600})
    with pytest.raises(TelegramBadRequest, match="can't be deleted"):
        await api.delete_message(1001, sent.message_id)
