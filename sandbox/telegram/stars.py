"""Payments in Telegram Stars: invoices of the bot, what people pay, renewals and refunds.

Nobody has a balance here: everybody can pay everything.
"""

import asyncio
import secrets
import time
from typing import Any

from sandbox.telegram.errors import bad_request
from sandbox.telegram.events import Events
from sandbox.telegram.store import Json, Store
from sandbox.telegram.updates import Updates

#: The only subscription period that Telegram knows, in seconds.
MONTH = 2_592_000
MAX_PRICE = 100_000
MAX_SUBSCRIPTION_PRICE = 10_000
#: Seconds in which a bot must answer a pre-checkout query.
CHECKOUT_TIMEOUT = 10


class PaymentRefused(Exception):
    """The bot said no, or nothing."""


class Stars:
    """The payments of one bot. Charges are kept in the store."""

    def __init__(self, *, me: Json, store: Store, updates: Updates, events: Events) -> None:
        self._me = me
        self._store = store
        self._updates = updates
        self._events = events
        self._checkouts: dict[str, asyncio.Future[Json]] = {}

    # -- the bot's side --------------------------------------------------------------------------------

    def invoice(self, parameters: Json) -> Json:
        """A checked invoice: title, description, payload, amount and, for a link, the subscription period."""
        for name, most in (("title", 32), ("description", 255)):
            if not 1 <= len(str(parameters.get(name) or "")) <= most:
                raise bad_request(f"wrong {name} length")
        payload = str(parameters.get("payload") or "")
        if not 1 <= len(payload.encode()) <= 128:
            raise bad_request("PAYLOAD_INVALID")
        amount, period = _price(parameters), int(parameters.get("subscription_period") or 0)
        if not 1 <= amount <= (MAX_SUBSCRIPTION_PRICE if period else MAX_PRICE):
            raise bad_request("STARS_INVOICE_INVALID")
        if period not in {0, MONTH}:
            raise bad_request("SUBSCRIPTION_PERIOD_INVALID")
        return {
            "title": parameters["title"],
            "description": parameters["description"],
            "payload": payload,
            "amount": amount,
            "period": period,
        }

    async def create_link(self, parameters: Json) -> str:
        slug = secrets.token_urlsafe(12)
        self._store.set_setting(f"invoice:{slug}", self.invoice(parameters))
        return f"https://t.me/${slug}"

    async def answer_checkout(self, parameters: Json) -> bool:
        checkout = self._checkouts.get(str(parameters.get("pre_checkout_query_id")))
        if checkout is None or checkout.done():
            raise bad_request("query is too old and response timeout expired or query ID is invalid")
        yes = str(parameters.get("ok")).lower() == "true"
        if not yes and not parameters.get("error_message"):
            raise bad_request("error_message is empty")
        checkout.set_result({"ok": yes, "error": parameters.get("error_message")})
        return True

    async def refund(self, parameters: Json) -> bool:
        charge = self._charge(parameters)
        if charge["refunded"]:
            raise bad_request("CHARGE_ALREADY_REFUNDED")
        self._store.set_setting(f"charge:{charge['id']}", charge | {"refunded": True})
        self._enter("receiver", charge)
        self._say_refunded(charge)
        return True

    async def transactions(self, parameters: Json) -> Json:
        """What came in and went out, the newest first; a refund has the number of its payment."""
        offset, limit = int(parameters.get("offset") or 0), int(parameters.get("limit") or 100)
        book = self._book()[::-1]
        return {"transactions": book[max(0, offset) :][: max(1, min(100, limit))]}

    def _book(self) -> list[Json]:
        return self._store.setting("star_transactions") or []

    def _enter(self, side: str, charge: Json) -> None:
        partner: Json = {"type": "user", "transaction_type": "invoice_payment"}
        partner |= {"user": self._store.person(charge["person"]), "invoice_payload": charge["payload"]}
        if charge["period"]:
            partner["subscription_period"] = charge["period"]
        entry = {"id": charge["id"], "amount": charge["amount"], "date": int(time.time()), side: partner}
        self._store.set_setting("star_transactions", [*self._book(), entry])

    async def edit_subscription(self, parameters: Json) -> bool:
        charge = self._charge(parameters)
        if not charge["period"]:
            raise bad_request("SUBSCRIPTION_ID_INVALID")
        canceled = str(parameters.get("is_canceled")).lower() == "true"
        self._store.set_setting(f"charge:{charge['id']}", charge | {"canceled": canceled})
        return True

    # -- people's side ---------------------------------------------------------------------------------

    async def pay(self, person: Json, chat: Json, invoice: Json) -> Json:
        """Ask the bot, then take the stars; the service message of the payment. Raises PaymentRefused."""
        query_id = f"{person['id']}{secrets.randbelow(10**9):09}"
        checkout: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._checkouts[query_id] = checkout
        query = {"id": query_id, "from": person, "currency": "XTR"}
        query |= {"total_amount": invoice["amount"], "invoice_payload": invoice["payload"]}
        self._updates.add({"pre_checkout_query": query})
        try:
            async with asyncio.timeout(CHECKOUT_TIMEOUT):
                answer = await checkout
        except TimeoutError:
            raise PaymentRefused("the bot did not answer in 10 seconds") from None
        finally:
            del self._checkouts[query_id]
        if not answer["ok"]:
            raise PaymentRefused(answer["error"])
        return self._charged(person, chat, invoice, first=True)

    def renew(self, person: Json, chat: Json, charge_id: str) -> Json:
        """The next month of a subscription, as Telegram takes it by itself."""
        charge = self._store.setting(f"charge:{charge_id}")
        if not charge or not charge["period"] or charge["canceled"] or charge["refunded"]:
            raise PaymentRefused("there is no such subscription, or it was cancelled")
        return self._charged(person, chat, charge, first=False)

    def change_subscription(self, person: Json, charge_id: str, state: str) -> None:
        """The person cancels a subscription or takes it up again, in the client's settings."""
        charge = self._store.setting(f"charge:{charge_id}")
        self._store.set_setting(f"charge:{charge_id}", charge | {"canceled": state == "canceled"})
        change = {"user": person, "invoice_payload": charge["payload"], "state": state}
        self._updates.add({"subscription": change})

    def charge(self, charge_id: str) -> Json | None:
        charge: Json | None = self._store.setting(f"charge:{charge_id}")
        return charge

    def _charge(self, parameters: Json) -> Json:
        charge = self.charge(str(parameters.get("telegram_payment_charge_id")))
        if charge is None or charge["person"] != int(parameters.get("user_id") or 0):
            raise bad_request("CHARGE_NOT_FOUND")
        return charge

    def _charged(self, person: Json, chat: Json, invoice: Json, *, first: bool) -> Json:
        charge_id = f"stx{secrets.token_urlsafe(24)}"
        period = invoice["period"]
        charge = {key: invoice[key] for key in ("title", "description", "payload", "amount", "period")}
        charge |= {"id": charge_id, "person": person["id"], "refunded": False, "canceled": False}
        self._store.set_setting(f"charge:{charge_id}", charge)
        self._enter("source", charge)
        payment: Json = {
            "currency": "XTR",
            "total_amount": invoice["amount"],
            "invoice_payload": invoice["payload"],
            "telegram_payment_charge_id": charge_id,
            "provider_payment_charge_id": "",
        }
        if period:
            payment |= {"subscription_expiration_date": int(time.time()) + period, "is_recurring": True}
            payment |= {"is_first_recurring": True} if first else {}
        return self._service_message(person, chat, {"successful_payment": payment})

    def _say_refunded(self, charge: Json) -> None:
        person, chat = self._store.person(charge["person"]), self._store.chat(charge["person"])
        if person is None or chat is None:
            return
        refunded = {
            "currency": "XTR",
            "total_amount": charge["amount"],
            "invoice_payload": charge["payload"],
            "telegram_payment_charge_id": charge["id"],
        }
        self._service_message(person, chat, {"refunded_payment": refunded})

    def _service_message(self, person: Json, chat: Json, content: Json) -> Json:
        message: Json = self._store.add_message(chat, person, content)
        self._events.publish(chat["id"], "message", message)
        self._updates.add({"message": message})
        return message


def _price(parameters: Json) -> int:
    if parameters.get("currency") != "XTR":
        raise bad_request("CURRENCY_INVALID")
    if parameters.get("provider_token"):
        raise bad_request("PAYMENT_PROVIDER_INVALID")
    prices = parameters.get("prices")
    if not isinstance(prices, list) or len(prices) != 1:
        raise bad_request("exactly one price is needed for payments in Telegram Stars")
    if not isinstance(prices[0], dict) or not prices[0].get("label"):
        raise bad_request("can't parse labeled price: LabeledPrice label must be non-empty")
    return int(prices[0]["amount"])


def shown(invoice: Json) -> dict[str, Any]:
    """An invoice as a message shows it."""
    return {
        "title": invoice["title"],
        "description": invoice["description"],
        "start_parameter": "",
        "currency": "XTR",
        "total_amount": invoice["amount"],
    }
