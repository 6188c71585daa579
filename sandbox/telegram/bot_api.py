"""The Bot API methods that the product uses, with Telegram's limits and Telegram's words for errors."""

import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from sandbox.telegram.checks import (
    check_commands,
    check_effect,
    check_quote,
    check_webhook,
    is_true,
    markup_of,
    text_of,
)
from sandbox.telegram.errors import ApiError, bad_request
from sandbox.telegram.events import Events
from sandbox.telegram.flood import Flood
from sandbox.telegram.media import document, photo_sizes
from sandbox.telegram.menu import commands_key
from sandbox.telegram.stars import Stars, shown
from sandbox.telegram.store import Json, Store, without_reply
from sandbox.telegram.updates import Conflict, Updates

MAX_TEXT = 4096
MAX_CAPTION = 1024
#: A bot may delete messages that are not older, in seconds.
DELETE_WITHIN = 48 * 3600
CHAT_ACTIONS = {
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document",
    "choose_sticker", "find_location", "record_video_note", "upload_video_note",
}  # fmt: skip


class BotApi:
    """Answers `/bot<token>/<method>`. Unknown methods get 404, as from Telegram."""

    def __init__(
        self, *, token: str, me: Json, store: Store, updates: Updates, events: Events, flood: Flood, stars: Stars
    ) -> None:
        self._token = token
        self._me = me
        self._store = store
        self._updates = updates
        self._events = events
        self._flood = flood
        self._stars = stars
        self._queries: set[str] = set()
        self._methods: dict[str, Callable[[Json], Awaitable[Any]]] = {
            "getme": self._get_me,
            "getupdates": self._get_updates,
            "setwebhook": self._set_webhook,
            "deletewebhook": self._delete_webhook,
            "getwebhookinfo": self._get_webhook_info,
            "sendmessage": self._send_message,
            "sendphoto": self._send_photo,
            "senddocument": self._send_document,
            "copymessage": self._copy_message,
            "sendinvoice": self._send_invoice,
            "sendmessagedraft": self._send_message_draft,
            "sendchataction": self._send_chat_action,
            "editmessagetext": self._edit_message_text,
            "editmessagereplymarkup": self._edit_message_reply_markup,
            "editmessagemedia": self._edit_message_media,
            "deletemessage": self._delete_message,
            "answercallbackquery": self._answer_callback_query,
            "setmycommands": self._set_my_commands,
            "getmycommands": self._get_my_commands,
            "setmydescription": self._describe("description", 512),
            "setmyshortdescription": self._describe("short_description", 120),
            "getfile": self._get_file,
            "createinvoicelink": stars.create_link,
            "answerprecheckoutquery": stars.answer_checkout,
            "refundstarpayment": stars.refund,
            "edituserstarsubscription": stars.edit_subscription,
        }

    def expect_answer(self, query_id: str) -> None:
        """A button was pressed; its query may be answered once."""
        self._queries.add(query_id)

    async def handle(self, request: web.Request) -> web.Response:
        if request.match_info["token"] != self._token:
            return _failure(ApiError(401, "Unauthorized"))
        method = self._methods.get(request.match_info["method"].lower())
        if method is None:
            return _failure(ApiError(404, "Not Found"))
        try:
            return web.json_response({"ok": True, "result": await method(await _parameters(request))})
        except ApiError as error:
            return _failure(error)
        except Conflict as error:
            return _failure(ApiError(409, f"Conflict: {error}"))

    async def download(self, request: web.Request) -> web.Response:
        """`/file/bot<token>/<file_path>`"""
        file = self._store.file(request.match_info["path"])
        if request.match_info["token"] != self._token or file is None:
            return web.Response(status=404)
        return web.Response(body=file[2], content_type=file[1])

    # -- receiving -------------------------------------------------------------------------------------

    async def _get_me(self, _parameters: Json) -> Json:
        return self._me

    async def _get_updates(self, parameters: Json) -> list[Json]:
        return await self._updates.get(
            offset=int(parameters.get("offset") or 0),
            limit=max(1, min(100, int(parameters.get("limit") or 100))),
            timeout=min(50, float(parameters.get("timeout") or 0)),
            allowed=parameters.get("allowed_updates"),
        )

    async def _set_webhook(self, parameters: Json) -> bool:
        check_webhook(parameters)
        url = parameters.get("url") or ""
        keys = ("url", "secret_token", "allowed_updates", "max_connections")
        self._updates.set_webhook({key: parameters[key] for key in keys if key in parameters} if url else {})
        return True

    async def _delete_webhook(self, _parameters: Json) -> bool:
        self._updates.set_webhook({})
        return True

    async def _get_webhook_info(self, _parameters: Json) -> Json:
        return self._updates.webhook_info()

    # -- sending ---------------------------------------------------------------------------------------

    async def _send_message(self, parameters: Json) -> Json:
        text = text_of(parameters, "text", MAX_TEXT, "message is too long")
        if not text:
            raise bad_request("message text is empty")
        return self._post(parameters, {"text": text})

    async def _send_photo(self, parameters: Json) -> Json:
        content: Json = {}
        if caption := text_of(parameters, "caption", MAX_CAPTION, "message caption is too long"):
            content["caption"] = caption
        # Who may be written to is checked before the upload is looked at.
        self._writable(parameters)
        content["photo"] = await photo_sizes(self._store, parameters.get("photo"))
        if is_true(parameters.get("has_spoiler")):
            content["has_media_spoiler"] = True
        return self._post(parameters, content)

    async def _send_document(self, parameters: Json) -> Json:
        content: Json = {}
        if caption := text_of(parameters, "caption", MAX_CAPTION, "message caption is too long"):
            content["caption"] = caption
        self._writable(parameters)
        content["document"] = document(self._store, parameters.get("document"))
        return self._post(parameters, content)

    async def _copy_message(self, parameters: Json) -> Json:
        """The same content as the bot's own message; buttons and the reply do not go along."""
        self._writable(parameters)
        try:
            source = self._store.message(int(parameters.get("from_chat_id") or 0), int(parameters["message_id"]))
        except (KeyError, ValueError):
            source = None
        if source is None:
            raise bad_request("message to copy not found")
        kinds = ("text", "photo", "document", "caption", "has_media_spoiler")
        content = {kind: source[kind] for kind in kinds if kind in source}
        if not content:
            raise bad_request("message can't be copied")
        return {"message_id": self._post(parameters, content)["message_id"]}

    async def _send_invoice(self, parameters: Json) -> Json:
        if parameters.get("subscription_period"):
            raise bad_request("subscriptions are sold by createInvoiceLink")
        self._writable(parameters)
        invoice = self._stars.invoice(parameters)
        message = self._post(parameters, {"invoice": shown(invoice)})
        # Not part of the message: the payload is known to the bot and to Telegram only.
        self._store.set_setting(f"invoice:{message['chat']['id']}:{message['message_id']}", invoice)
        return message

    async def _send_message_draft(self, parameters: Json) -> bool:
        """A preview that lasts 30 seconds. Telegram tells no limits of it: it counts as half a message here."""
        chat = self._writable(parameters)
        if chat["type"] != "private":
            raise bad_request("message drafts can be used only in private chats")
        draft_id = int(parameters.get("draft_id") or 0)
        if not draft_id:
            raise bad_request("draft_id must be non-zero")
        text = text_of(parameters, "text", MAX_TEXT, "message is too long")
        if wait := self._flood.retry_after(chat["id"], weight=0.5):
            raise ApiError(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
        draft = {"chat_id": chat["id"], "draft_id": draft_id, "text": text} | self._topic(parameters, chat)
        self._events.publish(chat["id"], "draft", draft)
        return True

    async def _send_chat_action(self, parameters: Json) -> bool:
        chat = self._writable(parameters)
        action = parameters.get("action")
        if action not in CHAT_ACTIONS:
            raise bad_request("wrong parameter action in request")
        done = {"chat_id": chat["id"], "action": action} | self._topic(parameters, chat)
        self._events.publish(chat["id"], "action", done)
        return True

    def _post(self, parameters: Json, content: Json) -> Json:
        chat = self._writable(parameters)
        check_effect(parameters)
        content |= self._topic(parameters, chat)
        if markup := markup_of(parameters, pays="invoice" in content):
            content["reply_markup"] = markup
        if reply := self._reply(parameters, chat):
            content["reply_to_message"] = reply
        if wait := self._flood.retry_after(chat["id"]):
            raise ApiError(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
        if is_true(parameters.get("disable_notification")):
            content["silent"] = True  # for the page; Telegram's message does not tell
        message = self._store.add_message(chat, self._me, content)
        self._events.publish(chat["id"], "message", message)
        return message

    def _writable(self, parameters: Json) -> Json:
        """The chat, if the bot may write there."""
        try:
            chat = self._store.chat(int(parameters.get("chat_id") or 0))
        except ValueError:
            chat = None
        if chat is None:
            raise bad_request("chat not found")
        if chat["id"] > 0 and self._store.is_blocked(chat["id"]):
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        return chat

    def _topic(self, parameters: Json, chat: Json) -> Json:
        """A topic is known once somebody has written in it."""
        thread = int(parameters.get("message_thread_id") or 0)
        if not thread:
            return {}
        if thread not in (self._store.setting(f"topics:{chat['id']}") or []):
            raise bad_request("message thread not found")
        return {"message_thread_id": thread, "is_topic_message": True}

    def _reply(self, parameters: Json, chat: Json) -> Json | None:
        wanted = parameters.get("reply_parameters")
        if not wanted:
            return None
        message = self._store.message(chat["id"], int(wanted["message_id"]))
        if message is None and not wanted.get("allow_sending_without_reply"):
            raise bad_request("message to be replied not found")
        check_quote(wanted, message)
        return without_reply(message) if message else None

    # -- changing --------------------------------------------------------------------------------------

    async def _edit_message_text(self, parameters: Json) -> Json:
        text = text_of(parameters, "text", MAX_TEXT, "message is too long")
        if not text:
            raise bad_request("message text is empty")
        return self._edit(parameters, text=text)

    async def _edit_message_reply_markup(self, parameters: Json) -> Json:
        return self._edit(parameters)

    async def _edit_message_media(self, parameters: Json) -> Json:
        media = parameters.get("media")
        if not isinstance(media, dict) or media.get("type") != "photo":
            raise bad_request("can't parse InputMedia: only photos are known here")
        self._own_message(parameters)
        photo = media.get("media", "")
        if isinstance(photo, str) and photo.startswith("attach://"):
            photo = parameters.get(photo.removeprefix("attach://"))
        content: Json = {"photo": await photo_sizes(self._store, photo)}
        if caption := text_of(media, "caption", MAX_CAPTION, "message caption is too long"):
            content["caption"] = caption
        if is_true(media.get("has_spoiler")):
            content["has_media_spoiler"] = True
        return self._edit(parameters, **content)

    def _edit(self, parameters: Json, **content: Any) -> Json:
        message = self._own_message(parameters)
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
        self._store.change_message(changed)
        self._events.publish(message["chat"]["id"], "edited", changed)
        return changed

    async def _delete_message(self, parameters: Json) -> bool:
        chat = self._writable(parameters)
        message_id = int(parameters.get("message_id") or 0)
        message = self._store.message(chat["id"], message_id)
        if message is None:
            raise bad_request("message to delete not found")
        if time.time() - message["date"] > DELETE_WITHIN:
            raise bad_request("message can't be deleted for everyone")
        self._store.delete_message(chat["id"], message_id)
        self._events.publish(chat["id"], "deleted", {"chat_id": chat["id"], "message_id": message_id})
        return True

    def _own_message(self, parameters: Json) -> Json:
        chat = self._writable(parameters)
        message = self._store.message(chat["id"], int(parameters.get("message_id") or 0))
        if message is None:
            raise bad_request("message to edit not found")
        if message["from"]["id"] != self._me["id"]:
            raise bad_request("message can't be edited")
        return message

    async def _answer_callback_query(self, parameters: Json) -> bool:
        query_id = parameters.get("callback_query_id", "")
        if query_id not in self._queries:
            raise bad_request("query is too old and response timeout expired or query ID is invalid")
        self._queries.discard(query_id)
        text = text_of(parameters, "text", 200, "MESSAGE_TOO_LONG")
        person_id = int(query_id.partition("-")[0])
        alert = bool(parameters.get("show_alert"))
        self._events.tell(person_id, "answer", {"query_id": query_id, "text": text, "show_alert": alert})
        return True

    # -- the bot's own things --------------------------------------------------------------------------

    async def _set_my_commands(self, parameters: Json) -> bool:
        commands = check_commands(parameters)
        scope = parameters.get("scope") or {"type": "default"}
        if scope.get("type") == "chat" and self._store.chat(int(scope.get("chat_id") or 0)) is None:
            raise bad_request("chat not found")
        self._store.set_setting(commands_key(parameters), commands)
        return True

    async def _get_my_commands(self, parameters: Json) -> list[Json]:
        return self._store.setting(commands_key(parameters)) or []

    def _describe(self, name: str, limit: int) -> Callable[[Json], Awaitable[bool]]:
        async def describe(parameters: Json) -> bool:
            text = text_of(parameters, name, limit, f"{name} is too long")
            self._store.set_setting(f"{name}:{parameters.get('language_code') or ''}", text)
            return True

        return describe

    async def _get_file(self, parameters: Json) -> Json:
        file_id = parameters.get("file_id", "")
        file = self._store.file(file_id)
        if file is None:
            raise bad_request("invalid file_id")
        return {
            "file_id": file_id,
            "file_unique_id": file_id[-12:],
            "file_size": len(file[2]),
            "file_path": file_id,
        }


async def _parameters(request: web.Request) -> Json:
    """Parameters from a query, a form or JSON; values that hold JSON are read, as Telegram does."""
    given: Json = dict(request.query)
    if request.content_type == "application/json":
        given |= await request.json()
    else:
        given |= dict(await request.post())
    for name in ("photo", "document"):
        if isinstance(upload := given.get(name), str) and upload.startswith("attach://"):
            given[name] = given.get(upload.removeprefix("attach://"))
    return {name: _read(value) for name, value in given.items()}


def _read(value: Any) -> Any:
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _failure(error: ApiError) -> web.Response:
    body: Json = {"ok": False, "error_code": error.code, "description": error.description}
    if error.parameters:
        body["parameters"] = error.parameters
    return web.json_response(body, status=error.code)
