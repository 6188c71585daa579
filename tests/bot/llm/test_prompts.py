"""What the model is given: the newest words within the budget, the summary, and the scene."""

from hypothesis import given
from hypothesis import strategies as st

from bot.llm import prompts
from bot.llm.prompts import Said
from bot.personas.persona import load_all
from bot.personas.scene import Scene
from generation.workflows import workflow

ALISA = load_all(set(workflow.load_all()))["alisa"]
STORY = ALISA.story("attic")


def history(*texts: str) -> list[Said]:
    return [Said(n, n % 2 == 0, text) for n, text in enumerate(texts)]


def test_the_model_learns_who_it_is_where_it_is_and_what_was_said() -> None:
    scene = Scene(place="harbour", outfit="blue coat", atmosphere="dreamy")
    messages = prompts.for_answer(ALISA, STORY, scene, "He is a pilot.", history("a", "b", "c"), budget=1000)
    system = messages[0]["content"]
    for part in ("Alisa, 27", "adult", "harbour", "blue coat", "He is a pilot.", "[scene]", "cosy, playful"):
        assert part in system
    assert [(message["role"], message["content"]) for message in messages[1:]] == [
        ("user", "a"), ("assistant", "b"), ("user", "c"),
    ]  # fmt: skip


@given(st.lists(st.text(min_size=1, max_size=200), min_size=1, max_size=30), st.integers(50, 800))
def test_the_newest_messages_fit_into_the_budget_and_the_last_is_always_there(
    texts: list[str], budget: int
) -> None:
    said = history(*texts)
    kept = prompts.newest_within(said, budget)
    assert kept == said[-len(kept) :]
    assert kept[-1] == said[-1]
    if len(kept) > 1:
        assert sum(prompts.estimate_tokens(it.text) for it in kept) <= budget


def test_nothing_is_summarised_while_everything_fits_and_the_newest_stay_word_for_word() -> None:
    short = history(*("word" for _ in range(20)))
    assert prompts.to_summarise(short, budget=10_000) == []
    long = history(*("many words " * 30 for _ in range(20)))
    older = prompts.to_summarise(long, budget=500)
    assert older
    assert long[: len(older)] == older


@given(st.lists(st.text(min_size=1, max_size=400), min_size=1, max_size=40), st.integers(400, 3000))
def test_what_the_request_leaves_out_goes_into_the_summary(texts: list[str], budget: int) -> None:
    said = history(*texts)
    dropped = said[: len(said) - len(prompts.newest_within(said, budget))]
    assert prompts.to_summarise(said, budget=budget)[: len(dropped)] == dropped


def test_russian_is_not_estimated_below_what_tokenizers_make_of_it() -> None:
    # About 3 letters a token is what today's vocabularies make of Russian.
    text = "Привет, как прошёл твой день? Расскажи мне обо всём."
    assert prompts.estimate_tokens(text) >= len(text) / 3
