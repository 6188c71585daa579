"""The product's main job, from /start to a photo in the chat, on real parts."""

from arq import Worker

from bot.app import Application
from generation.runtime.database import Database
from generation.storage import Storage
from sandbox.telegram import TelegramServer
from tests.conftest import settled
from tests.player import Player, has_text


async def test_a_person_chats_and_a_photo_arrives_as_a_reply(
    bot: Application, worker: Worker, anya: Player, database: Database, bucket: Storage
) -> None:
    await anya.enter("Алиса")
    asked = await anya.say("Привет! Пришли мне, пожалуйста, фото")
    answer = await anya.hears(has_text)
    photo = await anya.photo()

    assert "[scene]" not in answer["text"]
    assert photo["reply_to_message"]["message_id"] == asked["message_id"]
    assert photo["message_id"] > answer["message_id"]
    row = await settled(database, 1, "delivered")
    assert row.telegram_message_id == photo["message_id"]
    assert row.file_id == photo["photo"][-1]["file_id"]
    assert row.object_key is not None
    assert str(anya.id) not in row.object_key
    stages = [row.queued_at, row.claimed_at, row.submitted_at, row.rendered_at, row.stored_at]
    stages += [row.sending_at, row.delivered_at]
    known = [stage for stage in stages if stage]
    assert len(known) == 7
    assert known == sorted(known)
    assert (await bucket.get(row.object_key)).startswith(b"\x89PNG")


async def test_typing_is_shown_before_the_answer_and_upload_photo_before_the_photo(
    bot: Application, worker: Worker, ben: Player
) -> None:
    await ben.enter("Mark")
    await ben.say("Hello! send me a photo")
    await ben.photo()
    order = [data.get("action") or ("photo" if "photo" in data else "text") for name, data in ben.heard
             if name == "action" or (name == "message" and data["from"]["is_bot"])]  # fmt: skip
    answer = order.index("typing")
    assert order[answer + 1] == "text"
    assert "upload_photo" in order[answer:]
    assert order[-1] == "photo" or order[-2] == "photo"


async def test_two_people_are_served_side_by_side_each_with_an_own_picture(
    bot: Application, worker: Worker, anya: Player, ben: Player, telegram: TelegramServer
) -> None:
    await anya.enter("Алиса")
    await ben.enter("Vera")
    await anya.say("пришли мне фото")
    await ben.say("send me a photo")
    first, second = await anya.photo(), await ben.photo()
    contents = {telegram.store.file(message["photo"][-1]["file_id"]) for message in (first, second)}
    assert len(contents) == 2
