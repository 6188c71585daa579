"""The engine, the declarative base and the unit of work that every table of the product uses."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from enum import IntEnum, unique
from typing import Any, TypeVar

import structlog
from asyncpg.exceptions import DataError
from sqlalchemy import MetaData, event, func, select
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_before_delay, wait_exponential

from generation.runtime.database_url import Address, parse, without_state

log = structlog.get_logger(__name__)

Result = TypeVar("Result")

#: Seconds that an unused connection is taken to live; the shortest idle limits of NATs and proxies are about 60.
TRUSTED = 45

#: What PostgreSQL being away looks like from here.
CONNECTION_ERRORS = (DBAPIError, PoolTimeout, OSError)


def is_permanent(error: BaseException) -> bool:
    """A value that PostgreSQL cannot take stays one, however often it is tried."""
    return isinstance(error, DBAPIError) and isinstance(getattr(error.orig, "__cause__", None), DataError)


@unique
class Lock(IntEnum):
    """Numbers of advisory locks: one for all of a database, so they are all here."""

    ORDERS = 7_041_970
    ALERTS = 7_041_972
    BROADCASTS = 7_041_973
    MIGRATIONS = 7_041_974
    TALKS_KEPT = 7_041_975
    PHOTOS_KEPT = 7_041_976


class Base(DeclarativeBase):
    """Every constraint gets a name of its own, so that a migration can speak of it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class Database:
    """Connections to PostgreSQL. Built by a composition root, lives as long as the process.

    A connection attempt may take 5 s and a statement 15 s; both then raise.
    """

    def __init__(self, address: Address | str, *, pool_size: int = 20) -> None:
        if isinstance(address, str):
            address = parse(address)
        connect_args = {
            "timeout": 5,
            "command_timeout": 15,
            **address.connect_args,
            "server_settings": {
                # A process that froze in the middle of a claim lets go of the queue after so many milliseconds.
                "idle_in_transaction_session_timeout": "5000",
                **address.connect_args.get("server_settings", {}),
            },
        }
        self._engine = create_async_engine(
            address.url,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=10,
            # Few connections stay in use, and with them what PostgreSQL has prepared on each.
            pool_use_lifo=True,
            # Errors would repeat chat text and prompts in the log.
            hide_parameters=True,
            connect_args=without_state(connect_args) if address.pooled else connect_args,
        )
        self._is_pooled = address.pooled
        event.listen(self._engine.sync_engine, "checkin", _note_return)
        event.listen(self._engine.sync_engine, "checkout", _replace_if_gone)
        self._sessions = async_sessionmaker(self._engine, expire_on_commit=False)
        each_alone = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._autocommit = async_sessionmaker(each_alone, expire_on_commit=False)

    @asynccontextmanager
    async def unit(self) -> AsyncIterator[AsyncSession]:
        """One unit of work: commits when the block ends, rolls back when it raises."""
        async with self._sessions.begin() as session:
            yield session

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[AsyncSession]:
        """For statements that each stand for themselves: no round trips for BEGIN and COMMIT.

        Behind a pooler they have a transaction all the same: it may give what prepares a statement and what
        executes it to different connections.
        """
        if self._is_pooled:
            async with self.unit() as session:
                yield session
        else:
            async with self._autocommit() as session:
                yield session

    async def run_with_retry(
        self, work: Callable[[AsyncSession], Awaitable[Result]], *, patience: float = 30
    ) -> Result:
        """Do `work` in a unit of work, again while PostgreSQL is away, for `patience` seconds at most.

        For what must not be forgotten. A commit whose confirmation got lost is done twice: `work` has to bear that.
        """
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(_is_away),
            stop=stop_before_delay(patience),
            wait=wait_exponential(multiplier=0.1, max=3),
            before_sleep=_log_away,
            reraise=True,
        ):
            with attempt:
                async with self.unit() as session:
                    return await work(session)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


def _note_return(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["returned"] = time.monotonic()


def _replace_if_gone(connection: Any, record: ConnectionPoolEntry, _proxy: Any) -> None:
    """In place of `pool_pre_ping`, which is three round trips for each unit of work.

    asyncpg knows at once when PostgreSQL closed a connection; what a network dropped in silence shows only on use.
    """
    unused = time.monotonic() - record.info.get("returned", time.monotonic())
    if connection.driver_connection.is_closed() or unused > TRUSTED:
        raise DisconnectionError("this connection may be gone")


def _is_away(error: BaseException) -> bool:
    return isinstance(error, CONNECTION_ERRORS) and not isinstance(error, IntegrityError)


def _log_away(attempt: RetryCallState) -> None:
    error = attempt.outcome.exception() if attempt.outcome else None
    log.warning("database.away", error=type(error).__name__)


async def is_past(session: AsyncSession, moment: datetime | None) -> bool:
    """Whether a moment has passed, by PostgreSQL's clock."""
    return bool(await session.scalar(select(func.clock_timestamp() >= moment)))


def in_seconds(seconds: float) -> Any:
    """A moment by PostgreSQL's clock, the only clock that all machines share."""
    return func.clock_timestamp() + timedelta(seconds=seconds)


async def database_now(session: AsyncSession) -> datetime:
    """PostgreSQL's clock, which every time stamp here comes from."""
    return (await session.execute(select(func.now()))).scalar_one()
