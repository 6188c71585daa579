"""The scene line: the one machine-readable line that the language model ends an answer with.

    [scene] {"place": "...", "outfit": "...", "action": "...", "camera": "...", "atmosphere": "...", "visual": true}

The person never sees it, whatever shape the model gave it. A model that gives none still works: the
lasting scene goes on.
"""

import json
import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MARKER = "[scene]"
MAX_FIELD = 160
_FIELDS = ("place", "outfit", "action", "camera", "atmosphere", "visual")

# The marker as models vary it: bold, without brackets, "Scene:"; then a JSON object, possibly cut off.
_LINE = re.compile(
    r"^[ \t>*_`]*\[?\s*scene\s*\]?[*_`]*\s*[:\-–]?[*_`]*\s*(\{.*)$", re.IGNORECASE | re.DOTALL | re.MULTILINE
)
_BARE_MARKER = re.compile(r"^[ \t>*_`]*(?:\[\s*scene\s*\]|scene\s*:).*$", re.IGNORECASE | re.MULTILINE)
_BARE_JSON = re.compile(
    r"(?:```(?:json)?\s*)?(\{[^{}]*\"(?:place|outfit|camera|atmosphere)\"[^{}]*\}?)\s*(?:```)?\s*$", re.DOTALL
)


class Scene(BaseModel):
    """What can be seen, in English. Place, outfit and atmosphere last; action and camera are of one moment."""

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)

    place: str = Field("", max_length=MAX_FIELD)
    outfit: str = Field("", max_length=MAX_FIELD)
    action: str = Field("", max_length=MAX_FIELD)
    camera: str = Field("", max_length=MAX_FIELD)
    atmosphere: str = Field("", max_length=MAX_FIELD)
    visual: bool | None = None

    def after(self, earlier: "Scene") -> "Scene":
        """This scene, with what it leaves out taken from the lasting parts of the earlier one."""
        return self.model_copy(
            update={
                name: getattr(self, name) or getattr(earlier, name) for name in ("place", "outfit", "atmosphere")
            }
        )


def split_answer(raw: str) -> tuple[str, Scene | None]:
    """What the person reads, and the scene if the model gave a usable one."""
    # PostgreSQL takes no NUL character in a text.
    raw = raw.replace("\0", "")
    for pattern in (_LINE, _BARE_JSON):
        if found := pattern.search(raw):
            text = raw[: found.start()]
            return _clean(text), _parse(found.group(1))
    return _clean(raw), None


def _clean(text: str) -> str:
    return _BARE_MARKER.sub("", text).strip().removesuffix("```").rstrip()


def _parse(source: str) -> Scene | None:
    try:
        values, _ = json.JSONDecoder().raw_decode(source)
    except ValueError:
        return None
    if not isinstance(values, dict):
        return None
    try:
        return Scene.model_validate({name: _field(values[name]) for name in _FIELDS if name in values})
    except ValidationError:
        return None


def _field(value: Any) -> Any:
    return " ".join(value.replace("\0", "").split())[:MAX_FIELD] if isinstance(value, str) else value
