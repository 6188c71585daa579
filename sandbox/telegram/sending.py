"""Methods of the Bot API that send something."""

from sandbox.telegram.chats import Chats
from sandbox.telegram.checks import MAX_CAPTION, MAX_TEXT, is_true, text_of
from sandbox.telegram.errors import ApiError, bad_request
from sandbox.telegram.media import document, photo_sizes
from sandbox.telegram.stars import Stars, shown
from sandbox.telegram.store import Json

CHAT_ACTIONS = {
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document",
    "choose_sticker", "find_location", "record_video_note", "upload_video_note",
}  # fmt: skip


class Sending:
    """Each method takes the parameters of a request and gives its result."""

    def __init__(self, chats: Chats, stars: Stars) -> None:
        self._chats = chats
        self._stars = stars

    async def send_message(self, parameters: Json) -> Json:
        text = text_of(parameters, "text", MAX_TEXT, "message is too long")
        if not text:
            raise bad_request("message text is empty")
        return self._chats.post(parameters, {"text": text})

    async def send_photo(self, parameters: Json) -> Json:
        content: Json = {}
        if caption := text_of(parameters, "caption", MAX_CAPTION, "message caption is too long"):
            content["caption"] = caption
        # Who may be written to is checked before the upload is looked at.
        self._chats.writable(parameters)
        content["photo"] = await photo_sizes(self._chats.store, parameters.get("photo"))
        if is_true(parameters.get("has_spoiler")):
            content["has_media_spoiler"] = True
        return self._chats.post(parameters, content)

    async def send_document(self, parameters: Json) -> Json:
        content: Json = {}
        if caption := text_of(parameters, "caption", MAX_CAPTION, "message caption is too long"):
            content["caption"] = caption
        self._chats.writable(parameters)
        content["document"] = document(self._chats.store, parameters.get("document"))
        return self._chats.post(parameters, content)

    async def copy_message(self, parameters: Json) -> Json:
        """The same content as the bot's own message; buttons and the reply do not go along."""
        self._chats.writable(parameters)
        try:
            source = self._chats.store.message(
                int(parameters.get("from_chat_id") or 0), int(parameters["message_id"])
            )
        except (KeyError, ValueError):
            source = None
        if source is None:
            raise bad_request("message to copy not found")
        kinds = ("text", "photo", "document", "caption", "has_media_spoiler")
        content = {kind: source[kind] for kind in kinds if kind in source}
        if not content:
            raise bad_request("message can't be copied")
        return {"message_id": self._chats.post(parameters, content)["message_id"]}

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
        text = text_of(parameters, "text", MAX_TEXT, "message is too long")
        if wait := self._chats.flood.retry_after(chat["id"], weight=0.5):
            raise ApiError(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
        draft = {"chat_id": chat["id"], "draft_id": draft_id, "text": text} | self._chats.topic(parameters, chat)
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
