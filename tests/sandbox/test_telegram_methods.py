"""Albums, copies, forwards, reactions, pins and the book of Stars of the local Telegram, by a client library."""

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramRetryAfter
from aiogram.types import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    MediaUnion,
    Message,
    MessageOriginUser,
    ReactionTypeEmoji,
    ReactionTypeUnion,
    ReplyParameters,
)

from sandbox.telegram import TelegramServer
from tests.player import Player
from tests.sandbox.test_bot_api import api, picture

__all__ = ["api"]


def album(count: int) -> list[MediaUnion]:
    return [InputMediaPhoto(media=picture(40, 40), caption=f"{each}") for each in range(count)]


async def test_an_album_is_one_group_of_messages(api: Bot) -> None:
    sent = await api.send_media_group(1001, album(3))
    assert [each.caption for each in sent] == ["0", "1", "2"]
    assert len({each.media_group_id for each in sent}) == 1
    photo = sent[0].photo
    assert photo
    again = await api.send_media_group(1001, [InputMediaPhoto(media=photo[-1].file_id)] * 10)
    assert {each.media_group_id for each in again} != {sent[0].media_group_id}


@pytest.mark.parametrize(("count", "complaint"), [(0, "no messages to send"), (11, "too many messages")])
async def test_albums_have_up_to_ten(api: Bot, count: int, complaint: str) -> None:
    with pytest.raises(TelegramBadRequest, match=complaint):
        await api.send_media_group(1001, album(count))


async def test_an_album_counts_as_its_messages_against_floods(api: Bot) -> None:
    await api.send_media_group(1001, album(10))
    await api.send_media_group(1001, album(10))
    with pytest.raises(TelegramRetryAfter):
        await api.send_media_group(1001, album(10))


async def test_captions_are_edited_where_there_are_captions(api: Bot) -> None:
    photo = await api.send_photo(1001, picture(40, 40), caption="one")
    edited = await api.edit_message_caption(chat_id=1001, message_id=photo.message_id, caption="two")
    assert isinstance(edited, Message)
    assert (edited.caption, bool(edited.photo)) == ("two", True)
    cleared = await api.edit_message_caption(chat_id=1001, message_id=photo.message_id)
    assert isinstance(cleared, Message)
    assert cleared.caption is None
    text = await api.send_message(1001, "words")
    with pytest.raises(TelegramBadRequest, match="there is no caption in the message to edit"):
        await api.edit_message_caption(chat_id=1001, message_id=text.message_id, caption="x")


async def test_several_messages_are_deleted_copied_and_forwarded(api: Bot) -> None:
    sent = [(await api.send_message(1001, f"{each}")).message_id for each in range(4)]
    assert await api.delete_messages(1001, [sent[0], 9_999])
    copies = await api.copy_messages(1002, from_chat_id=1001, message_ids=sent)
    assert len(copies) == 3
    forwarded = await api.forward_messages(1002, from_chat_id=1001, message_ids=sent[1:3])
    assert len(forwarded) == 2
    with pytest.raises(TelegramBadRequest, match="strictly increasing order"):
        await api.forward_messages(1002, from_chat_id=1001, message_ids=[sent[2], sent[1]])
    with pytest.raises(TelegramBadRequest, match="no messages to forward"):
        await api.forward_messages(1002, from_chat_id=1001, message_ids=[9_999])
    with pytest.raises(TelegramBadRequest, match="message identifiers are not specified"):
        await api.delete_messages(1001, [])
    with pytest.raises(TelegramBadRequest, match="too many message identifiers"):
        await api.delete_messages(1001, list(range(1, 102)))


async def test_a_forward_says_where_it_is_from(api: Bot, telegram: TelegramServer) -> None:
    async with Player(telegram.url, 1001) as person:
        said = await person.say("look")
    forwarded = await api.forward_message(1002, 1001, said["message_id"])
    assert isinstance(forwarded.forward_origin, MessageOriginUser)
    assert forwarded.forward_origin.sender_user.id == 1001
    again = await api.forward_message(1001, 1002, forwarded.message_id)
    assert isinstance(again.forward_origin, MessageOriginUser)
    assert again.forward_origin.sender_user.id == 1001
    with pytest.raises(TelegramBadRequest, match="message to forward not found"):
        await api.forward_message(1002, 1001, 9_999)


