"""All actions that operators have, by name, and how one is carried out and noted.

Who may do so is decided by the router's filter.
"""

from bot.admin.actions import on_people, on_photos, on_system
from bot.admin.actions.action import Action, Refused, Result
from bot.admin.tools import AdminTools
from bot.models import Person
from bot.texts import Say

ACTIONS: dict[str, Action] = {
    each.name: each
    for module in (on_photos, on_people, on_system)
    for each in vars(module).values()
    if isinstance(each, Action)
}
#: Their target is the key of a worker.
_OF_WORKERS = {on_system.restart_worker.name, on_system.free_worker.name}


async def carry_out(tools: AdminTools, name: str, target: str, admin: Person, say: Say) -> Result:
    """Do it and note who did; a name that no action has is a stale button."""
    chosen = ACTIONS.get(name)
    if chosen is None:
        return Refused(say("stale-button"))
    result = await chosen.perform(tools, target, say)
    refused = isinstance(result, Refused)
    await tools.note(admin.id, name, f"{target} (refused)".strip() if refused else target)
    return result


async def target_words(tools: AdminTools, name: str, target: str) -> str:
    """What a target is called where an operator reads it."""
    return await on_system.worker_place(tools, target) if name in _OF_WORKERS else target
