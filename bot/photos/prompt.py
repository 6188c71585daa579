"""The prompt of a photo: fixed persona core + lasting scene + what happens now. English, bounded. Pure."""

import re
from dataclasses import dataclass, field

from bot.personas import camera
from bot.personas.persona import Persona
from bot.personas.scene import Scene
from generation.models import Orientation
from generation.runtime.plain_text import plain_text

#: Part of every prompt, whatever the model wrote and whatever the settings are.
ADULT = "adult"
DECENT = f"{ADULT}, tasteful, fully clothed"
NEVER = "child, teenager, young-looking, text, watermark, deformed hands, extra fingers, low quality"
NEVER_EXPLICIT = f"nudity, {NEVER}"

#: Characters of what comes from the language model; the persona's own part is as long as its file says.
MAX_SCENE = 900
#: What ComfyUI's text encoders read as more than words: weights, embeddings, LoRA tags, wildcards, paths.
_SYNTAX = re.compile(r"embedding\s*:|<[^>]*>|[()\[\]{}<>|\\/:;#*_^~`\"]|\bBREAK\b|\bAND\b")


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoDescription:
    """What a photo order says of the picture: prompts, workflow, its further inputs, orientation."""

    prompt: str
    negative_prompt: str
    workflow: str
    orientation: Orientation
    inputs: dict[str, str | float] = field(default_factory=dict)


def describe(persona: Persona, story: str, scene: Scene, *, explicit_allowed: bool = False) -> PhotoDescription:
    """What to draw for this persona in this scene."""
    looks = persona.looks
    manner = ADULT if explicit_allowed else DECENT
    never = NEVER if explicit_allowed else NEVER_EXPLICIT
    now = (
        f"wearing {scene.outfit}" if scene.outfit else "",
        scene.action,
        f"{scene.mood} expression" if scene.mood else "",
        scene.place,
        scene.light,
        f"{scene.atmosphere} atmosphere" if scene.atmosphere else "",
        scene.camera,
    )
    said = ", ".join(part for part in map(clean, now) if part)[:MAX_SCENE]
    return PhotoDescription(
        prompt=", ".join((looks.style, f"{looks.person}, {persona.age} years old, {manner}", said)).rstrip(", "),
        negative_prompt=", ".join(part for part in (looks.negative, never) if part),
        workflow=persona.workflow_for(story, scene.atmosphere, camera.framing(scene.camera)),
        orientation=camera.orientation(scene.camera),
        inputs=looks.inputs(),
    )


def portrait(persona: Persona) -> str:
    """Her looks alone, as she would be photographed for a passport that people like."""
    looks = persona.looks
    said = clean("portrait, head and shoulders, looking at the camera, plain light background, soft daylight")
    return f"{looks.style}, {looks.person}, {persona.age} years old, {DECENT}, {said}"


def clean(words: str) -> str:
    """Plain words: nothing that the image model's text encoder would take for an instruction."""
    return " ".join(_SYNTAX.sub(" ", plain_text(words)).split()).strip(" ,.")
