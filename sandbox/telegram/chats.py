"""The chats of a bot: who may be written to, what a message replies to, and what every message goes through."""

from typing import Any

from sandbox.telegram.checks import check_effect, check_quote, is_true, markup_of
from sandbox.telegram.errors import ApiError, bad_request
from sandbox.telegram.events import Events
from sandbox.telegram.flood import Flood
from sandbox.telegram.store import Json, Store, without_reply

#: Messages that one request may name.
MAX_NUMBERS = 100


class Chats:
    """What the methods that write in chats share."""

    def __init__(self, *, me: Json, store: Store, events: Events, flood: Flood) -> None:
        self.me = me
        self.store = store
        self.events = events
        self.flood = flood

    def post(self, parameters: Json, content: Json, *, weight: float = 1) -> Json:
        """Send one message; `weight` is what it counts against the flood limits."""
        chat = self.writable(parameters)
        check_effect(parameters)
        content |= self.topic(parameters, chat)
        if markup := markup_of(parameters, pays="invoice" in content):
            content["reply_markup"] = markup
        content |= self._reply(parameters, chat)
        if wait := self.flood.retry_after(chat["id"], weight=weight):
            raise ApiError(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
        if is_true(parameters.get("disable_notification")):
            content["silent"] = True  # for the page; Telegram's message does not tell
        message = self.store.add_message(chat, self.me, content)
        self.events.publish(chat["id"], "message", message)
        return message

    def writable(self, parameters: Json) -> Json:
        """The chat, if the bot may write there."""
        chat = self.readable(parameters.get("chat_id"))
        if chat["id"] > 0 and self.store.is_blocked(chat["id"]):
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        return chat

    def topic(self, parameters: Json, chat: Json) -> Json:
        """A topic is known once somebody has written in it."""
        thread = int(parameters.get("message_thread_id") or 0)
        if not thread:
            return {}
        if thread not in (self.store.setting(f"topics:{chat['id']}") or []):
            raise bad_request("message thread not found")
        return {"message_thread_id": thread, "is_topic_message": True}

    def _reply(self, parameters: Json, chat: Json) -> Json:
        """The message that is answered, of this chat or of another one."""
        wanted = parameters.get("reply_parameters")
        if not wanted:
            return {}
        elsewhere = int(wanted.get("chat_id") or chat["id"]) != chat["id"]
        source = self.readable(wanted["chat_id"]) if elsewhere else chat
        message = self.store.message(source["id"], int(wanted["message_id"]))
        if message is None:
            if wanted.get("allow_sending_without_reply") and not elsewhere:
                return {}
            raise bad_request("message to be replied not found")
        check_quote(wanted, message)
        quote = str(wanted.get("quote") or "")
        quoted = {"quote": {"text": quote, "position": 0, "is_manual": True}} if quote else {}
        if elsewhere:
            return {"external_reply": {"origin": origin(message), "message_id": message["message_id"]}} | quoted
        return {"reply_to_message": without_reply(message)} | quoted

    def own_message(self, parameters: Json) -> Json:
        """A message of the bot that is to be changed."""
        chat = self.writable(parameters)
        message = self.found(chat["id"], parameters.get("message_id"), "message to edit")
        if message["from"]["id"] != self.me["id"]:
            raise bad_request("message can't be edited")
        return message

    def readable(self, chat_id: Any) -> Json:
        """A chat that the bot knows, whether it may write there or not."""
        try:
            chat = self.store.chat(int(chat_id or 0))
        except ValueError:
            chat = None
        if chat is None:
            raise bad_request("chat not found")
        return chat

    def found(self, chat_id: int, message_id: Any, what: str) -> Json:
        """A message by its number; `what` it is for is told when there is none."""
        try:
            message = self.store.message(chat_id, int(message_id or 0))
        except ValueError:
            message = None
        if message is None:
            raise bad_request(f"{what} not found")
        return message

    def pins(self, chat_id: int) -> list[int]:
        """Numbers of the pinned messages that are still there, the newest last."""
        pins: list[int] = self.store.setting(f"pins:{chat_id}") or []
        return [each for each in pins if self.store.message(chat_id, each)]

    def react(self, message: Json, who: int, emojis: list[str]) -> None:
        """The bot's reactions under a message, in the place of those before."""
        react(self.store, self.events, message, who, emojis)


def react(store: Store, events: Events, message: Json, who: int, emojis: list[str]) -> None:
    """Somebody's reactions under a message, in the place of those before."""
    chat_id, message_id = message["chat"]["id"], message["message_id"]
    key = f"reactions:{chat_id}:{message_id}"
    reactions = (store.setting(key) or {}) | {str(who): emojis}
    store.set_setting(key, reactions)
    shown = [emoji for each in reactions.values() for emoji in each]
    told = {"chat_id": chat_id, "message_id": message_id, "emojis": shown}
    events.publish(chat_id, "reactions", told)


def origin(message: Json) -> Json:
    """Where a message that is forwarded, or answered from another chat, comes from."""
    return {"type": "user", "date": message["date"], "sender_user": message["from"]}


def numbers(parameters: Json) -> list[int]:
    """`message_ids` of a request, in order."""
    given = parameters.get("message_ids")
    if not isinstance(given, list):
        raise bad_request(
            "message identifiers are not specified" if not given else "expected an Array of message identifiers"
        )
    if not given:
        raise bad_request("message identifiers are not specified")
    if len(given) > MAX_NUMBERS:
        raise bad_request("too many message identifiers specified")
    if any(not str(each).lstrip("-").isdecimal() for each in given):
        raise bad_request("can't parse message identifier as a Number")
    if any(int(each) <= 0 for each in given):
        raise bad_request("invalid message identifier specified")
    return [int(each) for each in given]
