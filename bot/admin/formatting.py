"""What operators read: figures, alerts, cards. Every number comes from a snapshot or a row."""

from collections.abc import Sequence
from datetime import datetime

from aiogram.types import InlineKeyboardMarkup
from sqlalchemy.ext.asyncio import AsyncSession

from bot.admin.buttons import AdminAct, AdminPage
from bot.models import AdminAction
from bot.telegram.messages import keyboard
from bot.texts import Say, Texts
from generation.figures import STAGES, Snapshot
from generation.models import Alert, Photo, RenderWorker
from generation.runtime.monitoring import incidents
from generation.runtime.monitoring.alert_rules import Rule
from generation.runtime.operator_switches import Controls

NOTHING = "–"
#: Titles and labels of the chart.
CHART = ("photos", "seconds", "queue", "delivered", "failed", "p50", "p95", "wait")
GIB = 2**30


def number(value: float | None, unit: str = "", digits: int = 1) -> str:
    """A figure, or a dash where there is none."""
    if value is None:
        return NOTHING
    rounded = f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"
    return f"{rounded}{unit}"


def percent(ratio: float | None) -> str:
    return NOTHING if ratio is None else f"{ratio:.0%}"


def clock(moment: datetime | None) -> str:
    return f"{moment:%d.%m %H:%M:%S} UTC" if moment else NOTHING


def stats_words(say: Say, now: Snapshot, state: str) -> str:
    """The panel's figures under `state_words`."""
    return say(
        "admin-stats",
        state=state,
        waiting=number(now.total("queue_depth"), digits=0),
        premium=number(now.of("queue_depth", "premium"), digits=0),
        oldest=number(now.of("oldest_wait"), digits=0),
        hands=number(now.of("in_hand"), digits=0),
        generation50=number(now.of("generation", "0.5")),
        generation95=number(now.of("generation", "0.95")),
        wait=number(now.of("wait_mean")),
        wait95=number(now.of("wait", "0.95")),
        hour=number(now.of("throughput"), digits=0),
        today=number(now.of("today"), digits=0),
        errors=percent(now.of("error_ratio")),
        model50=number(now.of("language_model", "0.5")),
        model95=number(now.of("language_model", "0.95")),
        modelerrors=number(now.of("language_model_errors"), digits=0),
        people=number(now.total("people"), digits=0),
        ratio=percent(now.of("premium_ratio")),
        stars=number(now.of("stars_today"), digits=0),
        well=number(now.of("workers", "well"), digits=0),
        sick=number(now.of("workers", "sick"), digits=0),
        silent=number(now.of("workers", "silent"), digits=0),
        updates=number(now.of("updates_waiting"), digits=0),
    )


def state_words(say: Say, texts: Texts, controls: Controls, burning: Sequence[Alert]) -> str:
    """What burns, and how everything is switched, where it is not as always."""
    switched = [f"🔥 {name}" for name in dict.fromkeys(alert_name(say, texts, alert.rule) for alert in burning)]
    if controls.queue_paused:
        switched.append(say("admin-is-paused"))
    if controls.queue_draining:
        switched.append(say("admin-is-draining"))
    if controls.maintenance_since:
        switched.append(say("admin-is-maintenance"))
    return " · ".join(switched) or say("admin-is-usual")


def worker_words(say: Say, worker: RenderWorker, alive: bool) -> str:
    state = say("admin-worker-silent", seen=clock(worker.seen_at)) if not alive else worker.problem or "✓"
    used, total = worker.vram_used, worker.vram_total
    return say(
        "admin-worker",
        name=worker.name,
        state=state,
        gpu=worker.gpu_name or worker.backend,
        model=worker.model or NOTHING,
        batch=str(worker.batch_size or NOTHING),
        seconds=number(worker.photo_seconds),
        hands=str(worker.in_hand),
        vram=f"{used / GIB:.1f}/{total / GIB:.1f}" if used is not None and total else NOTHING,
        load=percent(worker.gpu_load),
        temperature=number(worker.gpu_temperature, digits=0),
        disk=percent(worker.disk_free),
        throttled="🌡" if worker.throttled else "",
        error=f"{worker.last_error} ({clock(worker.last_error_at)})" if worker.last_error else NOTHING,
        command=worker.command_result or worker.command or NOTHING,
    )


def photo_words(say: Say, photo: Photo) -> str:
    """A photo's whole life."""
    stages = []
    for stage, (begin, end) in STAGES.items():
        began, ended = getattr(photo, begin), getattr(photo, end)
        if began and ended:
            stages.append(f"{say(f'stage-{stage}')} {(ended - began).total_seconds():.1f}")
    return say(
        "admin-photo",
        id=str(photo.id),
        status=photo.status,
        person=str(photo.owner_id),
        premium="⭐" if photo.premium else "",
        rule=photo.rule,
        reason=photo.reason,
        workflow=photo.workflow,
        orientation=photo.orientation,
        queued=clock(photo.queued_at),
        stages=" · ".join(stages) or NOTHING,
        attempt=str(photo.attempt),
        failures=str(photo.failures),
        worker=photo.worker or NOTHING,
        batch=str(photo.batch_size or NOTHING),
        error=photo.error or NOTHING,
        trace=photo.trace_id or NOTHING,
        prompt=photo.prompt or NOTHING,
    )


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
    if not found:
        return say("admin-no-alerts")
    lines = []
    for alert in found:
        name = alert_name(say, texts, alert.rule) + (f" ({alert.subject})" if alert.subject else "")
        until = clock(alert.ended_at) if alert.ended_at else "…"
        mark = "✓" if alert.ended_at else "🔥"
        lines.append(f"{mark} {name}: {number(alert.worst)} · {clock(alert.fired_at)} – {until}")
    return "\n".join(lines)


def log_words(say: Say, actions: Sequence[AdminAction]) -> str:
    lines = [f"{clock(each.at)} · {each.admin_id} · {each.action} {each.target}".rstrip() for each in actions]
    return "\n".join(lines) or say("admin-no-log")


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
