"""The prompt of a photo: the persona's fixed looks + the lasting scene + what happens now. English, bounded."""

from dataclasses import dataclass

from bot.persona import Persona
from bot.scene import Scene
from generation.models import Orientation

#: Always part of every prompt, whatever the model wrote.
DECENT = "adult, tasteful, fully clothed"
NEVER = "child, teenager, young-looking, nudity, text, watermark, deformed hands, extra fingers, low quality"


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoDescription:
    prompt: str
    negative_prompt: str
    workflow: str
    orientation: Orientation


def describe(persona: Persona, story: str, scene: Scene) -> PhotoDescription:
    """What to draw for this persona in this scene."""
    parts = (
        persona.looks.style,
        f"{persona.looks.person}, {persona.age} years old, {DECENT}",
        f"wearing {scene.outfit}" if scene.outfit else "",
        scene.action,
        scene.place,
        f"{scene.atmosphere} atmosphere" if scene.atmosphere else "",
        scene.camera,
    )
    return PhotoDescription(
        prompt=", ".join(part for part in parts if part),
        negative_prompt=", ".join(part for part in (persona.looks.negative, NEVER) if part),
        workflow=persona.workflow.choose(story, scene.atmosphere),
        orientation=persona.orientation(scene.camera),
    )
