"""/admin and its pages: figures, chart, queue, workers, alerts, the log; and the buttons that do something."""

from collections.abc import Awaitable, Callable

import structlog
from aiogram import Router
from aiogram.exceptions import ClientDecodeError, TelegramAPIError
from aiogram.filters import Command, CommandObject
from aiogram.types import BufferedInputFile, CallbackQuery, InlineKeyboardMarkup, Message
from sqlalchemy import func, select, text

from bot.accounts import usage
from bot.admin.actions.registry import ACTIONS, carry_out, target_words
from bot.admin.formatting import (
    act_button,
    log_words,
    model_words,
    state_words,
    stats_words,
    sure_question,
    usage_words,
    worker_words,
)
from bot.admin.tools import AdminTools, key_of
from bot.llm import record
from bot.models import AdminAction, Person
from bot.monitoring import alerting, chart, figures
from bot.monitoring.texts import alert_name, alerts_words, chart_words, number
from bot.telegram.callbacks import AdminAct, AdminPage
from bot.telegram.messages import MAX_CAPTION, MAX_TEXT, acknowledge, fitting, keyboard, replace_text
from bot.texts import Say
from generation import worker_registry
from generation.figures import history
from generation.models import Photo
from generation.runtime import operator_switches
from generation.runtime.monitoring.build import version
from generation.runtime.monitoring.figures import Snapshot

log = structlog.get_logger(__name__)

Page = tuple[str, InlineKeyboardMarkup]
Row = list[tuple[str, str]]
#: Actions that the log shows.
LISTED = 15
#: People for whom the language model did most, as /stats names them.
DEAREST = 3
#: Failed photos that the queue names.
FAILED_LISTED = 5


def build_router() -> Router:
    """The panel's commands, its pages and its buttons."""
    router = Router(name="panel")
    for name in ("admin", "queue", "gpu", "llm", "alerts", "log"):
        router.message.register(show, Command(name, ignore_case=True))
    router.message.register(show_stats, Command("stats", ignore_case=True))
    router.message.register(maintenance, Command("maintenance", ignore_case=True))
    router.message.register(reload, Command("reload", ignore_case=True))
    router.callback_query.register(turn_page, AdminPage.filter())
    router.callback_query.register(press, AdminAct.filter())
    return router


async def show(message: Message, command: CommandObject, say: Say, tools: AdminTools) -> None:
    """A page of the panel as a new message, by its command."""
    text, buttons = await PAGES[command.command.lower()](tools, say)
    await message.answer(fitting(text, MAX_TEXT), reply_markup=buttons)


async def show_stats(message: Message, say: Say, tools: AdminTools) -> None:
    """Figures under the picture of the last day."""
    async with tools.database.unit() as session:
        last_day = await history(session)
    text, buttons = await stats_page(tools, say)
    try:
        picture = BufferedInputFile(await chart.draw(last_day, chart_words(say)), "chart.png")
    except (OSError, TimeoutError) as error:
        log.warning("admin.without_chart", error=type(error).__name__)
        await message.answer(text, reply_markup=buttons)
    else:
        await message.answer_photo(picture, caption=fitting(text, MAX_CAPTION), reply_markup=buttons)


async def turn_page(query: CallbackQuery, callback_data: AdminPage, say: Say, tools: AdminTools) -> None:
    """Another page in place of this one, or the same one anew."""
    await acknowledge(query)
    if not isinstance(query.message, Message):
        return
    if callback_data.page == "stats" or query.message.photo:
        # A picture cannot become a text, nor a text a picture.
        await _open_anew(query.message, callback_data.page, say, tools)
        return
    await _replace(query, callback_data.page, say, tools)


async def _open_anew(message: Message, page: str, say: Say, tools: AdminTools) -> None:
    if page == "stats":
        await show_stats(message, say, tools)
    elif page in PAGES:
        text, buttons = await PAGES[page](tools, say)
        await message.answer(fitting(text, MAX_TEXT), reply_markup=buttons)


async def _replace(query: CallbackQuery, page: str, say: Say, tools: AdminTools) -> None:
    if page in PAGES:
        text, buttons = await PAGES[page](tools, say)
        await replace_text(query, fitting(text, MAX_TEXT), buttons)


