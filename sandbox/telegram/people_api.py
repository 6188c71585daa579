"""The page API: everything a person does in a Telegram client, for the page and for tests."""

import base64
import io
import json
import secrets
import time
from typing import Any

import numpy as np
import soundfile
from aiohttp import web
from PIL import Image

from sandbox.telegram.bot_api import BotApi
from sandbox.telegram.chats import react
from sandbox.telegram.checks import MAX_TEXT
from sandbox.telegram.events import Events
from sandbox.telegram.formatting import length
from sandbox.telegram.menu import commands_for, description_for
from sandbox.telegram.stars import PaymentRefused, Stars
from sandbox.telegram.store import Json, Store, without_reply
from sandbox.telegram.updates import Updates

#: What a person can send beside text, as the Bot API shows it to the bot.
KINDS: dict[str, Json] = {
    "sticker": {
        "sticker": {
            "file_id": "stk", "file_unique_id": "stk", "type": "regular", "width": 512, "height": 512,
            "is_animated": False, "is_video": False, "emoji": "👋",
        }
    },
    "voice": {
        "voice": {
            "file_id": "voc", "file_unique_id": "voc", "duration": 3, "mime_type": "audio/ogg", "file_size": 3_000,
        }
    },
    "document": {"document": {"file_id": "doc", "file_unique_id": "doc", "file_name": "notes.pdf"}},
    "photo": {"photo": [{"file_id": "pho", "file_unique_id": "pho", "width": 90, "height": 90}]},
    "location": {"location": {"latitude": 59.93, "longitude": 30.33}},
}  # fmt: skip


def _picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (90, 90), (120, 160, 200)).save(buffer, "JPEG")
    return buffer.getvalue()


def _voice() -> bytes:
    buffer = io.BytesIO()
    seconds = np.arange(3 * 16_000) / 16_000
    soundfile.write(buffer, 0.2 * np.sin(2 * np.pi * 220 * seconds), 16_000, format="OGG", subtype="OPUS")
    return buffer.getvalue()


#: Their files, for `getFile`: name, content type, bytes.
FILES: dict[str, tuple[str, str, bytes]] = {
    "voc": ("voice.ogg", "audio/ogg", _voice()),
    "pho": ("photo.jpg", "image/jpeg", _picture()),
}  # fmt: skip


