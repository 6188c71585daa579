"""`make soak`: 500 people chat at once for five minutes, on the stand-ins; what was lost, late or grown is printed.

Everybody writes numbered texts at their own pace, whether or not the last one was answered, and the language model
answers with the numbers of all texts since its last answer. So a lost text shows as a number that no answer names,
and an answer out of order as a number that falls. Quick texts get one answer together.
"""

import argparse
import asyncio
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import pairwise, takewhile
from pathlib import Path
from statistics import quantiles
from typing import Any

import psutil

from generation import storage
from sandbox import cluster
from sandbox.comfyui import ComfyUIServer, Cost
from sandbox.forked import environment, python_m
from sandbox.llm import LanguageModelServer
from sandbox.llm.script import Messages, Reply, Script
from sandbox.people import Chats
from sandbox.settings import ProductSettings
from sandbox.telegram import TelegramServer
from sandbox.telegram.people_api import add_person
from sandbox.wiring import product_settings

FIRST_PERSON = 20_001
#: Seconds between two texts of a person, on average.
PACE = 60.0
#: One text in so many is a wish for a photo.
PHOTO_EVERY = 40
#: Seconds that the last answers may take.
PATIENCE = 120.0
_NUMBER = re.compile(r"number (\d+)")


class Echo(Script):
    """Answers with the numbers of all texts since the last answer."""

    def reply(self, messages: Messages) -> Reply:
        since = takewhile(lambda message: message["role"] == "user", reversed(messages))
        numbers = [number[1] for message in since if (number := _NUMBER.search(str(message["content"])))]
        if not numbers:
            return super().reply(messages)
        listed = ", ".join(f"number {number}" for number in reversed(numbers))
        return Reply(f"This is about {listed}, and I have a few more words to say to you.", "")


class Soak:
    """The people, and what became of their texts."""

    def __init__(self, telegram: TelegramServer, count: int, rng: random.Random) -> None:
        self._telegram = telegram
        self._people = range(FIRST_PERSON, FIRST_PERSON + count)
        self._rng = rng
        self.sent = dict.fromkeys(self._people, 0)
        for person in self._people:
            add_person(telegram.store, _user(person))

    async def enter(self, chats: Chats) -> None:
        """Everybody confirms the age and chooses a persona, a few at a time."""
        places = asyncio.Semaphore(10)

        async def one(person: int) -> None:
            async with places:
                await chats.say(person, "/start")
                await chats.press(person, "18")
                await chats.press(person, "Alisa")

        await asyncio.gather(*(one(person) for person in self._people))

    async def talk(self, chats: Chats, seconds: float) -> None:
        async def one(person: int) -> None:
            until = time.monotonic() + seconds
            await asyncio.sleep(self._rng.uniform(0, min(PACE, seconds)))
            while time.monotonic() < until:
                self.sent[person] += 1
                wish = "/photo " if self._rng.randrange(PHOTO_EVERY) == 0 else ""
                await chats.say(person, f"{wish}and here comes number {self.sent[person]}")
                # Now and then somebody writes two or three in a row.
                pause = 0.3 if self._rng.random() < 0.1 else self._rng.expovariate(1 / PACE)
                await asyncio.sleep(min(pause, max(0.0, until - time.monotonic())))

        await asyncio.gather(*(one(person) for person in self._people))

    def unanswered(self) -> int:
        """Texts that no answer names."""
        return sum(len(set(range(1, sent + 1)) - set(self._answered(person))) for person, sent in self.sent.items())

    def out_of_order(self) -> int:
        """Numbers that are named after a larger one, or for the second time."""
        return sum(
            later <= earlier for person in self._people for earlier, later in pairwise(self._answered(person))
        )

    def answers(self) -> int:
        return sum(len(self._answers(person)) for person in self._people)

    def _answered(self, person: int) -> list[int]:
        """The numbers that answers name, in the order of the chat."""
        return [int(number) for text in self._answers(person) for number in _NUMBER.findall(text)]

    def _answers(self, person: int) -> list[str]:
        messages = self._telegram.store.messages(person, limit=100_000)
        texts = [it.get("text", "") for it in messages if it["from"]["is_bot"]]
        return [text for text in texts if text.startswith("This is about")]


