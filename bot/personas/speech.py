"""What a language model wrote, taken apart: the words that a person reads, and the scene that it named.

Models and servers leave all sorts of machinery in a text: thoughts, chat template tokens, tool calls, labels of who
speaks, talk that they invent for the person, the scene line in any shape and place. All of it is taken out here and
nowhere else, before anything is shown, stored, judged or sent.

The same function reads whole answers and partial ones (`is_whole=False`), so it does not matter in which pieces an
answer came. Of a partial text everything is held back that may yet turn out to be machinery.
"""

import ast
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.personas.scene import MAX_ANSWER, Scene, scene_of
from generation.runtime.plain_text import plain_text


@dataclass(frozen=True, slots=True)
class Speech:
    """The words, and the scene if the model gave a usable one."""

    words: str
    scene: Scene | None = None


#: Keys under which models put their words when they answer with an object, and the scene.
_WORDS_OF = ("reply", "answer", "text", "message", "response", "content", "ответ", "текст", "реплика", "сообщение")
_SCENE_OF = ("scene", "сцена")

# -- thoughts, templates, tools: every repetition is bounded, so that no text makes it slow ----------------

_THOUGHT = r"think(?:ing)?|thoughts?|reason(?:ing)?|reflection|analysis|размышлени[ея]|мысл[иь]"
_THOUGHTS = re.compile(
    rf"<\s?({_THOUGHT})\b[^>\n]{{0,80}}>.*?(?:<\s?/\s?(?:{_THOUGHT})\s?>|\Z)"
    rf"|\[({_THOUGHT})\].*?(?:\[/(?:{_THOUGHT})\]|\Z)"
    r"|◁think▷.*?(?:◁/think▷|\Z)"
    # gpt-oss: everything but the final channel.
    r"|<\|channel\|>\s{0,3}(?:analysis|commentary)\b.*?(?=<\|channel\|>\s{0,3}final|<\|start\|>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
#: A thought whose beginning the server has swallowed.
_END_OF_THOUGHT = re.compile(rf"<\s?/\s?(?:{_THOUGHT})\s?>|\[/(?:{_THOUGHT})\]|◁/think▷", re.IGNORECASE)
_TOOL = r"tool_calls?|tool_response|function_calls?|function|tool|invoke|tools"
_TOOLS = re.compile(
    rf"<\s?({_TOOL})\b[^>\n]{{0,200}}>.*?(?:<\s?/\s?(?:{_TOOL})\s?>|\Z)|\[TOOL_CALLS\].*",
    re.IGNORECASE | re.DOTALL,
)
_TEMPLATE = re.compile(
    r"<\|[a-z0-9_ ]{1,40}\|>|<\uff5c[^\uff5c\n]{1,40}\uff5c>|</?s>|\[/?INST\]|<</?SYS>>"
    r"|<(?:start|end)_of_turn>|<(?:bos|eos|pad)>|<\|im_(?:start|end)\b\|?>?|\[/?(?:SYSTEM_PROMPT|ASSISTANT|USER|AVAILABLE_TOOLS)\]",
    re.IGNORECASE,
)
#: The name of a role or channel whose end is still to come.
_BEGUN_ROLE = re.compile(
    r"(?:<\|(?:im_start|start|start_header_id|channel)\|>|<start_of_turn>)\s{0,3}\w{0,12}(?:<[|\w]{0,16})?\Z",
    re.IGNORECASE,
)
#: Between a template's tokens, never anybody's words.
_ROLE_LINE = re.compile(r"\A\s{0,9}(?:assistant|model|final|bot)\s{0,3}(?:\n|:|(?=<\|)|\Z)", re.IGNORECASE)

_IMAGE = re.compile(r"!\[[^\]\n]{0,200}\]\([^)\s]{0,500}\)")
_OUT_OF_CHARACTER = re.compile(
    r"\(\s?OOC\b[^)\n]{0,600}(?:\)|$)|\[\s?OOC\b[^\]\n]{0,600}(?:\]|$)|\(\([^()\n]{0,600}\)\)|^OOC\s?:[^\n]*$",
    re.IGNORECASE | re.MULTILINE,
)
_AS_A_MODEL = re.compile(
    r"(?:as|i(?:'|’)?m|i am|being)\s(?:only\s|just\s)?an?\s"
    r"(?:ai|artificial intelligence|large language model|language model|chatbot|virtual assistant)\b"
    r"|(?:как|я(?:\s—|\s-)?|будучи)\s(?:всего лишь\s|просто\s)?(?:ии\b|искусственный интеллект"
    r"|языков\w{2,3} модел\w{1,3}|нейросет\w{1,3}|чат-?бот\w{0,3}|виртуальн\w{2,3} (?:ассистент|помощник)\w{0,3})",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?…\n]*(?:[.!?…]+[\"'»”)]*\s*|\n+|\Z)")
#: What no Russian answer is written in, and Chinese models slip into one.
_OTHER_SCRIPT = re.compile(
    r"[ \t]*[\u0590-\u06ff\u0900-\u0dff\u0e00-\u0eff\u1100-\u11ff"
    r"\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uff01-\uff1f]+"
)
_CYRILLIC = re.compile(r"[а-яё]", re.IGNORECASE)

# -- who speaks ------------------------------------------------------------------------------------------

_ROLES_OF_MODEL = (
    "assistant",
    "ассистент",
    "ai",
    "bot",
    "бот",
    "persona",
    "персонаж",
    "character",
    "model",
    "char",
)
_ROLES_OF_PERSON = (
    "user", "human", "person", "the person", "the person writes", "пользователь", "человек", "собеседник", "юзер",
)  # fmt: skip
#: The marks between notes and words of one message (`bot.llm.profiles.FOLDED`), which small models repeat.
_FOLDS = re.compile(r"\[(?:The person writes:|Notes for you\b)[^\]\n]{0,60}\]?.*", re.IGNORECASE | re.DOTALL)

# -- the scene -------------------------------------------------------------------------------------------

_NAME = "scene|сцена"
_COLON = r"[*_`]{0,4}[ \t]{0,3}[:\-–]?[*_`]{0,4}"
_MARKER = re.compile(
    rf"(?:^|(?<=[\s.!?…»\"')*]))[>*_`#]{{0,6}}[ \t]{{0,3}}"
    rf"(?:[\[<(]\s{{0,3}}/?(?:{_NAME})\s{{0,3}}[\]>):]|#{{1,6}}[ \t]{{0,3}}(?:{_NAME})\b){_COLON}"
    rf"|^[ \t>*_`]{{0,8}}(?:{_NAME})(?=[*_`]{{0,4}}[ \t]{{0,3}}[:{{]){_COLON}",
    re.IGNORECASE | re.MULTILINE,
)
#: Names of the parts, as models write them, and what they are called here.
FIELDS = {
    **{name: name for name in ("place", "outfit", "light", "atmosphere", "action", "camera", "mood")},
    **{name: name for name in ("visual", "asked", "promised")},
    "location": "place", "setting": "place", "clothes": "outfit", "clothing": "outfit", "lighting": "light",
    "pose": "action", "expression": "mood", "emotion": "mood",
    "место": "place", "локация": "place", "одежда": "outfit", "наряд": "outfit", "образ": "outfit",
    "свет": "light", "освещение": "light", "атмосфера": "atmosphere", "действие": "action", "поза": "action",
    "камера": "camera", "ракурс": "camera", "кадр": "camera", "настроение": "mood", "выражение": "mood",
    "видно": "visual", "визуально": "visual", "просят": "asked", "попросили": "asked", "обещано": "promised",
}  # fmt: skip
_FIELD = "|".join(sorted(FIELDS, key=len, reverse=True))
#: `place: kitchen`, alone in its line.
_FIELD_LINE = re.compile(
    rf"^[ \t>*_`\-•]{{0,8}}({_FIELD})[*_`]{{0,4}}\s{{0,3}}[:=][*_`]{{0,4}}[ \t]{{0,3}}(.*)$", re.IGNORECASE
)
#: The first part of an object.
_FIRST_FIELD = re.compile(rf"\s{{0,9}}[\"']?({_FIELD})\b[\"']?\s{{0,3}}:", re.IGNORECASE)
#: A marker that was cut by length.
_CUT = "s|sc|sce|scen|scene|с|сц|сце|сцен|сцена"
_CUT_MARKER = re.compile(rf"(?:\n[ \t]*[\[<(#*`>]{{1,6}}\s?(?:{_CUT})?|\s*[\[<(]\s?(?:{_CUT}))\Z", re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[a-zA-Z]{0,12}[ \t]*$", re.MULTILINE)
#: Lines that may become machinery: of a partial text they are held back.
_MAY_BECOME = re.compile(r"(?:^|[\s.!?…»\"')*])[>*_`#]{0,6}(?:[\[<({`#◁]|!\[)[^\n]*\Z", re.MULTILINE)


def read(raw: str, *, names: Sequence[str] = (), is_whole: bool = True) -> Speech:
    """Words and scene. `names` are those that the persona goes by; `is_whole`: nothing more will come."""
    text = _without_machinery(plain_text(raw[:MAX_ANSWER]))
    if answered := _object_answer(text, is_whole=is_whole):
        words, scene = answered
        words = _spoken(words, names)
        return Speech(_tidied(words if is_whole else _held_back(words, names), is_whole=is_whole), scene)
    text, found = _without_scenes(text)
    text = _spoken(text, names)
    if not is_whole:
        text = _held_back(text, names)
    return Speech(_tidied(text, is_whole=is_whole), next((each for each in reversed(found) if each), None))


def split_answer(raw: str, names: Sequence[str] = ()) -> tuple[str, Scene | None]:
    """`read` of a whole answer, as a pair."""
    speech = read(raw, names=names)
    return speech.words, speech.scene


def showable(raw: str, names: Sequence[str] = ()) -> str:
    """Of a text that is still being written: the words that surely are words."""
    return read(raw, names=names, is_whole=False).words


def machine_free(raw: str) -> str:
    """A text without thoughts and template tokens: for answers that are no speech (a summary, a list of facts)."""
    return _without_machinery(plain_text(raw[:MAX_ANSWER])).strip()


def _without_machinery(text: str) -> str:
    text = _BEGUN_ROLE.sub("", text)
    text = _THOUGHTS.sub("", text)
    if ended := list(_END_OF_THOUGHT.finditer(text)):
        text = text[ended[-1].end() :]
    text = _TOOLS.sub("", text)
    # What stands before the first words is the template's head; what comes after a token behind them is not hers.
    while True:
        text = text.lstrip()
        if head := (_TEMPLATE.match(text) or _ROLE_LINE.match(text)):
            text = text[head.end() :]
            continue
        break
    if tail := _TEMPLATE.search(text):
        text = text[: tail.start()]
    return _IMAGE.sub("", text)


def whole_sentences(words: str) -> str:
    """The words of an answer that was cut off, up to the end of their last sentence; empty when none has ended."""
    ends = list(re.finditer(r"[.!?…]+[\"'»”)]*(?=\s|\Z)|(?<=\S)\n", words))
    return words[: ends[-1].end()].strip() if ends else ""


# -- an object instead of words --------------------------------------------------------------------------


#: An object whose first value are the words, and that value as far as it goes.
_BEGUN_WORDS = re.compile(
    rf"\{{\s{{0,20}}[\"'](?:{'|'.join(_WORDS_OF)})[\"']\s{{0,9}}:\s{{0,9}}\"((?:[^\"\\]|\\.)*)",
    re.IGNORECASE | re.DOTALL,
)
_HALF_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")


def _begun_string(text: str) -> str:
    """A JSON string that may lack its end."""
    try:
        return plain_text(str(json.loads(f'"{_HALF_ESCAPE.sub("", text)}"', strict=False)))
    except ValueError:
        return text


def _object_answer(text: str, *, is_whole: bool) -> tuple[str, Scene | None] | None:
    """The words and the scene of an answer that is one object with both; None when it is no such thing."""
    bare = _FENCE.sub("", text).strip()
    if not bare.startswith("{"):
        return None
    values, end = _object(bare, 0)
    if not values:
        # Not ended yet, or cut off: the words may be there all the same.
        begun = _BEGUN_WORDS.match(bare)
        if begun:
            return _without_scenes(_begun_string(begun[1]))[0], None
        return None if is_whole else ("", None)
    keys = {str(key).strip().lower(): value for key, value in values.items()}
    words = next((keys[key] for key in _WORDS_OF if isinstance(keys.get(key), str)), None)
    if words is None:
        return None
    inner = next((keys[key] for key in _SCENE_OF if isinstance(keys.get(key), dict)), keys)
    # The words may hold a scene line as well.
    spoken, found = _without_scenes(words)
    rest = bare[end:].strip()
    scene = _scene(inner) or next((each for each in found if each), None)
    return (f"{spoken}\n{rest}" if rest and "{" not in rest else spoken), scene


def _object(text: str, start: int) -> tuple[dict[str, Any] | None, int]:
    """A JSON object or a Python one that begins at `start`, and where it ends; None when it does not end."""
    try:
        values, end = json.JSONDecoder(strict=False).raw_decode(text[start:])
        return (values if isinstance(values, dict) else None), start + end
    except (ValueError, RecursionError):
        pass
    closed = _closing(text, start)
    if closed is None:
        return None, len(text)
    end = closed
    try:
        values = ast.literal_eval(text[start:end])
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return {}, end
    return (values if isinstance(values, dict) else {}), end


#: Strings of an object, and the braces outside them.
_STRING_OR_BRACE = re.compile(
    r"""  "(?:\\.|[^"\\])*"  |  (?<![^\W\d_])'(?:\\.|[^'\\])*'  |  [{}]  """, re.DOTALL | re.VERBOSE
)


def _closing(text: str, start: int) -> int | None:
    """Behind the brace that closes the one at `start`; braces inside quotes do not count."""
    depth = 0
    for found in _STRING_OR_BRACE.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if not depth:
            return found.end()
    return None


# -- the scene's line, wherever it is --------------------------------------------------------------------


def _without_scenes(text: str) -> tuple[str, list[Scene | None]]:
    found: list[Scene | None] = []
    while (marker := _MARKER.search(text)) and len(found) < 20:
        end, scene = _marked(text, marker.end())
        found.append(scene)
        text = _joined(text[: marker.start()], text[end:])
    # No marker, but an object with a scene's fields.
    start = -1
    while (start := text.find("{", start + 1)) >= 0 and len(found) < 20:
        if not _FIRST_FIELD.match(text, start + 1):
            continue
        values, end = _object(text, start)
        found.append(_scene(values or {}))
        text = _joined(text[:start], text[end:])
        start = -1
    text, lines = _without_field_lines(text)
    if lines:
        found.append(_scene(lines))
    return text, found


def _marked(text: str, start: int) -> tuple[int, Scene | None]:
    """Where what belongs to a marker ends, and the scene in it."""
    gap = re.compile(r"[\s`]*(?:json)?[\s`]*").match(text, start)
    at = gap.end() if gap else start
    if text[at : at + 1] == "{":
        values, end = _object(text, at)
        return end, _scene(values or {})
    line_end = text.find("\n", start)
    line_end = len(text) if line_end < 0 else line_end
    fields: dict[str, str] = {}
    # The fields in lines of their own.
    while field := _FIELD_LINE.match(text[line_end + 1 :].partition("\n")[0]):
        fields[FIELDS[field[1].lower()]] = field[2]
        line_end += 1 + len(field[0])
    return min(line_end, len(text)), _scene(fields)


def _without_field_lines(text: str) -> tuple[str, dict[str, str]]:
    """Without a block of `place: ...` lines; two in a row are no coincidence."""
    lines = text.split("\n")
    fields = [_FIELD_LINE.match(line) for line in lines]
    neighbours = zip([None, *fields[:-1]], [*fields[1:], None], strict=True)
    inside = [bool(field and (before or after)) for field, (before, after) in zip(fields, neighbours, strict=True)]
    if not any(inside):
        return text, {}
    found = {
        FIELDS[field[1].lower()]: field[2].strip() for field, it in zip(fields, inside, strict=True) if field and it
    }
    return "\n".join(line for line, it in zip(lines, inside, strict=True) if not it), found


def _joined(before: str, after: str) -> str:
    """Words on both sides of what was taken out; a rest of its line that is no sentence goes with it."""
    line, newline, following = after.partition("\n")
    line = re.sub(rf"</(?:{_NAME})>|[}}\]]{{1,3}}(?=\s|$)", "", line, flags=re.IGNORECASE).strip(" \t`")
    if before.strip() and line and not re.search(r"^[A-ZА-ЯЁ\"«—–*]|[.!?…]", line):
        line = ""
    parts = (before.rstrip(" \t\n`_>#"), line, following.strip("\n") if newline else "")
    return "\n".join(part for part in parts if part.strip())


def _scene(values: dict[str, Any]) -> Scene | None:
    named = {FIELDS.get(str(key).strip().lower(), ""): value for key, value in values.items()}
    return scene_of(named)


# -- who speaks, and who does not ------------------------------------------------------------------------


def _spoken(text: str, names: Sequence[str]) -> str:
    text = _FOLDS.sub("", _OUT_OF_CHARACTER.sub("", text))
    hers = _label((*names, *_ROLES_OF_MODEL))
    theirs = _label(_ROLES_OF_PERSON)
    text = text.lstrip()
    while label := hers.match(text):
        text = text[label.end() :].lstrip()
    # From where the model goes on for the person, nothing is hers any more.
    if label := theirs.search(text):
        text = text[: label.start()]
    return hers.sub("", text)


def _label(names: Sequence[str]) -> re.Pattern[str]:
    """`Alisa:`, `**Alisa**:`, `[Alisa]:` at the beginning of a line."""
    of = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(
        rf"^[ \t]{{0,3}}[*_\[(<]{{0,3}}(?:{of})[*_\])>]{{0,3}}\s?[:：][*_]{{0,3}}[ \t]{{0,3}}",
        re.IGNORECASE | re.MULTILINE,
    )


def _held_back(text: str, names: Sequence[str]) -> str:
    """A partial text without an end that may become something else than words."""
    text = _MAY_BECOME.sub("", text)
    lines = text.split("\n")
    # A label is one only with its colon.
    begun = lines[-1].strip(" \t*_[(<>`#-•").lower()
    labels = (*names, *_ROLES_OF_MODEL, *_ROLES_OF_PERSON, *FIELDS, *_SCENE_OF)
    if begun and any(label.lower().startswith(begun) for label in labels):
        lines.pop()
    # One line of a scene's parts may be the first of several.
    while lines and (_FIELD_LINE.match(lines[-1]) or not lines[-1].strip(" \t>*_`#-•")):
        lines.pop()
    return "\n".join(lines).rstrip(" \t>*_`#-•")


# -- the last touches ------------------------------------------------------------------------------------


def _tidied(text: str, *, is_whole: bool) -> str:
    text = _FENCE.sub("", text)
    if _AS_A_MODEL.search(text):
        text = "".join(each for each in _SENTENCE.findall(text) if not _AS_A_MODEL.search(each))
    if len(_CYRILLIC.findall(text)) > len(text) / 3:
        text = _OTHER_SCRIPT.sub("", text)
    if is_whole:
        text = _CUT_MARKER.sub("", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()