async def press(query: CallbackQuery, callback_data: AdminAct, person: Person, say: Say, tools: AdminTools) -> None:
    """Do what a button says; what cannot be taken back is asked once more."""
    action = ACTIONS.get(callback_data.action)
    if action and action.danger and not callback_data.sure:
        await acknowledge(query)
        await _ask_again(query, callback_data, say, tools)
        return
    if callback_data.sure and query.message:
        question = (query.message.chat.id, query.message.message_id)
        if question in tools.answered:
            # Tapped twice: a gift would be given twice.
            await acknowledge(query)
            return
        tools.answered.add(question)
    words = (await carry_out(tools, callback_data.action, callback_data.target, person, say)).words
    await acknowledge(query, words, alert=len(words) > 60)
    if callback_data.sure and isinstance(query.message, Message):
        try:
            await query.message.edit_text(words)
        except (TelegramAPIError, ClientDecodeError) as error:
            log.info("admin.question_stays", error=type(error).__name__)
    elif action and action.page:
        await _replace(query, action.page, say, tools)


async def _ask_again(query: CallbackQuery, asked: AdminAct, say: Say, tools: AdminTools) -> None:
    """As a message of its own: the page stays as it is."""
    if isinstance(query.message, Message):
        target = await target_words(tools, asked.action, asked.target)
        text, buttons = sure_question(say, asked, target)
        await query.message.answer(text, reply_markup=buttons)


async def maintenance(
    message: Message, command: CommandObject, person: Person, say: Say, tools: AdminTools
) -> None:
    """/maintenance on or off."""
    wanted = (command.args or "").strip().lower()
    if wanted not in {"on", "off"}:
        await message.answer(say("admin-maintenance-how"))
        return
    action = ACTIONS[f"maintenance_{wanted}"]
    if action.danger:
        text, buttons = sure_question(say, AdminAct(action=action.name), "")
        await message.answer(text, reply_markup=buttons)
        return
    await message.answer((await carry_out(tools, action.name, "", person, say)).words)


async def reload(message: Message, person: Person, say: Say, tools: AdminTools) -> None:
    """/reload: files are read again by every process."""
    await message.answer((await carry_out(tools, "reload", "", person, say)).words)


# -- pages ---------------------------------------------------------------------------------------------


async def _now(tools: AdminTools, say: Say) -> tuple[Snapshot, operator_switches.OperatorSwitches, str]:
    """The figures, the operator switches, and the state in words (`state_words`)."""
    async with tools.database.unit() as session:
        snapshot = await tools.alerting.figures.read(session, window=tools.alerting.rules.window)
        switched = await operator_switches.read(session)
        firing = [alert for alert in await alerting.listed(session) if alert.ended_at is None]
    return snapshot, switched, state_words(say, tools.texts, switched, firing, snapshot)


async def admin_page(tools: AdminTools, say: Say) -> Page:
    """The first page: figures, state, and the way to all others."""
    now, switched, state = await _now(tools, say)
    maintenance = "maintenance_off" if switched.maintenance_since else "maintenance_on"
    return f"{stats_words(say, now, state)}\n\nVitte {version()}", keyboard(
        [_page(say, "stats"), _page(say, "queue"), _page(say, "gpu")],
        [_page(say, "llm"), _page(say, "alerts"), _page(say, "log")],
        [act_button(say, maintenance), act_button(say, "reload")],
        [(say("admin-refresh"), AdminPage(page="admin").pack())],
    )


async def stats_page(tools: AdminTools, say: Say) -> Page:
    """The figures, as they stand under the chart."""
    now, _, state = await _now(tools, say)
    async with tools.database.unit() as session:
        used = await usage.of_everybody(session)
        dearest = await usage.dearest(session, count=DEAREST)
    words = [stats_words(say, now, state), say("admin-used", usage=usage_words(say, used, tools.settings))]
    if dearest:
        people = ", ".join(f"{person_id} ({each.tokens:,})" for person_id, each in dearest)
        words.append(say("admin-dearest", people=people))
    return "\n".join(words), keyboard([_page(say, "stats"), _page(say, "admin")])


