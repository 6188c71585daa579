"""kill -9 of real processes: answered once, and every photo arrives once."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from sqlalchemy import select

from generation.runtime.database import Database
from generation.runtime.models import Incident
from generation.runtime.monitoring.incidents import UPDATE_PUT_AWAY
from generation.storage import Storage
from sandbox.comfyui import ComfyUIServer
from sandbox.forked import environment
from sandbox.llm import LanguageModelServer
from sandbox.settings import ProductSettings
from sandbox.sockets import free_port
from sandbox.telegram import TelegramServer
from tests.conftest import settled
from tests.journeys.conftest import ROOT, Processes, kill
from tests.player import Player, has_text, says


async def test_a_bot_killed_between_message_and_answer_answers_once_after_its_restart(
    processes: Processes, llm: LanguageModelServer, ben: Player
) -> None:
    bot = await processes.bot()
    await ben.enter("Alisa")
    llm.faults.add(path="completion", kind="hang")
    await ben.say("Are you there?")
    while llm.faults.pending:
        await asyncio.sleep(0.02)
    await kill(bot)
    await processes.bot()
    await ben.hears(has_text)
    await ben.say("/help")
    await ben.hears(lambda it: "/photo" in it.get("text", ""))
    texts = [it.get("text", "") for it in await ben.messages()]
    assert len(texts[texts.index("Are you there?") + 1 : texts.index("/help")]) == 1


async def test_what_ends_three_bots_is_put_away_with_a_calm_word_and_everybody_else_is_answered(
    processes: Processes, llm: LanguageModelServer, database: Database, ben: Player, anya: Player
) -> None:
    bot = await processes.bot()
    await ben.enter("Alisa")
    for _ in range(3):
        llm.faults.add(path="completion", kind="hang")
    await ben.say("This one kills whoever reads it.")
    for left in (2, 1, 0):
        while llm.faults.pending > left:
            await asyncio.sleep(0.02)
        await kill(bot)
        bot = await processes.bot()
    await ben.hears(says("I could not read that message."))
    await anya.enter("Алиса")
    await ben.say("Hello again!")
    await ben.hears(has_text)
    async with database.unit() as session:
        incident = (await session.scalars(select(Incident).where(Incident.kind == UPDATE_PUT_AWAY))).one()
    assert incident.detail == "message"


@pytest.mark.parametrize("stage", ["rendering", "storing"])
async def test_a_worker_killed_at_work_loses_no_photo_and_sends_none_twice(
    processes: Processes,
    comfyui: ComfyUIServer,
    database: Database,
    ben: Player,
    stage: str,
) -> None:
    await processes.bot()
    worker = await processes.worker()
    await ben.enter("Alisa")
    comfyui.faults.add(
        path="render" if stage == "rendering" else "/view", kind="stall" if stage == "rendering" else "hang"
    )
    await ben.say("send me a photo")
    async with asyncio.timeout(20):
        while comfyui.faults.pending:
            await asyncio.sleep(0.02)
    await kill(worker)
    # The stalled graph would hold the stand-in's only place for ever, as a hanging GPU would.
    comfyui.executor.interrupt(None)
    await processes.worker()
    await ben.photo()
    row = await settled(database, 1, "delivered")
    assert row.attempt == 2
    assert len(await ben.photos()) == 1


async def test_a_deploy_in_the_middle_of_a_render_delivers_the_photo(
    processes: Processes, comfyui: ComfyUIServer, ben: Player
) -> None:
    await processes.bot()
    worker = await processes.worker()
    await ben.enter("Alisa")
    comfyui.faults.add(path="/view", kind="delay", seconds=1)
    await ben.say("send me a photo")
    async with asyncio.timeout(20):
        while comfyui.faults.pending:
            await asyncio.sleep(0.02)
    worker.terminate()
    assert await asyncio.wait_for(worker.wait(), 20) == 0
    assert len(await ben.photos()) == 1


async def is_ready(port: int) -> None:
    """Until a process says so: an interpreter that imports everything, beside other tests, takes its time."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        while True:
            with suppress(aiohttp.ClientError):
                async with session.get(f"http://127.0.0.1:{port}/readyz") as response:
                    if response.ok:
                        return
            await asyncio.sleep(0.05)


async def test_both_processes_say_that_they_are_healthy_and_stop_cleanly_at_sigterm(
    processes: Processes, ben: Player, tmp_path: Path
) -> None:
    ports = free_port(0), free_port(0)
    bot = await processes.started_bot(METRICS_PORT=str(ports[0]))
    worker = await processes.started_worker(METRICS_PORT=str(ports[1]))
    for port in ports:
        await is_ready(port)
    await ben.enter("Alisa")
    await ben.say("send me a photo")
    await ben.photo()
    check = await processes.check_worker()
    assert await asyncio.wait_for(check.wait(), 30) == 0
    for process in (bot, worker):
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_no_chat_text_prompt_or_token_is_logged(
    settings: ProductSettings,
    bucket: Storage,
    ben: Player,
    telegram: TelegramServer,
    llm: LanguageModelServer,
    tmp_path: Path,
) -> None:
    shown_everything = {"LOG_LEVEL": "debug", "LOG_FORMAT": "json"}
    ports = free_port(0), free_port(0)
    started = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            env=environment(settings) | shown_everything | {"METRICS_PORT": str(port)},
            cwd=ROOT,
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for port, arguments in zip(
            ports, (["-m", "bot"], ["-m", "arq", "generation.worker.WorkerSettings"]), strict=True
        )
    ]
    for port in ports:
        await is_ready(port)
    await ben.enter("Alisa")
    llm.faults.add(path="completions", kind="status", status=500, times=3)
    body = {"ok": False, "error_code": 500, "description": "Internal Server Error"}
    telegram.faults.add(path="/sendPhoto", kind="status", status=500, body=body)
    await ben.say("my very private words")
    await ben.hears(has_text)
    await ben.say("send me a photo of my very private words")
    answer = (await ben.hears(has_text))["text"]
    await ben.photo()
    logs = b""
    for process in started:
        process.terminate()
        output, errors = await process.communicate()
        logs += output + errors
    shown = logs.decode()
    assert "photo.delivered" in shown
    prompt_words = ("chestnut", "soft light")
    for secret in ("private", answer, *prompt_words, settings.bot_token.get_secret_value(), "sandbox-secret-key"):
        assert secret not in shown
