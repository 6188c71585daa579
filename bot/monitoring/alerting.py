"""Looks at the figures by the alert rules, tells the operators, and calls for help. One replica at a time looks."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import aiohttp
import structlog
from aiogram import Bot
from aiogram.exceptions import ClientDecodeError, TelegramAPIError
from aiogram.types import BufferedInputFile, InlineKeyboardMarkup
from sqlalchemy import Update, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Person
from bot.monitoring import chart, figures
from bot.monitoring.texts import alert_words, chart_words, investigation
from bot.settings import Settings
from bot.telegram.messages import MAX_CAPTION, fitting
from bot.texts import DEFAULT, Say, Texts
from generation.figures import history
from generation.runtime import operator_switches
from generation.runtime.database import CONNECTION_ERRORS, Database, Lock, is_permanent
from generation.runtime.models import Alert
from generation.runtime.monitoring import alert_rules, turns
from generation.runtime.monitoring.alert_rules import OK, Action, Rule, Rules, State
from generation.runtime.monitoring.figures import Snapshot

log = structlog.get_logger(__name__)

#: Seconds that SCALE_WEBHOOK_URL may take.
WEBHOOK_SECONDS = 10
#: Figures of each worker, and for how long a value may be missing while its alert fires.
OF_WORKERS = frozenset(figure.name for figure in figures.FIGURES if figure.label == "worker")
MISSING = timedelta(seconds=60)


class Alerting:
    """One per process, built by `bot.app`; `look` is due every few seconds."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        bot: Bot,
        texts: Texts,
        session: aiohttp.ClientSession,
        rules: Rules,
        every: float,
    ) -> None:
        """`every`: seconds between two looks, of all replicas together."""
        self._every = every
        self._settings = settings
        self.figures = figures.Reader(settings)
        self._database = database
        self._bot = bot
        self._texts = texts
        self._session = session
        self.rules = rules
        # PostgreSQL cannot hold the state of its own absence.
        self._away = OK
        self._locales: dict[int, str] = {}
        #: Whether there was an alert, of whatever age, at the last look.
        self._are_any = True
        self._seen_at: dict[tuple[str, str], datetime] = {}

    def load_rules(self) -> Rules:
        """The rules of the file as it is now. Raises RulesError, and `rules` stay as they are."""
        return alert_rules.load(self._settings.alerts_file, figures.FIGURES)

    async def look(self) -> None:
        """One round: figures, rules, what follows, and the words."""
        try:
            changed, snapshot = await self._judge()
        except CONNECTION_ERRORS as error:
            if is_permanent(error):
                # PostgreSQL is there and refuses a value: a fault of ours.
                raise
            await self._without_database(error)
            return
        await self._with_database()
        for alert in changed:
            log.warning("alert.ended" if alert.ended_at else "alert.began", rule=alert.rule, subject=alert.subject,
                        value=alert.value)  # fmt: skip
        if snapshot and self._are_any:
            await self._call_webhook()
            await self._tell(snapshot)
            await self._forget_told()

    # -- judging ---------------------------------------------------------------------------------------

    async def _judge(self) -> tuple[list[Alert], Snapshot | None]:
        """Alerts that began or ended with this look; nothing where another replica looks, or has just looked."""
        async with self._database.autocommit() as session:
            # A little less than a pause: a replica that is early by a moment keeps its turn.
            if not await turns.take(session, turns.ALERTS, self._every * 0.8):
                return [], None
        async with self._database.unit() as session:
            if not await session.scalar(select(func.pg_try_advisory_xact_lock(Lock.ALERTS))):
                return [], None
            snapshot = await self.figures.read(session, window=self.rules.window, at_most_old=figures.OLDEST)
            admins = select(Person.id, Person.locale).where(Person.id.in_(self._settings.admin_ids))
            self._locales = {row.id: row.locale for row in await session.execute(admins)}
            return await self._step(session, snapshot), snapshot

    async def _step(self, session: AsyncSession, snapshot: Snapshot) -> list[Alert]:
        known = {(alert.rule, alert.subject): alert for alert in await session.scalars(select(Alert))}
        changed: list[Alert] = []
        paused = await operator_switches.is_on(session, operator_switches.QUEUE_PAUSED)
        for rule in self.rules.rules.values():
            # Whoever paused the queue wants it to grow, and no GPU to be rented.
            values = {} if paused and rule.action is Action.SCALE_UP else dict(rule.values(snapshot))
            subjects = values.keys() | {subject for name, subject in known if name == rule.name}
            for subject in subjects:
                alert = known.get((rule.name, subject))
                if subject in values:
                    self._seen_at[rule.name, subject] = snapshot.at
                elif rule.figure in OF_WORKERS and self._may_come_back(alert, snapshot.at):
                    continue
                if await _move(session, rule, subject, alert, values.get(subject), snapshot.at):
                    changed.append(await session.get_one(Alert, (rule.name, subject)))
        for (name, _), alert in known.items():
            if name not in self.rules.rules and _end(alert, snapshot.at):
                changed.append(alert)
        self._are_any = bool(known or changed)
        return changed

    def _may_come_back(self, alert: Alert | None, now: datetime) -> bool:
        """Whether a value that is missing may come back: a worker that restarts is as hot as before."""
        if alert is None or alert.fired_at is None or alert.ended_at is not None:
            return False
        seen_at = self._seen_at.setdefault((alert.rule, alert.subject), now)
        return now - seen_at < MISSING

    # -- acting ----------------------------------------------------------------------------------------

    async def _call_webhook(self) -> None:
        """Say what began and what ended, at each look until it was heard: a lost end leaves GPUs rented."""
        url = self._settings.scale_webhook_url
        if url is None:
            return
        async with self._database.unit() as session:
            burns = Alert.fired_at.is_not(None) & Alert.ended_at.is_(None)
            began = burns & Alert.called.is_distinct_from("began")
            ended = Alert.ended_at.is_not(None) & (Alert.called == "began")
            uncalled = await session.scalars(select(Alert).where(Alert.action == Action.SCALE_UP, began | ended))
        for alert in uncalled:
            state = "ended" if alert.ended_at else "began"
            if await self._heard(str(url), alert, state):
                async with self._database.unit() as session:
                    await session.execute(_row(alert).values(called=state))

    async def _heard(self, url: str, alert: Alert, state: str) -> bool:
        body = {"alert": alert.rule, "state": state, "value": alert.value, "at": datetime.now(UTC).isoformat()}
        try:
            limit = aiohttp.ClientTimeout(total=WEBHOOK_SECONDS)
            async with self._session.post(url, json=body, timeout=limit) as response:
                log.info("alert.webhook_called", status=response.status)
                return response.ok
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("alert.webhook_failed", error=type(error).__name__)
            return False

    # -- telling ---------------------------------------------------------------------------------------

    async def _tell(self, snapshot: Snapshot | None) -> None:
        for alert in await self._untold():
            told = await self._tell_everybody(alert, snapshot)
            if not told:
                # Nobody could be reached: the next look tries again.
                await self._set_told(alert, "began" if alert.ended_at else None)

    async def _untold(self) -> list[Alert]:
        """Alerts whose beginning or end must be said, reserved for this replica."""
        loud = or_(Alert.silenced_until.is_(None), Alert.silenced_until < func.now())
        async with self._database.unit() as session:
            # What was over before anybody heard of it, or while it was silenced, needs no word.
            await session.execute(
                update(Alert)
                .where(Alert.ended_at.is_not(None), or_(Alert.told.is_(None), ~loud))
                .values(told="ended")
            )
            began = await session.scalars(
                update(Alert)
                .where(Alert.fired_at.is_not(None), Alert.ended_at.is_(None), Alert.told.is_(None), loud)
                .values(told="began")
                .returning(Alert)
            )
            ended = await session.scalars(
                update(Alert)
                .where(Alert.ended_at.is_not(None), Alert.told == "began", loud)
                .values(told="ended")
                .returning(Alert)
            )
            return [*began, *ended]

    async def _set_told(self, alert: Alert, told: str | None) -> None:
        async with self._database.unit() as session:
            await session.execute(_row(alert).values(told=told))

    async def _tell_everybody(self, alert: Alert, snapshot: Snapshot | None) -> bool:
        rule = self.rules.rules.get(alert.rule)
        reached = [await self._tell_one(admin, rule, alert, snapshot) for admin in sorted(self._settings.admin_ids)]
        return any(reached) or not reached

    async def _tell_one(self, admin: int, rule: Rule | None, alert: Alert, snapshot: Snapshot | None) -> bool:
        say = self._texts.in_locale(self._locales.get(admin, DEFAULT))
        text, buttons = alert_words(say, self._texts, alert, rule)
        if snapshot and not alert.ended_at and alert.action == Action.INVESTIGATE:
            return await self._send_investigation(admin, say, text, buttons, snapshot)
        return await self._send(admin, text, buttons)

    async def _send_investigation(
        self, admin: int, say: Say, text: str, buttons: InlineKeyboardMarkup, snapshot: Snapshot
    ) -> bool:
        async with self._database.unit() as session:
            text = f"{text}\n\n{await investigation(session, say, snapshot)}"
            last_day = await history(session)
        try:
            picture = await chart.draw(last_day, chart_words(say))
            await self._bot.send_photo(
                admin,
                BufferedInputFile(picture, "chart.png"),
                caption=fitting(text, MAX_CAPTION),
                reply_markup=buttons,
            )
        except (TelegramAPIError, ClientDecodeError, OSError, TimeoutError) as error:
            log.warning("alert.without_chart", error=type(error).__name__)
            return await self._send(admin, text, buttons)
        return True

    async def _send(self, admin: int, text: str, buttons: InlineKeyboardMarkup | None = None) -> bool:
        try:
            await self._bot.send_message(admin, text, reply_markup=buttons)
        except (TelegramAPIError, ClientDecodeError) as error:
            log.warning("alert.untold", error=type(error).__name__)
            return False
        return True

    async def _forget_told(self) -> None:
        """A rule that is gone is forgotten once its end was told, to whom its beginning was."""
        is_told = (Alert.told == "ended") & (func.coalesce(Alert.called, "ended") == "ended")
        is_gone = Alert.rule.not_in(self.rules.rules)
        async with self._database.autocommit() as session:
            await session.execute(delete(Alert).where(is_gone, Alert.ended_at.is_not(None), is_told))

    # -- without PostgreSQL ----------------------------------------------------------------------------

    async def _without_database(self, error: BaseException) -> None:
        log.warning("alerts.database_away", error=type(error).__name__)
        await self._step_away(1.0)

    async def _with_database(self) -> None:
        await self._step_away(0.0)

    async def _step_away(self, value: float) -> None:
        """The rules on `database_away`, whose state only this process can hold: every replica tells of its own."""
        for rule in self.rules.rules.values():
            if rule.figure != "database_away":
                continue
            before, self._away = self._away, alert_rules.step(rule, self._away, value, datetime.now(UTC))
            if (before.fired_at is None) != (self._away.fired_at is None):
                for admin in self._settings.admin_ids:
                    say = self._texts.in_locale(self._locales.get(admin, DEFAULT))
                    await self._send(admin, say("database-away" if self._away.fired_at else "database-back"))