class PeopleApi:
    """`/api/...`, documented in docs/telegram-stand-in.md."""

    def __init__(
        self,
        *,
        me: Json,
        store: Store,
        updates: Updates,
        events: Events,
        bot_api: BotApi,
        stars: Stars,
        parts: list[Json],
    ) -> None:
        self._me = me
        self._store = store
        self._updates = updates
        self._events = events
        self._bot_api = bot_api
        self._stars = stars
        self._parts = parts
        for file_id, file in FILES.items():
            store.put_file(file_id, *file)

    def add_routes(self, application: web.Application) -> None:
        person = "/api/people/{person:-?\\d+}"
        chat = f"{person}/chats/{{chat:-?\\d+}}"
        application.add_routes(
            [
                web.get("/api/state", self._state),
                web.post("/api/people", self._add_person),
                web.get("/api/events", self._events.stream),
                web.get(f"{person}/events", self._events.stream),
                web.get(f"{person}/chats", self._chats),
                web.get(f"{person}/commands", self._commands),
                web.get(f"{person}/description", self._description),
                web.post(f"{person}/pay", self._pay),
                web.post(f"{person}/subscriptions/{{charge}}/{{change}}", self._change_subscription),
                web.post(f"{person}/block", self._block),
                web.post(f"{person}/unblock", self._unblock),
                web.get(f"{chat}/messages", self._messages),
                web.post(f"{chat}/messages", self._send),
                web.put(f"{chat}/messages/{{message:\\d+}}", self._edit),
                web.post(f"{chat}/messages/{{message:\\d+}}/press", self._press),
                web.post(f"{chat}/messages/{{message:\\d+}}/react", self._react),
                web.delete(chat, self._delete_chat),
                web.post("/api/updates", self._raw_update),
                web.get("/api/files/{file}", self._file),
            ]
        )

    async def _state(self, _request: web.Request) -> web.Response:
        return web.json_response({"bot": self._me, "people": self._store.people(), "parts": self._parts})

    async def _add_person(self, request: web.Request) -> web.Response:
        body = await _body(request)
        user = {
            "id": int(body.get("id") or 5_000_000 + secrets.randbelow(1_000_000_000)),
            "is_bot": False,
            "first_name": str(body.get("first_name") or "Guest"),
            "language_code": str(body.get("language_code") or "en"),
        }
        if body.get("username"):
            user["username"] = str(body["username"])
        add_person(self._store, user)
        return web.json_response(user)

    async def _chats(self, request: web.Request) -> web.Response:
        person = self._person(request)
        chats = []
        for chat in self._store.chats_of(person["id"]):
            last = self._store.messages(chat["id"], limit=1)
            chats.append({"chat": chat, "last_message": last[0] if last else None})
        return web.json_response(chats)

    async def _commands(self, request: web.Request) -> web.Response:
        person = self._person(request)
        return web.json_response(commands_for(self._store, person["id"], person["language_code"]))

    async def _description(self, request: web.Request) -> web.Response:
        return web.json_response({"text": description_for(self._store, self._person(request)["language_code"])})

    async def _pay(self, request: web.Request) -> web.Response:
        """Pay an invoice: `{"link": "https://t.me/$..."}` or `{"message_id": 5}` of the private chat."""
        person = self._person(request)
        body = await _body(request)
        slug = str(body.get("link") or "").rpartition("$")[2] or f"{person['id']}:{body.get('message_id')}"
        invoice = self._store.setting(f"invoice:{slug}")
        chat = self._store.chat(person["id"])
        if invoice is None or chat is None:
            raise _wrong("there is no such invoice", status=404)
        try:
            return web.json_response(await self._stars.pay(_public(person), chat, invoice))
        except PaymentRefused as refusal:
            raise _wrong(str(refusal)) from None

    async def _change_subscription(self, request: web.Request) -> web.Response:
        """`renew` is what Telegram does each month; `canceled` and `active` what a person does in the settings."""
        person, change = self._person(request), request.match_info["change"]
        chat, charge_id = self._store.chat(person["id"]), request.match_info["charge"]
        if chat is None or self._stars.charge(charge_id) is None or change not in {"renew", "canceled", "active"}:
            raise _wrong("there is no such subscription, or no such change", status=404)
        if change != "renew":
            self._stars.change_subscription(_public(person), charge_id, change)
            return web.json_response({"state": change})
        try:
            return web.json_response(self._stars.renew(_public(person), chat, charge_id))
        except PaymentRefused as refusal:
            raise _wrong(str(refusal)) from None

    async def _messages(self, request: web.Request) -> web.Response:
        _, chat = self._member(request)
        after = int(request.query.get("after", 0))
        return web.json_response(self._store.messages(chat["id"], after=after))

    async def _send(self, request: web.Request) -> web.Response:
        """Text as `{"text": ...}` (a client cuts long ones), anything else as `{"kind": "sticker"}`.

        What has no kind here comes as the message's own fields: `{"kind": "anything", "content": {...}}`. With
        `message_thread_id` it is written in that topic of the chat.

        `reply_to_message_id` makes a text a reply. A voice, photo or document may bring its own `file` in
        Base64, and `fields` to say of it what a client would, true or not.
        """
        person, chat = self._member(request)
        body = await _body(request)
        contents = self._contents(chat, body)
        if thread := int(body.get("message_thread_id") or 0):
            known = self._store.setting(f"topics:{chat['id']}") or []
            self._store.set_setting(f"topics:{chat['id']}", sorted({*known, thread}))
            contents = [each | {"message_thread_id": thread, "is_topic_message": True} for each in contents]
        sent = []
        for content in contents:
            message = self._store.add_message(chat, _public(person), content)
            self._events.publish(chat["id"], "message", message)
            if not self._store.is_blocked(person["id"]) or chat["id"] < 0:
                self._updates.add({"message": message})
            sent.append(message)
        return web.json_response(sent)

    def _contents(self, chat: Json, body: Json) -> list[Json]:
        """The fields of the messages that a client sends."""
        kind = body.get("kind", "text")
        if kind == "anything" and isinstance(body.get("content"), dict):
            return [body["content"]]
        if kind in KINDS:
            caption = {"caption": str(body["caption"])} if body.get("caption") else {}
            with_file = {"file", "fields"} & body.keys()
            return [(self._attached(kind, body) if with_file else KINDS[kind]) | caption]
        if kind != "text":
            raise _wrong(f"kind must be text, anything or one of {', '.join(KINDS)}")
        text = str(body.get("text") or "").strip()
        if not text:
            raise _wrong("a message needs text")
        contents = [_text_content(part) for part in _parts(text)]
        if replied := self._store.message(chat["id"], int(body.get("reply_to_message_id") or 0)):
            contents[0]["reply_to_message"] = without_reply(replied)
        return contents

    def _attached(self, kind: str, body: Json) -> Json:
        said: Json = dict(body.get("fields") or {})
        if "file" in body:
            content = base64.b64decode(body["file"])
            file_id = self._store.add_file(
                str(said.get("file_name", kind)), str(said.get("mime_type", "")), content
            )
            said |= {"file_id": file_id, "file_unique_id": file_id[-12:], "file_size": len(content)}
        usual = KINDS[kind][kind]
        return {kind: [usual[0] | said]} if kind == "photo" else {kind: usual | said}

    async def _edit(self, request: web.Request) -> web.Response:
        person, chat = self._member(request)
        message = self._store.message(chat["id"], int(request.match_info["message"]))
        if message is None or message["from"]["id"] != person["id"] or "text" not in message:
            raise _wrong("only one's own text can be edited")
        message |= _text_content(str((await _body(request)).get("text") or "")[:MAX_TEXT])
        message["edit_date"] = message["date"]
        self._store.change_message(message)
        self._events.publish(chat["id"], "edited", message)
        self._updates.add({"edited_message": message})
        return web.json_response(message)

    async def _press(self, request: web.Request) -> web.Response:
        """Press an inline button. Any `data` is passed on: a changed client can send what it likes."""
        person, chat = self._member(request)
        message = self._store.message(chat["id"], int(request.match_info["message"]))
        data = (await _body(request)).get("data")
        if message is None or not isinstance(data, str):
            raise _wrong("there is no such message, or no data")
        query_id = f"{person['id']}-{secrets.token_hex(6)}"
        self._bot_api.expect_answer(query_id)
        query = {"id": query_id, "from": _public(person), "message": message, "chat_instance": "1", "data": data}
        self._updates.add({"callback_query": query})
        return web.json_response({"query_id": query_id})

    async def _react(self, request: web.Request) -> web.Response:
        """One emoji under a message, as `{"emoji": "❤"}`, or none; the bot hears of it where it asked for that."""
        person, chat = self._member(request)
        message = self._store.message(chat["id"], int(request.match_info["message"]))
        if message is None:
            raise _wrong("there is no such message")
        emoji = (await _body(request)).get("emoji")
        new = [{"type": "emoji", "emoji": emoji}] if emoji else []
        key = f"reactions:{chat['id']}:{message['message_id']}"
        before = (self._store.setting(key) or {}).get(str(person["id"]), [])
        react(self._store, self._events, message, person["id"], [str(emoji)] if emoji else [])
        change = {
            "chat": chat,
            "message_id": message["message_id"],
            "user": _public(person),
            "date": int(time.time()),
            "old_reaction": [{"type": "emoji", "emoji": each} for each in before],
            "new_reaction": new,
        }
        self._updates.add({"message_reaction": change})
        return web.json_response({"emojis": emoji})

    async def _block(self, request: web.Request) -> web.Response:
        return self._set_blocked(request, blocked=True)

    async def _unblock(self, request: web.Request) -> web.Response:
        return self._set_blocked(request, blocked=False)

    def _set_blocked(self, request: web.Request, *, blocked: bool) -> web.Response:
        person = self._person(request)
        self._store.set_blocked(person["id"], blocked=blocked)
        states = ("member", "kicked") if blocked else ("kicked", "member")
        old, new = ({"status": state, "user": self._me} | _until(state) for state in states)
        change = {"chat": private_chat(person), "from": _public(person), "date": 0}
        self._updates.add({"my_chat_member": change | {"old_chat_member": old, "new_chat_member": new}})
        return web.json_response({"blocked": blocked})

    async def _delete_chat(self, request: web.Request) -> web.Response:
        """The account is gone: the bot gets "chat not found" from now on."""
        _, chat = self._member(request)
        self._store.delete_chat(chat["id"])
        return web.json_response({"deleted": True})

    async def _raw_update(self, request: web.Request) -> web.Response:
        """Any update, as Telegram would send it, without `update_id`."""
        body = await _body(request)
        if len(body) != 1:
            raise _wrong('an update holds one event, such as {"message": {...}}')
        return web.json_response(self._updates.add(body))

    async def _file(self, request: web.Request) -> web.Response:
        file = self._store.file(request.match_info["file"])
        if file is None:
            return web.Response(status=404)
        return web.Response(body=file[2], content_type=file[1], headers={"Cache-Control": "max-age=31536000"})

    def _person(self, request: web.Request) -> Json:
        person = self._store.person(int(request.match_info["person"]))
        if person is None:
            raise _wrong("there is no such person", status=404)
        return person

    def _member(self, request: web.Request) -> tuple[Json, Json]:
        person = self._person(request)
        chat = self._store.chat(int(request.match_info["chat"]))
        if chat is None or person["id"] not in self._store.members(chat["id"]):
            raise _wrong("this person is in no such chat", status=404)
        return person, chat


