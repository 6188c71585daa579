"""Four candidate faces for a persona of one's own, through the whole product, and the one that stays."""

import asyncio
from typing import Any

from arq import Worker
from sqlalchemy import select

from bot.accounts.photo_quota import photo_quota
from bot.app import Application
from bot.models import OwnPersona
from bot.personas import persona as personas
from bot.personas.catalog import PersonaCatalog
from bot.photos import faces
from bot.photos.prompt import portrait
from generation.errors import ObjectGone
from generation.models import Photo, PhotoStatus
from generation.orders import erasure
from generation.runtime.database import Database
from generation.storage import Storage
from sandbox.comfyui import ComfyUIServer
from sandbox.settings import ProductSettings
from sandbox.wiring import bot_running
from tests.bot.handlers.test_own_persona import write
from tests.conftest import all_handled
from tests.player import Player, has_buttons, has_text, labels, says
from triggers.policy.policy import Policy


async def candidates(player: Player, summary: dict[str, Any]) -> list[dict[str, Any]]:
    """The four pictures, by the button of the summary."""
    await player.press(summary, "Choose a face")
    await player.hears(says("Drawing four faces"))
    return [await player.photo() for _ in range(faces.CANDIDATES)]


async def own(database: Database) -> OwnPersona:
    """The only one there is."""
    await all_handled(database)
    async with database.unit() as session:
        return (await session.scalars(select(OwnPersona))).one()


async def delivered(database: Database) -> None:
    """Wait until the rows say so too."""
    async with asyncio.timeout(20):
        while True:
            async with database.unit() as session:
                if {PhotoStatus.DELIVERED} == set(await session.scalars(select(Photo.status))):
                    return
            await asyncio.sleep(0.02)


async def gone(bucket: Storage, database: Database, key: str) -> None:
    """Wait until nothing lies under a key; no worker need sweep."""
    async with asyncio.timeout(20):
        while True:
            await erasure.sweep(database, bucket)
            try:
                await bucket.get(key)
            except ObjectGone:
                return
            await asyncio.sleep(0.05)


async def test_the_chosen_face_stays_hers(
    bot: Application, worker: Worker, ben: Player, database: Database, bucket: Storage
) -> None:
    await ben.enter("Alisa")
    four = await candidates(ben, await write(ben))
    assert all(labels(each) == ["✓ This face"] for each in four)
    await ben.press(four[2], "This face")
    chosen = await ben.hears(says("This is Nora from now on."))
    row = await own(database)
    async with database.unit() as session:
        photos = list(await session.scalars(select(Photo).order_by(Photo.id)))
    assert len({photo.seed for photo in photos}) == len({photo.reason for photo in photos}) == 4
    picked = next(photo for photo in photos if photo.telegram_message_id == four[2]["message_id"])
    assert row.face_words is not None
    assert row.face_key is not None
    assert row.face_words in picked.prompt
    assert picked.object_key is not None
    assert await bucket.get(row.face_key) == await bucket.get(picked.object_key)
    # The others leave the chat and the store.
    assert [photo.object_key is None for photo in photos] == [photo.id != picked.id for photo in photos]
    left = {each["message_id"] for each in await ben.photos()}
    assert left & {each["message_id"] for each in four} == {four[2]["message_id"]}

    await ben.press(chosen, "Start talking")
    await ben.hears(says("window is ours"))
    await ben.say("/photo")
    await ben.photo()
    async with database.unit() as session:
        drawn = (await session.scalars(select(Photo).where(Photo.rule != "face"))).one()
    assert drawn.inputs == {"reference_1": row.face_key}
    assert row.face_words in drawn.prompt
    # Candidates are no photos of the album.
    await ben.say("/gallery")
    await ben.hears(says("1 of 1"))


async def test_pressed_twice_they_are_ordered_once(bot: Application, ben: Player, database: Database) -> None:
    await ben.enter("Alisa")
    summary = await write(ben)
    await ben.press(summary, "Choose a face")
    await ben.hears(says("Drawing four faces"))
    await ben.press(summary, "Choose a face")
    assert "being drawn" in await ben.answers()
    async with database.unit() as session:
        assert len(list(await session.scalars(select(Photo.id)))) == faces.CANDIDATES


