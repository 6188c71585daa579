"""`python -m bot check-data`: personas, stories and workflows against each other and against a running ComfyUI."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.personas import persona as personas
from bot.personas.camera import TAKES
from bot.personas.catalog import PersonaCatalog
from bot.personas.persona import Persona, WrongPersona
from bot.personas.scene import Scene
from bot.photos.prompt import describe
from bot.texts import Texts
from generation.backends.comfyui import ComfyUI
from generation.errors import ComfyUIError, WorkflowError
from generation.orders.placing import MAX_PROMPT
from generation.runtime.settings import HttpAddress, load
from generation.workflows import workflow as workflows
from generation.workflows.compatibility import ObjectInfo, choice_problem, problems
from generation.workflows.definition import FOLDER
from generation.workflows.workflow import Workflow, reference_names
from triggers.policy.policy import Policy


class DataSettings(BaseSettings):
    """All that the check needs; everything else may be missing."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore")

    workflows_folder: str = ""
    comfyui_url: HttpAddress | None = None


def main() -> int:
    """Print every problem; the exit status is 1 when there is one."""
    settings = load(DataSettings)
    found = list(_check(settings))
    for problem in found:
        print(problem, file=sys.stderr)
    if found:
        return 1
    against = f" and against {settings.comfyui_url}" if settings.comfyui_url else "; COMFYUI_URL is not set"
    print(f"Personas, stories and workflows fit each other{against}.")
    return 0


def load_all_or_stop(known: dict[str, Workflow], texts: Texts) -> dict[str, Persona]:
    """Every persona, for the start of the bot; what does not fit stops it. Raises WrongPersona."""
    everybody = personas.load_all(set(known))
    for key, persona in everybody.items():
        for problem in (*of_persona(persona, known), *_of_names(persona, texts)):
            raise WrongPersona(f"{key}.toml: {problem}")
    for problem in (*of_persona(own := PersonaCatalog(everybody).sample(), known), *_of_names(own, texts)):
        raise WrongPersona(f"own_persona.toml: {problem}")
    return everybody


def _check(settings: DataSettings) -> Iterator[str]:
    known, unread = _read_workflows(Path(settings.workflows_folder or FOLDER))
    yield from unread
    everybody, wrong = _read_personas(personas.FOLDER)
    yield from wrong
    for key, persona in everybody.items():
        yield from (f"{key}.toml: {problem}" for problem in of_persona(persona, known))
        yield from (f"{key}.toml: {problem}" for problem in _of_names(persona, Texts()))
    own = PersonaCatalog(everybody).sample()
    yield from (f"own_persona.toml: {problem}" for problem in (*of_persona(own, known), *_of_names(own, Texts())))
    if settings.comfyui_url is None:
        return
    try:
        object_info = asyncio.run(_object_info(settings.comfyui_url))
    except ComfyUIError as error:
        yield f"ComfyUI at {settings.comfyui_url} does not answer: {error}"
        return
    for workflow in known.values():
        yield from problems(workflow, object_info)
    for key, persona in everybody.items():
        yield from (f"{key}.toml: {problem}" for problem in _of_files(persona, known, object_info))


def of_persona(persona: Persona, known: dict[str, Workflow]) -> Iterator[str]:
    """What does not fit within a persona's file and between it and the workflows."""
    for name in sorted(persona.workflow.named - known.keys()):
        yield f"workflow {name!r} does not exist"
    for rule in persona.workflow.rules:
        if rule.story is not None and rule.story not in persona.stories:
            yield f"a rule names the story {rule.story!r}, which she does not have"
        if rule.atmosphere is not None and rule.atmosphere not in persona.atmospheres:
            yield f"a rule names the atmosphere {rule.atmosphere!r}, which she does not have"
    yield from _of_inputs(persona, [known[name] for name in sorted(persona.workflow.named & known.keys())])
    for key, story in persona.stories.items():
        yield from (f"story {key}: {problem}" for problem in _of_prompt(persona, key, story.scene))


def _of_names(persona: Persona, texts: Texts) -> Iterator[str]:
    """People choose atmospheres by name, in their own language."""
    for atmosphere in persona.atmospheres:
        if not texts.has(f"atmosphere-{atmosphere}"):
            yield f"bot/texts/*.ftl have no atmosphere-{atmosphere}"


def _of_inputs(persona: Persona, chosen: list[Workflow]) -> Iterator[str]:
    """A LoRA must go somewhere, and a graph that is made for one, or for references, must get one."""
    brought = persona.looks.inputs().keys()
    for workflow in chosen:
        # References wait for a workflow that takes them.
        for name in sorted(brought - set(reference_names())):
            if not workflow.takes(name):
                yield f"workflow {workflow.name} has no input for the {name} of [looks]"
        for name in ("lora_name", "reference_1"):
            if workflow.takes(name) and name not in brought:
                yield f"workflow {workflow.name} wants a {name}, and [looks] has none"


def _of_prompt(persona: Persona, story: str, scene: Scene) -> Iterator[str]:
    longest = max((take.words for take in TAKES), key=len)
    prompt = describe(persona, story, scene.model_copy(update={"camera": longest})).prompt
    if len(prompt) > MAX_PROMPT:
        yield f"the prompt has {len(prompt)} characters, {MAX_PROMPT} are possible"
    if not prompt.isascii():
        yield "the prompt must be English: it has other letters"
    if refused := Policy().check_prompt(prompt):
        yield f"the prompt is refused by the policy ({refused})"


def _of_files(persona: Persona, known: dict[str, Workflow], object_info: ObjectInfo) -> Iterator[str]:
    for name in sorted(persona.workflow.named & known.keys()):
        for field, value in persona.looks.inputs().items():
            if field in reference_names():
                continue  # brought by the worker
            if known[name].takes(field) and (problem := choice_problem(known[name], field, value, object_info)):
                yield problem


def _read_workflows(folder: Path) -> tuple[dict[str, Workflow], list[str]]:
    known, wrong = {}, []
    for path in sorted(folder.glob("*.toml")):
        try:
            known[path.stem] = workflows.load(path)
        except WorkflowError as error:
            wrong.append(str(error))
    return known, wrong if known or wrong else [f"{folder}: there is no workflow (.toml) in this folder"]


def _read_personas(folder: Path) -> tuple[dict[str, Persona], list[str]]:
    everybody, wrong = {}, []
    for path in sorted(folder.glob("*.toml")):
        try:
            everybody[path.stem] = personas.load(path)
        except WrongPersona as error:
            wrong.append(str(error))
    return everybody, wrong if everybody or wrong else [f"{folder}: there is no persona (.toml) in this folder"]


async def _object_info(url: str) -> ObjectInfo:
    async with aiohttp.ClientSession() as session:
        return await ComfyUI(session, url).object_info()
