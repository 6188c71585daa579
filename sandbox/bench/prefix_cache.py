"""How much of each request a language model's server has in its cache of prefixes, over whole talks."""

import asyncio
from collections.abc import AsyncIterator

from sandbox.bench.bot import enter
from sandbox.bench.figures import Figure, product
from sandbox.bench.product import services
from sandbox.bench.services import FIRST_PERSON
from sandbox.cluster import Servers
from sandbox.llm import LanguageModelServer
from sandbox.people import Chats
from sandbox.wiring import bot_running

PEOPLE = range(FIRST_PERSON, FIRST_PERSON + 4)
#: Texts of each person: long enough for facts and a summary.
TEXTS = 40


async def measure(servers: Servers) -> AsyncIterator[Figure]:
    """Four people talk side by side; what their talks share is in the cache once, as in a real one."""
    async with (
        LanguageModelServer() as llm,
        services([[0.01]], swap=0) as addresses,
        product(servers, addresses, []) as ours,
    ):
        changes = {
            "llm_base_url": llm.url,
            "free_photo_cooldown": 3600,
            "workflows_folder": "",
            "messages_a_minute": 10_000,
            "messages_at_once": 1000,
        }
        settings = ours.settings.model_copy(update=changes)
        async with bot_running(settings), Chats(addresses["telegram"]) as chats:
            await asyncio.gather(*(_talk(chats, person) for person in PEOPLE))
        share = llm.counted["cached_tokens"] / llm.counted["prompt_tokens"]
    yield Figure(
        name="language model: share of a request's tokens that a cache of prefixes holds",
        value=share,
        unit="ratio",
        target=">= 0.85",
        met=share >= 0.85,
        note=f"{len(llm.requests)} requests, summaries and facts included",
    )


async def _talk(chats: Chats, person: int) -> None:
    await enter(chats, person)
    for number in range(TEXTS):
        count = len(await chats.texts(person))
        await chats.say(person, f"I work in a bakery and love part {number} of my day. And then what happened?")
        await chats.answered({person: count + 1})
