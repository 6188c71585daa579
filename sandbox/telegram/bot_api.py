"""The Bot API methods that the product uses, with Telegram's limits and Telegram's words for errors."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from PIL import Image, UnidentifiedImageError

from sandbox.faults import Faults
from sandbox.telegram.events import Events
from sandbox.telegram.flood import Flood
from sandbox.telegram.store import Json, Store, without_reply
from sandbox.telegram.updates import Conflict, Updates

MAX_TEXT = 4096
MAX_CAPTION = 1024
MAX_CALLBACK_DATA = 64
MAX_PHOTO_BYTES = 10 * 1024 * 1024
MAX_PHOTO_SIDES = 10_000
MAX_PHOTO_RATIO = 20
MAX_BUTTONS = 100
MAX_COMMANDS = 100
CHAT_ACTIONS = {
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document",
    "choose_sticker", "find_location", "record_video_note", "upload_video_note",
}  # fmt: skip


class ApiError(Exception):
    """An answer with `ok` false."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters


def bad_request(description: str) -> ApiError:
    return ApiError(400, f"Bad Request: {description}")


class BotApi:
    """Answers `/bot<token>/<method>`. Unknown methods get 404, as from Telegram."""

    def __init__(
        self, *, token: str, me: Json, store: Store, updates: Updates, events: Events, flood: Flood, faults: Faults
    ) -> None:
        self._token = token
        self._me = me
        self._store = store
        self._updates = updates
        self._events = events
        self._flood = flood
        self._faults = faults
        self._queries: set[str] = set()
        self._methods: dict[str, Callable[[Json], Awaitable[Any]]] = {
            "getme": self._get_me,
            "getupdates": self._get_updates,
            "setwebhook": self._set_webhook,
            "deletewebhook": self._delete_webhook,
            "getwebhookinfo": self._get_webhook_info,
            "sendmessage": self._send_message,
            "sendphoto": self._send_photo,
            "sendchataction": self._send_chat_action,
            "editmessagetext": self._edit_message_text,
            "editmessagereplymarkup": self._edit_message_reply_markup,
            "deletemessage": self._delete_message,
            "answercallbackquery": self._answer_callback_query,
            "setmycommands": self._set_my_commands,
            "getmycommands": self._get_my_commands,
            "getfile": self._get_file,
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
        url = parameters.get("url") or ""
        if url and not url.startswith(("https://", "http://127.0.0.1")):
            raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
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
        text = _text(parameters, "text", MAX_TEXT, "message is too long")
        if not text:
            raise bad_request("message text is empty")
        return self._post(parameters, {"text": text})

    async def _send_photo(self, parameters: Json) -> Json:
        content: Json = {}
        if caption := _text(parameters, "caption", MAX_CAPTION, "message caption is too long"):
            content["caption"] = caption
        # Who may be written to is checked before the upload is looked at.
        self._writable(parameters)
        content["photo"] = await self._photo_sizes(parameters.get("photo"))
        return self._post(parameters, content)

    async def _photo_sizes(self, photo: Any) -> list[Json]:
        if isinstance(photo, str):
            file = self._store.file(photo)
            if file is None:
                raise bad_request("wrong file identifier/HTTP URL specified")
            return [_photo_size(photo, file[2], await asyncio.to_thread(_dimensions, file[2]))]
        if not isinstance(photo, web.FileField):
            raise bad_request("there is no photo in the request")
        with photo.file as upload:
            content = upload.read()
        if len(content) > MAX_PHOTO_BYTES:
            raise bad_request(f"file is too big: {len(content)} bytes, a photo may have {MAX_PHOTO_BYTES}")
        width, height = await asyncio.to_thread(_dimensions, content)
        if width + height > MAX_PHOTO_SIDES or max(width, height) > MAX_PHOTO_RATIO * min(width, height):
            raise bad_request("PHOTO_INVALID_DIMENSIONS")
        thumbnail = await asyncio.to_thread(_thumbnail, content)
        sizes = []
        for data in (thumbnail, content):
            file_id = self._store.add_file("photo.jpg", "image/jpeg", data)
            sizes.append(_photo_size(file_id, data, await asyncio.to_thread(_dimensions, data)))
        return sizes

    async def _send_chat_action(self, parameters: Json) -> bool:
        chat = self._writable(parameters)
        action = parameters.get("action")
        if action not in CHAT_ACTIONS:
            raise bad_request("wrong parameter action in request")
        self._events.publish(chat["id"], "action", {"chat_id": chat["id"], "action": action})
        return True

    def _post(self, parameters: Json, content: Json) -> Json:
        chat = self._writable(parameters)
        markup = _markup(parameters)
        if markup:
            content["reply_markup"] = markup
        if reply := self._reply(parameters, chat):
            content["reply_to_message"] = reply
        if wait := self._flood.retry_after(chat["id"]):
            raise ApiError(429, f"Too Many Requests: retry after {wait}", retry_after=wait)
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

    def _reply(self, parameters: Json, chat: Json) -> Json | None:
        wanted = parameters.get("reply_parameters")
        if not wanted:
            return None
        message = self._store.message(chat["id"], int(wanted["message_id"]))
        if message is None and not wanted.get("allow_sending_without_reply"):
            raise bad_request("message to be replied not found")
        return without_reply(message) if message else None

    # -- changing --------------------------------------------------------------------------------------

    async def _edit_message_text(self, parameters: Json) -> Json:
        text = _text(parameters, "text", MAX_TEXT, "message is too long")
        if not text:
            raise bad_request("message text is empty")
        return self._edit(parameters, text=text)

    async def _edit_message_reply_markup(self, parameters: Json) -> Json:
        return self._edit(parameters)

    def _edit(self, parameters: Json, **content: Any) -> Json:
        message = self._own_message(parameters)
        changed = {key: value for key, value in message.items() if key != "reply_markup"} | content
        if markup := _markup(parameters):
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
        if self._store.message(chat["id"], message_id) is None:
            raise bad_request("message to delete not found")
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
        text = _text(parameters, "text", 200, "MESSAGE_TOO_LONG")
        person_id = int(query_id.partition("-")[0])
        alert = bool(parameters.get("show_alert"))
        self._events.tell(person_id, "answer", {"query_id": query_id, "text": text, "show_alert": alert})
        return True

    # -- the bot's own things --------------------------------------------------------------------------

    async def _set_my_commands(self, parameters: Json) -> bool:
        commands = parameters.get("commands")
        if not isinstance(commands, list) or len(commands) > MAX_COMMANDS:
            raise bad_request("expected an Array of BotCommand")
        for command in commands:
            if not 1 <= len(command["command"]) <= 32 or not 1 <= len(command["description"]) <= 256:
                raise bad_request("BOT_COMMAND_INVALID")
        self._store.set_setting(_commands_key(parameters), commands)
        return True

    async def _get_my_commands(self, parameters: Json) -> list[Json]:
        return self._store.setting(_commands_key(parameters)) or []

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


def commands_for(store: Store, language_code: str) -> list[Json]:
    """The menu that a person sees: in the person's language, else the default one."""
    return store.setting(f"commands:{language_code}") or store.setting("commands:") or []


def length(text: str) -> int:
    """As Telegram counts: UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _commands_key(parameters: Json) -> str:
    return f"commands:{parameters.get('language_code') or ''}"


def _text(parameters: Json, name: str, limit: int, too_long: str) -> str:
    if parameters.get("parse_mode"):
        raise bad_request("unsupported parse_mode")
    text = str(parameters.get(name) or "").strip()
    if length(text) > limit:
        raise bad_request(too_long)
    return text


def _markup(parameters: Json) -> Json | None:
    markup: Json | None = parameters.get("reply_markup")
    if not markup:
        return None
    buttons = [button for row in markup.get("inline_keyboard", []) for button in row]
    if len(buttons) > MAX_BUTTONS:
        raise bad_request("reply markup is too long")
    for button in buttons:
        if not button.get("text"):
            raise bad_request("inline keyboard button text must be non-empty")
        if "callback_data" in button and not 1 <= len(button["callback_data"].encode()) <= MAX_CALLBACK_DATA:
            raise bad_request("BUTTON_DATA_INVALID")
        if not button.keys() - {"text"}:
            raise bad_request(
                "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
            )
    return markup


def _dimensions(content: bytes) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.size
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        raise bad_request("IMAGE_PROCESS_FAILED") from None


def _thumbnail(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as image:
        small = image.convert("RGB")
    small.thumbnail((320, 320))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def _photo_size(file_id: str, content: bytes, size: tuple[int, int]) -> Json:
    return {
        "file_id": file_id,
        "file_unique_id": file_id[-12:],
        "width": size[0],
        "height": size[1],
        "file_size": len(content),
    }


async def _parameters(request: web.Request) -> Json:
    """Parameters from a query, a form or JSON; values that hold JSON are read, as Telegram does."""
    given: Json = dict(request.query)
    if request.content_type == "application/json":
        given |= await request.json()
    else:
        given |= dict(await request.post())
    if isinstance(photo := given.get("photo"), str) and photo.startswith("attach://"):
        given["photo"] = given.get(photo.removeprefix("attach://"))
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
