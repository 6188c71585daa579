"""`python -m bot portrait`: candidates for a persona's portrait, and the choice of one.

The portrait is what the gallery shows and what workflows with reference pictures keep her face by. Candidates are
made of her own words alone, by her workflow, without references; the choice lands beside her file.
"""

import asyncio
import io
import random
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from PIL import Image, ImageDraw, ImageFont, ImageOps
from pydantic import SecretStr

from bot.check_data import DataSettings
from bot.personas import persona as personas
from bot.personas.persona import Persona
from bot.photos import prompt
from bot.photos.prompt import NEVER_EXPLICIT
from generation.backends.comfyui import ComfyUI
from generation.errors import GenerationError
from generation.models import Orientation
from generation.runtime.settings import WrongSettings, load
from generation.workflows import workflow as workflows
from generation.workflows.workflow import Filling, Workflow
from triggers.policy.policy import Policy

#: Candidates of a sheet, and pixels of one on it.
COUNT, COLUMNS, THUMBNAIL = 12, 4, (320, 420)
#: Seconds for one picture: the first one loads the model.
PATIENCE = 600
#: Pixels of the portrait's longer side, and its quality as JPEG.
LONGEST, QUALITY = 1024, 92
#: Where candidates are kept until one is chosen.
FOLDER = Path("build/portraits")


class PortraitSettings(DataSettings):
    """What the check of the data needs, and the key of ComfyUI's own nodes."""

    comfyui_secret: SecretStr | None = None


@dataclass(frozen=True, slots=True)
class Studio:
    """Where candidates of one persona come from and go to."""

    key: str
    folder: Path = FOLDER
    personas: Path = personas.FOLDER

    def candidate(self, number: int) -> Path:
        """The file of a candidate, counted from 1."""
        return self.folder / self.key / f"{number:02}.png"

    @property
    def sheet(self) -> Path:
        """All of them, numbered."""
        return self.folder / self.key / "sheet.jpg"

    def persona(self) -> Persona:
        """The persona by her file. Raises WrongPersona."""
        return personas.load(self.personas / f"{self.key}.toml")


def main(key: str, *, count: int, pick: int | None, studio: Studio | None = None) -> int:
    """Make candidates, or take one of them; the exit status."""
    studio = studio or Studio(key)
    if not (studio.personas / f"{key}.toml").is_file():
        known = ", ".join(sorted(path.stem for path in studio.personas.glob("*.toml")))
        print(f"There is no persona {key!r}; there are {known}.", file=sys.stderr)
        return 2
    try:
        if pick is not None:
            return _pick(studio, pick)
        asyncio.run(_make(studio, count, load(PortraitSettings)))
    except GenerationError as error:
        print(f"No portrait: {error}", file=sys.stderr)
        return 1
    print(f"{count} candidates: {studio.sheet}. Then: python -m bot portrait {key} --pick NUMBER")
    return 0


async def _make(studio: Studio, count: int, settings: PortraitSettings) -> None:
    persona = studio.persona()
    if settings.comfyui_url is None:
        raise WrongSettings("COMFYUI_URL is not set: candidates are rendered by your ComfyUI.")
    if refused := Policy().check_prompt(prompt.portrait(persona)):
        raise WrongSettings(f"The prompt of {studio.key} is refused by the policy ({refused}).")
    chosen = workflows.load_or_stop(settings.workflows_folder, own_nodes=False)[persona.workflow.default]
    studio.sheet.parent.mkdir(parents=True, exist_ok=True)
    for old in studio.sheet.parent.iterdir():
        old.unlink()
    pictures = []
    async with aiohttp.ClientSession() as session:
        comfyui = ComfyUI(session, settings.comfyui_url, secret=settings.comfyui_secret)
        listening = asyncio.create_task(comfyui.listen())
        try:
            for number in range(1, count + 1):
                content = await _candidate(comfyui, chosen, persona)
                studio.candidate(number).write_bytes(content)
                pictures.append(content)
                print(f"{number} of {count}", flush=True)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await comfyui.close()
    studio.sheet.write_bytes(await asyncio.to_thread(_sheet, pictures))


async def _candidate(comfyui: ComfyUI, chosen: Workflow, persona: Persona) -> bytes:
    inputs = {name: value for name, value in persona.looks.inputs().items() if name.startswith("lora_")}
    filling = Filling(
        prompt=prompt.portrait(persona),
        negative_prompt=", ".join(filter(None, (persona.looks.negative, NEVER_EXPLICIT))),
        seed=persona.seed(random.Random()),
        orientation=Orientation.PORTRAIT,
        filename_prefix="vitte/portrait",
        inputs=inputs,
    )
    graph, places = chosen.fill([filling])
    rendered = await comfyui.render(graph, prompt_id=str(uuid.uuid4()), timeout=PATIENCE, stall=PATIENCE)
    return await comfyui.view(rendered.outputs[places[0].node][places[0].index])


def _pick(studio: Studio, number: int) -> int:
    """The candidate becomes the picture beside the persona's file."""
    path = studio.candidate(number)
    if not path.is_file():
        print(f"There is no candidate {number}: {path} is not there.", file=sys.stderr)
        return 2
    portrait = studio.personas / f"{studio.key}.jpg"
    with Image.open(path) as picture:
        small = ImageOps.contain(picture.convert("RGB"), (LONGEST, LONGEST))
        small.save(portrait, "JPEG", quality=QUALITY)
    print(f"{portrait} is her portrait now.")
    if portrait.name not in studio.persona().looks.references:
        line = f'references = ["{portrait.name}"]'
        print(f"For workflows with references: {line} under [looks] of {studio.key}.toml.")
    return 0


def _sheet(pictures: list[bytes]) -> bytes:
    rows = -(-len(pictures) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * THUMBNAIL[0], rows * THUMBNAIL[1]), "white")
    for place, content in enumerate(pictures):
        left, top = place % COLUMNS * THUMBNAIL[0], place // COLUMNS * THUMBNAIL[1]
        with Image.open(io.BytesIO(content)) as picture:
            sheet.paste(ImageOps.fit(picture.convert("RGB"), THUMBNAIL, centering=(0.5, 0.35)), (left, top))
        number = ImageDraw.Draw(sheet)
        number.rectangle((left, top, left + 56, top + 48), fill="black")
        number.text((left + 12, top + 6), str(place + 1), "white", ImageFont.load_default(32))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