async def test_there_are_twelve_a_day_and_they_cost_no_photos(
    bot: Application, worker: Worker, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    summary = await write(ben)
    for _ in range(faces.A_DAY // faces.CANDIDATES):
        await candidates(ben, summary)
        await delivered(database)
    await ben.press(summary, "Choose a face")
    assert "enough faces" in await ben.answers()
    async with database.unit() as session:
        words = list(await session.scalars(select(Photo.reason)))
        assert len(set(words)) == len(words) == faces.A_DAY
        assert (await photo_quota(session, ben.id)).today == 0


async def test_a_full_queue_is_told(settings: ProductSettings, bucket: Storage, ben: Player) -> None:
    async with bot_running(settings.model_copy(update={"queue_limit": 0})):
        await ben.enter("Alisa")
        await ben.press(await write(ben), "Choose a face")
        assert "aren't working just now" in await ben.answers()


async def test_one_apology_is_enough_for_four(
    bot: Application, worker: Worker, comfyui: ComfyUIServer, ben: Player, database: Database
) -> None:
    comfyui.faults.add(path="render", kind="black", times=1000)
    await ben.enter("Alisa")
    await ben.press(await write(ben), "Choose a face")
    await ben.hears(says("Drawing four faces"))
    await ben.hears(says("Not every face came out"))
    async with asyncio.timeout(20):
        while True:
            async with database.unit() as session:
                photos = list(await session.scalars(select(Photo)))
            if all(photo.status is PhotoStatus.FAILED and photo.told_at for photo in photos):
                break
            await asyncio.sleep(0.05)
    said = [each for each in await ben.messages() if "face came out" in str(each.get("text"))]
    assert len(said) == 1


async def test_with_the_persona_her_face_goes(
    bot: Application, worker: Worker, ben: Player, database: Database, bucket: Storage
) -> None:
    await ben.enter("Alisa")
    four = await candidates(ben, await write(ben))
    await ben.press(four[0], "This face")
    await ben.press(await ben.hears(says("from now on")), "Start talking")
    await ben.hears(says("window is ours"))
    row = await own(database)
    await ben.press_data(four[0], f"own_delete:{row.id}")
    assert "Deleted" in await ben.answers()
    await gone(bucket, database, str(row.face_key))
    async with database.unit() as session:
        photos = list(await session.scalars(select(Photo)))
    assert all(photo.object_key is None and photo.prompt == "" for photo in photos)
    assert await ben.photos() == []
    await ben.press_data(await ben.say("hello"), f"own_face:{photos[0].id}")
    assert "no longer" in await ben.answers()


async def test_other_looks_have_no_face_yet(
    bot: Application, worker: Worker, ben: Player, database: Database, bucket: Storage
) -> None:
    await ben.enter("Alisa")
    summary = await write(ben)
    four = await candidates(ben, summary)
    await ben.press(four[1], "This face")
    await ben.hears(says("from now on"))
    key = (await own(database)).face_key
    await ben.press(summary, "‹ Back")
    await ben.hears(says("What do they look like?"))
    row = await own(database)
    assert (row.face_key, row.face_words) == (None, None)
    await gone(bucket, database, str(key))
    await ben.say("Red hair, green eyes, freckles")
    await candidates(ben, await ben.hears(has_buttons))


async def test_everything_deleted_is_the_face_as_well(
    bot: Application, worker: Worker, ben: Player, database: Database, bucket: Storage
) -> None:
    await ben.enter("Alisa")
    four = await candidates(ben, await write(ben))
    await ben.press(four[3], "This face")
    await ben.hears(says("from now on"))
    key = (await own(database)).face_key
    await ben.say("/privacy")
    question = await ben.hears(has_buttons)
    await ben.press(question, "Delete")
    await ben.press(await ben.edited(), "Yes")
    await ben.hears(has_text)
    await gone(bucket, database, str(key))


async def test_nobody_chooses_for_somebody_else(
    bot: Application, worker: Worker, ben: Player, anya: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    await anya.enter("Алиса")
    await candidates(ben, await write(ben))
    number = (await own(database)).id
    async with database.unit() as session:
        photo_id = (await session.scalars(select(Photo.id).limit(1))).one()
    message = next(each for each in await anya.messages() if has_buttons(each))
    for data in (f"own_faces:{number}", f"own_face:{photo_id}", "own_faces:7777", "own_face:x"):
        await anya.press_data(message, data)
        assert "не действует" in await anya.answers()
    assert (await own(database)).face_key is None


async def test_a_new_face_is_that_of_photos_that_wait(
    bot: Application, worker: Worker, ben: Player, database: Database, comfyui: ComfyUIServer
) -> None:
    """Their reference would be gone."""
    await ben.enter("Alisa")
    summary = await write(ben)
    four = await candidates(ben, summary)
    await ben.press(four[0], "This face")
    await ben.hears(says("from now on"))
    first = (await own(database)).face_key
    more = await candidates(ben, summary)
    await ben.press(summary, "Start talking")
    await ben.hears(says("window is ours"))
    await all_handled(database)
    async with database.unit() as session:
        photo = await session.scalar(select(Photo).limit(1))
        assert photo is not None
        values = {c.key: getattr(photo, c.key) for c in Photo.__table__.columns if c.key not in {"id", "key"}}
        values |= {
            "dedup_key": "waits",
            "rule": "command",
            "status": PhotoStatus.QUEUED,
            "inputs": {"reference_1": first},
        }
        values |= {"not_before": photo.queued_at.replace(year=2999), "prompt": "Nora"}
        session.add(Photo(**values))
    await ben.press(more[0], "This face")
    await ben.hears(says("from now on"))
    row = await own(database)
    assert row.face_key != first
    async with database.unit() as session:
        waits = (await session.scalars(select(Photo).where(Photo.dedup_key == "waits"))).one()
    assert waits.inputs == {"reference_1": row.face_key}


def test_no_words_of_a_face_are_refused() -> None:
    catalog = PersonaCatalog(personas.load_all({"z-image-turbo", "sdxl"}))
    persona = catalog.sample()
    policy = Policy()
    assert len(set(catalog.faces)) == len(catalog.faces) >= faces.A_DAY
    for each in catalog.faces:
        looks = persona.looks.model_copy(update={"person": f"{persona.looks.person}, {each}"})
        prompt = portrait(persona.model_copy(update={"looks": looks}))
        assert policy.check_prompt(prompt) is None, each
