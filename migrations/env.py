"""alembic's environment: the product's models, and the address from DATABASE_URL."""

import asyncio

from alembic import context
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine

import bot.models
import generation.models
from generation.database import Base
from generation.settings import DatabaseSettings, load

# Importing the two model modules is what fills the metadata.
MODELS = (bot.models, generation.models)


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=Base.metadata, compare_server_default=True)
    with context.begin_transaction():
        # Two replicas that start together must not both migrate.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7041971)")
        context.run_migrations()


async def _online(url: str) -> None:
    engine = create_async_engine(url, poolclass=pool.NullPool, connect_args={"timeout": 10})
    async with engine.connect() as connection:
        await connection.run_sync(_run)
        await connection.commit()
    await engine.dispose()


def _offline(url: str) -> None:
    context.configure(url=url, target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


url = context.config.get_main_option("sqlalchemy.url") or load(DatabaseSettings).database_url
if context.is_offline_mode():
    _offline(url)
else:
    try:
        asyncio.run(_online(url))
    except OSError as error:
        raise SystemExit(f"PostgreSQL does not answer at the address in DATABASE_URL: {error}") from None
