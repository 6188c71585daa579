"""Estimates of tokens fit what tokenizers make of texts, and follow what a server counts."""

import pytest

from bot.llm.tokens import ESTIMATE, FEWEST, MESSAGE_OVERHEAD, SAMPLES, TokenRates


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        # By o200k_base, Llama 3 and Mistral: the most of the three.
        ("Привіт, як ти сьогодні? Я щойно прийшла додому і зварила каву.", 30),
        ("Ich sitze am Fenster und trinke Tee, draußen regnet es.", 22),
        ("我正坐在窗边喝茶，外面下着雨，猫在我旁边睡觉。", 29),
        ("😊❤️🔥😂🥰👍🏽🎉🙈💃🏻👩\u200d💻😘🌹☕🏖️🐶✨", 51),
    ],
)
def test_no_script_is_far_from_what_tokenizers_make_of_it(text: str, tokens: int) -> None:
    assert tokens * 0.7 <= ESTIMATE.count(text) - MESSAGE_OVERHEAD <= tokens * 1.7


def test_a_tokenizer_corrects_its_script_alone_and_nonsense_corrects_nothing() -> None:
    plain = ESTIMATE.count(SAMPLES["cyrillic"]) - MESSAGE_OVERHEAD
    rates = TokenRates.counted({"cyrillic": plain * 2, "latin": 1, "emoji": 10**6, "martian": 5})
    assert rates.cyrillic == pytest.approx(2, rel=0.05)
    assert (rates.latin, rates.emoji) == (1, 1)


def test_a_servers_count_moves_the_estimate_up_at_once_and_down_slowly() -> None:
    assert ESTIMATE.corrected(estimated=1000, counted=1030) is ESTIMATE
    assert ESTIMATE.corrected(estimated=1000, counted=1500).scale == pytest.approx(1.5)
    assert 0.8 < ESTIMATE.corrected(estimated=1000, counted=500).scale < 1
    # Of a short question most is the chat template.
    assert ESTIMATE.corrected(estimated=FEWEST - 1, counted=5000) is ESTIMATE
