"""Methods of the Bot API that send something."""

import secrets

from sandbox.telegram.chats import Chats, numbers, origin
from sandbox.telegram.checks import MAX_CAPTION, MAX_TEXT, formatted, is_true
from sandbox.telegram.errors import ApiError, bad_request
from sandbox.telegram.media import document, photo_content, photo_sizes
from sandbox.telegram.stars import Stars, shown
from sandbox.telegram.store import Json

CHAT_ACTIONS = {
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document",
    "choose_sticker", "find_location", "record_video_note", "upload_video_note",
}  # fmt: skip
MAX_ALBUM = 10
#: Fields that a copy or a forward takes along. Invoices and service messages have none of them.
COPIED = {
    "text", "entities", "photo", "document", "caption", "caption_entities", "has_media_spoiler", "sticker", "voice",
    "location",
}  # fmt: skip


class Sending:
    """Each method takes the parameters of a request and gives its result."""

    def __init__(self, chats: Chats, stars: Stars) -> None:
        self._chats = chats
        self._stars = stars

    async def send_message(self, parameters: Json) -> Json:
        content = formatted(parameters, "text", MAX_TEXT, "message is too long")
        if not content:
            raise bad_request("message text is empty")
        return self._chats.post(parameters, content)

    async def send_photo(self, parameters: Json) -> Json:
        content = formatted(parameters, "caption", MAX_CAPTION, "message caption is too long")
        # Who may be written to is checked before the upload is looked at.
        self._chats.writable(parameters)
        content["photo"] = await photo_sizes(self._chats.store, parameters.get("photo"))
        if is_true(parameters.get("has_spoiler")):
            content["has_media_spoiler"] = True
        return self._chats.post(parameters, content)

    async def send_document(self, parameters: Json) -> Json:
        content = formatted(parameters, "caption", MAX_CAPTION, "message caption is too long")
        self._chats.writable(parameters)
        content["document"] = document(self._chats.store, parameters.get("document"))
        return self._chats.post(parameters, content)

    async def send_media_group(self, parameters: Json) -> list[Json]:
        """An album of two to ten photos; each is a message of its own."""
        media = parameters.get("media")
        if not isinstance(media, list):
            raise bad_request("expected an Array of InputMedia")
        if not media:
            raise bad_request("there are no messages to send")
        if len(media) > MAX_ALBUM:
            raise bad_request("too many messages to send as an album")
        chat = self._chats.writable(parameters)
        contents = [await photo_content(self._chats.store, parameters, each) for each in media]
        self._wait_for(chat, len(contents))
        group = {"media_group_id": str(secrets.randbits(60))} if len(contents) > 1 else {}
        without_buttons = {key: value for key, value in parameters.items() if key != "reply_markup"}
        return [self._chats.post(without_buttons, content | group, weight=0) for content in contents]

    async def copy_message(self, parameters: Json) -> Json:
        """The same content as the bot's own message; buttons and the reply do not go along."""
        source = self._source(parameters, "message to copy")
        content = _copied(source)
        if "caption" in parameters and "text" not in content:
            content = {key: value for key, value in content.items() if not key.startswith("caption")}
            content |= formatted(parameters, "caption", MAX_CAPTION, "message caption is too long")
        return {"message_id": self._chats.post(parameters, content)["message_id"]}

    async def copy_messages(self, parameters: Json) -> list[Json]:
        """Up to a hundred, in order; those that are gone or can not be copied are passed over."""
        sources = [source for source in self._sources(parameters) if source.keys() & COPIED]
        without_captions = is_true(parameters.get("remove_caption"))
        contents = [
            {
                key: value
                for key, value in _copied(source).items()
                if not (without_captions and key.startswith("caption"))
            }
            for source in sources
        ]
        return self._several(parameters, contents)

    async def forward_message(self, parameters: Json) -> Json:
        """The message as it is, with where it comes from."""
        source = self._source(parameters, "message to forward")
        return self._chats.post(parameters, _copied(source) | _forwarded(source))

    async def forward_messages(self, parameters: Json) -> list[Json]:
        sources = [source for source in self._sources(parameters) if source.keys() & COPIED]
        return self._several(parameters, [_copied(source) | _forwarded(source) for source in sources])

    def _source(self, parameters: Json, what: str) -> Json:
        self._chats.writable(parameters)
        chat = self._chats.readable(parameters.get("from_chat_id"))
        source = self._chats.found(chat["id"], parameters.get("message_id"), what)
        if not source.keys() & COPIED:
            raise bad_request(f"message can't be {'copied' if what.endswith('copy') else 'forwarded'}")
        return source

    def _sources(self, parameters: Json) -> list[Json]:
        self._chats.writable(parameters)
        chat = self._chats.readable(parameters.get("from_chat_id"))
        wanted = numbers(parameters)
        if wanted != sorted(set(wanted)):
            raise bad_request("message identifiers must be in a strictly increasing order")
        return [source for number in wanted if (source := self._chats.store.message(chat["id"], number))]

    def _several(self, parameters: Json, contents: list[Json]) -> list[Json]:
        if not contents:
            raise bad_request("there are no messages to forward")
        self._wait_for(self._chats.writable(parameters), len(contents))
        sent = [self._chats.post(parameters, content, weight=0) for content in contents]
        return [{"message_id": each["message_id"]} for each in sent]

    def _wait_for(self, chat: Json, messages: float) -> None:
        if wait := self._chats.flood.retry_after(chat["id"], weight=messages):
            raise ApiError(429, f"Too Many Requests: retry after {wait}", retry_after=wait)

    async def send_invoice(self, parameters: Json) -> Json:
        if parameters.get("subscription_period"):
            raise bad_request("subscriptions are sold by createInvoiceLink")
        self._chats.writable(parameters)
        invoice = self._stars.invoice(parameters)
        message = self._chats.post(parameters, {"invoice": shown(invoice)})
        # Not part of the message: the payload is known to the bot and to Telegram only.
        self._chats.store.set_setting(f"invoice:{message['chat']['id']}:{message['message_id']}", invoice)
        return message

    async def send_message_draft(self, parameters: Json) -> bool:
        """A preview that lasts 30 seconds. Telegram tells no limits of it: it counts as half a message here."""
        chat = self._chats.writable(parameters)
        if chat["type"] != "private":
            raise bad_request("message drafts can be used only in private chats")
        draft_id = int(parameters.get("draft_id") or 0)
        if not draft_id:
            raise bad_request("draft_id must be non-zero")
        content = {"text": ""} | formatted(parameters, "text", MAX_TEXT, "message is too long")
        self._wait_for(chat, 0.5)
        draft = {"chat_id": chat["id"], "draft_id": draft_id} | content | self._chats.topic(parameters, chat)
        self._chats.events.publish(chat["id"], "draft", draft)
        return True

    async def send_chat_action(self, parameters: Json) -> bool:
        chat = self._chats.writable(parameters)
        action = parameters.get("action")
        if action not in CHAT_ACTIONS:
            raise bad_request("wrong parameter action in request")
        done = {"chat_id": chat["id"], "action": action} | self._chats.topic(parameters, chat)
        self._chats.events.publish(chat["id"], "action", done)
        return True


def _copied(source: Json) -> Json:
    return {key: value for key, value in source.items() if key in COPIED}


def _forwarded(source: Json) -> Json:
    return {"forward_origin": source.get("forward_origin") or origin(source)}
