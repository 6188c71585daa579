"""Marked texts are read as TDLib reads them: entities in UTF-16 units, and its complaints."""

from typing import Any

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import Message, MessageEntity

from sandbox.telegram.errors import ApiError
from sandbox.telegram.formatting import parse
from tests.sandbox.test_bot_api import api, picture

__all__ = ["api"]


def read(text: str, mode: str) -> tuple[str, list[tuple[Any, ...]]]:
    plain, entities = parse(text, mode)
    extra = ("url", "language", "custom_emoji_id")
    kept = ("type", "offset", "length", *extra)
    return plain, [tuple(each[key] for key in kept if key in each) for each in entities]


@pytest.mark.parametrize(
    ("text", "plain", "entities"),
    [
        ("<b>😀 hi</b>", "😀 hi", [("bold", 0, 5)]),
        ("<B>x</B>", "x", [("bold", 0, 1)]),
        ("a <b>b <i>c</i></b>", "a b c", [("bold", 2, 3), ("italic", 4, 1)]),
        ("<u>x</u><s>y</s>", "xy", [("underline", 0, 1), ("strikethrough", 1, 1)]),
        ("<span class='tg-spoiler'>x</span>", "x", [("spoiler", 0, 1)]),
        (
            '<a href="https://example.org/a?b=1&amp;c=2">x</a>',
            "x",
            [("text_link", 0, 1, "https://example.org/a?b=1&c=2")],
        ),
        ("<a>example.org</a>", "example.org", [("text_link", 0, 11, "http://example.org/")]),
        ('<a href="not an address">x</a>', "x", []),
        ("<pre><code class='language-python'>x</code></pre>", "x", [("pre", 0, 1, "python")]),
        ("<code class='language-python'>x</code>", "x", [("code", 0, 1)]),
        ("<blockquote expandable>x</blockquote>", "x", [("expandable_blockquote", 0, 1)]),
        (
            "<tg-emoji emoji-id='5368324170671202286'>👍</tg-emoji>",
            "👍",
            [("custom_emoji", 0, 2, "5368324170671202286")],
        ),
        ("<b></b>x", "x", []),
        ("1 &lt; 2 &amp&gt; &quot;&#128512; &nbsp; &copy;", '1 < 2 &> "😀 &nbsp; &copy;', []),
        ("<b>x</>", "x", [("bold", 0, 1)]),
    ],
)
def test_html(text: str, plain: str, entities: list[tuple[Any, ...]]) -> None:
    assert read(text, "HTML") == (plain, entities)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("ы <b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("ы <br>", 'Unsupported start tag "br" at byte offset 3'),
        ("2 < 3", 'Unsupported start tag "" at byte offset 2'),
        ("I <3", "Unclosed start tag at byte offset 2"),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b><i>x</b></i>", 'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"'),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<a href=x:y>x</a>", "Unexpected end of name token at byte offset 8"),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ("I <3 you", 'Unsupported start tag "3" at byte offset 2'),
    ],
)
def test_html_that_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse(text, "html")
    assert refused.value.description == f"Bad Request: can't parse entities: {complaint}"


@pytest.mark.parametrize(
    ("text", "plain", "entities"),
    [
        ("*bold \\*x*", "bold *x", [("bold", 0, 7)]),
        (
            "_i_ __u__ ~s~ ||p||",
            "i u s p",
            [("italic", 0, 1), ("underline", 2, 1), ("strikethrough", 4, 1), ("spoiler", 6, 1)],
        ),
        ("*b _i_*", "b i", [("bold", 0, 3), ("italic", 2, 1)]),
        ("[x](https://example.org/a\\)b)", "x", [("text_link", 0, 1, "https://example.org/a)b")]),
        ("![👍](tg://emoji?id=5368324170671202286)", "👍", [("custom_emoji", 0, 2, "5368324170671202286")]),
        ("`a*b_`", "a*b_", [("code", 0, 4)]),
        ("```python\nx = 1```", "x = 1", [("pre", 0, 5, "python")]),
        ("```x```", "x", [("pre", 0, 1)]),
        (">a\n>b\nc", "a\nb\nc", [("blockquote", 0, 4)]),
        (">a\n>b||", "a\nb", [("expandable_blockquote", 0, 3)]),
        ("**x", "x", None),
        ("a\\.b\\-c\\!", "a.b-c!", []),
    ],
)
def test_markdown_v2(text: str, plain: str, entities: list[tuple[Any, ...]] | None) -> None:
    if entities is None:
        assert read(text, "MarkdownV2") == (plain, [])
    else:
        assert read(text, "MarkdownV2") == (plain, entities)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("well.", "Character '.' is reserved and must be escaped with the preceding '\\'"),
        ("no!", "Character '!' is reserved and must be escaped with the preceding '\\'"),
        ("a > b", "Character '>' is reserved and must be escaped with the preceding '\\'"),
        ("a|b", "Character '|' is reserved and must be escaped with the preceding '\\'"),
        ("ы *x", "Can't find end of Bold entity at byte offset 3"),
        ("[x](https://example.org", "Can't find end of a URL at byte offset 4"),
        ("![x]", "The entity must contain a tg://emoji or tg://time URL"),
        ("![x](https://example.org)", "Invalid tg://emoji or tg://time URL specified"),
        (">a *b\nc*", "Can't find end of Bold entity at byte offset 3"),
        ("snake_case", "Can't find end of Italic entity at byte offset 5"),
    ],
)
def test_markdown_v2_that_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse(text, "markdownv2")
    assert refused.value.description == f"Bad Request: can't parse entities: {complaint}"


def test_the_old_markdown() -> None:
    assert read("*b* _i_ `c` [x](example.org) 2\\*3", "Markdown") == (
        "b i c x 2*3",
        [("bold", 0, 1), ("italic", 2, 1), ("code", 4, 1), ("text_link", 6, 1, "http://example.org/")],
    )
    with pytest.raises(ApiError, match="Can't find end of the entity starting at byte offset 5"):
        parse("snake_case", "Markdown")


async def test_messages_carry_their_entities(api: Bot) -> None:
    sent = await api.send_message(1001, "  <b>Hi</b> there ", parse_mode="HTML")
    assert (sent.text, sent.html_text) == ("Hi there", "<b>Hi</b> there")
    plain = await api.edit_message_text("Hi there", chat_id=1001, message_id=sent.message_id)
    assert isinstance(plain, Message)
    assert plain.entities is None
    photo = await api.send_photo(1001, picture(40, 40), caption="*you* and I", parse_mode="MarkdownV2")
    assert [each.type for each in photo.caption_entities or []] == ["bold"]
    given = await api.send_message(1001, "bold", entities=[MessageEntity(type="bold", offset=0, length=4)])
    assert given.html_text == "<b>bold</b>"


async def test_a_text_is_measured_without_its_marks(api: Bot) -> None:
    assert await api.send_message(1001, f"<b>{'x' * 4096}</b>", parse_mode="HTML")
    with pytest.raises(TelegramBadRequest, match="message is too long"):
        await api.send_message(1001, f"<b>{'x' * 4097}</b>", parse_mode="HTML")
    with pytest.raises(TelegramBadRequest, match="message text is empty"):
        await api.send_message(1001, "<b> </b>", parse_mode="HTML")
    with pytest.raises(TelegramBadRequest, match="unsupported parse_mode"):
        await api.send_message(1001, "x", parse_mode="BBCode")
