"""Personas as data: one TOML file each in `data/`. Adding one takes no code."""

import random
import tomllib
import zlib
from pathlib import Path
from typing import Annotated

import structlog
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from bot.personas.camera import Framing
from bot.personas.references import Reference, read
from bot.personas.scene import Scene
from generation.storage import reference_key
from generation.workflows.workflow import MOST_REFERENCES, reference_names

log = structlog.get_logger(__name__)

#: Seeds of one persona's family, which are enough for all her photos to differ.
SEEDS = 10_000

FOLDER = Path(__file__).parent / "data"

Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,23}$")]
#: Never a path: names come from our own files and go into a loader on another machine.
FileName = Annotated[str, Field(pattern=r"^[\w][\w .\-]{0,120}$")]
Line = Annotated[str, Field(min_length=1, max_length=1000)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class InLanguages(_Data):
    """A text in every language that the product speaks."""

    ru: Line
    en: Line

    def to(self, locale: str) -> str:
        """The text in a language; English where it is not Russian."""
        return self.ru if locale == "ru" else self.en


class Story(_Data):
    """Where a dialogue begins. `setting` is for the language model, in English."""

    title: InLanguages
    setting: Line
    opening: InLanguages
    scene: Scene


class Looks(_Data):
    """What stays the same in every photo, in English."""

    class Lora(_Data):
        """A LoRA of the persona's face, as a file in ComfyUI's models/loras."""

        file: FileName
        strength: Annotated[float, Field(ge=-2, le=2)] = 1.0

    person: Line
    style: Line
    negative: str = ""
    lora: Lora | None = None
    #: Pictures of the persona, as files beside this one: workflows that take references keep her face by them.
    references: Annotated[tuple[FileName, ...], Field(max_length=MOST_REFERENCES)] = ()
    #: First of the persona's own seeds: pictures of one family look alike.
    seed_family: Annotated[int, Field(ge=0, le=2**40)] | None = None

    _pictures: tuple[Reference, ...] = PrivateAttr(default=())
    _face_key: str | None = PrivateAttr(default=None)

    @property
    def pictures(self) -> tuple[Reference, ...]:
        """Her reference pictures, as they were read with her file."""
        return self._pictures

    @property
    def face_key(self) -> str | None:
        """Where the face lies in S3 that a person chose for a persona of their own."""
        return self._face_key

    @property
    def reference_keys(self) -> tuple[str, ...]:
        """Where the pictures lie in S3 that keep her face."""
        return (self._face_key,) if self._face_key else tuple(reference_key(each.name) for each in self._pictures)

    def inputs(self) -> dict[str, str | float]:
        """What her photos put into the workflow beside prompt and seed."""
        inputs: dict[str, str | float] = {}
        if self.lora:
            inputs |= {"lora_name": self.lora.file, "lora_strength": self.lora.strength}
        return inputs | dict(zip(reference_names(), self.reference_keys, strict=False))


class WorkflowChoice(_Data):
    """Which workflow draws her: `default`, or the first rule that fits story, atmosphere and framing."""

    class Rule(_Data):
        """A workflow, and for which photos it is; what is None fits all."""

        story: str | None = None
        atmosphere: str | None = None
        framing: Framing | None = None
        workflow: str

        def fits(self, story: str, atmosphere: str, framing: Framing) -> bool:
            """Whether everything that the rule names is so."""
            wanted = ((self.story, story), (self.atmosphere, atmosphere), (self.framing, framing))
            return all(mine in {None, theirs} for mine, theirs in wanted)

    default: str
    rules: tuple[Rule, ...] = ()

    def choose(self, story: str, atmosphere: str, framing: Framing) -> str:
        """The workflow of the first rule that fits, or the usual one."""
        fitting = (rule.workflow for rule in self.rules if rule.fits(story, atmosphere, framing))
        return next(fitting, self.default)

    @property
    def named(self) -> set[str]:
        """Every workflow that may be chosen."""
        return {self.default, *(rule.workflow for rule in self.rules)}


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
    #: How she says in her own words that a photo did not come out; one of them is drawn for each order.
    photo_failed: tuple[InLanguages, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _atmospheres_are_known(self) -> "Persona":
        for key, story in self.stories.items():
            if story.scene.atmosphere not in self.atmospheres:
                raise ValueError(f"story {key}: atmosphere {story.scene.atmosphere!r} is not among [atmospheres]")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Those that she goes by."""
        return tuple(dict.fromkeys((self.name.en, self.name.ru)))

    def story(self, key: str) -> Story:
        """A story by key; the first one where the key is gone from the file."""
        return self.stories.get(key) or next(iter(self.stories.values()))

    def workflow_for(self, story: str, atmosphere: str, framing: Framing) -> str:
        """The workflow by the table; a story or an atmosphere that the file does not have gets the default."""
        if story not in self.stories or atmosphere not in self.atmospheres:
            log.warning("persona.unknown_combination", persona=self.name.en, story=story, atmosphere=atmosphere)
            return self.workflow.default
        return self.workflow.choose(story, atmosphere, framing)

    def seed(self, rng: random.Random) -> int:
        """One of her own seeds."""
        family = self.looks.seed_family
        first = zlib.crc32(self.name.en.encode()) * SEEDS if family is None else family
        return first + rng.randrange(SEEDS)


class WrongPersona(SystemExit):
    """Stops the start with a sentence that names the file."""


def load_all(workflows: set[str], folder: Path = FOLDER) -> dict[str, Persona]:
    """Every persona by key, checked against the workflows there are. Raises WrongPersona."""
    personas = {path.stem: load(path) for path in sorted(folder.glob("*.toml"))}
    for key, persona in personas.items():
        if unknown := persona.workflow.named - workflows:
            raise WrongPersona(f"{key}.toml names a workflow that does not exist: {', '.join(sorted(unknown))}")
    return personas


def load(path: Path) -> Persona:
    """One persona with her pictures. Raises WrongPersona with a sentence that names the file."""
    try:
        persona = Persona.model_validate(tomllib.loads(path.read_text("utf-8")))
        persona.looks._pictures = tuple(read(path.with_name(name)) for name in persona.looks.references)
    except ValidationError as error:
        first = error.errors()[0]
        raise WrongPersona(f"{path.name}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    except (OSError, ValueError) as error:
        raise WrongPersona(f"{path.name}: {error}") from error
    return persona
