"""What operators can do: each action is one method. Who may is the router's question; who did is noted."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError, TelegramBadRequest
from arq import ArqRedis
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from bot import check_data
from bot.accounts import payments
from bot.models import AdminAction, Broadcast, BroadcastStatus, Person, PhotoGrant
from bot.monitoring import alerting
from bot.monitoring.alerting import Alerting
from bot.personas.catalog import PersonaCatalog
from bot.personas.persona import Persona, WrongPersona
from bot.settings import Settings
from bot.texts import Say, Texts
from generation import worker_registry
from generation.errors import WorkflowError
from generation.models import Photo
from generation.orders import jobs, lifecycle, placing
from generation.runtime import operator_switches
from generation.runtime.database import Database
from generation.runtime.monitoring import alert_rules
from generation.runtime.monitoring.alert_rules import Rules, RulesError
from generation.workflows import workflow

log = structlog.get_logger(__name__)

#: What a press on the two gift buttons gives.
GIFT_PREMIUM = timedelta(days=30)
GIFT_PHOTOS = 10
#: Seconds for which "be quiet" lasts.
SILENCE = 3600
#: Largest number of PostgreSQL's bigint.
LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class AdminActions:
    """Built by `bot.app`. Actions return the words for who pressed."""

    settings: Settings
    database: Database
    redis: ArqRedis
    bot: Bot
    texts: Texts
    catalog: PersonaCatalog
    alerting: Alerting
    #: Questions that were said yes to: chat and message.
    answered: set[tuple[int, int]] = field(default_factory=set)

    async def carry_out(self, action: str, target: str, admin: Person, say: Say) -> str:
        """Do it and note who did; unknown actions are stale buttons."""
        do = ACTIONS.get(action)
        if do is None:
            return say("stale-button")
        words = await do(self, target, say)
        refused = words in {say("admin-not-possible"), say("stale-button")}
        await self.note(admin.id, action, f"{target} (refused)".strip() if refused else target)
        return words

    async def note(self, admin_id: int, action: str, target: str = "") -> None:
        log.warning("admin.acted", admin=admin_id, action=action, target=target)
        async with self.database.unit() as session:
            session.add(AdminAction(admin_id=admin_id, action=action, target=target[:200]))

    # -- the queue -------------------------------------------------------------------------------------

    async def pause(self, _target: str, say: Say) -> str:
        await self._switch(operator_switches.QUEUE_PAUSED, on=True)
        return say("admin-done")

    async def drain(self, _target: str, say: Say) -> str:
        await self._switch(operator_switches.QUEUE_DRAINING, on=True)
        return say("admin-done")

    async def resume(self, _target: str, say: Say) -> str:
        await self._switch(operator_switches.QUEUE_PAUSED, on=False)
        await self._switch(operator_switches.QUEUE_DRAINING, on=False)
        async with self.database.unit() as session:
            head = await placing.head(session)
        if head is not None:
            await self._ring(head)
        return say("admin-done")

    async def retry_failed(self, _target: str, say: Say) -> str:
        async with self.database.unit() as session:
            gone = select(Person.id).where(Person.banned_at.is_not(None) | Person.blocked_at.is_not(None))
            photos = await placing.retry_failed(session, not_of=(await session.scalars(gone)).all())
        for photo in photos:
            await self._ring(photo)
        return say("admin-retried", count=len(photos))

    async def drop_waiting(self, _target: str, say: Say) -> str:
        async with self.database.unit() as session:
            count = await placing.expire_waiting(session)
        return say("admin-dropped", count=count)

    # -- one photo -------------------------------------------------------------------------------------

    async def retry_photo(self, target: str, say: Say) -> str:
        async with self.database.unit() as session:
            photo = await session.get(Photo, number_of(target))
            person = await session.get(Person, photo.owner_id) if photo else None
            is_welcome = person is not None and person.banned_at is None
            retried = photo is not None and is_welcome and await placing.retry(session, photo)
        if photo is not None and retried:
            await self._ring(photo)
        return say("admin-done" if retried else "admin-not-possible")

    async def refund_photo(self, target: str, say: Say) -> str:
        """One more photo for its person, once."""
        async with self.database.unit() as session:
            photo = await session.get(Photo, number_of(target))
            if photo is None or await session.get(Person, photo.owner_id) is None:
                return say("admin-not-possible")
            granted = await session.execute(
                insert(PhotoGrant)
                .values(cause=f"refund:photo:{photo.id}", person_id=photo.owner_id, photos=1)
                .on_conflict_do_nothing()
                .returning(PhotoGrant.cause)
            )
            given = granted.scalar_one_or_none() is not None
        return say("admin-done" if given else "admin-done-before")

    # -- one person ------------------------------------------------------------------------------------

    async def ban(self, target: str, say: Say) -> str:
        async with self.database.unit() as session:
            person = await session.get(Person, number_of(target))
            if person is None or person.id in self.settings.admin_ids:
                return say("admin-not-possible")
            if person.banned_at is None:
                person.banned_at = func.now()
            await lifecycle.drop_waiting(session, person.id, why="the person was banned", held=True)
            _, charges = await payments.subscription(session, person.id)
        for charge_id in charges:
            # Whoever is shut out shall not go on paying.
            await payments.end_subscription(self.bot, person.id, charge_id)
        tell = self.texts.in_locale(person.locale)
        try:
            await self.bot.send_message(person.id, tell("banned"))
        except (TelegramAPIError, ClientDecodeError) as error:
            log.info("admin.ban_untold", error=type(error).__name__)
        return say("admin-done")

    async def unban(self, target: str, say: Say) -> str:
        return await self._change(target, say, banned_at=None)

    async def give_premium(self, target: str, say: Say) -> str:
        async with self.database.unit() as session:
            given = await payments.give_premium(session, number_of(target), GIFT_PREMIUM)
        return say("admin-done" if given else "admin-not-possible")

    async def give_photos(self, target: str, say: Say) -> str:
        async with self.database.unit() as session:
            given = await payments.give_photos(session, number_of(target), GIFT_PHOTOS)
        return say("admin-done" if given else "admin-not-possible")

    async def refund(self, target: str, say: Say) -> str:
        """Telegram gives the Stars back, and what they bought is taken back. Twice does no harm."""
        async with self.database.unit() as session:
            payment = await payments.by_key(session, target)
        if payment is None:
            return say("refund-unknown")
        try:
            if payment.stars:  # else it was a gift, of which Telegram knows nothing
                await self.bot.refund_star_payment(payment.person_id, payment.charge_id)
        except TelegramBadRequest as error:
            if "ALREADY_REFUNDED" not in str(error):
                return say("refund-refused", why=error.message)
        except (TelegramAPIError, ClientDecodeError) as error:
            return say("refund-refused", why=type(error).__name__)
        if payment.stars and payment.premium_until is not None:
            # A refund ends no subscription: without this Telegram would take the next month.
            await payments.end_subscription(self.bot, payment.person_id, payment.charge_id)
        async with self.database.unit() as session:
            taken_back = await payments.take_back(session, payment.charge_id)
            payer = await session.get(Person, payment.person_id)
        if taken_back and payer:
            # Telegram reports it as well; whoever notes it first says it.
            tell = self.texts.in_locale(payer.locale)
            with suppress(TelegramAPIError, ClientDecodeError):
                await self.bot.send_message(payer.id, tell("payment-refunded", stars=payment.stars))
        return say("refund-done" if taken_back else "refund-known", stars=payment.stars)

    # -- workers, alerts, everything -------------------------------------------------------------------

    async def restart_worker(self, target: str, say: Say) -> str:
        return await self._command(target, worker_registry.Command.RESTART, say)

    async def free_worker(self, target: str, say: Say) -> str:
        return await self._command(target, worker_registry.Command.FREE, say)

    async def silence(self, target: str, say: Say) -> str:
        async with self.database.unit() as session:
            silenced = await alerting.silence(session, target, SILENCE)
        return say("admin-silenced" if silenced else "stale-button")

    async def stop_broadcast(self, target: str, say: Say) -> str:
        async with self.database.unit() as session:
            stopped = await session.execute(
                update(Broadcast)
                .where(Broadcast.id == number_of(target), Broadcast.status == BroadcastStatus.RUNNING)
                .values(status=BroadcastStatus.STOPPED)
                .returning(Broadcast.id)
            )
            was_running = stopped.scalar_one_or_none() is not None
        return say("admin-done" if was_running else "stale-button")

    async def maintenance_on(self, _target: str, say: Say) -> str:
        await self._switch(operator_switches.MAINTENANCE, on=True)
        return say("admin-done")

    async def maintenance_off(self, _target: str, say: Say) -> str:
        await self._switch(operator_switches.MAINTENANCE, on=False)
        return say("admin-done")

    async def reload(self, _target: str, say: Say) -> str:
        """Personas, workflows and rules from their files; refused whole when one of them is wrong."""
        try:
            await self.read_files()
        except (WrongPersona, WorkflowError, RulesError) as error:
            return say("admin-reload-refused", why=str(error))
        async with self.database.unit() as session:
            await operator_switches.count_up(session, operator_switches.RELOAD)
        return say("admin-reloaded", personas=len(self.catalog.personas), rules=len(self.alerting.rules.rules))

    async def read_files(self) -> None:
        """Everything is read and checked before anything is replaced."""
        personas, rules = await asyncio.to_thread(self._read)
        self.catalog.replace(personas)
        self.alerting.rules = rules

    def _read(self) -> tuple[dict[str, Persona], Rules]:
        workflows = workflow.load_all(self.settings.workflows_folder)
        return check_data.load_all_or_stop(workflows, self.texts), alert_rules.load(self.settings.alerts_file)

    # -- steps -----------------------------------------------------------------------------------------

    async def _switch(self, name: str, *, on: bool) -> None:
        async with self.database.unit() as session:
            await operator_switches.switch(session, name, on=on)

    async def _ring(self, photo: Photo) -> None:
        head_start = self.settings.premium_head_start
        await jobs.enqueue_render(self.redis, photo, premium_head_start=head_start, afresh=True)

    async def _change(self, target: str, say: Say, **values: object) -> str:
        async with self.database.unit() as session:
            changed = await session.execute(
                update(Person).where(Person.id == number_of(target)).values(**values).returning(Person.id)
            )
            found = changed.scalar_one_or_none() is not None
        return say("admin-done" if found else "admin-not-possible")

    async def _command(self, target: str, command: worker_registry.Command, say: Say) -> str:
        async with self.database.unit() as session:
            workers = await worker_registry.alive(session, lease=self.settings.lease)
            name = next((worker.name for worker, _ in workers if key_of(worker.name) == target), None)
            ordered = name is not None and await worker_registry.send_command(session, name, command)
        return say("admin-commanded" if ordered else "stale-button")

    async def words_of(self, action: str, target: str) -> str:
        """What a target is called where a person reads it; buttons hold short keys."""
        async with self.database.unit() as session:
            if action in {"restart_worker", "free_worker"}:
                workers = await worker_registry.alive(session, lease=self.settings.lease)
                return next(
                    (worker_registry.place_of(each.name) for each, _ in workers if key_of(each.name) == target), ""
                )
        return target


Action = Callable[[AdminActions, str, Say], Awaitable[str]]

ACTIONS: dict[str, Action] = {
    "pause": AdminActions.pause,
    "drain": AdminActions.drain,
    "resume": AdminActions.resume,
    "retry_failed": AdminActions.retry_failed,
    "drop_waiting": AdminActions.drop_waiting,
    "retry_photo": AdminActions.retry_photo,
    "refund_photo": AdminActions.refund_photo,
    "ban": AdminActions.ban,
    "unban": AdminActions.unban,
    "refund": AdminActions.refund,
    "give_premium": AdminActions.give_premium,
    "give_photos": AdminActions.give_photos,
    "restart_worker": AdminActions.restart_worker,
    "free_worker": AdminActions.free_worker,
    "silence": AdminActions.silence,
    "stop_broadcast": AdminActions.stop_broadcast,
    "maintenance_on": AdminActions.maintenance_on,
    "maintenance_off": AdminActions.maintenance_off,
    "reload": AdminActions.reload,
}
#: Asked twice.
DANGEROUS = frozenset(
    {
        "drain", "retry_failed", "drop_waiting", "ban", "restart_worker", "maintenance_on", "stop_broadcast",
        "give_premium", "give_photos", "refund",
    }
)  # fmt: skip


def key_of(worker: str) -> str:
    """A worker's name is too long for callback data."""
    return f"{zlib.crc32(worker.encode()):08x}"


def number_of(target: str) -> int:
    """A row's id; 0, which no row has, for what is none."""
    return int(target) if target.isdecimal() and int(target) <= LARGEST_ID else 0
