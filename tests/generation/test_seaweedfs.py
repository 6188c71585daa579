"""The bucket on SeaweedFS, as compose.yaml runs it and with the user that compose makes: a second S3 server."""

import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml
from pydantic import SecretStr

from generation import storage
from generation.errors import ObjectGone, StorageUnavailable
from generation.runtime.settings import S3Settings
from sandbox.servers import Process
from sandbox.sockets import HOST, free_port, listening

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
USER = {
    "S3_ACCESS_KEY": "key-of-the-product",
    "S3_SECRET_KEY": "secret-of-the-product",
    "S3_BUCKET": "photos-of-ours",
}


def users() -> str:
    """The configuration of compose.yaml as docker compose fills it."""
    content: str = COMPOSE["configs"]["s3_users"]["content"]
    return re.sub(r"\$\{([A-Z0-9_]+)(?::[-?][^}]*)?\}", lambda found: USER[found[1]], content)


@pytest_asyncio.fixture
async def seaweedfs(tmp_path: Path) -> AsyncIterator[S3Settings]:
    (tmp_path / "s3.json").write_text(users())
    ports = {name: free_port() for name in ("s3", "master", "volume", "filer")}
    # As in compose.yaml, but for places and ports.
    options = [
        each for each in COMPOSE["services"]["s3"]["command"] if not re.match(r"-(?:dir|s3\.config|ip)", each)
    ]
    places = [f"-dir={tmp_path}", f"-s3.config={tmp_path / 's3.json'}", f"-ip={HOST}", f"-ip.bind={HOST}"]
    chosen = [f"-{name}.port={port}" for name, port in ports.items()]
    chosen += [f"-{name}.port.grpc={free_port()}" for name in ports]
    weed = str(Path(sys.executable).with_name("weed"))
    process = Process([weed, *options, *places, *chosen], tmp_path / "weed.log")
    process.start()
    try:
        await listening(ports["s3"])
        yield S3Settings.example(
            s3_endpoint_url=f"http://{HOST}:{ports['s3']}",
            s3_access_key=USER["S3_ACCESS_KEY"],
            s3_secret_key=USER["S3_SECRET_KEY"],
            s3_bucket=USER["S3_BUCKET"],
        )
    finally:
        process.stop()


@pytest.mark.timeout(180)
async def test_the_products_user_has_its_bucket_and_nothing_else(seaweedfs: S3Settings) -> None:
    async with storage.opened(seaweedfs) as bucket:
        # It listens before all of its parts know each other.
        for attempt in range(30):
            try:
                await bucket.create_bucket()
                await bucket.check()
                break
            except StorageUnavailable:
                if attempt == 29:
                    raise
        await bucket.create_bucket()
        content = bytes(range(256)) * 8000
        await bucket.put("photos/2026/11/x.png", content)
        assert await bucket.get("photos/2026/11/x.png") == content
        await bucket.delete("photos/2026/11/x.png")
        await bucket.delete("photos/2026/11/x.png")
        with pytest.raises(ObjectGone):
            await bucket.get("photos/2026/11/x.png")
    for change, words in (
        ({"s3_bucket": "of-somebody-else"}, "may not"),
        ({"s3_secret_key": SecretStr("wrong")}, "S3_SECRET_KEY or S3_REGION is wrong"),
        ({"s3_access_key": SecretStr("nobody")}, "S3_ACCESS_KEY is unknown there"),
    ):
        async with storage.opened(seaweedfs.model_copy(update=change)) as other:
            with pytest.raises(StorageUnavailable, match=words):
                await other.put("photos/x.png", b"x")
