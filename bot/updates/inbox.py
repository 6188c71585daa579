"""Updates, written down before they count as received, then handled: one chat in order, chats side by side.

aiogram's own polling and webhook confirm an update before its handler has run, so a killed bot loses it.
Here the row is committed first; an update that was not handled to its end is handled again after the
restart, and Telegram's redeliveries are recognised by their `update_id`.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from aiogram.types import Update
from aiogram.types.update import UpdateTypeLookupError
from pydantic import ValidationError
from sqlalchemy import ColumnElement, and_, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError

from bot.models import POSTPONED, ReceivedUpdate
from bot.updates.claims import LEASE, bring_back, claim_oldest, free, named, postpone
from bot.updates.switchboard import Switchboard
from generation.runtime import operator_switches
from generation.runtime.database import CONNECTION_ERRORS, Database, in_seconds, is_permanent
from generation.runtime.plain_text import plain_text

log = structlog.get_logger(__name__)

#: Updates handled at once; each costs little while it waits for the language model.
CHATS_AT_ONCE = 1000
#: Seconds between two looks, in which the claims of this replica are renewed.
EVERY = LEASE / 4
#: Pauses between tries of an update whose handling broke on the network or the database, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 20.0
#: Seconds for which it is tried; an older answer would only startle.
PATIENCE = 3600.0
#: Processes that may die with one update before it is put away: it would kill the next one as well.
MOST_DEATHS = 3
#: Telegram redelivers for 24 h at most, so older rows tell nothing.
KEPT_HOURS = 48

Handle = Callable[[Update], Awaitable[None]]
#: Told of an update that was put away: its kind, and its chat.
PutAway = Callable[[str, int], Awaitable[None]]


class Postponed(Exception):
    """To be handled when the maintenance is over; what comes after it is not kept waiting."""


class TryAgain(Exception):
    """Raised by the handler for a fault that passes (network, database): the same update comes again."""

    def __init__(self, why: str, *, unsure: bool = False) -> None:
        """`unsure`: what was to be said may be in the chat already, so it comes once more at most."""
        super().__init__(why)
        self.unsure = unsure


class Inbox:
    """The updates of one bot on one replica. Built by `bot.app`.

    `look_around` is due every `EVERY` seconds, `forget_old` now and then.
    """

    def __init__(
        self,
        database: Database,
        *,
        bot_id: int,
        replica: str,
        handle: Handle | None,
        at_once: Callable[[Update], bool] = lambda _update: False,
        arrived: Callable[[int, Update | None], None] = lambda _chat_id, _update: None,
        put_away: PutAway | None = None,
        patience: float = PATIENCE,
        switchboard: Switchboard | None = None,
    ) -> None:
        """`at_once` takes an update that can neither wait nor be written down; `arrived` hears of all others.

        Without `handle` updates are written down for other processes. `switchboard` knows those that answer this
        bot's people.
        """
        self._switchboard = switchboard
        self._put_away = put_away
        self._database = database
        self._bot_id = bot_id
        self._replica = switchboard.replica if switchboard else named(replica)
        self._handle = handle
        self._at_once = at_once
        self._arrived = arrived
        self._patience = patience
        self._in_hand: set[int] = set()
        #: Updates whose answer may be in the chat or not.
        self._unsure: set[int] = set()
        self._chats: dict[int, asyncio.Task[None]] = {}
        self._more: set[int] = set()
        self._places = asyncio.Semaphore(CHATS_AT_ONCE)
        self._has_taken_over = self._is_finishing = self._has_postponed = False

    async def receive(self, updates: Sequence[Update]) -> None:
        """Write updates down; when this returns they may be confirmed to Telegram."""
        updates = [received for received in updates if not self._at_once(received)]
        rows: list[dict[str, Any]] = [
            {
                "bot_id": self._bot_id,
                "update_id": received.update_id,
                "chat_id": chat_of(received),
                "payload": _storable(received.model_dump(mode="json", exclude_unset=True)),
            }
            for received in updates
        ]
        if not rows:
            return
        try:
            await self._write_down(updates, rows)
        except DBAPIError as error:
            if not is_permanent(error):
                raise
            # One of them cannot be stored; it must not keep the others from being confirmed.
            for received, row in zip(updates, rows, strict=True):
                await self._write_down_if_possible(received, row)

    async def _write_down_if_possible(self, received: Update, row: dict[str, Any]) -> None:
        try:
            await self._write_down([received], [row])
        except DBAPIError as error:
            if not is_permanent(error):
                raise
            log.error("update.unstorable", update_id=received.update_id)

    async def _write_down(self, updates: Sequence[Update], rows: Sequence[dict[str, Any]]) -> None:
        async with self._database.autocommit() as session:
            written = (
                insert(ReceivedUpdate)
                .values(list(rows))
                .on_conflict_do_nothing()
                .returning(ReceivedUpdate.update_id)
            )
            new = set(await session.scalars(written))
        chats = {row["chat_id"] for row in rows}
        mine = await self._switchboard.ring(chats) if self._switchboard else chats
        self._wake(mine)
        for received in updates:
            # A redelivery of what is being answered is nothing new.
            if received.update_id in new and (chat_id := chat_of(received)) in mine:
                self._arrived(chat_id, received)

    def came(self, chat_ids: Iterable[int]) -> None:
        """Another process has written updates of these chats down, and leaves them to this one."""
        for chat_id in chat_ids:
            self._wake([chat_id])
            self._arrived(chat_id, None)

    async def take_over(self) -> None:
        """Free at once what a process on this machine held that has ended; what others left is free in a lease."""
        async with self._database.unit() as session:
            held = ReceivedUpdate.claimed_until.is_not(None) & ReceivedUpdate.handled_at.is_(None)
            holders = await session.scalars(
                select(ReceivedUpdate.claimed_by).where(ReceivedUpdate.bot_id == self._bot_id, held).distinct()
            )
            ended = [holder for holder in holders if holder and self._has_ended(holder)]
            await session.execute(
                update(ReceivedUpdate)
                .where(ReceivedUpdate.bot_id == self._bot_id, held, ReceivedUpdate.claimed_by.in_(ended))
                .values(claimed_until=None)
            )

    def _has_ended(self, holder: str) -> bool:
        """Whether a replica's process is gone for sure: it was on this machine, and its number is free or ours."""
        ours, theirs = self._replica.split(":"), holder.split(":")
        if holder == self._replica or len(theirs) < 3 or ours[:-2] != theirs[:-2] or not theirs[-2].isdecimal():
            return False
        if ours[-2] == theirs[-2]:
            # Restarted in a container, where every process has the same number.
            return True
        try:
            os.kill(int(theirs[-2]), 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False

    async def finish(self, timeout: float) -> None:
        """Let the updates in hand end, at a shutdown; what does not end in time is handled after the start."""
        # What comes from now on is for others: nothing may begin that outlives the connections of this process.
        self._is_finishing = True
        if self._switchboard:
            await self._switchboard.leave()
        if self._chats:
            await asyncio.wait(set(self._chats.values()), timeout=timeout)
        tasks = list(self._chats.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._give_back()

    async def _give_back(self) -> None:
        """Leave what is not handled to others, as whoever stops in order; PostgreSQL may be away for that."""
        with suppress(*CONNECTION_ERRORS):
            async with self._database.unit() as session:
                await session.execute(
                    update(ReceivedUpdate)
                    .where(ReceivedUpdate.claimed_by == self._replica, ReceivedUpdate.handled_at.is_(None))
                    .values(claimed_by=None, claimed_until=None)
                )

    # -- one chat --------------------------------------------------------------------------------------

    def _wake(self, chat_ids: Iterable[int]) -> None:
        if self._handle is None or self._is_finishing:
            return
        for chat_id in set(chat_ids):
            if chat_id in self._chats:
                self._more.add(chat_id)
            else:
                self._chats[chat_id] = asyncio.create_task(self._work(chat_id))

    async def _work(self, chat_id: int) -> None:
        """Handle a chat's updates in order until none is left."""
        try:
            async with self._places:
                while True:
                    self._more.discard(chat_id)
                    row = await self._claim(chat_id)
                    while row is not None:
                        row = await self._handle_and_claim(row)
                    if chat_id not in self._more:
                        return
        except Exception as error:  # PostgreSQL is away; `look_around` wakes the chat again
            log.warning("inbox.chat_stopped", error=type(error).__name__)
        finally:
            del self._chats[chat_id]

    async def _handle_and_claim(self, row: ReceivedUpdate) -> ReceivedUpdate | None:
        """Handle an update; the chat's next one, or the same once more when it has to be tried again."""
        # One id through the logs of all processes, to the photo that comes of it.
        structlog.contextvars.bind_contextvars(update_id=row.update_id, trace_id=f"{row.bot_id}-{row.update_id}")
        self._in_hand.add(row.update_id)
        try:
            if row.deaths >= MOST_DEATHS:
                await self._end_unhandled(row)
            elif not await self._handled_to_its_end(row):
                return await self._claim(row.chat_id)
            following = await self._claim(row.chat_id, handled=row.update_id)
            self._unsure.discard(row.update_id)
        finally:
            self._in_hand.discard(row.update_id)
        return following

    async def _end_unhandled(self, row: ReceivedUpdate) -> None:
        """Put an update away that ended every process which had it: nothing of it is looked at any more."""
        kind = next((name for name in row.payload or {} if name != "update_id"), "unknown")
        log.error("update.put_away", kind=kind, deaths=row.deaths)
        if self._put_away:
            await self._put_away(kind, row.chat_id)

    async def _handled_to_its_end(self, row: ReceivedUpdate) -> bool:
        """False when the same update must be handled again, after the pause that was made here."""
        assert self._handle is not None  # noqa: S101 - nothing is claimed without
        try:
            await self._handle(Update.model_validate(row.payload))
        except (ValidationError, UpdateTypeLookupError):
            # Of a kind that is not known: it will not be known the next time either.
            log.error("update.unreadable")
        except Postponed:
            async with self._database.autocommit() as session:
                await session.execute(postpone(row))
            self._has_postponed = True
            log.info("update.postponed")
            return False
        except TryAgain as error:
            if error.unsure and row.update_id in self._unsure:
                # Twice without an answer from Telegram: a third time would be the second in the chat.
                log.warning("update.counts_as_answered", error=str(error))
                return True
            if error.unsure:
                self._unsure.add(row.update_id)
            age = (datetime.now(UTC) - row.received_at).total_seconds()
            if age < self._patience:
                log.warning("update.tried_again", error=str(error), tries=row.tries)
                await asyncio.sleep(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (row.tries - 1)))
                return False
            log.error("update.given_up", error=str(error), tries=row.tries)
        return True

    async def _claim(self, chat_id: int, *, handled: int | None = None) -> ReceivedUpdate | None:
        """The chat's oldest update, unless another replica has it; this one has one task for each chat.

        `handled` is one that has come to its end, which is written down by the same statement.
        """
        parameters = {"bot": self._bot_id, "chat": chat_id, "handled": handled or 0, "replica": self._replica}
        claim = claim_oldest(after_handled=handled is not None)
        async with self._database.autocommit() as session:
            row: ReceivedUpdate | None = await session.scalar(claim, parameters)
        return row

    async def look_around(self) -> None:
        """One round: this replica's claims are renewed, updates that nobody handles are taken."""
        if not self._has_taken_over:
            await self.take_over()
            self._has_taken_over = True
        if self._switchboard:
            await self._switchboard.beat()
        if self._has_postponed:
            await self._bring_back()
        unhandled = and_(ReceivedUpdate.bot_id == self._bot_id, ReceivedUpdate.handled_at.is_(None))
        in_hand = list(self._in_hand)
        async with self._database.autocommit() as session:
            if in_hand:
                # Only what a task works on: a claim whose task ended must run out, or its chat would be dead.
                await session.execute(
                    update(ReceivedUpdate)
                    .where(
                        unhandled,
                        ReceivedUpdate.claimed_by == self._replica,
                        ReceivedUpdate.update_id.in_(in_hand),
                    )
                    .values(claimed_until=in_seconds(LEASE))
                )
            idle: ColumnElement[bool] = ReceivedUpdate.update_id.not_in(in_hand)
            if self._switchboard and not self._switchboard.is_alone:
                # What has just come is its chat's own process' to take.
                idle = idle & (ReceivedUpdate.received_at < func.now() - timedelta(seconds=EVERY))
            waiting = await session.scalars(
                select(ReceivedUpdate.chat_id).where(unhandled, free(literal(self._replica)), idle).distinct()
            )
            chats = set(waiting)
        for chat_id in chats & self._chats.keys():
            # Written down by a process that told another one, or none: the answer that
            # is being made may have to be for both.
            self._arrived(chat_id, None)
        self._wake(chats)

    async def _bring_back(self) -> None:
        """What this process postponed just when the maintenance ended, and nobody brought back."""
        async with self._database.autocommit() as session:
            if (await operator_switches.read(session)).maintenance_since is None:
                await session.execute(bring_back())
                self._has_postponed = False

    async def forget_old(self) -> None:
        """Delete what was handled so long ago that Telegram cannot send it again."""
        old = and_(
            ReceivedUpdate.handled_at < func.now() - func.make_interval(0, 0, 0, 0, KEPT_HOURS),
            ReceivedUpdate.claimed_by.is_distinct_from(POSTPONED),
        )
        async with self._database.autocommit() as session:
            await session.execute(delete(ReceivedUpdate).where(old))


def chat_of(received: Update) -> int:
    """What an update is ordered by: its chat, or the person where there is none; 0 where there is neither."""
    try:
        event = received.event
    except UpdateTypeLookupError:
        return 0
    message = getattr(event, "message", None)
    chat = getattr(event, "chat", None) or getattr(message, "chat", None)
    if chat is not None:
        return int(chat.id)
    user = getattr(event, "from_user", None) or getattr(event, "user", None)
    return int(user.id) if user is not None else 0


def _storable(value: Any) -> Any:
    """Every text in it as plain text: PostgreSQL takes no NUL character, and one must not stop all updates."""
    match value:
        case str():
            return plain_text(value)
        case dict():
            return {key: _storable(inner) for key, inner in value.items()}
        case list():
            return [_storable(inner) for inner in value]
    return value
