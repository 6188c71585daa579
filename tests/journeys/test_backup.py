"""Backups as in docs/operations.md: PostgreSQL dumped, the bucket copied, both restored, and all is there."""

import subprocess
import sysconfig
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.engine import make_url

from bot.models import Message
from generation import storage
from generation.models import Photo, PhotoStatus
from generation.runtime.database import Database
from generation.storage import Storage
from sandbox.cluster import Servers
from sandbox.servers import S3
from sandbox.settings import ProductSettings
from sandbox.wiring import bot_running, worker_running
from tests.conftest import all_handled, settled
from tests.player import Player, has_text

RCLONE = Path(sysconfig.get_path("scripts")) / "rclone"


def run(*command: object) -> None:
    ran = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stderr


def where(url: str) -> list[str]:
    address = make_url(url)
    return ["--host", str(address.query["host"]), "--port", str(address.query["port"]), "--username", "postgres"]


def remote(settings: ProductSettings) -> list[str]:
    """The S3 server in rclone's words, as in the documentation."""
    return [
        "--config", "/dev/null", "--s3-provider", "Other", "--s3-endpoint", settings.s3_endpoint_url,
        "--s3-access-key-id", S3.access_key, "--s3-secret-access-key", S3.secret_key,
    ]  # fmt: skip


async def test_a_restored_backup_has_the_talk_the_gallery_and_the_originals(
    settings: ProductSettings, bucket: Storage, servers: Servers, ben: Player, database: Database, tmp_path: Path
) -> None:
    async with bot_running(settings), worker_running(settings):
        await ben.enter("Alisa")
        await ben.say("send me a photo")
        await ben.photo()
        async with database.unit() as session:
            photo_id = (await session.scalars(select(Photo.id))).one()
        photo = await settled(database, photo_id, PhotoStatus.DELIVERED)
        await all_handled(database)
    original = await bucket.get(photo.object_key or "")

    dump, files = tmp_path / "vitte.dump", tmp_path / "photos"
    source = make_url(settings.database_url)
    run(
        servers.postgres.programs / "pg_dump",
        *where(settings.database_url),
        "--format=custom",
        "--file",
        dump,
        source.database,
    )
    run(RCLONE, "sync", f":s3:{settings.s3_bucket}", files, *remote(settings))

    # Another machine: an empty database and an empty bucket.
    servers.postgres.create_database("restored")
    restored = settings.model_copy(
        update={"database_url": servers.postgres.url("restored"), "s3_bucket": "restored-photos"}
    )
    run(
        servers.postgres.programs / "pg_restore",
        *where(restored.database_url),
        "--no-owner",
        "--dbname",
        "restored",
        dump,
    )
    async with storage.opened(restored) as empty:
        await empty.create_bucket()
    run(RCLONE, "sync", files, f":s3:{restored.s3_bucket}", *remote(restored))

    async with bot_running(restored):
        await ben.say("/gallery")
        await ben.press(await ben.hears(lambda it: "photo" in it), "Original")
        document = (await ben.hears(lambda it: "document" in it))["document"]
        assert document["file_size"] == len(original)
        await ben.say("Do you remember?")
        await ben.hears(has_text)
    there = Database(restored.database_url, pool_size=1)
    async with there.unit() as session:
        assert "send me a photo" in list(await session.scalars(select(Message.text)))
    await there.close()
    servers.postgres.drop_database("restored")
