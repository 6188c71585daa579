"""The Bot API methods that the product uses, with Telegram's limits and Telegram's words for errors."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from sandbox.telegram.changing import Changing
from sandbox.telegram.chats import Chats
from sandbox.telegram.checks import check_commands, check_webhook, text_of
from sandbox.telegram.errors import ApiError, bad_request
from sandbox.telegram.events import Events
from sandbox.telegram.flood import Flood
from sandbox.telegram.menu import commands_key
from sandbox.telegram.sending import Sending
from sandbox.telegram.stars import Stars
from sandbox.telegram.store import Json, Store
from sandbox.telegram.updates import Conflict, Updates


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
        self._queries: set[str] = set()
        self._chats = chats = Chats(me=me, store=store, events=events, flood=flood)
        sending, changing = Sending(chats, stars), Changing(chats)
        self._methods: dict[str, Callable[[Json], Awaitable[Any]]] = {
            "getme": self._get_me,
            "getupdates": self._get_updates,
            "setwebhook": self._set_webhook,
            "deletewebhook": self._delete_webhook,
            "getwebhookinfo": self._get_webhook_info,
            "sendmessage": sending.send_message,
            "sendphoto": sending.send_photo,
            "senddocument": sending.send_document,
            "sendmediagroup": sending.send_media_group,
            "copymessage": sending.copy_message,
            "copymessages": sending.copy_messages,
            "forwardmessage": sending.forward_message,
            "forwardmessages": sending.forward_messages,
            "sendinvoice": sending.send_invoice,
            "sendmessagedraft": sending.send_message_draft,
            "sendchataction": sending.send_chat_action,
            "editmessagetext": changing.edit_message_text,
            "editmessagecaption": changing.edit_message_caption,
            "editmessagereplymarkup": changing.edit_message_reply_markup,
            "editmessagemedia": changing.edit_message_media,
            "deletemessage": changing.delete_message,
            "deletemessages": changing.delete_messages,
            "setmessagereaction": changing.set_message_reaction,
            "pinchatmessage": changing.pin_chat_message,
            "unpinchatmessage": changing.unpin_chat_message,
            "unpinallchatmessages": changing.unpin_all_chat_messages,
            "getchat": self._get_chat,
            "answercallbackquery": self._answer_callback_query,
            "setmycommands": self._set_my_commands,
            "getmycommands": self._get_my_commands,
            "setmydescription": self._describe("description", 512),
            "setmyshortdescription": self._describe("short_description", 120),
            "getfile": self._get_file,
            "createinvoicelink": stars.create_link,
            "answerprecheckoutquery": stars.answer_checkout,
            "refundstarpayment": stars.refund,
            "getstartransactions": stars.transactions,
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

    async def _get_chat(self, parameters: Json) -> Json:
        """A chat with what only this method tells."""
        chat = self._chats.readable(parameters.get("chat_id"))
        full: Json = {"accent_color_id": chat["id"] % 7, "max_reaction_count": 11}
        kinds = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
        full["accepted_gift_types"] = dict.fromkeys(kinds, True)
        if pins := self._chats.pins(chat["id"]):
            full["pinned_message"] = self._store.message(chat["id"], pins[-1])
        return chat | full

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
