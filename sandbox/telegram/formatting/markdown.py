"""`parse_mode` MarkdownV2, and the old Markdown."""

import re

from sandbox.telegram.formatting.result import Open, Result, byte_offset, complaint

_MARKS = {
    "__": "underline", "_": "italic", "*": "bold", "~": "strikethrough", "||": "spoiler", "```": "pre", "`": "code",
    "[": "text_link", "![": "custom_emoji",
}  # fmt: skip
_ENDS = {mark: mark for mark in _MARKS} | {"[": "]", "![": "]"}
#: How TDLib calls an entity in its complaints.
_NAMES = {
    "underline": "Underline", "italic": "Italic", "bold": "Bold", "strikethrough": "Strikethrough",
    "spoiler": "Spoiler", "pre": "Pre", "code": "Code", "text_link": "TextUrl", "custom_emoji": "CustomEmoji",
    "blockquote": "BlockQuote",
}  # fmt: skip
_RESERVED = set("_*[]()~`>#+-=|{}.!")
_LANGUAGE = re.compile(r"(?:([^\s`]+)(?=\s))?(?:\r\n|\n\r|\n|\r)?")
_ADDRESS = re.compile(r"\(((?:\\[\x01-\x7e]|[^)\\]|\\)*)\)")
_TIMES_AND_EMOJI = re.compile(r"tg:(?://)?(?:emoji\?id=(\d+)|time\?unix=(\d+)\S*)", re.IGNORECASE)


def markdown_v2(text: str, result: Result) -> None:
    position = 0
    while position < len(text):
        position = _step(text, position, result)
    if _quoted(result):
        _close_quote(result)
    if result.opened:
        raise _unended(result.opened[-1])


def _step(text: str, position: int, result: Result) -> int:
    """Read a character or a mark; where the text goes on."""
    character = text[position]
    if character == "\\" and 0 < ord(text[position + 1 : position + 2] or "\0") <= 126:
        return _plain(text, position + 1, result)
    if result.opened and result.opened[-1].kind in {"code", "pre"}:
        return (_mark if character == "`" else _plain)(text, position, result)
    if character == "\n":
        result.add("\n")
        if _quoted(result) and not text.startswith(">", position + 1):
            _close_quote(result)
        return position + 1
    if character == ">" and result.begins_line():
        if not _quoted(result):
            result.open("blockquote", byte_offset(text, position))
        return position + 1
    return (_mark if character in _RESERVED else _plain)(text, position, result)


def _plain(text: str, position: int, result: Result) -> int:
    result.add(text[position])
    return position + 1


def _quoted(result: Result) -> bool:
    return any(each.kind == "blockquote" for each in result.opened)


def _close_quote(result: Result) -> None:
    """A quote ends with its line; a spoiler that was just opened makes it expandable."""
    last = result.opened[-1]
    if expandable := last.kind == "spoiler" and not result.since(last).strip("\r\n"):
        result.opened.pop()
    last = result.opened.pop()
    if last.kind != "blockquote":
        raise _unended(last)
    result.put("expandable_blockquote" if expandable else "blockquote", last.offset)


def _unended(opened: Open) -> Exception:
    return complaint(f"Can't find end of {_NAMES[opened.kind]} entity at byte offset {opened.byte}")


def _mark(text: str, position: int, result: Result) -> int:
    """Begin or end an entity at a reserved character; where the text goes on."""
    inside = result.opened[-1].kind if result.opened else ""
    known = ("`",) if inside == "code" else ("```", "__", "||", "![", text[position])
    mark = next(each for each in known if text.startswith(each, position))
    if mark == "]" and inside in {"text_link", "custom_emoji"}:
        return _end(text, position, result)
    if mark not in _MARKS:
        raise complaint(f"Character '{text[position]}' is reserved and must be escaped with the preceding '\\'")
    if _MARKS[mark] == inside and _ENDS[mark] == mark:
        return _end(text, position, result)
    byte, position = byte_offset(text, position), position + len(mark)
    language = ""
    if mark == "```":
        language, position = _language(text, position)
    result.open(_MARKS[mark], byte, language)
    return position


def _language(text: str, position: int) -> tuple[str, int]:
    """What stands behind three back quotes, and where the text begins."""
    begun = _LANGUAGE.match(text, position)
    return (begun[1] or "", begun.end()) if begun else ("", position)


def _end(text: str, position: int, result: Result) -> int:
    last = result.opened[-1]
    if last.kind not in {"text_link", "custom_emoji"}:
        mark = next(mark for mark, kind in _MARKS.items() if kind == last.kind)
        result.close(**({"language": last.argument} if last.argument else {}))
        return position + len(mark)
    position += 1
    url, begins = result.since(last), position + 1
    if text.startswith("(", position):
        found = _ADDRESS.match(text, position)
        if found is None:
            raise complaint(f"Can't find end of a URL at byte offset {byte_offset(text, begins)}")
        url, position = re.sub(r"\\([\x01-\x7e])", r"\1", found[1]), found.end()
    elif last.kind == "custom_emoji":
        raise complaint("The entity must contain a tg://emoji or tg://time URL")
    if last.kind == "text_link":
        result.opened.pop()
        result.link(url, last.offset)
        return position
    special = _TIMES_AND_EMOJI.fullmatch(url)
    if special is None:
        raise complaint("Invalid tg://emoji or tg://time URL specified")
    if special[2]:
        last.kind = "date_time"
        result.close(unix_time=int(special[2]))
    else:
        result.close(custom_emoji_id=special[1])
    return position


def markdown(text: str, result: Result) -> None:
    """The old one: nothing nests, four characters are special."""
    position = 0
    while position < len(text):
        character = text[position]
        if character == "\\" and text[position + 1 : position + 2] in set("_*`["):
            position = _plain(text, position + 1, result)
        elif character not in "_*`[":
            position = _plain(text, position, result)
        else:
            position = _old_entity(text, position, result)


def _old_entity(text: str, start: int, result: Result) -> int:
    mark = "```" if text.startswith("```", start) else text[start]
    position, language, offset = start + len(mark), "", result.units
    if mark == "```":
        language, position = _language(text, position)
    end = text.find(_ENDS[mark], position)
    if end < 0:
        raise complaint(f"Can't find end of the entity starting at byte offset {byte_offset(text, start)}")
    inside = text[position:end]
    result.add(inside)
    position = end + len(_ENDS[mark])
    if mark == "[":
        found = re.compile(r"\(([^)]*)\)?").match(text, position)
        result.link(found[1] if found else inside, offset)
        return found.end() if found else position
    result.put(_MARKS[mark], offset, **({"language": language} if language else {}))
    return position
