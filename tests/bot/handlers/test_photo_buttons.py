"""What can be done with a photo: under it, while it waits, and in the gallery."""

import asyncio

import pytest
from arq import Worker
from sqlalchemy import func, select

from bot.app import Application
from bot.models import DislikeReason, PhotoMoment, Reaction
from generation.errors import ObjectGone
from generation.models import DiscardedObject, Photo, PhotoStatus
from generation.runtime.database import Database
from generation.storage import Storage
from sandbox.comfyui import ComfyUIServer
from sandbox.settings import ProductSettings
from sandbox.telegram import TelegramServer
from sandbox.wiring import bot_running, worker_running
from tests.conftest import all_handled, settled
from tests.player import Json, Player, has_text, labels, says


async def a_photo(player: Player, database: Database) -> tuple[Json, Photo]:
    """Asked for and delivered."""
    await player.say("/photo")
    message = await player.photo()
    await all_handled(database)
    async with database.unit() as session:
        newest = (await session.scalars(select(Photo.id).order_by(Photo.id.desc()).limit(1))).one()
    return message, await settled(database, newest, PhotoStatus.DELIVERED)


async def test_again_keeps_the_camera_and_another_angle_changes_it(
    bot: Application, worker: Worker, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    message, first = await a_photo(ben, database)
    assert labels(message) == ["🔄 Again", "📷 Another angle", "👍", "👎", "🗑"]
    await ben.press(message, "🔄 Again")
    await ben.photo()
    await ben.press(message, "📷 Another angle")
    await ben.photo()
    await all_handled(database)
    async with database.unit() as session:
        prompts = list(await session.scalars(select(Photo.prompt).order_by(Photo.id)))
        rules = list(await session.scalars(select(Photo.rule).order_by(Photo.id)))
    assert rules == ["request", "retake", "another"]
    assert prompts[1].startswith(first.prompt)
    assert prompts[1] != first.prompt
    assert not prompts[2].startswith(first.prompt)


async def test_a_button_that_is_pressed_twice_orders_once(
    bot: Application, comfyui: ComfyUIServer, worker: Worker, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    message, _ = await a_photo(ben, database)
    comfyui.faults.add(path="/prompt", kind="delay", seconds=1)
    await ben.press(message, "🔄 Again")
    await ben.press(message, "🔄 Again")
    await ben.photo()
    await all_handled(database)
    async with database.unit() as session:
        assert await session.scalar(select(func.count()).select_from(Photo)) == 2


async def test_a_dislike_counts_at_once_and_the_reason_is_asked_for(
    bot: Application, worker: Worker, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    message, photo = await a_photo(ben, database)
    await ben.press(message, "👎")
    reasons = await ben.edited()
    assert labels(reasons) == ["Wrong face", "Wrong moment", "Came out badly", "Something else", "‹"]
    await ben.press(reasons, "Wrong face")
    assert labels(await ben.edited()) == labels(message)
    await all_handled(database)
    async with database.unit() as session:
        moment = await session.get_one(PhotoMoment, photo.id)
    assert (moment.reaction, moment.dislike_reason) == (Reaction.DISLIKED, DislikeReason.FACE)


async def test_a_deleted_photo_is_gone_from_chat_gallery_and_storage(
    bot: Application, worker: Worker, ben: Player, database: Database, bucket: Storage
) -> None:
    await ben.enter("Alisa")
    message, photo = await a_photo(ben, database)
    assert photo.object_key is not None
    await ben.press(message, "🗑")
    sure = await ben.edited()
    assert labels(sure) == ["Delete for good", "Keep"]
    await ben.press(sure, "Keep")
    assert labels(await ben.edited()) == labels(message)
    await ben.press(message, "🗑")
    await ben.press(await ben.edited(), "Delete for good")
    await ben.notices("deleted", lambda it: it["message_id"] == message["message_id"])
    await ben.answers()
    await all_handled(database)
    async with database.unit() as session:
        row = await session.get_one(Photo, photo.id)
    assert (row.object_key, row.file_id, row.prompt, row.status) == (None, None, "", PhotoStatus.DELIVERED)
    await emptied(database)
    with pytest.raises(ObjectGone):
        await bucket.get(photo.object_key)
    await ben.say("/gallery")
    await ben.hears(says("no photos yet"))


async def emptied(database: Database) -> None:
    """Until nothing waits to be deleted any more."""

    async with asyncio.timeout(20):
        while True:
            async with database.unit() as session:
                if not await session.scalar(select(func.count()).select_from(DiscardedObject)):
                    return
            await asyncio.sleep(0.05)


async def test_a_long_wait_tells_its_place_and_can_be_cancelled(
    settings: ProductSettings, bucket: Storage, ben: Player, database: Database
) -> None:
    """No worker runs: the photo stays in the queue."""
    async with bot_running(settings):
        await ben.enter("Alisa")
        await ben.say("/photo")
        words = await ben.hears(says("a little late"))
        assert labels(words) == ["⏳ How long now?", "Cancel"]
        await ben.press(words, "How long")
        assert "late" in await ben.answers()
        await ben.press(words, "Cancel")
        assert (await ben.edited())["text"] == "The photo is cancelled."
        await all_handled(database)
        async with database.unit() as session:
            photo = (await session.scalars(select(Photo))).one()
        assert (photo.status, photo.error) == (PhotoStatus.DROPPED, "the person cancelled it")
        await ben.press_data(words, f"photo_cancel:{photo.id}")
        assert "no longer works" in await ben.answers()


async def test_whoever_else_presses_gets_nothing(
    bot: Application, worker: Worker, ben: Player, anya: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await anya.enter("Алиса")
    _, photo = await a_photo(ben, database)
    theirs = next(it for it in await anya.messages() if "reply_markup" in it)
    for prefix in (
        "photo_retake", "photo_another", "photo_like", "photo_dislike", "photo_because:face", "photo_delete",
        "photo_delete_surely", "photo_how_long", "original",
    ):  # fmt: skip
        await anya.press_data(theirs, f"{prefix}:{photo.id}")
        assert "не действует" in await anya.answers(), prefix
    await anya.press_data(theirs, f"photo_cancel:{photo.id}")
    await anya.answers()
    await all_handled(database)
    async with database.unit() as session:
        row = await session.get_one(Photo, photo.id)
        assert row.object_key is not None
        assert await session.scalar(select(func.count()).select_from(Photo)) == 1


async def test_the_gallery_pages_by_file_id_and_sends_the_original(
    bot: Application, worker: Worker, ben: Player, database: Database, bucket: Storage
) -> None:
    await ben.enter("Alisa")
    photos = [(await a_photo(ben, database))[1] for _ in range(3)]
    await ben.say("/gallery")
    album = await ben.hears(says("Which one"))
    assert labels(album) == ["1", "2", "3"]
    sent = [it for it in await ben.messages() if it.get("media_group_id")]
    assert [it["photo"][0]["file_id"] for it in sent] == [photo.file_id for photo in reversed(photos)]
    await ben.press(album, "1")
    page = await ben.hears(says("1 of 3"))
    assert page["photo"][0]["file_id"] == photos[2].file_id
    await ben.press(page, "▶")
    page = await ben.edited()
    assert page["caption"].startswith("2 of 3")
    assert page["photo"][0]["file_id"] == photos[1].file_id
    await ben.press(page, "▶")
    page = await ben.edited()
    assert labels(page) == ["◀", "📎 Original", "🗑"]
    await ben.press(page, "Original")
    document = (await ben.hears(lambda it: "document" in it))["document"]
    stored = await bucket.get(photos[0].object_key or "")
    assert document["file_size"] == len(stored)
    assert stored.startswith(b"\x89PNG")


async def test_the_gallery_shows_ten_at_a_glance_the_older_ones_and_those_that_were_liked(
    bot: Application, worker: Worker, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    _, photo = await a_photo(ben, database)
    async with database.unit() as session:
        known = await session.get_one(Photo, photo.id)
        columns = {each.key for each in Photo.__table__.columns} - {"id", "key", "dedup_key"}
        values = {name: getattr(known, name) for name in columns}
        moment = await session.get_one(PhotoMoment, photo.id)
        for number in range(11):
            session.add(another := Photo(**values, dedup_key=f"copy:{number}"))
            await session.flush()
            reaction = Reaction.LIKED if number < 2 else None
            story = {"dialogue_id": moment.dialogue_id, "story": moment.story, "scene": {}}
            session.add(PhotoMoment(photo_id=another.id, reaction=reaction, **story))
    await ben.say("/gallery")
    album = await ben.hears(says("Which one"))
    assert labels(album) == [*map(str, range(1, 11)), "Older ▶", "👍 Liked: 2"]
    await ben.press(album, "Older")
    older = await ben.hears(says("Which one"))
    assert labels(older) == ["1", "2", "👍 Liked: 2"]
    await ben.press(older, "Liked")
    liked = await ben.hears(says("Which one"))
    assert labels(liked) == ["1", "2", "All photos"]
    await ben.press(liked, "2")
    assert (await ben.hears(says(" of 12")))["caption"].startswith("11 of 12")


async def test_blur_and_silence_are_how_photos_come(
    settings: ProductSettings, bucket: Storage, ben: Player, database: Database
) -> None:
    async with bot_running(settings), worker_running(settings):
        await ben.enter("Alisa")
        message, _ = await a_photo(ben, database)
        assert "has_media_spoiler" not in message
        assert "silent" not in message
        await ben.say("/settings")
        page = await ben.hears(has_text)
        await ben.press(page, "🌫")
        await ben.press(await ben.edited(), "🔔")
        assert "🔔 Sound with photos: no" in labels(await ben.edited())
        message, _ = await a_photo(ben, database)
        assert message["has_media_spoiler"]
        assert message["silent"]


async def test_a_photo_older_than_two_days_is_deleted_here_and_the_person_is_told(
    bot: Application, worker: Worker, ben: Player, database: Database, telegram: TelegramServer
) -> None:
    await ben.enter("Alisa")
    message, _ = await a_photo(ben, database)
    old = message | {"date": message["date"] - 3 * 24 * 3600}
    telegram.store.change_message(old)
    await ben.press(message, "🗑")
    await ben.press(await ben.edited(), "Delete for good")
    assert "delete it there yourself" in await ben.answers()


async def answered(player: Player) -> None:
    """What was done in a chat before is handled once something after it has an answer."""
    await player.say("And how are you?")
    await player.hears(has_text)


@pytest.mark.parametrize(
    ("emoji", "reaction"), [("❤", Reaction.LIKED), ("👎", Reaction.DISLIKED), ("🤔", None), ("🗿", None)]
)
async def test_an_emoji_under_a_photo_is_a_like_or_a_dislike(
    bot: Application, worker: Worker, ben: Player, database: Database, emoji: str, reaction: Reaction | None
) -> None:
    await ben.enter("Alisa")
    message, photo = await a_photo(ben, database)
    await ben.react(message, emoji)
    if reaction is Reaction.LIKED:
        assert "👍 ✓" in labels(await ben.edited())
    await answered(ben)
    async with database.unit() as session:
        assert (await session.get_one(PhotoMoment, photo.id)).reaction is reaction
    await ben.react(message, "")
    await answered(ben)
    async with database.unit() as session:
        assert (await session.get_one(PhotoMoment, photo.id)).reaction is None


async def test_an_emoji_under_words_or_of_somebody_else_changes_nothing(
    bot: Application, worker: Worker, ben: Player, anya: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await anya.enter("Алиса")
    message, photo = await a_photo(ben, database)
    for player in (ben, anya):
        await player.react((await player.messages())[-2], "👎")
    await answered(ben)
    await answered(anya)
    async with database.unit() as session:
        assert (await session.get_one(PhotoMoment, photo.id)).reaction is None
    assert message["message_id"] == photo.telegram_message_id
