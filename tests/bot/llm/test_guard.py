"""A guard model: its formats over a real socket, what it may refuse, and what happens while it is away."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.app import Application
from bot.llm.guard import Guard, GuardAway, Harm
from bot.reading.text_analysis import TextAnalyzer, Waits
from bot.settings import GuardSettings
from generation.models import Photo, PhotoStatus
from generation.runtime.database import Database
from sandbox.llm import LanguageModelServer
from sandbox.llm.guard import LLAMA, MODERATION, QWEN, SHIELD
from sandbox.llm.server import API_KEY
from sandbox.settings import ProductSettings
from sandbox.wiring import shared_text_analyzer
from tests.conftest import all_handled
from tests.player import Player, has_text, says

#: Harmless to everybody but a guard that is told otherwise.
CODE = "the green umbrella"
EVERYONE = says("Everyone here is an adult")


def guard_settings(llm: LanguageModelServer, model: str, **changes: Any) -> GuardSettings:
    values = {"guard_base_url": llm.url, "guard_api_key": API_KEY, "guard_model": model, "guard_timeout": 2}
    return GuardSettings.example(**values | changes)


@pytest.fixture
async def guard(llm: LanguageModelServer, request: pytest.FixtureRequest) -> AsyncIterator[Guard]:
    guard = Guard(guard_settings(llm, request.param))
    yield guard
    await guard.close()


@pytest.mark.parametrize("guard", [LLAMA, QWEN, SHIELD, MODERATION], indirect=True)
@pytest.mark.parametrize("answers", ["", "How are you?"])
async def test_each_format_says_what_is_harmless_and_what_is_not(
    guard: Guard, llm: LanguageModelServer, answers: str
) -> None:
    llm.guard.says = {CODE: {"sexual"}}
    assert await guard.judge("We talked about the weather.", answers=answers) == frozenset()
    assert await guard.judge(f"Look, {CODE}!", answers=answers) == {Harm.SEXUAL}


@pytest.mark.parametrize(
    ("guard", "found"),
    [
        (LLAMA, {Harm.MINORS, Harm.VIOLENCE}),
        (MODERATION, {Harm.MINORS, Harm.VIOLENCE}),
        # These have no category for it.
        (QWEN, {Harm.VIOLENCE}),
        (SHIELD, {Harm.SEXUAL}),
    ],
    indirect=["guard"],
)
async def test_what_a_format_can_tell_apart_is_told_apart(
    guard: Guard, llm: LanguageModelServer, found: set[Harm]
) -> None:
    llm.guard.says = {CODE: {"minors", "violence"}}
    assert await guard.judge(CODE) == found


@pytest.mark.parametrize(
    ("guard", "answer"),
    [(LLAMA, "I cannot help with that."), (QWEN, "Sure! Safe."), (SHIELD, "Perhaps"), (LLAMA, "")],
    indirect=["guard"],
)
async def test_an_answer_out_of_format_is_no_verdict(guard: Guard, llm: LanguageModelServer, answer: str) -> None:
    llm.faults.add(path="guard", kind="say", text=answer)
    with pytest.raises(GuardAway):
        await guard.judge("Hello.")


@pytest.mark.parametrize("kind", [{"kind": "status", "status": 503}, {"kind": "hang"}, {"kind": "drop"}])
async def test_a_guard_that_is_away_is_left_alone_for_a_while(
    llm: LanguageModelServer, kind: dict[str, Any]
) -> None:
    guard = Guard(guard_settings(llm, LLAMA, guard_timeout=0.5))
    llm.faults.add(path="/chat/completions", times=2, **kind)
    with pytest.raises(GuardAway):
        await guard.judge("Hello.")
    llm.faults.clear()
    with pytest.raises(GuardAway, match="just now"):
        await guard.judge("Hello.")
    guard._rests_until = 0
    assert await guard.judge("Hello.") == frozenset()
    await guard.close()


@pytest.mark.parametrize(
    ("name", "chosen", "asked"),
    [
        ("meta-llama/Llama-Guard-3-8B", "auto", "/v1/chat/completions"),
        ("llama-guard3:1b", "auto", "/v1/chat/completions"),
        ("Qwen/Qwen3Guard-Gen-0.6B", "auto", "/v1/chat/completions"),
        ("google/shieldgemma-2b", "auto", "/v1/chat/completions"),
        ("omni-moderation-latest", "auto", "/v1/moderations"),
        ("my-own-name", "llama_guard", "/v1/chat/completions"),
    ],
)
async def test_the_format_is_told_by_the_name_or_chosen(
    llm: LanguageModelServer, name: str, chosen: str, asked: str
) -> None:
    guard = Guard(guard_settings(llm, name, guard_format=chosen))
    # Only the place that is asked is at fault.
    llm.faults.add(path=asked, kind="status", status=418, times=9)
    with pytest.raises(GuardAway, match="APIStatusError"):
        await guard.judge("Hello.")
    await guard.close()


async def test_without_an_address_nobody_is_asked() -> None:
    assert await Guard(GuardSettings.example()).judge("Anything.") == frozenset()


class Told:
    """A guard that says of any text what it was told to."""

    def __init__(self, *harm: Harm, is_away: bool = False) -> None:
        self._harm, self._away = frozenset(harm), is_away

    async def judge(self, text: str, *, answers: str = "") -> frozenset[Harm]:
        if self._away:
            raise GuardAway
        return self._harm


def beside(guard: Told, waits: Waits = "explicit_waits") -> TextAnalyzer:
    return shared_text_analyzer().guarded(guard, waits=waits)  # type: ignore[arg-type]


async def test_what_a_guard_finds_in_a_persons_words() -> None:
    async def heard(guard: Told, text: str, **options: Any) -> Any:
        return (await beside(guard).person(text, by_command=False, explicit_allowed=False, **options)).refusal

    talk, wish = "Tell me about your day.", "Send me a photo of you by the window."
    assert await heard(Told(Harm.MINORS), talk) == "minors"
    # Talk among adults is theirs; a picture of it is not.
    assert await heard(Told(Harm.SEXUAL), talk) is None
    assert await heard(Told(Harm.SEXUAL), wish) == "explicit"
    assert await heard(Told(Harm.VIOLENCE), wish) == "violence"
    # A guard without a category for minors, beside a dialogue that has one.
    assert await heard(Told(Harm.SEXUAL), talk, minor_said=True) == "minors"
    assert await heard(Told(is_away=True), talk) is None


async def test_what_a_guard_finds_in_an_answer_a_prompt_and_a_persona() -> None:
    guard = Told(Harm.MINORS)
    assert (await beside(guard).answer("I am here.", person_text="Hi")).refusal == "minors"
    assert await beside(guard).refusal_of_prompt("a woman by a window", explicit_allowed=True) == "minors"
    assert await beside(guard).refusal_of_persona("Nina, 25, a calm librarian") == "minors"
    assert await beside(guard).refusal_of("She likes tea.") == "minors"
    sexual = beside(Told(Harm.SEXUAL))
    assert await sexual.refusal_of_prompt("a woman by a window", explicit_allowed=False) == "explicit"
    assert await sexual.refusal_of_prompt("a woman by a window", explicit_allowed=True) is None


@pytest.mark.parametrize(
    ("waits", "explicit", "goes"),
    [
        ("explicit_waits", False, True),
        ("explicit_waits", True, False),
        ("photos_wait", False, False),
        ("photos_wait", True, False),
        ("nothing_waits", True, True),
    ],
)
async def test_which_photos_wait_while_it_is_away(waits: Waits, explicit: bool, goes: bool) -> None:
    analyzer = beside(Told(is_away=True), waits)
    asking = analyzer.refusal_of_prompt("a woman by a window", explicit_allowed=explicit)
    if goes:
        assert await asking is None
    else:
        with pytest.raises(GuardAway):
            await asking


@pytest.fixture
def settings(settings: ProductSettings, llm: LanguageModelServer) -> ProductSettings:
    guarded = guard_settings(llm, LLAMA, guard_away="photos_wait").model_dump()
    return settings.model_copy(update=guarded)


async def test_a_guard_stops_what_nobody_else_does(bot: Application, llm: LanguageModelServer, ben: Player) -> None:
    await ben.enter("Alisa")
    llm.guard.says = {CODE: {"minors"}}
    asked = len(llm.requests)
    await ben.say(f"Tell me about {CODE}.")
    await ben.hears(EVERYONE)
    assert len(llm.requests) == asked
    llm.faults.add(path="completion", kind="say", text=f"I had {CODE} once, it was blue in fact.")
    await ben.say("Tell me something else.")
    answer = await ben.hears(has_text)
    assert CODE not in answer["text"]


async def test_a_photo_that_waits_for_its_guard_is_said_to_wait(
    bot: Application, llm: LanguageModelServer, ben: Player, database: Database
) -> None:
    await ben.enter("Alisa")
    llm.faults.add(path="guard", kind="say", text="no verdict", times=1000)
    await ben.say("/photo by the window")
    await ben.hears(says("I can't take photos for a few minutes"))
    await all_handled(database)
    async with database.unit() as session:
        waiting = await session.get(Photo, 1)
    assert waiting is None or waiting.status is PhotoStatus.DROPPED
