"""What a message holds beside text, in words for the language model. Whatever a person sends has some.

What is not named here (Telegram invents new things every month) is told as something that she cannot see.
"""

from collections.abc import Iterator
from typing import Any

from aiogram.enums import ContentType
from aiogram.types import Message

#: What a person can send, as the language model is told of it in square brackets.
SENT = {
    ContentType.ANIMATION: "an animation", ContentType.AUDIO: "a piece of music",
    ContentType.CHECKLIST: "a checklist", ContentType.CONTACT: "a contact",
    ContentType.DICE: "a dice throw", ContentType.DOCUMENT: "a file",
    ContentType.GAME: "a game", ContentType.GIFT: "a gift", ContentType.GIVEAWAY: "a giveaway",
    ContentType.GIVEAWAY_WINNERS: "a giveaway", ContentType.INVOICE: "an invoice",
    ContentType.LIVE_PHOTO: "a moving picture", ContentType.LOCATION: "their location",
    ContentType.PAID_MEDIA: "a picture", ContentType.PASSPORT_DATA: "documents", ContentType.PHOTO: "a picture",
    ContentType.POLL: "a poll", ContentType.RICH_MESSAGE: "a long message", ContentType.STICKER: "a sticker",
    ContentType.STORY: "a story", ContentType.UNIQUE_GIFT: "a gift", ContentType.USERS_SHARED: "a contact",
    ContentType.CHAT_SHARED: "a chat", ContentType.VENUE: "a place", ContentType.VIDEO: "a video",
    ContentType.VIDEO_NOTE: "a video message", ContentType.VOICE: "a voice message",
    ContentType.WEB_APP_DATA: "something from an app",
}  # fmt: skip
#: What Telegram tells of the chat itself, and what others answer: nobody waits for a word.
OF_THE_CHAT = {
    ContentType.NEW_CHAT_MEMBERS, ContentType.LEFT_CHAT_MEMBER, ContentType.CHAT_OWNER_LEFT,
    ContentType.CHAT_OWNER_CHANGED, ContentType.NEW_CHAT_TITLE, ContentType.NEW_CHAT_PHOTO,
    ContentType.DELETE_CHAT_PHOTO, ContentType.GROUP_CHAT_CREATED, ContentType.SUPERGROUP_CHAT_CREATED,
    ContentType.CHANNEL_CHAT_CREATED, ContentType.MESSAGE_AUTO_DELETE_TIMER_CHANGED, ContentType.MIGRATE_TO_CHAT_ID,
    ContentType.MIGRATE_FROM_CHAT_ID, ContentType.PINNED_MESSAGE, ContentType.SUCCESSFUL_PAYMENT,
    ContentType.REFUNDED_PAYMENT, ContentType.GIFT_UPGRADE_SENT, ContentType.CONNECTED_WEBSITE,
    ContentType.WRITE_ACCESS_ALLOWED, ContentType.PROXIMITY_ALERT_TRIGGERED, ContentType.BOOST_ADDED,
    ContentType.CHAT_BACKGROUND_SET, ContentType.CHECKLIST_TASKS_DONE, ContentType.CHECKLIST_TASKS_ADDED,
    ContentType.DIRECT_MESSAGE_PRICE_CHANGED, ContentType.FORUM_TOPIC_CREATED, ContentType.FORUM_TOPIC_EDITED,
    ContentType.FORUM_TOPIC_CLOSED, ContentType.FORUM_TOPIC_REOPENED, ContentType.GENERAL_FORUM_TOPIC_HIDDEN,
    ContentType.GENERAL_FORUM_TOPIC_UNHIDDEN, ContentType.GIVEAWAY_CREATED, ContentType.GIVEAWAY_COMPLETED,
    ContentType.MANAGED_BOT_CREATED, ContentType.PAID_MESSAGE_PRICE_CHANGED, ContentType.POLL_OPTION_ADDED,
    ContentType.POLL_OPTION_DELETED, ContentType.SUGGESTED_POST_APPROVED,
    ContentType.SUGGESTED_POST_APPROVAL_FAILED, ContentType.SUGGESTED_POST_DECLINED,
    ContentType.SUGGESTED_POST_PAID, ContentType.SUGGESTED_POST_REFUNDED, ContentType.VIDEO_CHAT_SCHEDULED,
    ContentType.VIDEO_CHAT_STARTED, ContentType.VIDEO_CHAT_ENDED, ContentType.VIDEO_CHAT_PARTICIPANTS_INVITED,
    ContentType.COMMUNITY_CHAT_ADDED, ContentType.COMMUNITY_CHAT_REMOVED, ContentType.COMMUNITY_CHAT_JOINED,
}  # fmt: skip
#: Characters of what was written in it.
MAX_DETAILS = 1000

#: The same of a reply.
MAX_QUOTED = 300
#: What somebody else wrote is no wish of the person's.
FORWARDED = "[Somebody else wrote this; the person passes it on]"


def described(message: Message, *, seen: bool) -> str:
    """`[The person sent a sticker: 👋]`, and what was written to it. `seen`: its picture goes along."""
    what = SENT.get(ContentType(message.content_type), "something")
    return " ".join(filter(None, (f"[The person sent {what}{_details(message, seen=seen)}]", message.caption)))


def replying(words: str, *, by_person: bool) -> str:
    """What a message is a reply to, for the language model."""
    said = " ".join(words.replace("[", "(").replace("]", ")").split())[:MAX_QUOTED]
    return f'[A reply to {"their own" if by_person else "your"} words: "{said}"]' if said else ""


def replying_to_photo(shown: str) -> str:
    """The same of a photo of hers; what it shows, in English, or nothing."""
    return f"[A reply to your photo: {shown}]" if shown else "[A reply to your photo]"


def _details(message: Message, *, seen: bool) -> str:
    if message.sticker and message.sticker.emoji:
        return f": {message.sticker.emoji}"
    if message.dice:
        return f": {message.dice.emoji} {message.dice.value}"
    if message.voice:
        return ", which you could not listen to"
    written = next(filter(None, (message.checklist, message.poll, message.gift)), None)
    if words := " · ".join(_texts(written.model_dump(exclude_none=True))) if written else "":
        return f": {words[:MAX_DETAILS]}"
    return "" if seen else ", which you cannot see or open"


def rich_text(message: Message) -> str:
    """The words of a message that a client sent with headings, tables and the like."""
    rich = message.rich_message
    return "".join(_texts(rich.model_dump(exclude_none=True)["blocks"])).strip() if rich else ""


def _texts(values: Any, key: str = "") -> Iterator[str]:
    """Every text that a person has written somewhere in it; brackets are ours."""
    match values:
        case str() if key in {"text", "title", "question"}:
            yield values.replace("[", "(").replace("]", ")")
        case dict():
            for name, value in values.items():
                yield from _texts(value, name)
        case list() | tuple():
            for value in values:
                # Of rich text, a plain piece stands in the list itself.
                yield from _texts(value, "text" if isinstance(value, str) else "")
