"""`make run`'s program: one address, a chat with photos, Ctrl-C, and the same conversation after a restart."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sandbox.servers import remove, short_folder
from sandbox.sockets import free_port
from tests.player import Player, has_text

ROOT = Path(__file__).parents[2]


async def start(folder: Path, **variables: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sandbox",
        cwd=ROOT,
        env={**os.environ, "SANDBOX_DATA": str(folder)} | variables,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def machine(folder: Path, **variables: str) -> AsyncIterator[tuple[str, list[str]]]:
    """A running machine; yields its address and what it printed. Ctrl-C and exit status 0 are part of it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sandbox",
        cwd=ROOT,
        env={
            **os.environ,
            "SANDBOX_DATA": str(folder),
            "SANDBOX_RENDER_SECONDS": "0.05",
            "SANDBOX_LLM_SECONDS": "0",
        }
        | variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout
    printed: list[str] = []
    try:
        async for line in process.stdout:
            printed.append(line.decode())
            if "Ctrl-C" in printed[-1]:
                break
        reading = asyncio.create_task(_read(process.stdout, printed))
        address = re.search(r"Chat page\s+(http://\S+?)/\n", "".join(printed))
        assert address, printed
        yield address[1], printed
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 30) == 0, printed
        await reading
        assert printed[-1] == "Stopped.\n"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _read(stream: asyncio.StreamReader, printed: list[str]) -> None:
    async for line in stream:
        printed.append(line.decode())


async def test_it_runs_says_what_is_a_stand_in_and_remembers_after_a_restart() -> None:
    folder = short_folder()
    taken = free_port()
    holder = await asyncio.start_server(lambda *_: None, "127.0.0.1", taken)
    try:
        async with machine(folder, SANDBOX_PORT=str(taken)) as (address, printed):
            assert str(taken) not in address, "a taken port is replaced"
            text = "".join(printed)
            for name in ("ComfyUI", "language model", "Telegram"):
                assert re.search(rf"{name}\s+STAND-IN", text)
            for name in ("PostgreSQL", "Redis", "S3"):
                assert re.search(rf"{name}\s+embedded", text)
            async with Player(address, 1001) as anya:
                await anya.enter("Алиса")
                await anya.say("Пришли фото")
                await anya.photo()
                before = await anya.messages()
            second = await start(folder)
            _, said = await asyncio.wait_for(second.communicate(), 30)
            assert said.decode().startswith("Another `make run` uses")
        async with machine(folder, SANDBOX_PORT="0") as (address, _), Player(address, 1001) as anya:
            assert await anya.messages() == before
            await anya.say("Ты меня помнишь?")
            await anya.hears(has_text)
    finally:
        holder.close()
        remove(folder)


async def test_a_wrong_setting_stops_it_with_the_sentence() -> None:
    process = await start(Path("unused"), SANDBOX_PORT="hello")
    _, said = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert said.decode().startswith("SANDBOX_PORT is wrong")


@pytest.mark.parametrize(
    ("part", "settings"),
    [
        ("telegram", {"BOT_TOKEN", "TELEGRAM_API_URL", "ADMIN_IDS", "PREMIUM_IDS"}),
        ("comfyui", {"COMFYUI_URL"}),
        ("llm", {"LLM_BASE_URL", "LLM_API_KEY", "LLM_MODEL"}),
        ("s3", {"S3_ENDPOINT_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY"}),
        ("redis", {"REDIS_URL"}),
    ],
)
async def test_one_part_runs_alone_and_says_how_to_use_it(part: str, settings: set[str], tmp_path: Path) -> None:
    ports = dict.fromkeys(("SANDBOX_PORT", "SANDBOX_COMFYUI_PORT"), "0")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sandbox",
        part,
        cwd=ROOT,
        env={**os.environ, "SANDBOX_DATA": str(tmp_path)} | ports,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    said: dict[str, str] = {}
    async with asyncio.timeout(60):
        while set(said) != settings:
            line = (await process.stdout.readline()).decode().strip()
            assert line
            name, separator, value = line.partition("=")
            said |= {name: value} if separator else {}
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
