"""What Telegram looks at before it does anything, and its words for what is wrong.

Source: tdlib/telegram-bot-api and tdlib/td (`clean_input_string`, `Client.cpp`, `ReplyMarkup.cpp`), 2026-11.
"""

import re
from typing import Any
from urllib.parse import urlsplit

from sandbox.telegram.errors import bad_request
from sandbox.telegram.formatting import length, parse, stripped
from sandbox.telegram.store import Json

MAX_TEXT = 4096
MAX_CAPTION = 1024
MAX_CALLBACK_DATA = 64
MAX_BUTTONS = 100
#: A row keeps so many buttons, the others are gone without a word (`get_reply_markup` of TDLib).
MAX_ROW = 12
MAX_COMMANDS = 100
#: Ports that a webhook may have.
WEBHOOK_PORTS = {443, 80, 88, 8443}
_SECRET = re.compile(r"[A-Za-z0-9_-]{0,256}")
_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_LANGUAGE = re.compile(r"(?:[a-z]{2})?")
#: What has no width, or is a space: a text of nothing else is empty.
_NOTHING = re.compile(
    r"[\s\u00ad\u034f\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\ufe00-\ufe0f\ufeff\ufffc]+"
)


def is_true(value: Any) -> bool:
    """A flag, in whatever form a client sends it."""
    return str(value).lower() == "true"


def text_of(parameters: Json, name: str, limit: int, too_long: str) -> str:
    """A text of at most so many units; empty when nothing of it can be seen."""
    text = str(parameters.get(name) or "").strip()
    if length(text) > limit:
        raise bad_request(too_long)
    return "" if _NOTHING.fullmatch(text) else text


def formatted(parameters: Json, name: str, limit: int, too_long: str) -> Json:
    """The fields of a text with its entities, of a `parse_mode` or given; no fields for an empty text."""
    key = "entities" if name == "text" else f"{name}_entities"
    text, given = str(parameters.get(name) or ""), parameters.get(key) or []
    if mode := str(parameters.get("parse_mode") or ""):
        text, given = parse(text, mode)
    text, entities = stripped(text, [_entity(each) for each in given])
    if not text_of({name: text}, name, limit, too_long):
        return {}
    return {name: text} | ({key: entities} if entities else {})


def _entity(given: Json) -> Json:
    if not all(isinstance(given.get(name), int) for name in ("offset", "length")) or not given.get("type"):
        raise bad_request("can't parse MessageEntity: a type, an offset and a length are needed")
    return given


def markup_of(parameters: Json, *, pays: bool = False) -> Json | None:
    """Buttons under a message; `pays`: it is an invoice."""
    markup: Json | None = parameters.get("reply_markup")
    if not markup:
        return None
    if "inline_keyboard" not in markup:
        return markup
    rows = [row[:MAX_ROW] for row in markup["inline_keyboard"] if row]
    buttons = [button for row in rows for button in row]
    if len(buttons) > MAX_BUTTONS:
        raise bad_request("reply markup is too long")
    for button in buttons:
        _check_button(button, pays=pays)
    return markup | {"inline_keyboard": rows}


def _check_button(button: Json, *, pays: bool) -> None:
    if not str(button.get("text") or "").strip():
        raise bad_request("inline keyboard button text must be non-empty")
    if "callback_data" in button and not 1 <= len(button["callback_data"].encode()) <= MAX_CALLBACK_DATA:
        raise bad_request("BUTTON_DATA_INVALID")
    if not button.keys() - {"text"}:
        raise bad_request("can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard")
    if "url" in button:
        _check_url(str(button["url"]))
    if "web_app" in button and urlsplit(str(button["web_app"].get("url"))).scheme != "https":
        url = button["web_app"].get("url")
        raise bad_request(f"inline keyboard button Web App URL '{url}' is invalid: Only HTTPS links are allowed")
    if button.get("pay") and not pays:
        raise bad_request("BUTTON_TYPE_INVALID")


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https", "tg", "ton", "tonsite"}:
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Unsupported URL protocol")
    if re.search(r"\s", url) or (parts.scheme.startswith("http") and "." not in (parts.hostname or "")):
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")


def check_webhook(parameters: Json) -> None:
    """Address and secret; a stand-in on loopback is reached without TLS, on any port."""
    url = str(parameters.get("url") or "")
    if not _SECRET.fullmatch(str(parameters.get("secret_token") or "")):
        raise bad_request("secret token contains unallowed characters")
    if not url or url.startswith("http://127.0.0.1"):
        return
    if not url.startswith("https://"):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if (urlsplit(url).port or 443) not in WEBHOOK_PORTS:
        raise bad_request("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")


def check_commands(parameters: Json) -> list[Json]:
    """Commands of a menu, by name, words and language."""
    commands = parameters.get("commands")
    if not isinstance(commands, list) or len(commands) > MAX_COMMANDS:
        raise bad_request("expected an Array of BotCommand")
    for command in commands:
        if not _COMMAND.fullmatch(command["command"]) or not 1 <= len(command["description"]) <= 256:
            raise bad_request("BOT_COMMAND_INVALID")
    if not _LANGUAGE.fullmatch(str(parameters.get("language_code") or "")):
        raise bad_request("invalid language code specified")
    return commands


def check_quote(wanted: Json, replied: Json | None) -> None:
    """A quote must be in the message that it is of."""
    quote = str(wanted.get("quote") or "")
    said = str((replied or {}).get("text") or (replied or {}).get("caption") or "")
    if quote and quote not in said:
        raise bad_request("QUOTE_TEXT_INVALID")


def check_effect(parameters: Json) -> None:
    """Effects are numbers that Telegram gives out, for private chats."""
    effect = parameters.get("message_effect_id")
    if effect and str(effect) not in EFFECTS:
        raise bad_request("EFFECT_ID_INVALID")


def check_reactions(parameters: Json) -> list[Json]:
    """The reaction of a bot: one emoji of those that Telegram has, or none."""
    given = parameters.get("reaction") or []
    if not isinstance(given, list):
        raise bad_request("expected an Array of ReactionType")
    for each in given:
        if not isinstance(each, dict) or each.get("type") not in {"emoji", "custom_emoji", "paid"}:
            raise bad_request("can't parse ReactionType: invalid reaction type specified")
        if each["type"] != "emoji" or each.get("emoji") not in REACTIONS:
            raise bad_request("REACTION_INVALID")
    if len(given) > 1:
        raise bad_request("REACTIONS_TOO_MANY")
    return given


#: core.telegram.org/bots/api#reactiontypeemoji
_EMOJI = """
❤ 👍 👎 🔥 🥰 👏 😁 🤔 🤯 😱 🤬 😢 🎉 🤩 🤮 💩 🙏 👌 🕊 🤡 🥱 🥴 😍 🐳 ❤‍🔥 🌚 🌭 💯 🤣 ⚡ 🍌 🏆 💔 🤨 😐
🍓 🍾 💋 🖕 😈 😴 😭 🤓 👻 👨‍💻 👀 🎃 🙈 😇 😨 🤝 ✍ 🤗 🫡 🎅 🎄 ☃ 💅 🤪 🗿 🆒 💘 🙉 🦄 😘 💊 🙊 😎 👾 🤷‍♂ 🤷 🤷‍♀ 😡
"""
REACTIONS = frozenset(_EMOJI.split())
#: Fire, thumbs, hearts and the like, as in the Bot API's documentation.
EFFECTS = {
    "5104841245755180586", "5107584321108051014", "5104858069142078462", "5044134455711629726",
    "5046509860389126442", "5046589136895476101",
}  # fmt: skip
