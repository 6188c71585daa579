"""Updates that the bot handles in a second, beside a bare aiogram echo bot on the same stand-ins."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psutil

from sandbox.bench.figures import Figure, product
from sandbox.bench.product import services
from sandbox.bench.services import FIRST_PERSON
from sandbox.cluster import Servers
from sandbox.forked import Forked, environment, python_m
from sandbox.people import Chats

PEOPLE = range(FIRST_PERSON, FIRST_PERSON + 60)
#: Texts of each person; the first ones warm up.
WARM, MEASURED = 1, 4
#: CPU seconds of a text: one core for the 30 messages a second that Telegram lets a bot say, and room for the rest.
MAIN_THREAD, ALL_THREADS = 0.020, 0.033


async def measure(servers: Servers) -> AsyncIterator[Figure]:
    async with services([[0.01]], swap=0) as addresses, product(servers, addresses, []) as ours:
        variables = environment(
            ours.settings.model_copy(update={"free_photo_cooldown": 3600, "workflows_folder": ""})
        )
        async with running(["bot"], variables) as bot, Chats(addresses["telegram"]) as chats:
            await asyncio.gather(*(enter(chats, person) for person in PEOPLE))
            talked = await talk(chats, bot, PEOPLE)
    async with services([[0.01]], swap=0) as addresses:
        variables = environment(ours.settings) | {"TELEGRAM_API_URL": addresses["telegram"]}
        async with running(["sandbox.bench.echo"], variables) as bot, Chats(addresses["telegram"]) as chats:
            echo = await talk(chats, bot, PEOPLE)
    busy = talked.process * talked.rate
    bottleneck = "its own CPU" if busy > 0.7 else "waiting for the stand-ins on the shared cores"
    yield Figure(
        name="bot: texts answered a second (update, language model, answer)",
        value=talked.rate,
        unit="1/s",
        target=">= 30",
        met=talked.rate >= 30,
        note=f"{busy:.0%} of a core; the bottleneck is {bottleneck}",
    )
    yield _cpu("main thread", talked.main_thread, MAIN_THREAD)
    yield _cpu("all threads, detectors included", talked.process + talked.readers, ALL_THREADS)
    yield Figure(
        name="bare aiogram echo bot", value=echo.rate, unit="1/s", note=f"{echo.process * echo.rate:.0%} of a core"
    )
    yield Figure(name="bot / bare aiogram echo bot", value=talked.rate / echo.rate, unit="ratio", target="stated")


def _cpu(of_what: str, seconds: float, most: float) -> Figure:
    return Figure(
        name=f"bot: CPU time of a text, {of_what}",
        value=seconds * 1000,
        unit="ms",
        target=f"<= {most * 1000:.0f}",
        met=seconds <= most,
    )


@asynccontextmanager
async def running(arguments: list[str], variables: dict[str, str]) -> AsyncIterator[Forked]:
    process = await python_m(*arguments, environment=variables)
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def enter(chats: Chats, person: int) -> None:
    """From /start to the persona's opening words."""
    await chats.say(person, "/start")
    await chats.press(person, "18")
    await chats.press(person, "Alisa")
    while len(await chats.texts(person)) < 3:
        await asyncio.sleep(0.1)


@dataclass(frozen=True, slots=True)
class Talk:
    """Texts answered a second, and CPU seconds of one."""

    rate: float
    main_thread: float
    process: float
    #: Of the processes that read texts.
    readers: float


async def talk(chats: Chats, bot: Forked, people: Sequence[int]) -> Talk:
    for texts in (WARM, MEASURED):
        used, began = _used(bot.pid), time.monotonic()
        await asyncio.gather(*(_say(chats, person, texts) for person in people))
        passed = time.monotonic() - began
    texts = len(people) * MEASURED
    main_thread, process, readers = (
        (after - before) / texts for after, before in zip(_used(bot.pid), used, strict=True)
    )
    return Talk(texts / passed, main_thread, process, readers)


def _used(pid: int) -> tuple[float, float, float]:
    """CPU seconds so far: of the main thread, of all threads, and of the children."""
    process = psutil.Process(pid)
    main = next(each for each in process.threads() if each.id == pid)
    children = sum(sum(each.cpu_times()[:2]) for each in process.children(recursive=True))
    return main.user_time + main.system_time, sum(process.cpu_times()[:2]), children


async def _say(chats: Chats, person: int, texts: int) -> None:
    """One after the other: quick messages would be answered together."""
    for number in range(texts):
        count = len(await chats.texts(person))
        await chats.say(person, f"and then what happened, part {number}?")
        await chats.answered({person: count + 1})