def add_person(store: Store, user: Json) -> None:
    """A person with a private chat. The chat's id is the person's, as in Telegram."""
    store.add_person(user)
    store.add_chat(private_chat(user), [user["id"]])


def private_chat(user: Json) -> Json:
    chat = {"id": user["id"], "type": "private", "first_name": user["first_name"]}
    return chat | ({"username": user["username"]} if "username" in user else {})


def _public(person: Json) -> Json:
    return {key: value for key, value in person.items() if key != "blocked"}


def _until(state: str) -> Json:
    return {"until_date": 0} if state == "kicked" else {}


def _text_content(text: str) -> Json:
    content: Json = {"text": text}
    if text.startswith("/"):
        command = text.split(maxsplit=1)[0]
        content["entities"] = [{"type": "bot_command", "offset": 0, "length": length(command)}]
    return content


def _parts(text: str) -> list[str]:
    """A client cuts what is too long for one message."""
    parts = []
    while text:
        head = text.encode("utf-16-le")[: MAX_TEXT * 2].decode("utf-16-le", "ignore")
        parts.append(head)
        text = text[len(head) :]
    return parts


async def _body(request: web.Request) -> Json:
    try:
        body: Any = await request.json()
    except ValueError:
        raise _wrong("the body must be JSON") from None
    if not isinstance(body, dict):
        raise _wrong("the body must be a JSON object")
    return body


def _wrong(why: str, *, status: int = 400) -> web.HTTPException:
    kind = web.HTTPNotFound if status == 404 else web.HTTPBadRequest
    return kind(text=json.dumps({"error": why}), content_type="application/json")
