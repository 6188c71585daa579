"""The scene line: the one machine-readable line that the language model ends an answer with.

    [scene] {"place": "...", "outfit": "...", "light": "...", "atmosphere": "...",
             "action": "...", "camera": "...", "mood": "...", "visual": true, "asked": false, "promised": false}

(in one line). The person never sees it, whatever shape the model gave it (`bot.personas.speech`). A model that
gives none still works: the lasting scene goes on, and what the text itself shows takes its place
(`bot.chat.scene_continuity`).
"""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

from generation.runtime.plain_text import plain_text

MARKER = "[scene]"
MAX_FIELD = 160
LASTING = ("place", "outfit", "light", "atmosphere")
_TEXTS = (*LASTING, "action", "camera", "mood")
#: What the model says of its turn, and never of a moment that lasts.
OF_THE_TURN = ("visual", "asked", "promised")
_FLAG = {"true": True, "yes": True, "да": True, "false": False, "no": False, "нет": False}

#: Asked of servers that keep to a schema: the words first, so that they can be shown while they are written.
ANSWER_SCHEMA: Mapping[str, Any] = {
    "type": "json_schema",
    "json_schema": {
        "name": "answer",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {
                "reply": {"type": "string"},
                "scene": {
                    "type": "object",
                    "properties": {
                        **{name: {"type": "string"} for name in _TEXTS},
                        **{name: {"type": "boolean"} for name in OF_THE_TURN},
                    },
                    "required": [*_TEXTS, *OF_THE_TURN],
                    "additionalProperties": False,
                },
            },
            "required": ["reply", "scene"],
            "additionalProperties": False,
        },
    },
}

#: An answer is cut here before anything looks at it; Telegram would need five messages for more.
MAX_ANSWER = 20_000


#: A part of a scene. Cut and never refused: a stored scene that cannot be read would end its dialogue.
Words = Annotated[str, AfterValidator(lambda words: words[:MAX_FIELD])]


class Scene(BaseModel):
    """What can be seen, in English. Place, outfit, light and atmosphere last; the rest is of one moment."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)

    place: Words = ""
    outfit: Words = ""
    light: Words = ""
    atmosphere: Words = ""
    action: Words = ""
    camera: Words = ""
    mood: Words = ""
    #: Whether the answer shows something; whether the person asked for a photo; whether the answer promises one.
    visual: bool | None = None
    asked: bool | None = None
    promised: bool | None = None

    def lasting(self) -> dict[str, str]:
        """What stays until the talk changes it."""
        return self.model_dump(include=set(LASTING))


def scene_of(values: Mapping[str, Any]) -> Scene | None:
    """The scene that a model named; None when nothing of it is usable."""
    words = {name: " ".join(plain_text(values[name]).split()) for name in _TEXTS if _is_text(values.get(name))}
    flags = {name: _FLAG.get(str(values.get(name)).lower()) for name in OF_THE_TURN}
    # A part that is no text (null, a list) costs that part and not the rest.
    return Scene(**words, **flags) if words or flags["visual"] is not None else None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())
