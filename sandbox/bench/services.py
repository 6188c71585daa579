"""The stand-ins of a bench in a process of their own: `python -m sandbox.bench.services CONFIG`.

CONFIG is JSON: `gpus`, a list of cost tables in seconds by batch size, and `swap`. Prints one line of JSON with the
addresses, and ends when its input does.
"""

import asyncio
import json
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from sandbox.comfyui import ComfyUIServer, Cost
from sandbox.llm import LanguageModelServer
from sandbox.telegram import TelegramServer
from sandbox.telegram.flood import Flood
from sandbox.telegram.people_api import add_person

#: People of the bench have the ids from here on.
FIRST_PERSON = 10_000
PEOPLE = 1_000


async def main(config: dict[str, Any]) -> None:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vitte-bench-")))
        gpus = [
            await stack.enter_async_context(
                ComfyUIServer(folder / str(number), cost=Cost(batch=tuple(costs), swap=config["swap"]))
            )
            for number, costs in enumerate(config["gpus"])
        ]
        # What is measured is ours; Telegram's own limits are in docs/scaling.md.
        unlimited = Flood(overall=None, private=None, group=None)
        telegram = await stack.enter_async_context(TelegramServer(flood=unlimited))
        for number in range(PEOPLE):
            person = {"id": FIRST_PERSON + number, "is_bot": False, "first_name": "Ada", "language_code": "en"}
            add_person(telegram.store, person)
        llm = await stack.enter_async_context(LanguageModelServer())
        addresses = {"gpus": [gpu.url for gpu in gpus], "telegram": telegram.url, "llm": llm.url}
        print(json.dumps(addresses), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
