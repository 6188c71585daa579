"""The scripted model speaks the OpenAI API, as the official client sees it."""

import openai
import pytest
from openai import AsyncOpenAI

from bot.llm import prompts
from bot.personas.persona import load_all
from bot.personas.speech import split_answer
from generation.workflows import workflow
from sandbox.llm import LanguageModelServer
from sandbox.llm.server import API_KEY
from sandbox.llm.stream import MODEL

PERSONAS = load_all(set(workflow.load_all()))


def client(llm: LanguageModelServer, key: str = API_KEY) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=llm.url, api_key=key, max_retries=0)


@pytest.mark.parametrize("name", sorted(PERSONAS))
@pytest.mark.parametrize("structured", [False, True])
@pytest.mark.parametrize(("text", "letter"), [("Привет! Как погода?", "а"), ("Hello! How is the weather?", "e")])
async def test_it_plays_every_persona_in_both_languages_with_a_scene(
    llm: LanguageModelServer, name: str, text: str, letter: str, structured: bool
) -> None:
    persona = PERSONAS[name]
    story = next(iter(persona.stories.values()))
    request = prompts.for_answer(
        persona, story, story.scene, "", [prompts.Said(1, True, text)], budget=1000, structured=structured
    )
    async with client(llm) as api:
        completion = await api.chat.completions.create(model=MODEL, messages=request.messages)  # type: ignore[arg-type]
    shown, scene = split_answer(completion.choices[0].message.content or "")
    assert letter in shown
    assert scene is not None
    assert scene.atmosphere in persona.atmospheres
    assert scene.place
    assert scene.visual is not None


async def test_a_stream_says_the_same_as_a_whole_answer(llm: LanguageModelServer) -> None:
    messages = [{"role": "user", "content": "Hello!"}]
    async with client(llm) as api:
        whole = await api.chat.completions.create(model=MODEL, messages=messages)  # type: ignore[arg-type]
        stream = await api.chat.completions.create(model=MODEL, messages=messages, stream=True)  # type: ignore[arg-type]
        pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]  # type: ignore[union-attr]
    assert len(pieces) > 2
    assert "".join(pieces) == whole.choices[0].message.content


async def test_wrong_keys_models_and_requests_get_the_apis_errors(llm: LanguageModelServer) -> None:
    messages = [{"role": "user", "content": "x"}]
    async with client(llm, key="wrong") as api:
        with pytest.raises(openai.AuthenticationError):
            await api.chat.completions.create(model=MODEL, messages=messages)  # type: ignore[arg-type]
    async with client(llm) as api:
        with pytest.raises(openai.NotFoundError):
            await api.chat.completions.create(model="gone", messages=messages)  # type: ignore[arg-type]
        with pytest.raises(openai.BadRequestError):
            await api.chat.completions.create(model=MODEL, messages=[])
        assert [model.id async for model in api.models.list()] == [MODEL]
