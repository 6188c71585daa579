"""Methods of the Bot API that change what was sent."""

import time
from typing import Any

from sandbox.telegram.chats import Chats
from sandbox.telegram.checks import MAX_CAPTION, MAX_TEXT, is_true, markup_of, text_of
from sandbox.telegram.errors import bad_request
from sandbox.telegram.media import photo_sizes
from sandbox.telegram.store import Json

#: A bot may delete messages that are not older, in seconds.
DELETE_WITHIN = 48 * 3600


class Changing:
    """Each method takes the parameters of a request and gives its result."""

    def __init__(self, chats: Chats) -> None:
        self._chats = chats

    async def edit_message_text(self, parameters: Json) -> Json:
        text = text_of(parameters, "text", MAX_TEXT, "message is too long")
        if not text:
            raise bad_request("message text is empty")
        return self._edit(parameters, text=text)

    async def edit_message_reply_markup(self, parameters: Json) -> Json:
        return self._edit(parameters)

    async def edit_message_media(self, parameters: Json) -> Json:
        media = parameters.get("media")
        if not isinstance(media, dict) or media.get("type") != "photo":
            raise bad_request("can't parse InputMedia: only photos are known here")
        self._chats.own_message(parameters)
        photo = media.get("media", "")
        if isinstance(photo, str) and photo.startswith("attach://"):
            photo = parameters.get(photo.removeprefix("attach://"))
        content: Json = {"photo": await photo_sizes(self._chats.store, photo)}
        if caption := text_of(media, "caption", MAX_CAPTION, "message caption is too long"):
            content["caption"] = caption
        if is_true(media.get("has_spoiler")):
            content["has_media_spoiler"] = True
        return self._edit(parameters, **content)

    def _edit(self, parameters: Json, **content: Any) -> Json:
        message = self._chats.own_message(parameters)
        if "text" in content and "text" not in message:
            raise bad_request("there is no text in the message to edit")
        if "photo" in content:
            gone = {"text", "caption", "photo", "has_media_spoiler"}
            message = {key: value for key, value in message.items() if key not in gone or content.get(key) == value}
        changed = {key: value for key, value in message.items() if key != "reply_markup"} | content
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
        message_id = int(parameters.get("message_id") or 0)
        message = self._chats.store.message(chat["id"], message_id)
        if message is None:
            raise bad_request("message to delete not found")
        if time.time() - message["date"] > DELETE_WITHIN:
            raise bad_request("message can't be deleted for everyone")
        self._chats.store.delete_message(chat["id"], message_id)
        self._chats.events.publish(chat["id"], "deleted", {"chat_id": chat["id"], "message_id": message_id})
        return True
