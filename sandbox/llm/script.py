"""The script that the stand-in plays from: what to say to what, and which scene goes with it."""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "scripts"

Messages = list[dict[str, Any]]

_CYRILLIC = re.compile(r"[а-яё]", re.IGNORECASE)
_MARKER = re.compile(r"^(\[\w+\]) \{\"place\"", re.MULTILINE)
_ATMOSPHERES = re.compile(r"atmosphere is one of: ([^.\n]+)")
_SCENE_SO_FAR = re.compile(r"The scene so far: (\{.*\})")


@dataclass(frozen=True, slots=True)
class Reply:
    """What is said, and the scene line after it (empty when none was asked for)."""

    text: str
    scene_line: str


class Script:
    """Both languages, read once. The same conversation always gets the same answer."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._topics: dict[str, list[dict[str, Any]]] = {
            path.stem: tomllib.loads(path.read_text("utf-8"))["topics"] for path in sorted(folder.glob("*.toml"))
        }

    def reply(self, messages: Messages) -> Reply:
        """The answer to the last thing the person said, in the person's language."""
        system = "\n".join(message["content"] for message in messages if message["role"] == "system")
        said = [message["content"] for message in messages if message["role"] == "user"]
        last = said[-1] if said else ""
        locale = "ru" if _CYRILLIC.search(last) else "en"
        if system.startswith("Summarise"):
            return Reply(_summary(last, locale), "")
        lines = self._lines(last, locale)
        answered = sum(message["role"] == "assistant" for message in messages)
        line = lines[answered % len(lines)]
        return Reply(line["text"], _scene_line(line, system))

    def _lines(self, text: str, locale: str) -> list[dict[str, Any]]:
        heard = f"{text.lower()} "
        topics = self._topics[locale]
        topic = next(topic for topic in topics if any(word in heard for word in topic["words"]))
        lines: list[dict[str, Any]] = topic["lines"]
        return lines


def _scene_line(line: dict[str, Any], system: str) -> str:
    """The line that the instructions ask for; the lasting parts stay unless the script changes them."""
    marker, so_far = _MARKER.search(system), _SCENE_SO_FAR.search(system)
    if marker is None:
        return ""
    scene: dict[str, Any] = json.loads(so_far.group(1)) if so_far else {}
    scene |= {name: line[name] for name in ("place", "outfit") if name in line}
    known = _ATMOSPHERES.search(system)
    atmospheres = known.group(1).split(", ") if known else []
    scene["atmosphere"] = next(
        (mood for mood in line.get("atmosphere", []) if mood in atmospheres), scene.get("atmosphere", "")
    )
    scene["action"] = line.get("action", "listening with a smile")
    scene["camera"] = line.get("camera", "medium shot, eye level")
    scene["visual"] = line["visual"]
    return f"{marker.group(1)} {json.dumps(scene, ensure_ascii=False)}"


def _summary(dialogue: str, locale: str) -> str:
    """A stand-in's summary: the first words of what the person said."""
    said = [line.removeprefix("Person: ")[:60] for line in dialogue.splitlines() if line.startswith("Person: ")]
    earlier = re.search(r"Summary so far:\n(.*?)\n\n", dialogue, re.DOTALL)
    opening = "Собеседник говорил" if locale == "ru" else "The person said"
    return "; ".join(filter(None, (earlier and earlier.group(1)[:300], f"{opening}: {' / '.join(said[:8])}")))
