"""Everybody a person can talk to: the personas of the files, and those that the person wrote."""

import tomllib
from pathlib import Path
from typing import Annotated, Any

import structlog
from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import OwnPersona
from bot.personas.persona import Line, Persona

log = structlog.get_logger(__name__)

OWN = "own_"
TEMPLATE = Path(__file__).with_name("own_persona.toml")
FACES: TypeAdapter[tuple[str, ...]] = TypeAdapter(Annotated[tuple[Line, ...], Field(min_length=1)])
#: Characters of a persona's description in the gallery.
MAX_ABOUT = 160


class PersonaCatalog:
    """Read once at the start. One per process, built by `bot.app`."""

    def __init__(self, personas: dict[str, Persona], template: Path = TEMPLATE) -> None:
        self._personas = personas
        read = tomllib.loads(template.read_text("utf-8"))
        #: What tells one candidate face from another, in English.
        self.faces = FACES.validate_python(read.pop("faces"))
        self._template = read

    def replace(self, personas: dict[str, Persona]) -> None:
        """Use other personas from now on. Whoever talks with one that is gone is told so by the gallery."""
        self._personas = personas

    @property
    def personas(self) -> dict[str, Persona]:
        """Those of the files, by key."""
        return self._personas

    async def find(self, session: AsyncSession, key: str, person_id: int) -> Persona | None:
        """A persona by key; somebody's own one only for that person."""
        number = key.removeprefix(OWN)
        if not key.startswith(OWN) or not number.isdecimal() or len(number) > 18:
            return self._personas.get(key)
        row = await session.get(OwnPersona, int(number))
        return self._played(row) if row and row.person_id == person_id and row.finished_at else None

    async def everybody(self, session: AsyncSession, person_id: int) -> dict[str, Persona]:
        """All that this person can choose from, by key; those of their own come first, the newest before."""
        rows = await session.scalars(_of(person_id).order_by(OwnPersona.id.desc()))
        return {f"{OWN}{row.id}": persona for row in rows if (persona := self._played(row))} | self._personas

    def sample(self) -> Persona:
        """Somebody made from the template, for the checks of the files."""
        return self.play(
            OwnPersona(name="Somebody", age=30, character="Kind and calm.", looks_english="brown hair, grey eyes")
        )

    def _played(self, row: OwnPersona) -> Persona | None:
        """Nothing for a row that no longer makes a persona: the others must not suffer from it."""
        try:
            return self.play(row)
        except ValidationError:
            log.error("own_persona.unplayable", own_persona_id=row.id)
            return None

    def play(self, row: OwnPersona) -> Persona:
        """A finished row as a persona."""
        looks = ", ".join(filter(None, (row.gender, row.looks_english, row.face_words)))
        described = {
            "name": _in_all(row.name or ""),
            "age": row.age,
            "about": _in_all(_shortened(row.character or "")),
            "character": row.character,
            "looks": {**self._template["looks"], "person": looks},
        }
        persona = Persona.model_validate({**self._template, **described})
        persona.looks._face_key = row.face_key
        return persona


async def count_own(session: AsyncSession, person_id: int) -> int:
    """How many finished personas a person has written."""
    return await session.scalar(select(func.count()).select_from(_of(person_id).subquery())) or 0


def _of(person_id: int) -> Any:
    return select(OwnPersona).where(OwnPersona.person_id == person_id, OwnPersona.finished_at.is_not(None))


def _in_all(text: str) -> dict[str, str]:
    return {"ru": text, "en": text}


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_ABOUT else f"{text[: MAX_ABOUT - 1].rstrip()}…"
