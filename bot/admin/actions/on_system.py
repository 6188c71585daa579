"""Actions on workers, alerts, broadcasts and the whole product."""

import time

from sqlalchemy import update

from bot.admin.actions.action import Done, Refused, Result, action
from bot.admin.tools import AdminTools, key_of, number_of
from bot.llm.question import LanguageModelUnavailable
from bot.models import Broadcast, BroadcastStatus
from bot.monitoring import alerting
from bot.personas.persona import WrongPersona
from bot.personas.speech import machine_free
from bot.texts import Say
from bot.updates.claims import bring_back
from generation import worker_registry
from generation.errors import WorkflowError
from generation.runtime import operator_switches
from generation.runtime.monitoring.alert_rules import RulesError

#: Seconds for which "be quiet" lasts.
SILENCE = 3600


@action(danger=True)
async def restart_worker(tools: AdminTools, target: str, say: Say) -> Result:
    """Run the worker's restart command, or have its ComfyUI end itself."""
    return await _command(tools, target, worker_registry.Command.RESTART, say)


@action(page="gpu")
async def free_worker(tools: AdminTools, target: str, say: Say) -> Result:
    """Have the worker's ComfyUI unload its models."""
    return await _command(tools, target, worker_registry.Command.FREE, say)


@action(page="llm")
async def ask_model(tools: AdminTools, _target: str, say: Say) -> Result:
    """A test question to each server of the language model, past whatever rest it takes."""
    answers = []
    for server in tools.language_model.servers:
        began = time.perf_counter()
        try:
            said = await server.answer([{"role": "user", "content": "Say hello in one word."}])
        except LanguageModelUnavailable as error:
            answers.append(f"✗ {server.address.model}: {error.kind}")
        else:
            words = " ".join(machine_free(said.text).split())[:40]
            answers.append(f"✓ {server.address.model}: {words} ({time.perf_counter() - began:.1f} s)")
    return Done("\n".join(answers)[:190])


@action()
async def silence(tools: AdminTools, target: str, say: Say) -> Result:
    """No words about an alert for an hour; its action goes on."""
    async with tools.database.unit() as session:
        silenced = await alerting.silence(session, target, SILENCE)
    return Done(say("admin-silenced")) if silenced else Refused(say("stale-button"))


@action(danger=True)
async def stop_broadcast(tools: AdminTools, target: str, say: Say) -> Result:
    """Whoever has not got it yet does not get it."""
    async with tools.database.unit() as session:
        stopped = await session.execute(
            update(Broadcast)
            .where(Broadcast.id == number_of(target), Broadcast.status == BroadcastStatus.RUNNING)
            .values(status=BroadcastStatus.STOPPED)
            .returning(Broadcast.id)
        )
        was_running = stopped.scalar_one_or_none() is not None
    return Done(say("admin-done")) if was_running else Refused(say("stale-button"))


@action(danger=True)
async def maintenance_on(tools: AdminTools, _target: str, say: Say) -> Result:
    """People get one sentence instead of answers."""
    await tools.switch(operator_switches.MAINTENANCE, on=True)
    return Done(say("admin-done"))


@action(page="admin")
async def maintenance_off(tools: AdminTools, _target: str, say: Say) -> Result:
    """People are answered again, also what they wrote meanwhile."""
    await tools.switch(operator_switches.MAINTENANCE, on=False)
    async with tools.database.autocommit() as session:
        await session.execute(bring_back())
    return Done(say("admin-done"))


@action()
async def reload(tools: AdminTools, _target: str, say: Say) -> Result:
    """Personas, workflows and rules from their files; refused whole when one of them is wrong."""
    try:
        await tools.read_files()
    except (WrongPersona, WorkflowError, RulesError) as error:
        return Refused(say("admin-reload-refused", why=str(error)))
    async with tools.database.unit() as session:
        await operator_switches.count_up(session, operator_switches.RELOAD)
    return Done(say("admin-reloaded", personas=len(tools.catalog.personas), rules=len(tools.alerting.rules.rules)))


async def worker_place(tools: AdminTools, target: str) -> str:
    """The worker's machine and ComfyUI, for a question about it; buttons hold short keys."""
    async with tools.database.unit() as session:
        workers = await worker_registry.remembered(session, lease=tools.settings.lease)
    return next((worker_registry.place_of(each.name) for each, _ in workers if key_of(each.name) == target), "")


async def _command(tools: AdminTools, target: str, command: worker_registry.Command, say: Say) -> Result:
    async with tools.database.unit() as session:
        workers = await worker_registry.remembered(session, lease=tools.settings.lease)
        name = next((worker.name for worker, _ in workers if key_of(worker.name) == target), None)
        sent = name is not None and await worker_registry.send_command(session, name, command)
    return Done(say("admin-commanded")) if sent else Refused(say("stale-button"))
