"""PostgreSQL, Redis, S3 and the disk."""

import asyncio
import shutil
import time
import uuid
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from bot.doctor.findings import Finding, Findings, note, ok, wrong
from bot.settings import Settings
from generation import storage
from generation.errors import ObjectGone, StorageUnavailable
from generation.orders import jobs
from generation.runtime.database import CONNECTION_ERRORS
from generation.runtime.settings import WrongSettings

#: The oldest PostgreSQL that the tests run on, and seconds that two clocks may differ.
OLDEST_POSTGRES, SKEW = 15, 5
#: Seconds for one connection.
PATIENCE = 10
#: Connections that PostgreSQL keeps for itself and for an administrator.
RESERVED = 5
ALEMBIC = Path(__file__).parents[2] / "alembic.ini"
#: Bytes of the disk that should be free.
LEAST_FREE = 2 * 1024**3


async def postgresql(settings: Settings) -> Findings:
    """Whether it can be reached, is new enough, lets us make tables, and has the newest ones."""
    about = "PostgreSQL"
    address = settings.database
    engine = create_async_engine(
        address.url, poolclass=NullPool, connect_args={"timeout": PATIENCE, **address.connect_args}
    )
    try:
        async with engine.connect() as connection:
            async for finding in _of_connection(about, connection, settings):
                yield finding
    except (*CONNECTION_ERRORS, SQLAlchemyError, OSError, TimeoutError) as error:
        why = str(getattr(error, "orig", None) or error).splitlines()[0] or type(error).__name__
        yield wrong(about, f"cannot be used: {why}", "look at DATABASE_URL, and whether this machine may connect")
    finally:
        await engine.dispose()


async def _of_connection(about: str, connection: AsyncConnection, settings: Settings) -> Findings:
    asked = await connection.execute(
        text(
            "SELECT current_setting('server_version_num')::int / 10000 AS version, "
            "current_setting('max_connections')::int AS most, "
            "has_schema_privilege(current_user, 'public', 'CREATE') AS may_create, "
            "extract(epoch FROM clock_timestamp()) AS now"
        )
    )
    row = asked.one()
    pooled = " behind a pooler" if settings.database.pooled else ""
    if row.version < OLDEST_POSTGRES:
        yield note(about, f"version {row.version}{pooled}", f"it is tested from {OLDEST_POSTGRES} on")
    else:
        yield ok(about, f"version {row.version}{pooled}")
    if not row.may_create:
        yield wrong(about, "this role may not make tables", "GRANT CREATE ON SCHEMA public TO the role")
    needed = (
        settings.database_connections * max(1, settings.bot_processes) + settings.database_connections + RESERVED
    )
    if not settings.database.pooled and row.most < needed:
        yield note(
            about,
            f"max_connections is {row.most}; the bot and one worker may want {needed}",
            "raise it, lower DATABASE_CONNECTIONS, or put a pooler before it (docs/operations.md)",
        )
    if abs(float(row.now) - time.time()) > SKEW:
        yield note(about, "its clock and this machine's differ", "have both set by NTP")
    yield await _of_migrations(about, connection)


async def _of_migrations(about: str, connection: AsyncConnection) -> Finding:
    scripts = ScriptDirectory.from_config(Config(str(ALEMBIC)))
    head = scripts.get_current_head()
    there = await connection.scalar(text("SELECT to_regclass('alembic_version') IS NOT NULL"))
    current = await connection.scalar(text("SELECT version_num FROM alembic_version")) if there else None
    if current == head:
        return ok(about, f"migrated to {head}")
    known = {script.revision for script in scripts.walk_revisions()}
    if current and current not in known:
        return wrong(about, f"migrated to {current}, which this version does not know", "run the newer version")
    return wrong(about, f"migrated to {current or 'nothing'}, not to {head}", "run: alembic upgrade head")


async def redis(settings: Settings) -> Findings:
    """Whether it can be reached, keeps jobs when its memory is full, and over a restart."""
    about = "Redis"
    client = jobs.connect(settings.redis, queue=settings.arq_queue, retries=0)
    try:
        async with asyncio.timeout(PATIENCE):
            told = await client.info()
            await jobs.refuse_cluster(client)
    except WrongSettings as error:
        yield wrong(about, str(error))
        return
    except (RedisError, OSError, TimeoutError) as error:
        yield wrong(about, f"cannot be used: {error or type(error).__name__}", "look at REDIS_URL and its password")
        return
    finally:
        await client.aclose()
    version = told.get("valkey_version") or told.get("redis_version", "?")
    yield ok(about, f"version {version}")
    policy = told.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        yield wrong(about, f"maxmemory-policy is {policy}: it drops waiting jobs", "set it to noeviction")
    if not told.get("aof_enabled"):
        yield note(about, "appendonly is off: after a crash PostgreSQL's rows are announced again, a little later")


async def s3(settings: Settings) -> Findings:
    """Whether an original can be written, read and deleted."""
    about, key = "S3", f"probes/{uuid.uuid4()}"
    try:
        async with storage.opened(settings) as opened:
            await opened.put(key, storage.PROBE)
            content = await opened.get(key)
            await opened.delete(key)
    except (StorageUnavailable, ObjectGone) as error:
        yield wrong(about, str(error), f"look at S3_ENDPOINT_URL, the keys and the bucket {settings.s3_bucket!r}")
        return
    if content == storage.PROBE:
        yield ok(about, f"writes, reads and deletes in {settings.s3_bucket!r}")
    else:
        yield wrong(about, "gives back something else than was stored")


async def disk() -> Findings:
    """The disk of this folder."""
    free = (await asyncio.to_thread(shutil.disk_usage, ".")).free
    words = f"{free / 1024**3:.0f} GiB free here"
    yield ok("disk", words) if free >= LEAST_FREE else note("disk", words, "make room")
