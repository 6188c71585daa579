"""Long texts are cut where Telegram's limit demands and where a reader would."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.telegram.messages import MAX_TEXT, is_visible, split


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def test_a_short_text_is_left_alone() -> None:
    assert list(split("Hello!")) == ["Hello!"]


def test_a_long_text_is_cut_after_a_sentence() -> None:
    parts = list(split("This is a sentence. " * 400))
    assert len(parts) == 2
    assert all(part.endswith(".") for part in parts)


def test_emoji_count_as_telegram_counts_them() -> None:
    parts = list(split("😀" * 3000))
    assert [units(part) for part in parts] == [4096, 1904]


@settings(deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=400), st.integers(2, 60))
def test_no_part_is_too_long_or_empty_and_no_word_is_lost(text: str, limit: int) -> None:
    parts = list(split(text, limit))
    assert all(0 < units(part) <= limit for part in parts)
    if is_visible(text):
        assert seen("".join(parts)) == seen(text)


def seen(text: str) -> str:
    """What of it can be seen: a part of marks and spaces alone is not sent."""
    return "".join(filter(is_visible, text))


def test_the_limit_is_telegrams() -> None:
    assert all(units(part) <= MAX_TEXT for part in split("я" * 10_000))
