"""What operators read and press: figures, photos, workers. Every number comes from a snapshot or a row."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from aiogram.types import InlineKeyboardMarkup

from bot.accounts.plans import Plan
from bot.accounts.usage import Used
from bot.llm.profiles import Profile
from bot.models import AdminAction, ModelServerRow
from bot.monitoring.texts import NOTHING, alert_name, clock, number, percent
from bot.settings import ModelAddress, Settings
from bot.telegram.callbacks import AdminAct
from bot.telegram.messages import keyboard
from bot.texts import Say, Texts
from generation.figures import STAGES
from generation.models import Photo, RenderWorker
from generation.runtime.models import Alert
from generation.runtime.monitoring.figures import Snapshot
from generation.runtime.operator_switches import OperatorSwitches

GIB = 2**30


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


def usage_words(say: Say, used: Used, settings: Settings, allowed: Plan | None = None) -> str:
    """What the language model did in 24 hours, with its cost where prices are set; beside one person's limits."""

    def of(count: int, limit: str) -> str:
        return f"{count:,}" if allowed is None else f"{count:,}/{getattr(allowed, limit):,}"

    cost = used.cost(settings)
    return say(
        "admin-usage",
        calls=of(used.calls, "model_calls"),
        tokens=of(used.tokens, "model_tokens"),
        voice=of(used.voice_seconds, "voice_seconds"),
        pictures=of(used.pictures, "pictures"),
        cost=f"{cost:,.2f}" if cost else NOTHING,
    )


def state_words(say: Say, texts: Texts, switches: OperatorSwitches, firing: Sequence[Alert], now: Snapshot) -> str:
    """Alerts that fire, switches out of their usual position, workers that are all sick; one sentence for none."""
    switched = [f"🔥 {name}" for name in dict.fromkeys(alert_name(say, texts, alert.rule) for alert in firing)]
    if not now.of("workers", "well"):
        # The alert waits until it lasts; whoever looks knows at once.
        switched.append(say("admin-is-no-worker"))
    if switches.queue_paused:
        switched.append(say("admin-is-paused"))
    if switches.queue_draining:
        switched.append(say("admin-is-draining"))
    if switches.maintenance_since:
        switched.append(say("admin-is-maintenance"))
    return " · ".join(switched) or say("admin-is-usual")


def worker_words(say: Say, worker: RenderWorker, alive: bool) -> str:
    """A worker's row as a paragraph; `alive` is whether it has been heard of within its lease."""
    state = say("admin-worker-silent", seen=clock(worker.seen_at)) if not alive else worker.problem or "✓"
    used, total = worker.vram_used, worker.vram_total
    return say(
        "admin-worker",
        name=worker.name,
        state=state,
        gpu=worker.gpu_name or NOTHING,
        model=worker.model or NOTHING,
        batch=str(worker.batch_size or NOTHING),
        seconds=number(worker.photo_seconds),
        cost=f" · {worker.photo_cost:.4f}" if worker.photo_cost else "",
        backend=worker.backend,
        hands=str(worker.in_hand),
        vram=f"{used / GIB:.1f}/{total / GIB:.1f}" if used is not None and total else NOTHING,
        load=percent(worker.gpu_load),
        temperature=number(worker.gpu_temperature, digits=0),
        disk=percent(worker.disk_free),
        throttled="🌡" if worker.throttled else "",
        renders=", ".join(worker.workflows or ()) or NOTHING,
        notes="".join(f"\n⚠ {note}" for note in _notes(say, worker)),
        error=f"{worker.last_error} ({clock(worker.last_error_at)})" if worker.last_error else NOTHING,
        command=worker.command_result or worker.command or NOTHING,
    )


def model_words(say: Say, address: ModelAddress, row: ModelServerRow | None) -> str:
    """A server of the language model as a paragraph; without a row nobody has asked it yet."""
    known = Profile.model_validate(row.profile) if row else Profile(family=address.profile, context=address.context)
    refused = (
        row is not None
        and (row.last_error_at is not None)
        and (row.last_answer_at is None or row.last_error_at > row.last_answer_at)
    )
    prompt = row.prompt_tokens if row else 0
    return say(
        "admin-model",
        model=address.model,
        host=urlsplit(address.shown_url).netloc,
        state="–" if row is None else f"✗ {row.last_error}" if refused else "✓",
        family=known.family,
        context=f"{known.context:,}" if known.context else NOTHING,
        form="JSON" if known.is_structured else "line",
        answered=clock(row.last_answer_at) if row else NOTHING,
        finish=(row.last_finish if row else "") or NOTHING,
        first=number(row.first_text_seconds if row else None),
        prompt=f"{prompt:,}",
        completion=f"{row.completion_tokens if row else 0:,}",
        cached=percent(row.cached_tokens / prompt) if row and prompt else NOTHING,
        without=", ".join(sorted(known.without)) or NOTHING,
        error=f"{row.last_error} ({clock(row.last_error_at)})" if row and row.last_error else NOTHING,
    )


def _notes(say: Say, worker: RenderWorker) -> Iterator[str]:
    """What an operator should know of a worker that works."""
    yield from worker.lacks.values()
    if worker.foreign_graphs:
        yield say("admin-worker-foreign", count=worker.foreign_graphs)
    if worker.warning:
        yield worker.warning


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
        likeness=NOTHING if photo.face_likeness is None else f"{photo.face_likeness:.2f}",
        error=photo.error or NOTHING,
        trace=photo.trace_id or NOTHING,
        prompt=photo.prompt or NOTHING,
    )


def log_words(say: Say, actions: Sequence[AdminAction]) -> str:
    """What operators did, a line each."""
    lines = [f"{clock(each.at)} · {each.admin_id} · {each.action} {each.target}".rstrip() for each in actions]
    return "\n".join(lines) or say("admin-no-log")


def act_button(say: Say, action: str, target: str = "") -> tuple[str, str]:
    """A button that does something; `target` is what it is done to, as the action reads it."""
    return say(f"act-{action}"), AdminAct(action=action, target=target).pack()


def sure_question(say: Say, asked: AdminAct, target: str) -> tuple[str, InlineKeyboardMarkup]:
    """The question before a dangerous action, and its button; `target` as operators read it."""
    sure = asked.model_copy(update={"sure": True}).pack()
    text = say("admin-sure", action=say(f"act-{asked.action}"), target=target)
    return text, keyboard([(say("admin-yes"), sure)])