async def test_a_copy_may_have_another_caption(api: Bot, telegram: TelegramServer) -> None:
    photo = await api.send_photo(1001, picture(40, 40), caption="*one*", parse_mode="MarkdownV2")
    copy = await api.copy_message(1002, 1001, photo.message_id, caption="two")
    kept = telegram.store.message(1002, copy.message_id)
    assert kept is not None
    assert (kept["caption"], "caption_entities" in kept) == ("two", False)


async def test_answers_to_another_chat_quote_from_there(api: Bot) -> None:
    said = await api.send_message(1001, "a long sentence")
    reply = ReplyParameters(message_id=said.message_id, chat_id=1001, quote="long")
    answer = await api.send_message(1002, "this one", reply_parameters=reply)
    assert answer.reply_to_message is None
    assert answer.external_reply is not None
    assert answer.external_reply.message_id == said.message_id
    assert answer.quote is not None
    assert answer.quote.text == "long"
    lost = ReplyParameters(message_id=9_999, chat_id=1001, allow_sending_without_reply=True)
    with pytest.raises(TelegramBadRequest, match="message to be replied not found"):
        await api.send_message(1002, "x", reply_parameters=lost)


async def test_a_bot_reacts_with_one_emoji_that_telegram_has(api: Bot, telegram: TelegramServer) -> None:
    async with Player(telegram.url, 1001) as person:
        said = await person.say("hi")
        assert await api.set_message_reaction(1001, said["message_id"], [ReactionTypeEmoji(emoji="❤")])
        assert (await person.notices("reactions", lambda _: True))["emojis"] == ["❤"]
    assert await api.set_message_reaction(1001, said["message_id"], [])
    with pytest.raises(TelegramBadRequest, match="REACTION_INVALID"):
        await api.set_message_reaction(1001, said["message_id"], [ReactionTypeEmoji(emoji="🫠")])
    two: list[ReactionTypeUnion] = [ReactionTypeEmoji(emoji="👍"), ReactionTypeEmoji(emoji="🔥")]
    with pytest.raises(TelegramBadRequest, match="REACTIONS_TOO_MANY"):
        await api.set_message_reaction(1001, said["message_id"], two)
    with pytest.raises(TelegramBadRequest, match="message to react not found"):
        await api.set_message_reaction(1001, 9_999, [])


async def test_pins_are_told_by_get_chat(api: Bot) -> None:
    first, second = [(await api.send_message(1001, each)).message_id for each in ("one", "two")]
    assert await api.pin_chat_message(1001, first)
    assert await api.pin_chat_message(1001, second)
    chat = await api.get_chat(1001)
    assert chat.pinned_message is not None
    assert (chat.first_name, chat.pinned_message.message_id) == ("Аня", second)
    assert await api.unpin_chat_message(1001)
    pinned = (await api.get_chat(1001)).pinned_message
    assert pinned is not None
    assert pinned.message_id == first
    assert await api.unpin_all_chat_messages(1001)
    assert (await api.get_chat(1001)).pinned_message is None
    with pytest.raises(TelegramBadRequest, match="message to unpin not found"):
        await api.unpin_chat_message(1001)
    with pytest.raises(TelegramBadRequest, match="chat not found"):
        await api.get_chat(77)


async def test_a_row_keeps_twelve_buttons(api: Bot) -> None:
    row = [InlineKeyboardButton(text=f"{each}", callback_data="x") for each in range(20)]
    sent = await api.send_message(1001, "x", reply_markup=InlineKeyboardMarkup(inline_keyboard=[row, []]))
    assert sent.reply_markup is not None
    assert [len(each) for each in sent.reply_markup.inline_keyboard] == [12]
