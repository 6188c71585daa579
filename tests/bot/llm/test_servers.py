"""Every kind of server is talked to in its own way: known by name, or learnt from what it refuses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from bot.llm import prompts
from bot.llm.client import LanguageModel
from bot.llm.profiles import FAMILIES
from bot.llm.prompts import Said
from bot.llm.question import Completion, LanguageModelUnavailable
from bot.personas.persona import load_all
from bot.personas.speech import split_answer
from generation.workflows import workflow
from sandbox.llm import LanguageModelServer
from sandbox.llm.profiles import PROFILES, prompt_tokens
from sandbox.settings import ProductSettings

ALISA = load_all(set(workflow.load_all()))["alisa"]
STORY = ALISA.story("attic")
TALK = [
    Said(1, False, "You are early.", STORY.scene.model_dump()),
    Said(2, True, "Hello!"),
    Said(3, True, "Are you there?"),
    Said(4, False, "I am.", STORY.scene.model_dump()),
    Said(5, True, "How is the weather?"),
]


@asynccontextmanager
async def model(
    settings: ProductSettings, server: LanguageModelServer, **changes: Any
) -> AsyncIterator[LanguageModel]:
    language_model = LanguageModel(
        settings.model_copy(update={"llm_base_url": server.url, **changes}), retries=changes.pop("retries", 0)
    )
    try:
        yield language_model
    finally:
        await language_model.close()


async def ask(language_model: LanguageModel, said: list[Said] = TALK, shown: list[str] | None = None) -> Completion:
    request = prompts.for_answer(
        ALISA,
        STORY,
        STORY.scene,
        "",
        said,
        budget=4000,
        structured=language_model.is_structured,
        room=language_model.room,
        count=language_model.count,
    )
    on_text = None if shown is None else shown.append
    return await language_model.answer(request.messages, on_text, structured=request.is_structured)


@pytest.mark.parametrize("profile", PROFILES)
async def test_each_kind_of_server_answers_and_is_asked_in_its_form_from_the_second_time_on(
    settings: ProductSettings, profile: str
) -> None:
    async with LanguageModelServer(profile=profile) as server, model(settings, server) as language_model:
        await ask(language_model)
        refused = server.refused
        for _ in range(3):
            said = await ask(language_model)
            words, scene = split_answer(said.text, ALISA.names)
            assert words
            assert said.finish == "stop"
            # What was learnt the first time is not learnt again.
            assert server.refused == refused
        assert scene
        assert scene.place


@pytest.mark.parametrize("profile", sorted(PROFILES.keys() & FAMILIES.keys()))
async def test_a_known_family_is_refused_nothing(settings: ProductSettings, profile: str) -> None:
    named = settings.model_copy(update={"llm_profile": profile})
    async with LanguageModelServer(profile=profile) as server, model(named, server) as language_model:
        await ask(language_model)
        assert server.refused == 0


@pytest.mark.parametrize(("profile", "context"), [("llama.cpp", 4096), ("vllm", 8192), ("openrouter", 8192)])
async def test_a_server_tells_its_context_and_how_it_counts(
    settings: ProductSettings, profile: str, context: int
) -> None:
    async with LanguageModelServer(profile=profile) as server, model(settings, server) as language_model:
        await ask(language_model)
        known = language_model.servers[0].profile
        assert known.context == context
        if PROFILES[profile].tokenizes:
            request = prompts.for_answer(ALISA, STORY, STORY.scene, "", TALK, budget=4000).messages
            counted = prompt_tokens([dict(each) for each in request])
            assert language_model.count_all(request) == pytest.approx(counted, rel=0.15)


async def test_objects_that_were_cut_off_do_not_end_the_asking_for_objects(settings: ProductSettings) -> None:
    async with LanguageModelServer() as server, model(settings, server) as language_model:
        for _ in range(3):
            server.faults.add(path="completion", kind="finish", text="length")
            assert (await ask(language_model)).finish == "length"
        assert language_model.is_structured


@pytest.mark.parametrize("structured", ["on", "off"])
async def test_the_setting_counts_more_than_what_is_learnt(settings: ProductSettings, structured: str) -> None:
    changes = {"llm_structured": structured}
    async with LanguageModelServer() as server, model(settings, server, **changes) as language_model:
        await ask(language_model)
        assert ("response_format" in server.requests[-1]) is (structured == "on")


async def test_a_talk_that_is_too_long_goes_on_without_its_beginning(settings: ProductSettings) -> None:
    long = [
        Said(n, n % 2 == 0, f"Sentence number {n} of a long talk, with many words in it.") for n in range(1, 120)
    ]
    async with LanguageModelServer(profile="small") as server, model(settings, server) as language_model:
        said = await ask(language_model, [*long, Said(200, True, "And now?")])
        assert said.is_shortened
        assert server.requests[-1]["messages"][-1]["content"] == "And now?"
        # Known from then on: asked within it at once.
        refused = server.refused
        assert not (await ask(language_model, [*long, Said(200, True, "And now?")])).is_shortened
        assert server.refused == refused


async def test_what_was_said_before_the_end_of_time_is_kept(settings: ProductSettings) -> None:
    changes = {"llm_timeout": 2.0}
    async with LanguageModelServer() as server, model(settings, server, **changes) as language_model:
        server.faults.add(path="completion", kind="stall")
        shown: list[str] = []
        said = await ask(language_model, shown=shown)
        assert (said.finish, said.is_cut) == ("timeout", True)
        assert said.text == shown[-1]
        # Nobody saw it growing: it is no answer.
        server.faults.add(path="completion", kind="stall")
        with pytest.raises(LanguageModelUnavailable):
            await ask(language_model)


@pytest.mark.parametrize("kind", ["no_end", "break_stream", "error_in_stream"])
async def test_what_breaks_off_is_asked_for_once_more(settings: ProductSettings, kind: str) -> None:
    async with LanguageModelServer() as server, model(settings, server) as language_model:
        fault: dict[str, Any] = {
            "path": "completion",
            "kind": kind,
            "body": {"error": {"code": 503, "message": "x"}},
        }
        server.faults.add(**fault)
        assert (await ask(language_model)).finish == "stop"
        assert len(server.requests) == 2
        server.faults.add(**fault, times=2)
        with pytest.raises(LanguageModelUnavailable):
            await ask(language_model)


@pytest.mark.parametrize(
    ("status", "code", "kind", "lasts"),
    [
        (401, "invalid_api_key", "401 key invalid_api_key", True),
        (402, 402, "402 credit", True),
        (403, "", "403 rights", True),
        (404, "model_not_found", "404 model model_not_found", True),
        (429, "insufficient_quota", "429 credit insufficient_quota", True),
        (429, "rate_limit_exceeded", "429 rate_limit_exceeded", False),
        (500, "", "500", False),
        (400, "Спой мне песню", "400", False),
    ],
)
async def test_why_a_server_refused_is_known_and_nothing_else_of_it(
    settings: ProductSettings, status: int, code: object, kind: str, lasts: bool
) -> None:
    heard: list[str] = []
    async with LanguageModelServer() as server:
        language_model = LanguageModel(
            settings.model_copy(update={"llm_base_url": server.url}), retries=0, failed=heard.append
        )
        body = {"error": {"message": "You said: my secret", "code": code}}
        server.faults.add(path="completion", kind="status", status=status, body=body, times=2)
        with pytest.raises(LanguageModelUnavailable) as refused:
            await ask(language_model)
        await language_model.close()
    assert (refused.value.kind, refused.value.lasts) == (kind, lasts)
    assert heard == [kind]


async def test_another_server_takes_over_and_gives_back(settings: ProductSettings) -> None:
    async with LanguageModelServer() as first, LanguageModelServer(profile="gemma") as second:
        changes = {
            "llm_fallback_base_url": second.url,
            "llm_fallback_api_key": settings.llm_api_key,
            "llm_fallback_model": settings.llm_model,
        }
        async with model(settings, first, **changes) as language_model:
            first.faults.add(path="completion", kind="status", status=402, body={"error": {"message": "x"}})
            assert (await ask(language_model)).text
            asked = len(first.requests)
            assert (await ask(language_model)).text
            assert (len(first.requests), len(second.requests)) == (asked, 2)
            # Its rest is over.
            language_model._rests_until = dict.fromkeys(language_model._rests_until, 0.0)
            assert (await ask(language_model)).text
            assert (len(first.requests), len(second.requests)) == (asked + 1, 2)


async def test_while_none_answers_both_are_asked_and_the_person_is_told(settings: ProductSettings) -> None:
    async with LanguageModelServer() as first:
        changes = {"llm_fallback_base_url": "http://127.0.0.1:9/v1", "llm_fallback_model": "none"}
        async with model(settings, first, **changes) as language_model:
            first.faults.add(path="completion", kind="status", status=500, body={"error": {"message": "x"}})
            with pytest.raises(LanguageModelUnavailable):
                await ask(language_model)
            assert (await ask(language_model)).text