def _row(alert: Alert) -> Update:
    return update(Alert).where(Alert.rule == alert.rule, Alert.subject == alert.subject)


async def _move(
    session: AsyncSession, rule: Rule, subject: str, alert: Alert | None, value: float | None, now: datetime
) -> bool:
    """Bring a row to where its rule stands now; True when an alert began or ended with that."""
    if alert is not None and alert.ended_at is not None:
        if alert.told != "ended":
            return False
        state = OK
    else:
        state = State(alert.passed_at, alert.fired_at, alert.value) if alert else OK
    after = alert_rules.step(rule, state, value, now)
    if after.passed_at is None:
        return _end(alert, now)
    began = after.fired_at is not None and state.fired_at is None
    values = {
        "action": rule.action.value,
        "passed_at": after.passed_at,
        "fired_at": after.fired_at,
        "value": after.value,
    }
    if alert is None:
        session.add(Alert(rule=rule.name, subject=subject, worst=after.value, **values))
    else:
        if alert.ended_at is not None:
            values |= {"ended_at": None, "told": None, "worst": after.value}
        elif after.value is not None and rule.limit is not None:
            worse = max if rule.above is not None else min
            values["worst"] = worse(alert.worst, after.value)
        for name, content in values.items():
            setattr(alert, name, content)
    await session.flush()
    return began


def _end(alert: Alert | None, now: datetime) -> bool:
    if alert is None or alert.ended_at is not None:
        return False
    alert.ended_at = now
    if alert.fired_at is None:
        # It never became an alert.
        alert.told = "ended"
        return False
    return True


async def silence(session: AsyncSession, rule: str, seconds: float) -> bool:
    """No words about a rule for so long; its action goes on."""
    silenced = await session.scalars(
        update(Alert)
        .where(Alert.rule == rule)
        .values(silenced_until=func.now() + func.make_interval(0, 0, 0, 0, 0, 0, seconds))
        .returning(Alert.subject)
    )
    return bool(silenced.all())


async def listed(session: AsyncSession) -> Sequence[Alert]:
    """Alerts that last, and those of the last day, newest first."""
    rows = await session.scalars(
        select(Alert)
        .where(
            Alert.fired_at.is_not(None), or_(Alert.ended_at.is_(None), Alert.ended_at > func.now() - figures.DAY)
        )
        .order_by(Alert.ended_at.is_(None).desc(), Alert.fired_at.desc())
        .limit(20)
    )
    return rows.all()
