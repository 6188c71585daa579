"""Redis: passwords of any characters, and a cluster is refused where it would fail each job."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from redis.connection import parse_url

from generation.orders import jobs
from generation.runtime.settings import RedisSettings, WrongSettings
from sandbox.servers import Valkey, remove, short_folder
from sandbox.settings import ProductSettings
from sandbox.wiring import bot_running


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[Valkey]:
    """One node of a cluster."""
    folder = short_folder()
    async with Valkey(folder / "valkey", options=("--cluster-enabled", "yes")) as node:
        yield node
    remove(folder)


@pytest.mark.parametrize(
    ("url", "user"),
    [("redis://host:6379/3", ""), ("rediss://me@host:6379/3", "me"), ("redis://me:old@host/3", "me")],
)
def test_a_password_has_a_variable_of_its_own(url: str, user: str) -> None:
    password = "p@s/s#w:o?r%d"
    read = parse_url(  # type: ignore[no-untyped-call]
        RedisSettings.example(redis_url=url, redis_password=password).redis
    )
    assert read["password"] == password
    assert read.get("username", "") == user
    assert (read["host"], read["db"]) == ("host", 3)


async def test_a_cluster_stops_the_start_of_both_processes(
    settings: ProductSettings, bucket: Any, cluster: Valkey
) -> None:
    settings = settings.model_copy(update={"redis_url": cluster.url})
    with pytest.raises(WrongSettings, match="cluster mode"):
        async with bot_running(settings):
            pass
    redis = jobs.connect(settings.redis, queue=settings.arq_queue, retries=1)
    with pytest.raises(WrongSettings, match="cluster mode"):
        await jobs.refuse_cluster(redis)
    await redis.aclose()


async def test_one_that_is_away_is_let_be(settings: ProductSettings) -> None:
    redis = jobs.connect("redis://127.0.0.1:9/0", queue=settings.arq_queue, retries=0)
    await jobs.refuse_cluster(redis)
    await redis.aclose()
