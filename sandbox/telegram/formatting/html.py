"""`parse_mode` HTML."""

import re

from sandbox.telegram.formatting.result import Open, Result, byte_offset, complaint

_TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "tg-spoiler": "spoiler",
    "span": "spoiler", "tg-emoji": "custom_emoji", "tg-time": "date_time", "a": "text_link", "pre": "pre",
    "code": "code", "blockquote": "blockquote",
}  # fmt: skip
_REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(lt|gt|amp|quot)(?![a-zA-Z]));?")
_NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_ATTRIBUTE = re.compile(r"""\s*([^\s=>/"']+)(?:\s*(=)\s*("[^"]*"?|'[^']*'?|[A-Za-z0-9.-]*))?""")


def html(text: str, result: Result) -> None:
    position = 0
    while (start := text.find("<", position)) >= 0:
        result.add(_unescaped(text[position:start]))
        position = (_end_tag if text.startswith("</", start) else _start_tag)(text, start, result)
    result.add(_unescaped(text[position:]))
    if result.opened:
        raise complaint(f'Can\'t find end tag corresponding to start tag "{_tag(result.opened[-1])}"')
    for entity in result.entities:
        if entity["type"] == "code":
            entity.pop("language", None)


def _unescaped(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        code = int(found[1], 16) if found[1] else int(found[2] or 0)
        if found[3]:
            return _NAMED[found[3]]
        return chr(code) if 0 < code < 0x10FFFF and not 0xD800 <= code < 0xE000 else found[0]

    return _REFERENCE.sub(one, text)


def _tag(opened: Open) -> str:
    return opened.argument.partition(" ")[0]


def _start_tag(text: str, start: int, result: Result) -> int:
    """Read a tag with its attributes; where the text goes on."""
    byte = byte_offset(text, start)
    name = re.split(r"[\s>]", text[start + 1 :], maxsplit=1)[0]
    position = start + 1 + len(name)
    name = name.lower()
    if position == len(text):
        raise complaint(f"Unclosed start tag at byte offset {byte}")
    if name not in _TAGS:
        raise complaint(f'Unsupported start tag "{name}" at byte offset {byte}')
    said, position = _attributes(text, position, f'"{name}" at byte offset {byte}')
    if name == "span" and said.get("class") != "tg-spoiler":
        raise complaint(f'Tag "span" must have class "tg-spoiler" at byte offset {byte}')
    kind = "expandable_blockquote" if name == "blockquote" and "expandable" in said else _TAGS[name]
    told = {"a": "href", "code": "class", "tg-emoji": "emoji-id", "tg-time": "unix"}.get(name, "")
    result.open(kind, byte, f"{name} {said.get(told, '')}")
    return position


def _attributes(text: str, position: int, tag: str) -> tuple[dict[str, str], int]:
    """What a tag says, and where the text goes on behind it."""
    said: dict[str, str] = {}
    while not (closed := re.compile(r"\s*>").match(text, position)):
        if not text[position:].strip():
            raise complaint(f"Unclosed start tag {tag}")
        attribute = _ATTRIBUTE.match(text, position)
        if attribute is None:
            raise complaint(f"Empty attribute name in the tag {tag}")
        value, position = attribute[3] or "", attribute.end()
        if value[:1] in {'"', "'"}:
            value = _unescaped(value.strip(value[0]))
        elif attribute[2] and not re.compile(r"[\s>]").match(text, position):
            raise complaint(f"Unexpected end of name token at byte offset {byte_offset(text, attribute.start(3))}")
        said[attribute[1].lower()] = value
    return said, closed.end()


def _end_tag(text: str, start: int, result: Result) -> int:
    byte = byte_offset(text, start)
    if not result.opened:
        raise complaint(f"Unexpected end tag at byte offset {byte}")
    name = re.split(r"[\s>]", text[start + 2 :], maxsplit=1)[0]
    closed = re.compile(r"\s*>").match(text, start + 2 + len(name))
    if closed is None:
        raise complaint(f"Unclosed end tag at byte offset {byte}")
    name, wanted = name.lower(), _tag(result.opened[-1])
    if name and name != wanted:
        raise complaint(f'Unmatched end tag at byte offset {byte}, expected "</{wanted}>", found "</{name}>"')
    _close(result)
    return closed.end()


def _close(result: Result) -> None:
    last = result.opened[-1]
    argument = last.argument.partition(" ")[2]
    if last.kind == "text_link":
        result.opened.pop()
        result.link(argument or result.since(last), last.offset)
    elif last.kind == "custom_emoji":
        if not re.fullmatch(r"-?[1-9]\d*", argument):
            raise complaint("Invalid custom emoji identifier specified")
        result.close(custom_emoji_id=argument)
    elif last.kind == "date_time":
        result.close(unix_time=int(argument) if argument.isdecimal() else 0)
    elif last.kind in {"pre", "code"}:
        _close_code(result, argument.removeprefix("language-") if argument.startswith("language-") else "")
    else:
        result.close()


def _close_code(result: Result, language: str) -> None:
    """`<pre><code class="language-x">`, in either order, is one entity with a language."""
    last = result.opened[-1]
    inner = result.entities[-1] if result.entities else {}
    same = inner.get("offset") == last.offset and inner.get("length") == result.units - last.offset
    if same and {last.kind, inner["type"]} == {"pre", "code"} and (said := language or inner.get("language")):
        result.opened.pop()
        inner |= {"type": "pre", "language": said}
    else:
        result.close(**({"language": language} if language else {}))
