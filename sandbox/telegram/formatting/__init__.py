"""Texts with a `parse_mode`, read as Telegram reads them.

Source: core.telegram.org/bots/api#formatting-options and `parse_html`, `parse_markdown_v2` and `parse_markdown` of
tdlib/td (`MessageEntity.cpp`, 2026-11): what they take, what they refuse and in which words.
"""

from collections.abc import Callable

from sandbox.telegram.errors import bad_request
from sandbox.telegram.formatting.html import html
from sandbox.telegram.formatting.markdown import markdown, markdown_v2
from sandbox.telegram.formatting.result import Result, length
from sandbox.telegram.store import Json

__all__ = ["length", "parse", "stripped"]

#: Bytes of a text before it is parsed.
MAX_BYTES = 1 << 15
_MODES: dict[str, Callable[[str, Result], None]] = {
    "html": html,
    "markdownv2": markdown_v2,
    "markdown": markdown,
    "none": lambda text, result: result.add(text),
}


def parse(text: str, mode: str) -> tuple[str, list[Json]]:
    """The text without marks, and its entities in the order of the text."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise bad_request("text is too long")
    read = _MODES.get(mode.lower())
    if read is None:
        raise bad_request("unsupported parse_mode")
    result = Result()
    read(text, result)
    return "".join(result.parts), sorted(result.entities, key=lambda each: (each["offset"], -each["length"]))


def stripped(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    """Without spaces at both ends, as every message leaves; entities are moved and cut along."""
    kept = text.strip()
    skipped, units = length(text[: len(text) - len(text.lstrip())]), length(kept)
    moved = []
    for each in entities:
        begin, end = each["offset"] - skipped, each["offset"] - skipped + each["length"]
        begin, end = max(0, begin), min(units, end)
        if begin < end:
            moved.append(each | {"offset": begin, "length": end - begin})
    return kept, moved
