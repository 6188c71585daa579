"""One message to many people: sent one by one, slower than Telegram's limits, and gone on with after a restart.

The row says how far it has come, and is moved before each sending: whatever dies, nobody gets it twice.
"""

import asyncio
import contextlib
import time
from datetime import timedelta

import structlog
from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError
from sqlalchemy import ColumnElement, case, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from bot.accounts import people
from bot.models import Broadcast, BroadcastStatus, Person
from bot.settings import Settings
from bot.telegram import flood_control
from bot.telegram.callbacks import AdminAct
from bot.telegram.messages import keyboard
from bot.texts import DEFAULT, Texts
from generation.runtime.database import Database, Lock, in_seconds
from generation.runtime.telegram import NotTaken, Refused, meaning

log = structlog.get_logger(__name__)

#: Messages a second; Telegram allows about 30 to the whole bot, and people talk meanwhile.
PER_SECOND = 20
#: Seconds between two looks for a broadcast, and for which a replica that is silent keeps one.
EVERY, LEASE = 5.0, 15.0
#: Seconds between two updates of the progress bar.
TELL_EVERY = 3.0
#: Steps of the progress bar.
STEPS = 10
ACTIVE = timedelta(days=30)
#: What a replica has to go on with or to end.
_UNFINISHED = (BroadcastStatus.RUNNING, BroadcastStatus.STOPPED)

AUDIENCES = ("all", "active", "premium", "free", "ru", "en")


def audience(name: str, settings: Settings) -> list[ColumnElement[bool]]:
    """Conditions on people. Nobody who blocked the bot, is banned, or has not confirmed their age is ever in it."""
    premium = Person.with_premium(settings.premium_ids)
    chosen: dict[str, list[ColumnElement[bool]]] = {
        "all": [],
        "active": [Person.seen_at > func.now() - ACTIVE],
        "premium": [premium],
        "free": [~premium],
        "ru": [Person.locale == "ru"],
        "en": [Person.locale == "en"],
    }
    return [people.can_be_written_to(), *chosen[name]]


async def size(session: AsyncSession, name: str, settings: Settings) -> int:
    """How many people an audience has at this moment."""
    counting = select(func.count()).select_from(Person).where(*audience(name, settings))
    return await session.scalar(counting) or 0