async def queue_page(tools: AdminTools, say: Say) -> Page:
    """What waits and what failed lately, and the queue's switches."""
    now, switched, state = await _now(tools, say)
    async with tools.database.unit() as session:
        lately = select(Photo.id).where(text("status = 'failed'"), Photo.failed_at > func.now() - figures.DAY)
        failed = list(await session.scalars(lately.order_by(Photo.failed_at.desc()).limit(FAILED_LISTED)))
    words = say(
        "admin-queue",
        state=state,
        premium=number(now.of("queue_depth", "premium"), digits=0),
        free=number(now.of("queue_depth", "free"), digits=0),
        oldest=number(now.of("oldest_wait"), digits=0),
        hands=number(now.of("in_hand"), digits=0),
        failed="\n".join(f"{reason} ×{count:.0f}" for reason, count in now.values.get("failed", {}).items()) or "–",
        photos=" · ".join(f"/photo {photo}" for photo in failed) or "–",
    )
    stopped = switched.queue_paused or switched.queue_draining
    return words, keyboard(
        [act_button(say, "resume")] if stopped else [act_button(say, "pause"), act_button(say, "drain")],
        [act_button(say, "retry_failed"), act_button(say, "drop_waiting")],
        _around(say, "queue"),
    )


async def gpu_page(tools: AdminTools, say: Say) -> Page:
    """Every worker that is remembered, and what can be asked of those that live."""
    async with tools.database.unit() as session:
        workers = await worker_registry.remembered(session, lease=tools.settings.lease)
    text = "\n\n".join(worker_words(say, worker, alive) for worker, alive in workers) or say("admin-no-worker")
    living = [worker.name for worker, alive in workers if alive]
    rows: list[Row] = []
    for name in living:
        acts = [act_button(say, action, key_of(name)) for action in ("restart_worker", "free_worker")]
        # With one worker there is nothing to tell apart.
        called = f" · {worker_registry.place_of(name)}" if len(living) > 1 else ""
        rows += [[(f"{words}{called}", data)] for words, data in acts] if called else [acts]
    return text, keyboard(*rows, _around(say, "gpu"))


async def llm_page(tools: AdminTools, say: Say) -> Page:
    """The language model's servers: what each is, how it answers, why it last did not."""
    async with tools.database.unit() as session:
        rows = {row.key: row for row in await record.listed(session)}
    servers = [model_words(say, server.address, rows.get(server.key)) for server in tools.language_model.servers]
    return "\n\n".join(servers), keyboard([act_button(say, "ask_model")], _around(say, "llm"))


async def alerts_page(tools: AdminTools, say: Say) -> Page:
    """Alerts that last and those of the last day; a rule that fires can be silenced."""
    async with tools.database.unit() as session:
        found = await alerting.listed(session)
    firing = dict.fromkeys(alert.rule for alert in found if alert.ended_at is None)
    rows: list[Row] = [
        [(f"🔕 {alert_name(say, tools.texts, rule)}", AdminAct(action="silence", target=rule).pack())]
        for rule in firing
    ]
    return alerts_words(say, tools.texts, found), keyboard(*rows, _around(say, "alerts"))


async def log_page(tools: AdminTools, say: Say) -> Page:
    """The last actions of all operators."""
    async with tools.database.unit() as session:
        latest = select(AdminAction).order_by(AdminAction.id.desc()).limit(LISTED)
        actions = list(await session.scalars(latest))
    return log_words(say, actions), keyboard(_around(say, "log"))


PAGES: dict[str, Callable[[AdminTools, Say], Awaitable[Page]]] = {
    "admin": admin_page,
    "stats": stats_page,
    "queue": queue_page,
    "gpu": gpu_page,
    "llm": llm_page,
    "alerts": alerts_page,
    "log": log_page,
}


def _page(say: Say, page: str) -> tuple[str, str]:
    return say(f"page-{page}"), AdminPage(page=page).pack()


def _around(say: Say, page: str) -> Row:
    return [_page(say, "admin"), (say("admin-refresh"), AdminPage(page=page).pack())]
