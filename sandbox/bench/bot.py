"""Updates that the bot handles in a second, beside a bare aiogram echo bot on the same stand-ins."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

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


async def measure(servers: Servers) -> AsyncIterator[Figure]:
    async with services([[0.01]], swap=0) as addresses, product(servers, addresses, []) as ours:
        variables = environment(
            ours.settings.model_copy(update={"free_photo_cooldown": 3600, "workflows_folder": ""})
        )
        async with _running(["bot"], variables) as bot, Chats(addresses["telegram"]) as chats:
            await asyncio.gather(*(enter(chats, person) for person in PEOPLE))
            rate, cpu = await _talk(chats, bot, PEOPLE)
    async with services([[0.01]], swap=0) as addresses:
        variables = environment(ours.settings) | {"TELEGRAM_API_URL": addresses["telegram"]}
        async with _running(["sandbox.bench.echo"], variables) as bot, Chats(addresses["telegram"]) as chats:
            echo_rate, echo_cpu = await _talk(chats, bot, PEOPLE)
    bottleneck = "its own CPU" if cpu > 0.7 else "waiting for the stand-ins on the shared cores"
    yield Figure(
        name="bot: texts answered a second (update, language model, 5 transactions, answer)",
        value=rate,
        unit="1/s",
        target=">= 30",
        met=rate >= 30,
        note=f"{cpu:.0%} of a core; the bottleneck is {bottleneck}",
    )
    yield Figure(name="bare aiogram echo bot", value=echo_rate, unit="1/s", note=f"{echo_cpu:.0%} of a core")
    yield Figure(name="bot / bare aiogram echo bot", value=rate / echo_rate, unit="ratio", target="stated")


@asynccontextmanager
async def _running(arguments: list[str], variables: dict[str, str]) -> AsyncIterator[Forked]:
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


async def _talk(chats: Chats, bot: Forked, people: Sequence[int]) -> tuple[float, float]:
    """Texts answered a second, and the share of a core that the bot used for it."""
    process = psutil.Process(bot.pid)
    for texts in (WARM, MEASURED):
        used, began = sum(process.cpu_times()[:2]), time.monotonic()
        await asyncio.gather(*(_say(chats, person, texts) for person in people))
        passed = time.monotonic() - began
    return len(people) * MEASURED / passed, (sum(process.cpu_times()[:2]) - used) / passed


async def _say(chats: Chats, person: int, texts: int) -> None:
    """One after the other: quick messages would be answered together."""
    for number in range(texts):
        count = len(await chats.texts(person))
        await chats.say(person, f"and then what happened, part {number}?")
        await chats.answered({person: count + 1})