class BroadcastSender:
    """One per process, built by `bot.app`; a lease on the row lets one replica at a time send."""

    def __init__(
        self, *, settings: Settings, database: Database, bot: Bot, texts: Texts, lease: float = LEASE
    ) -> None:
        """`lease`: seconds after which another replica may take a broadcast over from a silent one."""
        self._settings = settings
        self._database = database
        self._bot = bot
        self._texts = texts
        self._lease = lease
        self._pause = 1 / PER_SECOND

    async def look(self) -> None:
        """One look: what should be sent, or was stopped, and nobody sends."""
        if (broadcast := await self._claim()) is None:
            return
        # Waiting inside a request, the lease would run out.
        with flood_control.caller_waits():
            if broadcast.status is BroadcastStatus.RUNNING:
                await self._send_all(broadcast)
            else:
                # Stopped when nobody was sending it.
                await self._end(broadcast)

    async def _claim(self) -> Broadcast | None:
        """The oldest that runs, when no replica sends any: Telegram's limit is one for all of them."""
        other = aliased(Broadcast)
        is_sent = exists().where(other.ended_at.is_(None), other.lease_until > func.now())
        oldest_id = (
            select(Broadcast.id)
            .where(Broadcast.status.in_(_UNFINISHED), Broadcast.ended_at.is_(None), ~is_sent)
            .order_by(Broadcast.id)
            .limit(1)
        )
        oldest = oldest_id.with_for_update(skip_locked=True).scalar_subquery()
        async with self._database.autocommit() as session:
            # Nearly always: no more than one statement then.
            if await session.scalar(oldest_id) is None:
                return None
        async with self._database.unit() as session:
            await session.execute(select(func.pg_advisory_xact_lock(Lock.BROADCASTS)))
            return await session.scalar(
                update(Broadcast)
                .where(Broadcast.id == oldest)
                # A lease that ran out: its replica died, and nobody knows whether the last person got it.
                .values(
                    lease_until=in_seconds(self._lease),
                    missed=Broadcast.missed + case((Broadcast.lease_until.is_not(None), 1), else_=0),
                )
                .returning(Broadcast)
            )

    async def _send_all(self, broadcast: Broadcast) -> None:
        told_at = float("-inf")
        while True:
            person = await self._next(broadcast)
            if person is None:
                break
            began = time.monotonic()
            if not await self._move_to(broadcast, person) or not await self._send(broadcast, person):
                if not await self._is_stopped(broadcast):
                    log.warning("broadcast.taken_over")
                    return
                break
            if time.monotonic() - told_at > TELL_EVERY:
                told_at = time.monotonic()
                await self._tell_progress(broadcast)
            await asyncio.sleep(max(0.0, self._pause - (time.monotonic() - began)))
        await self._end(broadcast)

    async def _next(self, broadcast: Broadcast) -> Person | None:
        async with self._database.unit() as session:
            return await session.scalar(
                select(Person)
                .where(*audience(broadcast.audience, self._settings), Person.id > broadcast.last_person_id)
                .order_by(Person.id)
                .limit(1)
            )

    async def _move_to(self, broadcast: Broadcast, person: Person) -> bool:
        """Note that this person's turn has come, and keep the lease.

        False once an operator has stopped it, or when another replica went on with it from where this one was last.
        """
        async with self._database.unit() as session:
            moved = await session.execute(
                update(Broadcast)
                .where(
                    Broadcast.id == broadcast.id,
                    Broadcast.status == BroadcastStatus.RUNNING,
                    Broadcast.last_person_id == broadcast.last_person_id,
                )
                .values(
                    last_person_id=person.id,
                    sent=broadcast.sent,
                    missed=broadcast.missed,
                    lease_until=in_seconds(self._lease),
                )
                .returning(Broadcast.id)
            )
            broadcast.last_person_id = person.id
            return moved.scalar_one_or_none() is not None

    async def _is_stopped(self, broadcast: Broadcast) -> bool:
        async with self._database.unit() as session:
            return (await session.get_one(Broadcast, broadcast.id)).status is not BroadcastStatus.RUNNING

    async def _send(self, broadcast: Broadcast, person: Person) -> bool:
        """Send it to one; again, for as long as Telegram surely did not take it. False as in `_move_to`."""
        while True:
            try:
                await self._bot.copy_message(
                    person.id,
                    broadcast.from_chat_id,
                    broadcast.message_id,
                    disable_notification=person.silent_photos or None,
                )
            except (TelegramAPIError, ClientDecodeError) as error:
                outcome = meaning(error)
            else:
                broadcast.sent += 1
                return True
            if isinstance(outcome, NotTaken):
                log.warning("broadcast.not_taken", why=outcome.why, pause=outcome.pause)
                if not await self._waited(broadcast, person, outcome.pause):
                    return False
                continue
            broadcast.missed += 1
            log.warning("broadcast.missed", why=outcome.why)
            if isinstance(outcome, Refused) and not outcome.reachable:
                async with self._database.unit() as session:
                    await people.blocked(session, person.id)
            return True

    async def _waited(self, broadcast: Broadcast, person: Person, seconds: float) -> bool:
        """Keep the lease meanwhile; False as in `_move_to`."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(left, self._lease / 3))
            if not await self._move_to(broadcast, person):
                return False
        return True

    async def _end(self, broadcast: Broadcast) -> None:
        async with self._database.unit() as session:
            row = await session.get_one(Broadcast, broadcast.id, with_for_update=True)
            row.sent, row.missed, row.lease_until = broadcast.sent, broadcast.missed, None
            if row.status is BroadcastStatus.RUNNING:
                row.status = BroadcastStatus.DONE
            row.ended_at = func.now()
        broadcast.status = row.status
        log.info("broadcast.ended", status=row.status, sent=row.sent, missed=row.missed)
        await self._tell_progress(broadcast)

    async def _tell_progress(self, broadcast: Broadcast) -> None:
        if broadcast.progress_message_id is None:
            return
        async with self._database.unit() as session:
            admin = await session.get(Person, broadcast.admin_id)
        say = self._texts.in_locale(admin.locale if admin else DEFAULT)
        done = broadcast.sent + broadcast.missed
        share = min(1.0, done / broadcast.total) if broadcast.total else 1.0
        full = round(share * STEPS)
        text = say(
            f"broadcast-{broadcast.status}",
            bar="▓" * full + "░" * (STEPS - full),
            sent=broadcast.sent,
            total=broadcast.total,
            missed=broadcast.missed,
        )
        running = broadcast.status is BroadcastStatus.RUNNING
        stop = (say("act-stop_broadcast"), AdminAct(action="stop_broadcast", target=str(broadcast.id)).pack())
        # Decoration: nothing depends on it.
        with contextlib.suppress(TelegramAPIError, ClientDecodeError):
            await self._bot.edit_message_text(
                text,
                chat_id=broadcast.admin_id,
                message_id=broadcast.progress_message_id,
                reply_markup=keyboard([stop]) if running else None,
            )
