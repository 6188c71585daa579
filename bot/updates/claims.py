"""Which updates of the inbox a replica may take, and the statement that takes them.

One chat's updates go in order: only the oldest one that is not handled can be claimed. The statements are built
once; one of them runs for each update.
"""

import os
import secrets
import socket
from functools import cache

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Executable,
    Text,
    and_,
    bindparam,
    case,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy import update as changed
from sqlalchemy.orm import aliased

from bot.models import POSTPONED, ReceivedUpdate
from generation.runtime.database import in_seconds

#: Seconds that a replica may be silent before another one takes its updates over.
LEASE = 10.0


def place() -> str:
    """Where this process runs: its machine and its number."""
    return f"{socket.gethostname()}:{os.getpid()}"


def named(place: str) -> str:
    """A name for a process' claims: a restarted container has the place of the one before it."""
    return f"{place}:{secrets.token_hex(4)}"


def left_behind(replica: ColumnElement[str]) -> ColumnElement[bool]:
    """Rows that another process had when it ended."""
    return and_(ReceivedUpdate.claimed_by.is_not(None), ReceivedUpdate.claimed_by != replica)


def free(replica: ColumnElement[str]) -> ColumnElement[bool]:
    """Rows that this replica may take: nobody's, a dead replica's, and its own."""
    return or_(
        ReceivedUpdate.claimed_until.is_(None),
        ReceivedUpdate.claimed_until < func.now(),
        ReceivedUpdate.claimed_by == replica,
    )


@cache
def claim_oldest(*, after_handled: bool) -> Executable:
    """Take the oldest update of `chat` for `replica`, of the bot `bot`; with the row if there was one.

    `after_handled`: the update `handled` has come to its end, which is written down by the same statement.
    """
    bot, chat, handled = (bindparam(name, type_=BigInteger) for name in ("bot", "chat", "handled"))
    replica = bindparam("replica", type_=Text)
    older = aliased(ReceivedUpdate)
    waiting = select(older.update_id).where(older.bot_id == bot, older.chat_id == chat, older.handled_at.is_(None))
    if after_handled:
        # The other half of the statement is not seen by this one.
        waiting = waiting.where(older.update_id != handled)
    claim = (
        changed(ReceivedUpdate)
        .where(
            ReceivedUpdate.bot_id == bot,
            ReceivedUpdate.update_id == waiting.order_by(older.update_id).limit(1).scalar_subquery(),
            ReceivedUpdate.handled_at.is_(None),
            free(replica),
        )
        .values(
            claimed_by=replica,
            claimed_until=in_seconds(LEASE),
            # Bounded by its column.
            tries=func.least(ReceivedUpdate.tries + 1, 30_000),
            # One that stops in order gives its claims back (`Inbox.finish`).
            deaths=ReceivedUpdate.deaths + case((left_behind(replica), literal(1)), else_=literal(0)),
        )
        .returning(ReceivedUpdate)
        .execution_options(synchronize_session=False)
    )
    return claim.add_cte(_end(bot, handled, replica)) if after_handled else claim


def postpone(row: ReceivedUpdate) -> Executable:
    """Let an update count as handled, with all that is in it."""
    return (
        changed(ReceivedUpdate)
        .where(ReceivedUpdate.bot_id == row.bot_id, ReceivedUpdate.update_id == row.update_id)
        .values(handled_at=func.now(), claimed_by=POSTPONED, claimed_until=None)
    )


def bring_back() -> Executable:
    """Have everything that was postponed handled now, in its order, by whoever looks for unhandled updates."""
    return (
        changed(ReceivedUpdate)
        .where(ReceivedUpdate.claimed_by == POSTPONED, ReceivedUpdate.handled_at.is_not(None))
        # As if it had come now: nobody was to answer before.
        .values(handled_at=None, claimed_by=None, received_at=func.now())
    )


def _end(bot: ColumnElement[int], handled: ColumnElement[int], replica: ColumnElement[str]):  # type: ignore[no-untyped-def]
    return (
        changed(ReceivedUpdate)
        .where(
            ReceivedUpdate.bot_id == bot, ReceivedUpdate.update_id == handled, ReceivedUpdate.claimed_by == replica
        )
        # What the person wrote goes with the payload; the number stays, to know a redelivery.
        # And whose it was: nobody asks any more.
        .values(handled_at=func.now(), payload=None, chat_id=0, claimed_until=None)
        .cte("ended")
    )