def _user(person: int) -> dict[str, Any]:
    return {"id": person, "is_bot": False, "first_name": f"P{person}", "language_code": "en"}


async def main(people: int, seconds: float) -> int:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vitte-soak-")))
        servers = await stack.enter_async_context(cluster.servers())
        telegram = await stack.enter_async_context(TelegramServer())
        llm = LanguageModelServer(seconds=0.8, word_seconds=0.05, script=Echo())
        await stack.enter_async_context(llm)
        comfyui = ComfyUIServer(folder / "comfyui", cost=Cost(batch=(0.3,), swap=0.1))
        await stack.enter_async_context(comfyui)
        comfyui.temperature = 66
        servers.postgres.create_database("soak", template=cluster.TEMPLATE)
        settings = product_settings(
            servers,
            "soak",
            comfyui_url=comfyui.url,
            telegram_url=telegram.url,
            llm_url=llm.url,
            s3_bucket="soak-photos",
            log_level="debug",
            log_format="json",
        )
        async with storage.opened(settings) as opened:
            await opened.create_bucket()
        bot_log = folder / "bot.log"
        bot = await _bot(settings, bot_log)
        stack.push_async_callback(_ended, bot)
        worker = await python_m("arq", "generation.worker.WorkerSettings", environment=environment(settings))
        stack.callback(worker.kill)
        soak = Soak(telegram, people, random.Random(1))
        chats = await stack.enter_async_context(Chats(telegram.url))
        await soak.enter(chats)
        process = psutil.Process(bot.pid)
        # What comes before is the way in.
        begun = bot_log.stat().st_size
        before = process.memory_info().rss
        used, began = sum(process.cpu_times()[:2]), time.monotonic()
        await soak.talk(chats, seconds)
        share = (sum(process.cpu_times()[:2]) - used) / (time.monotonic() - began)
        until = time.monotonic() + PATIENCE
        while soak.unanswered() and time.monotonic() < until:
            await asyncio.sleep(1)
        after = process.memory_info().rss
        return _report(soak, seconds, _own_seconds(bot_log, begun), before, after, share)


async def _bot(settings: ProductSettings, log: Path) -> asyncio.subprocess.Process:
    with log.open("wb") as output:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", env=environment(settings), stderr=output, stdout=output
        )


async def _ended(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    await process.wait()


def _own_seconds(log: Path, begun: int) -> list[float]:
    with log.open("rb") as lines:
        lines.seek(begun)
        found = [line for line in lines if b'"update.handled"' in line]
    return [json.loads(line)["own_seconds"] for line in found]


def _report(soak: Soak, seconds: float, own: Sequence[float], before: int, after: int, share: float) -> int:
    cuts = quantiles(own, n=100)
    lost, wrong = soak.unanswered(), soak.out_of_order()
    rows = [
        ("people", len(soak.sent)),
        ("seconds", f"{seconds:.0f}"),
        ("texts", sum(soak.sent.values())),
        ("answers (quick texts are answered together)", soak.answers()),
        ("texts that nobody answered", lost),
        ("answers out of order", wrong),
        (
            "bot's own time per update, p50 / p95 / p99, ms",
            " / ".join(f"{cuts[at - 1] * 1000:.0f}" for at in (50, 95, 99)),
        ),
        ("bot's memory at the start / at the end, MiB", f"{before / 2**20:.0f} / {after / 2**20:.0f}"),
        ("bot's share of one core", f"{share:.0%}"),
    ]
    for name, value in rows:
        print(f"{name:<50} {value}")
    return 1 if lost or wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=300)
    arguments = parser.parse_args()
    sys.exit(asyncio.run(main(arguments.people, arguments.seconds)))
