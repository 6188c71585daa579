"""The client gets over what passes, and says clearly when it does not pass."""

import pytest

from bot.llm.client import LanguageModel
from bot.llm.question import LanguageModelUnavailable
from sandbox.llm import LanguageModelServer
from sandbox.settings import ProductSettings

QUESTION = [{"role": "user", "content": "Hello!"}]


async def ask(settings: ProductSettings) -> str:
    model = LanguageModel(settings)
    try:
        return (await model.answer(QUESTION)).text  # type: ignore[arg-type]
    finally:
        await model.close()


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_errors_that_pass_are_tried_again(
    settings: ProductSettings, llm: LanguageModelServer, status: int
) -> None:
    llm.faults.add(path="completions", kind="status", status=status, body={"error": {"message": "busy"}}, times=2)
    assert await ask(settings)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 500, "times": 3},
        {"kind": "status", "status": 400},
        {"kind": "drop", "times": 3},
        {"kind": "hang", "times": 3},
        {"kind": "empty"},
    ],
)
async def test_what_does_not_pass_is_unavailable(
    settings: ProductSettings, llm: LanguageModelServer, fault: dict[str, object]
) -> None:
    llm.faults.add(path="completion", **fault)
    with pytest.raises(LanguageModelUnavailable):
        await ask(settings.model_copy(update={"llm_timeout": 0.5}))


@pytest.mark.parametrize("wrong", [{"llm_model": "gone"}, {"llm_base_url": "http://127.0.0.1:9/v1"}])
async def test_a_wrong_model_or_address_is_unavailable(settings: ProductSettings, wrong: dict[str, str]) -> None:
    with pytest.raises(LanguageModelUnavailable):
        await ask(settings.model_copy(update=wrong))
