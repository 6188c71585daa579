"""The chats of a bot: who may be written to, what a message replies to, and what every message goes through."""

from sandbox.telegram.checks import check_effect, check_quote, is_true, markup_of
from sandbox.telegram.errors import ApiError, bad_request
from sandbox.telegram.events import Events
from sandbox.telegram.flood import Flood
from sandbox.telegram.store import Json, Store, without_reply


class Chats:
    """What the methods that write in chats share."""

    def __init__(self, *, me: Json, store: Store, events: Events, flood: Flood) -> None:
        self.me = me
        self.store = store
        self.events = events
        self.flood = flood

    def post(self, parameters: Json, content: Json) -> Json:
        chat = self.writable(parameters)
        check_effect(parameters)
        content |= self.topic(parameters, chat)
        if markup := markup_of(parameters, pays="invoice" in content):
            content["reply_markup"] = markup
        if reply := self._reply(parameters, chat):
            content["reply_to_message"] = reply
        if wait := self.flood.retry_after(chat["id"]):
            raise ApiError(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
        if is_true(parameters.get("disable_notification")):
            content["silent"] = True  # for the page; Telegram's message does not tell
        message = self.store.add_message(chat, self.me, content)
        self.events.publish(chat["id"], "message", message)
        return message

    def writable(self, parameters: Json) -> Json:
        """The chat, if the bot may write there."""
        try:
            chat = self.store.chat(int(parameters.get("chat_id") or 0))
        except ValueError:
            chat = None
        if chat is None:
            raise bad_request("chat not found")
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

    def _reply(self, parameters: Json, chat: Json) -> Json | None:
        wanted = parameters.get("reply_parameters")
        if not wanted:
            return None
        message = self.store.message(chat["id"], int(wanted["message_id"]))
        if message is None and not wanted.get("allow_sending_without_reply"):
            raise bad_request("message to be replied not found")
        check_quote(wanted, message)
        return without_reply(message) if message else None

    def own_message(self, parameters: Json) -> Json:
        chat = self.writable(parameters)
        message = self.store.message(chat["id"], int(parameters.get("message_id") or 0))
        if message is None:
            raise bad_request("message to edit not found")
        if message["from"]["id"] != self.me["id"]:
            raise bad_request("message can't be edited")
        return message
