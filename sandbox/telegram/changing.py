"""Methods of the Bot API that change what was sent: edits, deletions, reactions and pins."""

import time
from typing import Any

from sandbox.telegram.chats import Chats, numbers
from sandbox.telegram.checks import MAX_CAPTION, MAX_TEXT, check_reactions, formatted, markup_of
from sandbox.telegram.errors import bad_request
from sandbox.telegram.media import photo_content
from sandbox.telegram.store import Json

#: A bot may delete messages that are not older, in seconds.
DELETE_WITHIN = 48 * 3600
_TEXT = {"text", "entities"}
_CAPTION = {"caption", "caption_entities"}
_MEDIA = _TEXT | _CAPTION | {"photo", "has_media_spoiler"}


class Changing:
    """Each method takes the parameters of a request and gives its result."""

    def __init__(self, chats: Chats) -> None:
        self._chats = chats

    async def edit_message_text(self, parameters: Json) -> Json:
        content = formatted(parameters, "text", MAX_TEXT, "message is too long")
        if not content:
            raise bad_request("message text is empty")
        return self._edit(parameters, _TEXT, content, of="text")

    async def edit_message_caption(self, parameters: Json) -> Json:
        content = formatted(parameters, "caption", MAX_CAPTION, "message caption is too long")
        return self._edit(parameters, _CAPTION, content, of="caption")

    async def edit_message_reply_markup(self, parameters: Json) -> Json:
        return self._edit(parameters, set(), {})

    async def edit_message_media(self, parameters: Json) -> Json:
        self._chats.own_message(parameters)
        return self._edit(
            parameters, _MEDIA, await photo_content(self._chats.store, parameters, parameters["media"])
        )

    def _edit(self, parameters: Json, replaced: set[str], content: Json, *, of: str = "") -> Json:
        """Put `content` in the place of the fields `replaced`; `of`: what the message must have."""
        message = self._chats.own_message(parameters)
        if (of == "text" and "text" not in message) or (
            of == "caption" and not {"photo", "document"} & message.keys()
        ):
            raise bad_request(f"there is no {of} in the message to edit")
        changed = {key: value for key, value in message.items() if key not in replaced | {"reply_markup"}} | content
        if markup := markup_of(parameters):
            changed["reply_markup"] = markup
        if changed == message:
            raise bad_request(
                "message is not modified: specified new message content and reply markup are exactly the same"
                " as a current content and reply markup of the message"
            )
        changed["edit_date"] = message["date"]
        self._chats.store.change_message(changed)
        self._chats.events.publish(message["chat"]["id"], "edited", changed)
        return changed

    async def delete_message(self, parameters: Json) -> bool:
        chat = self._chats.writable(parameters)
        self._delete(self._chats.found(chat["id"], parameters.get("message_id"), "message to delete"))
        return True

    async def delete_messages(self, parameters: Json) -> bool:
        """Up to a hundred; those that are gone already are passed over."""
        chat = self._chats.writable(parameters)
        for number in numbers(parameters):
            if message := self._chats.store.message(chat["id"], number):
                self._delete(message)
        return True

    def _delete(self, message: Json) -> None:
        if time.time() - message["date"] > DELETE_WITHIN:
            raise bad_request("message can't be deleted for everyone")
        chat_id, message_id = message["chat"]["id"], message["message_id"]
        self._chats.store.delete_message(chat_id, message_id)
        self._chats.events.publish(chat_id, "deleted", {"chat_id": chat_id, "message_id": message_id})

    async def set_message_reaction(self, parameters: Json) -> bool:
        """One emoji of the bot under a message, or none. Telegram's message does not tell; the page shows it."""
        chat = self._chats.writable(parameters)
        message = self._chats.found(chat["id"], parameters.get("message_id"), "message to react")
        reactions = check_reactions(parameters)
        self._chats.react(message, self._chats.me["id"], [each["emoji"] for each in reactions])
        return True

    async def pin_chat_message(self, parameters: Json) -> bool:
        chat = self._chats.writable(parameters)
        message = self._chats.found(chat["id"], parameters.get("message_id"), "message to pin")
        self._set_pins(chat, [*self._without(chat, message["message_id"]), message["message_id"]])
        return True

    async def unpin_chat_message(self, parameters: Json) -> bool:
        """The one that is named, else the newest."""
        chat = self._chats.writable(parameters)
        if not parameters.get("message_id"):
            pins = self._chats.pins(chat["id"])
            if not pins:
                raise bad_request("message to unpin not found")
            self._set_pins(chat, pins[:-1])
            return True
        message = self._chats.found(chat["id"], parameters["message_id"], "message to unpin")
        self._set_pins(chat, self._without(chat, message["message_id"]))
        return True

    async def unpin_all_chat_messages(self, parameters: Json) -> bool:
        self._set_pins(self._chats.writable(parameters), [])
        return True

    def _without(self, chat: Json, message_id: int) -> list[int]:
        return [each for each in self._chats.pins(chat["id"]) if each != message_id]

    def _set_pins(self, chat: Json, pins: list[Any]) -> None:
        self._chats.store.set_setting(f"pins:{chat['id']}", pins)
