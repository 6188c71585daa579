"""Alerts and the chart in words, for the operators' messages and for the panel."""

from collections.abc import Sequence
from datetime import datetime

from aiogram.types import InlineKeyboardMarkup
from sqlalchemy.ext.asyncio import AsyncSession

from bot.telegram.callbacks import AdminAct, AdminPage
from bot.telegram.messages import keyboard
from bot.texts import Say, Texts
from generation.runtime.models import Alert
from generation.runtime.monitoring import incidents
from generation.runtime.monitoring.alert_rules import Rule
from generation.runtime.monitoring.figures import Snapshot

NOTHING = "–"
#: Titles and labels of the chart.
CHART = ("photos", "seconds", "queue", "delivered", "failed", "p50", "p95", "wait")


def number(value: float | None, unit: str = "", digits: int = 1) -> str:
    """A figure, or a dash where there is none."""
    if value is None:
        return NOTHING
    rounded = f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"
    return f"{rounded}{unit}"


def percent(ratio: float | None) -> str:
    """A ratio from 0 to 1, or a dash."""
    return NOTHING if ratio is None else f"{ratio:.0%}"


def clock(moment: datetime | None) -> str:
    """A moment as operators read it, in UTC, or a dash."""
    return f"{moment:%d.%m %H:%M:%S} UTC" if moment else NOTHING


def alert_name(say: Say, texts: Texts, rule: str) -> str:
    """Its name in the operator's language; rules of the operator's own have only the one of the file."""
    return say(f"alert-{rule}") if texts.has(f"alert-{rule}") else rule


def alert_words(say: Say, texts: Texts, alert: Alert, rule: Rule | None) -> tuple[str, InlineKeyboardMarkup]:
    """The message at the beginning or the end of an alert, with its buttons."""
    name = alert_name(say, texts, alert.rule)
    if alert.subject:
        name = f"{name} ({alert.subject})"
    rows = [(say("admin-stats-button"), AdminPage(page="stats").pack())]
    if alert.ended_at:
        seconds = (alert.ended_at - (alert.fired_at or alert.passed_at)).total_seconds()
        return say("alert-ended", name=name, minutes=number(seconds / 60), worst=number(alert.worst)), keyboard(
            rows
        )
    limit = number(rule.limit) if rule else NOTHING
    action = say(f"alert-action-{alert.action}")
    text = say("alert-began", name=name, value=number(alert.value), limit=limit, action=action)
    silence = (say("alert-silence"), AdminAct(action="silence", target=alert.rule).pack())
    return text, keyboard([silence, *rows])


def alerts_words(say: Say, texts: Texts, found: Sequence[Alert]) -> str:
    """Alerts, a line each, those that fire marked."""
    if not found:
        return say("admin-no-alerts")
    lines = []
    for alert in found:
        name = alert_name(say, texts, alert.rule) + (f" ({alert.subject})" if alert.subject else "")
        until = clock(alert.ended_at) if alert.ended_at else "…"
        mark = "✓" if alert.ended_at else "🔥"
        lines.append(f"{mark} {name}: {number(alert.worst)} · {clock(alert.fired_at)} – {until}")
    return "\n".join(lines)


async def investigation(session: AsyncSession, say: Say, now: Snapshot) -> str:
    """The slowest stages and the latest errors: where to look first."""
    stages = sorted(now.values.get("stage", {}).items(), key=lambda item: -item[1])[:3]
    slow = " · ".join(f"{say(f'stage-{stage}')} {seconds:.1f}" for stage, seconds in stages)
    failed = sorted(now.values.get("failed", {}).items(), key=lambda item: -item[1])[:3]
    errors = [f"{name} ×{count:.0f}" for name, count in failed]
    errors += [f"{each.kind}: {each.detail}" for each in await incidents.latest(session, count=2)]
    return say("alert-investigation", stages=slow or NOTHING, errors="; ".join(errors) or NOTHING)


def chart_words(say: Say) -> dict[str, str]:
    """The chart's titles and labels."""
    return {key: say(f"chart-{key}") for key in CHART}
