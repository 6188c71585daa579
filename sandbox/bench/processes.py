"""Texts that the bot answers in a second with one, two and four processes, as a ratio to one."""

import asyncio
import os
from collections.abc import AsyncIterator

from sandbox.bench.bot import PEOPLE, enter, running, talk
from sandbox.bench.figures import Figure, product
from sandbox.bench.product import services
from sandbox.cluster import Servers
from sandbox.forked import environment
from sandbox.people import Chats

COUNTS = (1, 2, 4)


async def measure(servers: Servers) -> AsyncIterator[Figure]:
    first = 0.0
    for count in COUNTS:
        async with services([[0.01]], swap=0) as addresses, product(servers, addresses, []) as ours:
            changes = {"free_photo_cooldown": 3600, "workflows_folder": "", "bot_processes": count}
            variables = environment(ours.settings.model_copy(update=changes))
            async with running(["bot"], variables) as bot, Chats(addresses["telegram"]) as chats:
                await asyncio.gather(*(enter(chats, person) for person in PEOPLE))
                rate = (await talk(chats, bot, PEOPLE)).rate
        first = first or rate
        yield Figure(
            name=f"bot: texts a second with BOT_PROCESSES={count}, of those with one",
            value=rate / first,
            unit="ratio",
            target="stated",
            note=f"{rate:.1f} a second on {os.cpu_count()} cores, which the stand-ins share",
        )
