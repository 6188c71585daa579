"""alembic's environment: the product's models, and the address from DATABASE_URL."""

import asyncio
import time

from alembic import context
from sqlalchemy import Connection, pool
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

import bot.models
import generation.models
from generation.runtime.database import Base, Lock
from generation.runtime.database_url import Address, parse
from generation.runtime.settings import DatabaseSettings, load

# Importing the two model modules is what fills the metadata.
MODELS = (bot.models, generation.models)


#: A change of a table that waits behind a long transaction holds up everybody who comes after it.
LOCK_TIMEOUT = "SET lock_timeout = '5s'"
#: Seconds that a replica waits for another one that migrates.
TURN = 1800


def _take_turn(connection: Connection) -> None:
    """Two replicas that start together must not both migrate. The lock ends with the connection.

    It is asked for again and again, because a statement that waits for it would itself be waited for by an index
    that is built CONCURRENTLY.
    """
    until = time.monotonic() + TURN
    while not connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({Lock.MIGRATIONS:d})").scalar():
        connection.rollback()
        if time.monotonic() > until:
            raise SystemExit(f"Another migration has been running for {TURN // 60} minutes.")
        time.sleep(0.5)
    connection.exec_driver_sql(LOCK_TIMEOUT)
    connection.commit()


def _run(connection: Connection) -> None:
    _take_turn(connection)
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def _online(address: Address) -> None:
    engine = create_async_engine(
        address.url, poolclass=pool.NullPool, connect_args={"timeout": 10, **address.connect_args}
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_run)
            await connection.commit()
    finally:
        await engine.dispose()


def _offline(url: str) -> None:
    context.configure(url=url, target_metadata=Base.metadata, literal_binds=True, transaction_per_migration=True)
    context.execute(LOCK_TIMEOUT)
    with context.begin_transaction():
        context.run_migrations()


def _address() -> Address:
    """Of alembic's own option, of MIGRATIONS_DATABASE_URL (past a pooler), or of the product's settings."""
    if given := context.config.get_main_option("sqlalchemy.url"):
        return parse(given)
    return load(DatabaseSettings).direct


where = _address()
if context.is_offline_mode():
    _offline(where.url.render_as_string(hide_password=False))
else:
    try:
        asyncio.run(_online(where))
    except DBAPIError as error:
        if "permission denied for schema" in str(error.orig):
            role = where.url.username
            raise SystemExit(
                f"The role {role} may not create tables: run GRANT CREATE ON SCHEMA public TO {role} as the owner."
            ) from None
        if not any(word in str(error.orig) for word in ("lock timeout", "deadlock detected")):
            raise
        raise SystemExit(
            "A long transaction holds a table that must change; nobody waits any more. Run it again."
        ) from None
    except OSError as error:
        raise SystemExit(f"PostgreSQL does not answer at the address in DATABASE_URL: {error}") from None
