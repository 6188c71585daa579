"""Whatever shape a server's answer has, the same words come out of it, and its end is known."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.llm.reply import Reply, TooMuch

WORDS = "Я у окна 🌧️, а ты?"


async def read(*lines: str | bytes, pieces: int = 7) -> tuple[Reply, list[str]]:
    """The reply to a body of these lines, which arrives in pieces of so many bytes."""
    body = b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines)

    async def content() -> AsyncIterator[bytes]:
        for start in range(0, len(body), pieces):
            yield body[start : start + pieces]

    shown: list[str] = []
    reply = Reply(shown.append)
    await reply.read(content())
    return reply, shown


def piece(content: Any, finish: str | None = None, **more: Any) -> str:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice], **more})}"


def in_pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


SHAPES: dict[str, list[str | bytes]] = {
    "pieces": [*map(piece, in_pieces(WORDS, 3)), piece("", "stop"), "data: [DONE]"],
    "letters": [*map(piece, WORDS), piece("", "stop"), "data: [DONE]"],
    "no end mark": [*map(piece, in_pieces(WORDS, 3)), piece("", "stop")],
    "comments and events": [": PROCESSING", "event: message", "id: 1", piece(WORDS), "", piece(None, "stop")],
    "lists of parts": [
        *(piece([{"type": "text", "text": each}]) for each in in_pieces(WORDS, 4)), piece([], "stop"),
    ],
    "thoughts beside": [
        piece([{"type": "thinking", "text": "Hm."}, {"type": "text", "text": WORDS}], "stop"),
    ],
    "all that came before": [*(piece(WORDS[:end]) for end in range(2, len(WORDS) + 1)), piece("", "stop")],
    "a broken line": [piece(WORDS[:5]), 'data: {"choices": [{"del', piece(WORDS[5:], "stop")],
    "halves of a character": [
        *(b'data: {"choices": [{"delta": {"content": "' + each.encode() + b'"}}]}' for each in (
            "Я у окна \\ud83c", "\\udf27️, а ты?")),
        piece("", "stop"),
    ],
    "a whole answer": [json.dumps({"choices": [{"message": {"content": WORDS}, "finish_reason": "stop"}]})],
    "a whole answer over lines": json.dumps(
        {"choices": [{"message": {"content": WORDS}, "finish_reason": "stop"}]}, indent=1
    ).split("\n"),  # type: ignore[dict-item]
    "said once more at the end": [
        *map(piece, in_pieces(WORDS, 3)),
        f"data: {json.dumps({'choices': [{'message': {'content': WORDS}, 'finish_reason': 'stop'}]})}",
    ],
    "another name for the end": [piece(WORDS), piece("", "end_turn")],
    "lines that end as on Windows": [piece(WORDS) + "\r", piece("", "stop") + "\r", "data: [DONE]\r"],
    "no space after data": [piece(WORDS, "stop").replace("data: ", "data:")],
    "a line end that is a letter": [piece(WORDS.replace(",", ",")), piece("", "stop")],
}  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=list(SHAPES))
async def test_every_shape_says_the_same(shape: list[str], size: int) -> None:
    reply, shown = await read(*shape, pieces=size)
    assert (reply.text, reply.finish, reply.error) == (WORDS, "stop", None)
    assert shown[-1] == WORDS
    assert not any("\ud800" <= letter <= "\udfff" for text in shown for letter in text)


@given(st.lists(st.text(min_size=1, max_size=9), min_size=3, max_size=9))
async def test_pieces_that_repeat_each_other_are_not_taken_for_one_another(words: list[str]) -> None:
    # One that does not begin with the one before it: no server that sends everything again does that.
    lines = [*map(piece, ["ha", "ha", *words]), piece("", "stop")]
    reply, _ = await read(*lines, pieces=50)
    alone, _ = await read(piece("".join(["ha", "ha", *words]), "stop"))
    assert reply.text == alone.text


@pytest.mark.parametrize(
    ("lines", "status", "is_final"),
    [
        ([piece("Hel"), 'data: {"error": {"code": 429, "message": "slow down"}}'], 429, False),
        ([piece("Hel"), 'data: {"error": {"type": "overloaded_error", "message": "x"}}'], 529, False),
        ([piece("Hel"), 'data: {"error": {"code": 402, "message": "no credit"}}'], 402, True),
        ([piece("Hel"), 'data: {"error": {"code": "insufficient_quota", "message": "x"}}'], 402, True),
        (['{"error": "the model is loading"}'], None, False),
        (['{"object": "error", "message": "bad", "code": 400}'], 400, True),
        ([f"data: {json.dumps({'choices': [{'error': {'code': 502}, 'delta': {'content': 'x'}}]})}"], 502, False),
    ],
)
async def test_an_error_inside_of_an_answer_has_its_status(
    lines: list[str], status: int | None, is_final: bool
) -> None:
    reply, _ = await read(*lines)
    assert reply.error is not None
    assert (reply.error.status, reply.error.is_final, reply.finish) == (status, is_final, "error")


@pytest.mark.parametrize(
    ("told", "finish"),
    [
        ("length", "length"),
        ("max_tokens", "length"),
        ("content_filter", "filter"),
        ("SAFETY", "filter"),
        ("error", "error"),
        (None, None),
    ],
)
async def test_why_it_ended_is_known_by_every_servers_word(told: str | None, finish: str | None) -> None:
    reply, _ = await read(piece("Hello"), piece("", told))
    assert reply.finish == finish


async def test_tokens_are_counted_as_the_server_counts_them() -> None:
    openai = {"prompt_tokens": 90, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 64}}
    deepseek = {"prompt_tokens": 90, "completion_tokens": 5, "prompt_cache_hit_tokens": 64}
    for usage in (openai, deepseek):
        reply, _ = await read(piece("Hi", "stop"), f"data: {json.dumps({'choices': [], 'usage': usage})}")
        assert reply.usage == {"prompt_tokens": 90, "completion_tokens": 5, "cached_tokens": 64}


async def test_a_model_that_goes_round_in_circles_is_not_heard_to_the_end() -> None:
    lines = [piece(f"Beginning number {n}. ") for n in range(20)] + [piece("and over and ")] * 500
    reply, _ = await read(*lines)
    assert reply.finish == "loop"
    assert len(reply.text) < 2000


async def test_an_answer_without_end_is_given_up() -> None:
    with pytest.raises(TooMuch):
        await read("x" * 5_000_000, pieces=100_000)
