"""The running summary: older messages are folded into it once they no longer fit into the budget."""

import structlog

from bot import context, dialogues
from bot.language_model import LanguageModel, LanguageModelUnavailable
from bot.models import Dialogue
from bot.scene import split_answer
from generation.database import Database

log = structlog.get_logger(__name__)


class Memory:
    """Summarises each dialogue at most once at a time; one per process, built by `bot.app`."""

    def __init__(self, database: Database, language_model: LanguageModel, *, budget: int) -> None:
        self._database = database
        self._language_model = language_model
        self._budget = budget
        self._busy: set[int] = set()

    async def summarise(self, dialogue_id: int) -> None:
        """Fold what has grown too long; a model that is away leaves it to the next turn."""
        if dialogue_id in self._busy:
            return
        self._busy.add(dialogue_id)
        try:
            await self._summarise(dialogue_id)
        except LanguageModelUnavailable:
            log.info("dialogue.not_summarised", dialogue_id=dialogue_id)
        finally:
            self._busy.discard(dialogue_id)

    async def _summarise(self, dialogue_id: int) -> None:
        async with self._database.unit() as session:
            dialogue = await session.get(Dialogue, dialogue_id)
            said = await dialogues.history(session, dialogue) if dialogue else []
        older = context.to_summarise(said, budget=self._budget)
        if dialogue is None or not older:
            return
        answer = await self._language_model.answer(
            context.for_summary(dialogue.summary, older, budget=self._budget * 2)
        )
        summary, _ = split_answer(answer)
        async with self._database.unit() as session:
            await dialogues.remember_summary(session, dialogue_id, summary, older[-1].id)
        log.info("dialogue.summarised", dialogue_id=dialogue_id, messages=len(older))
