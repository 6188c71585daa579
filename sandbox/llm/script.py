"""The script that the stand-in plays from: what to say to what, and which scene goes with it."""

import json
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "scripts"

Messages = list[dict[str, Any]]

_CYRILLIC = re.compile(r"[а-яё]", re.IGNORECASE)
_MARKER = re.compile(r"^(\[\w+\]) \{\"place\"", re.MULTILINE)
_OBJECT = "one JSON object, with reply and scene"
#: Where notes and the person's words are in one message (`bot.llm.profiles.FOLDED`).
_FOLDED = "[The person writes:]\n"
_ATMOSPHERES = re.compile(r"atmosphere is one of: ([^.\n]+)")
_SCENE_SO_FAR = re.compile(r"The scene so far: (\{.*\})")


@dataclass(frozen=True, slots=True)
class Reply:
    """What is said, and the scene line after it (empty when none was asked for)."""

    text: str
    scene_line: str
    #: Said to a person by the persona, and not noted for later.
    spoken: bool = True
    #: The same as the line says, where an object is asked for.
    scene: dict[str, Any] = field(default_factory=dict)


class Script:
    """Both languages, read once. The same conversation always gets the same answer."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._topics: dict[str, list[dict[str, Any]]] = {
            path.stem: tomllib.loads(path.read_text("utf-8"))["topics"] for path in sorted(folder.glob("*.toml"))
        }

    def reply(self, messages: Messages) -> Reply:
        """The answer to the last thing the person said, in the person's language."""
        # Some servers have no system messages: what they would say stands in front of the person's words.
        system = "\n".join(_text(message["content"]) for message in messages if message["role"] != "assistant")
        said = [_text(message["content"]) for message in messages if message["role"] == "user"]
        last = said[-1].rpartition(_FOLDED)[2] if said else ""
        locale = "ru" if _CYRILLIC.search(last) else "en"
        if last.startswith("[The person sent") and "answer in Russian" in system:
            locale = "ru"
        if "Summarise this dialogue" in system:
            return Reply(_summary(last, locale), "", spoken=False)
        if "List lasting facts" in system:
            return Reply(json.dumps(_facts(last, system), ensure_ascii=False), "", spoken=False)
        if "Translate the description" in system:
            return Reply(_looks(last), "", spoken=False)
        lines = self._lines(last, locale)
        # An answer that was not liked is followed by the next one of the script.
        answered = sum(message["role"] == "assistant" for message in messages) + ("was not liked" in system)
        answered += "just said this before" in system
        line = lines[answered % len(lines)]
        scene = _scene(line, system)
        marker = _MARKER.search(system)
        told = f"{marker.group(1)} {json.dumps(scene, ensure_ascii=False)}" if marker else ""
        return Reply(line["text"], told, scene=scene if asks_for_object(messages) else {})

    def _lines(self, text: str, locale: str) -> list[dict[str, Any]]:
        heard = f"{text.lower()} "
        topics = self._topics[locale]
        topic = next(topic for topic in topics if any(word in heard for word in topic["words"]))
        lines: list[dict[str, Any]] = topic["lines"]
        return lines


def asks_for_object(messages: Messages) -> bool:
    """Whether words and scene are wanted as one JSON object."""
    return any(_OBJECT in _text(message["content"]) for message in messages)


def _scene(line: dict[str, Any], system: str) -> dict[str, Any]:
    """What the instructions ask for; the lasting parts stay unless the script changes them."""
    so_far = _SCENE_SO_FAR.search(system)
    scene: dict[str, Any] = json.loads(so_far.group(1)) if so_far else {}
    scene |= {name: line[name] for name in ("place", "outfit") if name in line}
    known = _ATMOSPHERES.search(system)
    atmospheres = known.group(1).split(", ") if known else []
    scene["atmosphere"] = next(
        (mood for mood in line.get("atmosphere", []) if mood in atmospheres), scene.get("atmosphere", "")
    )
    scene["action"] = line.get("action", "listening with a smile")
    scene["camera"] = line.get("camera", "medium shot, eye level")
    scene["mood"] = line.get("mood", "warm smile")
    scene["visual"] = line["visual"]
    scene["asked"] = line.get("asked", False)
    scene["promised"] = line.get("promised", False)
    return scene


def _text(content: str | list[dict[str, Any]]) -> str:
    """A message's words, where a picture goes along as well."""
    return content if isinstance(content, str) else next(part["text"] for part in content if "text" in part)


#: What a person tells of themselves, as the stand-in notices it.
_TOLD = (
    re.compile(r"меня зовут\s+[^.,!?\n]{2,40}", re.IGNORECASE),
    re.compile(r"\bя (?:работаю|живу|люблю|учусь)\s+[^.,!?\n]{2,60}", re.IGNORECASE),
    re.compile(r"у меня (?:есть\s+)?(?:кот|кошка|собака|сестра|брат)[^.,!?\n]{0,60}", re.IGNORECASE),
    re.compile(r"\bmy name is\s+[^.,!?\n]{2,40}", re.IGNORECASE),
    re.compile(r"\bi (?:work|live|love|study)\s+[^.,!?\n]{2,60}", re.IGNORECASE),
    re.compile(r"\bi have (?:a|two) (?:cat|dog|sister|brother)s?[^.,!?\n]{0,60}", re.IGNORECASE),
)
_KNOWN = re.compile(r"Known already: (\[.*\])", re.DOTALL)


def _facts(dialogue: str, system: str) -> list[str]:
    known = _KNOWN.search(system)
    before = set(json.loads(known.group(1))) if known else set()
    told = [line.removeprefix("Person: ") for line in dialogue.splitlines() if line.startswith("Person: ")]
    found = [match.group(0).strip() for line in told for pattern in _TOLD for match in pattern.finditer(line)]
    return list(dict.fromkeys(fact for fact in found if fact not in before))


#: Enough Russian for the looks that people of the examples have.
_ENGLISH = {
    "рыж": "red hair", "светл": "fair hair", "блонд": "blond hair", "тёмн": "dark hair", "темн": "dark hair",
    "каштан": "chestnut hair", "длинн": "long hair", "корот": "short hair", "кудр": "curly hair",
    "зелён": "green eyes", "зелен": "green eyes", "голуб": "blue eyes", "кари": "brown eyes", "веснуш": "freckles",
    "очк": "glasses", "бород": "beard", "высок": "tall", "стройн": "slender", "улыб": "warm smile",
    "платье": "summer dress", "пальто": "long coat", "свитер": "knitted sweater", "джинс": "jeans",
}  # fmt: skip


def _looks(description: str) -> str:
    heard = description.lower()
    return (
        ", ".join(dict.fromkeys(english for stem, english in _ENGLISH.items() if stem in heard)) or "adult, casual"
    )


def _summary(dialogue: str, locale: str) -> str:
    """A stand-in's summary: the first words of what the person said."""
    said = [line.removeprefix("Person: ")[:60] for line in dialogue.splitlines() if line.startswith("Person: ")]
    earlier = re.search(r"Summary so far:\n(.*?)\n\n", dialogue, re.DOTALL)
    opening = "Собеседник говорил" if locale == "ru" else "The person said"
    return "; ".join(filter(None, (earlier and earlier.group(1)[:300], f"{opening}: {' / '.join(said[:8])}")))
