"""Personas as data: one TOML file each in `personas/`. Adding one takes no code."""

import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bot.scene import Scene
from generation.models import Orientation

FOLDER = Path(__file__).parent / "personas"

Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,23}$")]
Line = Annotated[str, Field(min_length=1, max_length=1000)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class InLanguages(_Data):
    """A text in every language that the product speaks."""

    ru: Line
    en: Line

    def to(self, locale: str) -> str:
        return self.ru if locale == "ru" else self.en


class Story(_Data):
    """Where a dialogue begins. `setting` is for the language model, in English."""

    title: InLanguages
    setting: Line
    opening: InLanguages
    scene: Scene


class Looks(_Data):
    """What stays the same in every photo, in English."""

    person: Line
    style: Line
    negative: str = ""


class WorkflowChoice(_Data):
    """Which workflow draws her: `default`, or the first rule that fits the story and the atmosphere."""

    class Rule(_Data):
        story: str | None = None
        atmosphere: str | None = None
        workflow: str

    default: str
    rules: tuple[Rule, ...] = ()

    def choose(self, story: str, atmosphere: str) -> str:
        for rule in self.rules:
            if rule.story in {None, story} and rule.atmosphere in {None, atmosphere}:
                return rule.workflow
        return self.default


class Persona(_Data):
    """One character. Always an adult: the age has a lower bound of 21, so that no look is in doubt."""

    name: InLanguages
    age: Annotated[int, Field(ge=21, le=99)]
    about: InLanguages
    character: Line
    atmospheres: tuple[str, ...] = Field(min_length=2)
    looks: Looks
    workflow: WorkflowChoice
    stories: dict[Key, Story] = Field(min_length=1)
    landscape_words: tuple[str, ...] = ("wide", "landscape", "panorama", "from afar", "full scene")

    @model_validator(mode="after")
    def _atmospheres_are_known(self) -> "Persona":
        for key, story in self.stories.items():
            if story.scene.atmosphere not in self.atmospheres:
                raise ValueError(f"story {key}: atmosphere {story.scene.atmosphere!r} is not among [atmospheres]")
        return self

    def story(self, key: str) -> Story:
        """A story by key; the first one where the key is gone from the file."""
        return self.stories.get(key) or next(iter(self.stories.values()))

    def orientation(self, camera: str) -> Orientation:
        wide = any(word in camera.lower() for word in self.landscape_words)
        return Orientation.LANDSCAPE if wide else Orientation.PORTRAIT


class WrongPersona(SystemExit):
    """Stops the start with a sentence that names the file."""


def load_all(workflows: set[str], folder: Path = FOLDER) -> dict[str, Persona]:
    """Every persona by key, checked against the workflows there are. Raises WrongPersona."""
    personas = {path.stem: _load(path) for path in sorted(folder.glob("*.toml"))}
    for key, persona in personas.items():
        named = {persona.workflow.default, *(rule.workflow for rule in persona.workflow.rules)}
        if unknown := named - workflows:
            raise WrongPersona(f"{key}.toml names a workflow that does not exist: {', '.join(sorted(unknown))}")
    return personas


def _load(path: Path) -> Persona:
    try:
        return Persona.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (ValueError, ValidationError) as error:
        raise WrongPersona(f"{path.name}: {error}") from error
