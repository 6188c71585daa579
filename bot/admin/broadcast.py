"""/broadcast: what, to whom, how many; then it runs by itself (`bot.admin.broadcast_sender`)."""

from aiogram import Bot, Router
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, Message

from bot.admin import broadcast_sender
from bot.admin.broadcast_sender import AUDIENCES
from bot.admin.tools import AdminTools
from bot.models import Broadcast, BroadcastStatus, Person
from bot.telegram.callbacks import BroadcastTo
from bot.telegram.messages import acknowledge, keyboard
from bot.texts import Say
from generation.runtime.database import Database


def build_router() -> Router:
    """/broadcast and the buttons of its questions."""
    router = Router(name="broadcast")
    router.message.register(compose, Command("broadcast", ignore_case=True))
    router.callback_query.register(choose, BroadcastTo.filter())
    return router


async def compose(
    message: Message, command: CommandObject, person: Person, say: Say, tools: AdminTools, bot: Bot
) -> None:
    """/broadcast as a reply to the message to send, or with its text after the command: asks for the audience."""
    source = message.reply_to_message
    if source is None and (command.args or "").strip():
        # The preview is what is copied later.
        source = await bot.send_message(message.chat.id, (command.args or "").strip())
    if source is None:
        await message.answer(say("broadcast-how"))
        return
    async with tools.database.unit() as session:
        draft = Broadcast(
            admin_id=person.id,
            from_chat_id=message.chat.id,
            message_id=source.message_id,
            audience="all",
            status=BroadcastStatus.DRAFT,
        )
        session.add(draft)
        await session.flush()
        sizes = {name: await broadcast_sender.size(session, name, tools.settings) for name in AUDIENCES}
    buttons = [
        [(f"{say(f'audience-{name}')}: {sizes[name]}", BroadcastTo(broadcast_id=draft.id, audience=name).pack())]
        for name in AUDIENCES
    ]
    await message.answer(say("broadcast-to"), reply_markup=keyboard(*buttons))


async def choose(
    query: CallbackQuery,
    callback_data: BroadcastTo,
    person: Person,
    say: Say,
    tools: AdminTools,
    database: Database,
) -> None:
    """The audience was chosen: ask once more, and start when the answer is yes."""
    name = callback_data.audience
    async with database.unit() as session:
        draft = await session.get(Broadcast, callback_data.broadcast_id, with_for_update=True)
        valid = draft is not None and draft.status is BroadcastStatus.DRAFT and name in AUDIENCES
        if draft is None or not valid or not isinstance(query.message, Message):
            await acknowledge(query, say("stale-button"))
            return
        total = await broadcast_sender.size(session, name, tools.settings)
        if callback_data.sure:
            draft.audience, draft.total, draft.status = name, total, BroadcastStatus.RUNNING
            draft.progress_message_id = query.message.message_id
    await acknowledge(query)
    if callback_data.sure:
        tools.broadcast_began.set()
        await tools.note(person.id, "broadcast", f"{draft.id} {name} {total}")
        return
    sure = callback_data.model_copy(update={"sure": True}).pack()
    await query.message.answer(
        say("broadcast-sure", audience=say(f"audience-{name}"), count=total),
        reply_markup=keyboard([(say("broadcast-start"), sure)]),
    )
