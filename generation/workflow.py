"""ComfyUI graphs as data: an API-format graph beside a TOML file that says which node input is what.

A new workflow is two files in `workflows/`; it takes no code.
"""

import copy
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from generation.errors import WorkflowError
from generation.models import Orientation

FOLDER = Path(__file__).parent / "workflows"

Graph = dict[str, dict[str, Any]]
Pixels = Annotated[int, Field(ge=64, le=4096, multiple_of=8)]
InputAddress = Annotated[str, Field(pattern=r"^[^.]+\.[^.]+$")]
InputName = Literal["prompt", "negative_prompt", "seed", "width", "height", "filename_prefix"]


class _Description(BaseModel):
    """The TOML file beside a graph."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    graph: str
    output: str
    inputs: dict[InputName, InputAddress]
    sizes: dict[Orientation, tuple[Pixels, Pixels]]
    values: dict[InputAddress, str | int | float | bool] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Filling:
    """What one photo puts into a workflow. `filename_prefix` names the file on the ComfyUI machine."""

    prompt: str
    negative_prompt: str
    seed: int
    orientation: Orientation
    filename_prefix: str


class Workflow:
    """One ComfyUI graph and where its inputs are. Immutable; shared by all photos."""

    def __init__(self, name: str, description: _Description, graph: Graph) -> None:
        self.name = name
        self.output = description.output
        self.sizes = description.sizes
        self._inputs = description.inputs
        self.graph = graph
        for address, value in description.values.items():
            node, name_of_input = address.split(".")
            graph[node]["inputs"][name_of_input] = value

    def fill(self, filling: Filling) -> Graph:
        """A new graph with the photo's values as node inputs.

        Values are set on parsed JSON and never pasted into its text, so no prompt can change the graph.
        What the workflow has no input for (a negative prompt, say) is left out.
        """
        width, height = self.sizes[filling.orientation]
        values: dict[InputName, str | int] = {
            "prompt": filling.prompt,
            "negative_prompt": filling.negative_prompt,
            "seed": filling.seed,
            "width": width,
            "height": height,
            "filename_prefix": filling.filename_prefix,
        }
        graph = copy.deepcopy(self.graph)
        for name, address in self._inputs.items():
            node, name_of_input = address.split(".")
            graph[node]["inputs"][name_of_input] = values[name]
        return graph


def load(path: Path) -> Workflow:
    """Read one workflow by its TOML file. Raises WorkflowError with a sentence that names the file."""
    try:
        description = _Description.model_validate(tomllib.loads(path.read_text("utf-8")))
        graph: Graph = json.loads((path.parent / description.graph).read_text("utf-8"))
    except (OSError, ValueError, ValidationError) as error:
        raise WorkflowError(f"{path.name}: {error}") from error
    _check(path.name, description, graph)
    return Workflow(path.stem, description, graph)


def load_all(folder: Path = FOLDER) -> dict[str, Workflow]:
    """Every workflow of a folder by name (the TOML file's, without the ending)."""
    return {path.stem: load(path) for path in sorted(folder.glob("*.toml"))}


def _check(file: str, description: _Description, graph: Graph) -> None:
    for address in (*description.inputs.values(), *description.values):
        node, name = address.split(".")
        if name not in graph.get(node, {}).get("inputs", {}):
            raise WorkflowError(f"{file}: {address} is no input of {description.graph}")
    if description.output not in graph:
        raise WorkflowError(f"{file}: output node {description.output} is not in {description.graph}")
    for required in ("prompt", "seed"):
        if required not in description.inputs:
            raise WorkflowError(f"{file}: [inputs] must say where the {required} goes")
    if missing := set(Orientation) - set(description.sizes):
        raise WorkflowError(f"{file}: [sizes] lacks {', '.join(sorted(missing))}")
