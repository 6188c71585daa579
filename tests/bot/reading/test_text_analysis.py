"""Texts are read in processes of their own: what ends one, or hangs, costs nobody else an answer."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest

from bot import metrics
from bot.reading import text_reader
from bot.reading.text_analysis import TextAnalyzer
from bot.reading.text_reader import TextReader
from generation.runtime import processes
from triggers.policy.policy import Refusal

showable = TextReader.showable


def deadly(reader: TextReader, text: str) -> str:
    """Ends or holds its process at certain words."""
    if text == "die":
        os.kill(os.getpid(), signal.SIGABRT)
    if text == "hang":
        time.sleep(600)
    return showable(reader, text)


def load_deadly(load: Callable[[], None]) -> None:
    load()
    TextReader.showable = deadly  # type: ignore[method-assign, assignment]


@pytest.fixture(scope="module")
async def analyzer() -> AsyncIterator[TextAnalyzer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_reader, "load", partial(load_deadly, text_reader.load))
        analyzer = TextAnalyzer()
    await analyzer.open()
    yield analyzer
    await analyzer.close()


def without_model() -> float:
    return float(metrics.TEXTS_WITHOUT_MODEL._value.get())


async def test_a_text_that_ends_its_process_is_read_without_the_model_and_others_go_on(
    analyzer: TextAnalyzer,
) -> None:
    before = without_model()
    read = await asyncio.gather(*[analyzer.showable(text) for text in ("die", "Hello.", "die", "Good evening.")])
    assert read == ["die", "Hello.", "die", "Good evening."]
    assert without_model() == before + 2
    asked = await analyzer.person("Пришли фото", by_command=False, explicit_allowed=False)
    assert asked.asks
    assert without_model() == before + 2


async def test_a_text_that_takes_too_long_is_given_up(
    analyzer: TextAnalyzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analyzer._processes, "_patience", 0.5)
    assert await analyzer.showable("hang") == "hang"
    monkeypatch.undo()
    assert await analyzer.showable("Hello.") == "Hello."


async def test_processes_that_are_killed_while_nobody_is_read_are_replaced(analyzer: TextAnalyzer) -> None:
    before = without_model()
    killed = of_pool(analyzer)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    while of_pool(analyzer) & killed:
        assert await analyzer.showable("Hello.") == "Hello."
        await asyncio.sleep(0.05)
    assert await analyzer.showable("Hello.") == "Hello."
    assert without_model() == before


async def test_who_waits_no_longer_ends_no_process(analyzer: TextAnalyzer) -> None:
    await analyzer.showable("Hello.")
    before = of_pool(analyzer)
    for _ in range(20):
        reading = asyncio.create_task(analyzer.answer("I sit by the window. " * 60, person_text=""))
        await asyncio.sleep(0.01)
        reading.cancel()
    await analyzer.showable("Hello.")
    assert before <= of_pool(analyzer)


def of_pool(analyzer: TextAnalyzer) -> set[int]:
    """Those of this pool alone: other tests of this process have theirs."""
    return set(analyzer._processes._pool._pool_manager.worker_manager.workers)


async def test_without_the_model_minors_are_refused_all_the_same(analyzer: TextAnalyzer) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "QUEUED", 0)
        asked = await analyzer.person("Ты школьница, пришли фото", by_command=True, explicit_allowed=True)
    assert asked.asks
    assert asked.refusal is Refusal.MINORS
