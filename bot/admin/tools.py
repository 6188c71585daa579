"""What operators' handlers and actions work with."""

import asyncio
import zlib
from dataclasses import dataclass, field

import structlog
from aiogram import Bot
from arq import ArqRedis

from bot import check_data
from bot.llm.client import LanguageModel
from bot.models import AdminAction
from bot.monitoring.alerting import Alerting
from bot.personas.catalog import PersonaCatalog
from bot.personas.persona import Persona, WrongPersona
from bot.settings import Settings
from bot.texts import Texts
from generation.errors import WorkflowError
from generation.runtime import operator_switches
from generation.runtime.database import Database
from generation.runtime.monitoring.alert_rules import Rules, RulesError
from generation.workflows import workflow

log = structlog.get_logger(__name__)

#: Largest number of PostgreSQL's bigint.
LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class AdminTools:
    """Built by `bot.app`, lives as long as the process."""

    settings: Settings
    database: Database
    redis: ArqRedis
    bot: Bot
    texts: Texts
    catalog: PersonaCatalog
    alerting: Alerting
    language_model: LanguageModel
    #: Set when an operator starts a broadcast, so that this replica looks at once.
    broadcast_began: asyncio.Event = field(default_factory=asyncio.Event)
    #: Questions that were said yes to: chat and message.
    answered: set[tuple[int, int]] = field(default_factory=set)

    async def note(self, admin_id: int, action: str, target: str = "") -> None:
        """Write down who did what: every action is a row of `admin_actions`."""
        log.warning("admin.acted", admin=admin_id, action=action, target=target)
        async with self.database.unit() as session:
            session.add(AdminAction(admin_id=admin_id, action=action, target=target[:200]))

    async def switch(self, name: str, *, on: bool) -> None:
        """Turn one of `operator_switches`; every process reads it there."""
        async with self.database.unit() as session:
            await operator_switches.switch(session, name, on=on)

    async def read_files(self) -> None:
        """Personas, workflows and alert rules anew; everything is read and checked before anything is replaced.

        Raises WrongPersona, WorkflowError or RulesError.
        """
        personas, rules = await asyncio.to_thread(self._read)
        self.catalog.replace(personas)
        self.alerting.rules = rules

    def _read(self) -> tuple[dict[str, Persona], Rules]:
        workflows = workflow.load_all(self.settings.workflows_folder)
        return check_data.load_all_or_stop(workflows, self.texts), self.alerting.load_rules()


class Reloads:
    """Reads the files again after another replica's operator said /reload."""

    def __init__(self, tools: AdminTools) -> None:
        self._tools = tools
        self._known: int | None = None

    async def look(self) -> None:
        """One look; files that are wrong are tried again with the next."""
        async with self._tools.database.autocommit() as session:
            wanted = (await operator_switches.read(session)).reload
        try:
            if self._known not in {None, wanted}:
                await self._tools.read_files()
        except (WrongPersona, WorkflowError, RulesError) as error:
            log.warning("bot.files_not_read_again", error=type(error).__name__)
        else:
            self._known = wanted


def key_of(worker: str) -> str:
    """A worker's name is too long for callback data."""
    return f"{zlib.crc32(worker.encode()):08x}"


def number_of(target: str) -> int:
    """A row's id; 0, which no row has, for what is none."""
    return int(target) if target.isdecimal() and int(target) <= LARGEST_ID else 0
