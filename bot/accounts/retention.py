"""How long what was said is kept: what a summary stands for, and talks that have ended."""

from datetime import timedelta

from sqlalchemy import and_, delete, false, func, or_, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Dialogue, Message
from generation.orders.retention import round_through
from generation.runtime.database import Database, Lock
from generation.settings import RetentionSettings


class TalkRetention:
    """One per process; a `round` is due every few minutes."""

    def __init__(self, settings: RetentionSettings) -> None:
        self._messages = settings.keep_messages_days
        self._ended = settings.keep_ended_talks_days
        self._after = 0

    async def round(self, database: Database) -> None:
        """Look at some more dialogues; after the last one at the first again."""
        if self._messages or self._ended:
            self._after = await round_through(
                database, Dialogue.id, self._after, self._portion, lock=Lock.TALKS_KEPT
            )

    async def _portion(self, session: AsyncSession, after: int, upto: int) -> None:
        of_portion = and_(Dialogue.id > after, Dialogue.id <= upto)
        summarised = and_(
            Message.id <= Dialogue.summarised_to,
            Message.created_at < func.now() - timedelta(days=self._messages),
        )
        long_ended = Dialogue.ended_at < func.now() - timedelta(days=self._ended)
        old = or_(summarised if self._messages else false(), long_ended if self._ended else false())
        await session.execute(delete(Message).where(Message.dialogue_id == Dialogue.id, of_portion, old))
        if self._ended:
            of_ended = update(Dialogue).where(of_portion, long_ended, Dialogue.summary != "")
            await session.execute(of_ended.values(summary=""))
