"""Reference pictures are read with the persona's file, named by their content and stored for the workers."""

import asyncio
from pathlib import Path

import pytest
from arq import Worker
from PIL import Image
from sqlalchemy import select

from bot.app import Application
from bot.personas import persona as personas
from bot.personas.references import NoReference, read
from generation.errors import ObjectGone, StorageUnavailable
from generation.models import Photo, PhotoStatus
from generation.runtime.database import Database
from generation.storage import Storage, reference_key
from tests.conftest import all_handled
from tests.player import Player

ALISA = personas.FOLDER / "alisa.toml"


def test_a_changed_picture_is_another_reference(tmp_path: Path) -> None:
    names = set()
    for colour in ("red", "blue"):
        Image.new("RGB", (400, 400), colour).save(tmp_path / "her.png")
        names.add(read(tmp_path / "her.png").name)
    assert len(names) == 2
    assert all(name.startswith("vitte-") and name.endswith(".png") for name in names)


def test_the_ending_is_that_of_the_content(tmp_path: Path) -> None:
    Image.new("RGB", (400, 400)).save(tmp_path / "her.png", "JPEG")
    assert read(tmp_path / "her.png").name.endswith(".jpg")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"no picture", "no whole picture"),
        (b"\x89PNG" + bytes(5 * 1024 * 1024), "bytes, 4194304 are possible"),
    ],
)
def test_what_is_no_picture_is_told(tmp_path: Path, content: bytes, complaint: str) -> None:
    (tmp_path / "her.png").write_bytes(content)
    with pytest.raises(NoReference, match=complaint):
        read(tmp_path / "her.png")


def test_a_picture_must_show_a_face(tmp_path: Path) -> None:
    Image.new("RGB", (400, 100)).save(tmp_path / "her.png")
    with pytest.raises(NoReference, match="256 are needed"):
        read(tmp_path / "her.png")
    Image.new("RGB", (400, 400)).save(tmp_path / "her.gif")
    with pytest.raises(NoReference, match="GIF"):
        read(tmp_path / "her.gif")


def test_a_file_that_is_not_there_stops_the_start_by_name(tmp_path: Path) -> None:
    (tmp_path / "alisa.toml").write_text(ALISA.read_text())
    with pytest.raises(personas.WrongPersona, match=r"alisa\.toml: alisa\.jpg cannot be read"):
        personas.load(tmp_path / "alisa.toml")


def test_her_photos_bring_the_names() -> None:
    looks = personas.load(ALISA).looks
    assert looks.inputs() == {"reference_1": f"references/{looks.pictures[0].name}"}


async def test_the_bot_stores_all_of_them(bot: Application, bucket: Storage) -> None:
    wanted = [
        each for persona in personas.load_all({"z-image-turbo", "sdxl"}).values() for each in persona.looks.pictures
    ]
    assert len(wanted) == 4
    for picture in wanted:
        assert await stored(bucket, picture.name) == picture.content


async def stored(bucket: Storage, name: str) -> bytes:
    async with asyncio.timeout(20):
        while True:
            try:
                return await bucket.get(reference_key(name))
            except (ObjectGone, StorageUnavailable):  # rclone shows files that are still being written
                await asyncio.sleep(0.02)


async def test_a_photo_of_the_same_scene_brings_the_last_one_along(
    bot: Application, worker: Worker, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    for _ in range(2):
        await ben.say("/photo")
        await ben.photo()
        await all_handled(database)
    async with asyncio.timeout(20):
        while True:
            async with database.unit() as session:
                first, second = (await session.scalars(select(Photo).order_by(Photo.id))).all()
            if second.status is PhotoStatus.DELIVERED:
                break
            await asyncio.sleep(0.02)
    assert first.inputs.keys() == {"reference_1"}
    assert second.inputs == first.inputs | {"scene_photo": first.object_key}
