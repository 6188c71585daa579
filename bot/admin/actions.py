"""All actions that operators have, by name, and how one is carried out and noted.

Who may is the router's question.
"""

from bot.admin import person_actions, photo_actions, system_actions
from bot.admin.action import Action, Refused, Result
from bot.admin.tools import AdminTools
from bot.models import Person
from bot.texts import Say

ACTIONS: dict[str, Action] = {
    each.name: each
    for module in (photo_actions, person_actions, system_actions)
    for each in vars(module).values()
    if isinstance(each, Action)
}
#: Their target is the key of a worker.
_OF_WORKERS = {system_actions.restart_worker.name, system_actions.free_worker.name}


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
    return await system_actions.worker_place(tools, target) if name in _OF_WORKERS else target
