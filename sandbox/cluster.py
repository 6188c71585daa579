"""PostgreSQL, Valkey and S3 together, with a migrated template database to clone: what tests and benches share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config

from sandbox.servers import S3, Postgres, Valkey, remove, short_folder

ROOT = Path(__file__).parents[1]
TEMPLATE = "template_vitte"


@dataclass(frozen=True, slots=True)
class Servers:
    postgres: Postgres
    valkey: Valkey
    s3: S3


@asynccontextmanager
async def servers() -> AsyncIterator[Servers]:
    """The three servers over a temporary folder, and the template database."""
    folder = short_folder()
    postgres = await asyncio.to_thread(Postgres, folder / "postgres")
    try:
        await asyncio.to_thread(make_template, postgres)
        async with Valkey(folder / "valkey") as valkey, S3(folder / "s3") as s3:
            yield Servers(postgres, valkey, s3)
    finally:
        postgres.stop()
        remove(folder)


def make_template(postgres: Postgres) -> None:
    """A database as `alembic upgrade head` makes it."""
    postgres.create_database(TEMPLATE)
    command.upgrade(alembic_config(postgres.url(TEMPLATE)), "head")


def alembic_config(url: str) -> Config:
    """alembic.ini for another database."""
    config = Config(ROOT / "alembic.ini")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config
