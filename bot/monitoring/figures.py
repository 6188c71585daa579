"""All figures: the pipeline's (`generation.figures`), and those of people, language model and money."""

import math
import time
from datetime import timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.accounts import usage
from bot.models import Message, ModelServerRow, Payment, Person, Receipt, ReceivedUpdate, Role
from bot.settings import Settings
from generation import figures as pipeline
from generation.runtime.monitoring import figures, incidents
from generation.runtime.monitoring.figures import Figure, Snapshot, Values
from generation.runtime.monitoring.incidents import LANGUAGE_MODEL, PAYMENT, UPDATE_PUT_AWAY

DAY = timedelta(days=1)
#: Seconds in which failed calls are counted: short, so that an alert ends soon after the trouble.
INCIDENTS = 300
#: Seconds for which alerts and Prometheus go by figures of a whole day.
OLDEST = 60.0
#: Updates that are handled within so many seconds do not count as waiting.
HANDLED_WITHIN = timedelta(seconds=5)


FIGURES = (
    *pipeline.FIGURES,
    Figure("people", "vitte_people_last_day", "People who wrote or pressed something in the last day.", "plan"),
    Figure("premium_ratio", "vitte_premium_ratio", "Share of premium among them."),
    Figure("language_model", "vitte_language_model_seconds", "Language model, for answers of late.", "quantile"),
    Figure("language_model_errors", "vitte_language_model_errors_lately", "Its calls that failed of late."),
    Figure(
        "language_model_refused",
        "vitte_language_model_refused",
        "1 for each reason of a refusal that only an operator can end: key, credit, rights, model.",
        "reason",
    ),
    Figure("payment_errors", "vitte_payment_errors_lately", "Payments of late that could not be answered."),
    Figure("model_calls", "vitte_language_model_calls_last_day", "Calls of it that people caused."),
    Figure("model_tokens", "vitte_language_model_tokens_last_day", "Tokens of them.", "kind"),
    Figure("model_cost", "vitte_language_model_cost_last_day", "What they cost, by the prices of the settings."),
    Figure(
        "updates_put_away",
        "vitte_updates_put_away_lately",
        "Updates of late that ended the processes which had them.",
    ),
    Figure("stars_today", "vitte_stars_today", "Stars paid since midnight UTC and not given back."),
    Figure("updates_waiting", "vitte_updates_waiting", "Updates that nobody has handled yet."),
    Figure("database_away", "vitte_database_away", "1 while PostgreSQL does not answer."),
)


class Reader:
    """Reads every figure at one moment. What is counted over a day is kept for a while, since it changes slowly."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._of_the_day: dict[str, Values] = {}
        self._read_at = -math.inf

    async def read(self, session: AsyncSession, *, window: float, at_most_old: float = 0) -> Snapshot:
        """`window` is in seconds; figures of a whole day may be `at_most_old` seconds old."""
        settings = self._settings
        photos = await pipeline.read(session, window=window, lease=settings.lease)
        failed = await incidents.counts(session, window=min(window, INCIDENTS))
        values: dict[str, Values] = {
            **photos.values,
            **await self._day(session, at_most_old),
            "language_model": await _language_model(session, window),
            "language_model_errors": {"": failed.get(LANGUAGE_MODEL, 0)},
            "language_model_refused": await _refused(session, settings),
            "payment_errors": {"": failed.get(PAYMENT, 0)},
            "updates_put_away": {"": failed.get(UPDATE_PUT_AWAY, 0)},
            "updates_waiting": {"": await _updates_waiting(session)},
            "database_away": {"": 0},
        }
        return Snapshot(photos.at, values)

    async def _day(self, session: AsyncSession, at_most_old: float) -> dict[str, Values]:
        if time.monotonic() - self._read_at > at_most_old:
            self._of_the_day = {
                **await _people(session, self._settings),
                **_usage(await usage.of_everybody(session), self._settings),
                "stars_today": {"": await _stars_today(session)},
            }
            self._read_at = time.monotonic()
        return self._of_the_day


async def _people(session: AsyncSession, settings: Settings) -> dict[str, Values]:
    premium = Person.with_premium(settings.premium_ids)
    seen = (
        await session.execute(
            select(func.count().label("everybody"), func.count().filter(premium).label("premium")).where(
                Person.seen_at > func.now() - DAY
            )
        )
    ).one()
    ratio = seen.premium / seen.everybody if seen.everybody else 0.0
    return {
        "people": {"premium": seen.premium, "free": seen.everybody - seen.premium},
        "premium_ratio": {"": ratio},
    }


def _usage(used: usage.Used, settings: Settings) -> dict[str, Values]:
    return {
        "model_calls": {"": used.calls},
        "model_tokens": {"prompt": used.prompt_tokens, "completion": used.completion_tokens},
        "model_cost": {"": used.cost(settings)},
    }


async def _language_model(session: AsyncSession, window: float) -> Values:
    lately = Message.created_at > func.now() - timedelta(seconds=window)
    found = await session.scalar(
        select(figures.percentiles(Message.model_seconds)).where(lately, Message.role == Role.PERSONA)
    )
    return figures.by_quantile(found) if found and found[0] is not None else {}


async def _refused(session: AsyncSession, settings: Settings) -> Values:
    """Of the servers that are in use; what was refused before the last answer is over."""
    row = ModelServerRow
    keys = [address.key for address in settings.model_addresses]
    still = or_(row.last_answer_at.is_(None), row.last_error_at > row.last_answer_at)
    reasons = await session.scalars(select(row.last_error).where(row.key.in_(keys), row.error_lasts, still))
    return dict.fromkeys(reasons, 1)


async def _stars_today(session: AsyncSession) -> int:
    # Of those who have had everything deleted since as well.
    paid = [
        select(func.coalesce(func.sum(row.stars), 0))
        .where(row.paid_at >= func.date_trunc("day", func.now(), "UTC"), row.refunded_at.is_(None))
        .scalar_subquery()
        for row in (Payment, Receipt)
    ]
    return int(await session.scalar(select(paid[0] + paid[1])) or 0)


async def _updates_waiting(session: AsyncSession) -> int:
    waiting = (
        select(func.count())
        .select_from(ReceivedUpdate)
        .where(ReceivedUpdate.handled_at.is_(None), ReceivedUpdate.received_at < func.now() - HANDLED_WITHIN)
    )
    return await session.scalar(waiting) or 0
