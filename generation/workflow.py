"""ComfyUI graphs as data: an API-format graph beside a TOML file that says which node input is what.

A new workflow is two files in `workflows/`; it takes no code.
"""

import copy
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from generation.errors import WorkflowError
from generation.models import Orientation
from generation.settings import WrongSettings

FOLDER = Path(__file__).parent / "workflows"
#: The node classes that a graph may use; the workflows' own folder may hold another list.
ALLOWED_NODES = "allowed_nodes.txt"

Graph = dict[str, dict[str, Any]]
Pixels = Annotated[int, Field(ge=64, le=4096, multiple_of=8)]
InputAddress = Annotated[str, Field(pattern=r"^[^.]+\.[^.]+$")]
InputName = Literal[
    "prompt", "negative_prompt", "seed", "width", "height", "filename_prefix",
    # What makes a persona the same in every picture, where the workflow has it.
    "lora_name", "lora_strength", "reference_image",
    # One sampler pass for several photos: JSON lists, one entry for each photo, and their number.
    "prompts", "negative_prompts", "seeds", "batch_size",
]  # fmt: skip

#: Where the name of a model file is among a loader's inputs; equal names need no swap.
MODEL_INPUTS = frozenset({"ckpt_name", "unet_name", "lora_name"})
#: Seconds of one photo, until the worker has measured its own.
UNMEASURED = 10.0
#: What a sampler pass of 1, 2, ... photos is expected to cost, in renders of one, until it is measured.
UNMEASURED_PASS = (1.0, 1.75, 2.45, 3.1)


class BatchWay(StrEnum):
    """How a workflow renders several photos."""

    #: Each in a graph of its own; what is gained is the loaded model.
    ONE_BY_ONE = "one_by_one"
    #: One graph with a branch for each photo behind shared loaders.
    BRANCHES = "branches"
    #: One pass of the sampler for all; the graph must be made for it.
    ONE_PASS = "one_pass"  # noqa: S105 - a pass of the sampler


class _Batch(BaseModel):
    """The table `[batch]`: `seconds` is what graphs of 1, 2, ... photos took on the operator's card."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    way: BatchWay = BatchWay.ONE_BY_ONE
    largest: Annotated[int, Field(ge=1, le=16)] = 4
    seconds: list[Annotated[float, Field(gt=0)]] = []


class _Description(BaseModel):
    """The TOML file beside a graph."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    graph: str
    output: str
    inputs: dict[InputName, InputAddress]
    sizes: dict[Orientation, tuple[Pixels, Pixels]]
    values: dict[InputAddress, str | int | float | bool] = {}
    batch: _Batch = _Batch()


@dataclass(frozen=True, kw_only=True, slots=True)
class Filling:
    """What one photo puts into a workflow. `filename_prefix` names the file on the ComfyUI machine."""

    prompt: str
    negative_prompt: str
    seed: int
    orientation: Orientation
    filename_prefix: str
    #: Further named inputs: a LoRA, a reference image.
    inputs: Mapping[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a photo of a batch comes out: the `index`-th image of an output node."""

    node: str
    index: int


class Workflow:
    """One ComfyUI graph and where its inputs are. Immutable; shared by all photos."""

    def __init__(self, name: str, description: _Description, graph: Graph) -> None:
        self.name = name
        self.output = description.output
        self.sizes = description.sizes
        self._inputs = description.inputs
        self._batch = description.batch
        self.graph = graph
        for address, value in description.values.items():
            node, name_of_input = address.split(".")
            graph[node]["inputs"][name_of_input] = value
        self._of_one_photo = _behind(graph, {address.split(".")[0] for address in self._inputs.values()})

    @property
    def way(self) -> BatchWay:
        return self._batch.way

    @property
    def model(self) -> str:
        """Names of the model files that it loads; graphs with the same ones run without a swap."""
        return " ".join(
            str(value)
            for _, node in sorted(self.graph.items())
            for name, value in sorted(node["inputs"].items())
            if name in MODEL_INPUTS and value
        )

    def seconds(self) -> list[float]:
        """Seconds of a graph of 1, 2, ... photos up to the largest batch, as far as known before measuring."""
        largest = 1 if self.way is BatchWay.ONE_BY_ONE else self._batch.largest
        known = self._batch.seconds[:largest] or [UNMEASURED]
        return known + [_expected(size, known, self.way) for size in range(len(known) + 1, largest + 1)]

    @property
    def is_measured(self) -> bool:
        """Whether its TOML tells what graphs took on the operator's card."""
        return bool(self._batch.seconds)

    def shape(self, orientation: Orientation, inputs: Mapping[str, str | float]) -> str:
        """What photos must have in common to be in one batch: one sampler pass has one size and one LoRA."""
        if self.way is not BatchWay.ONE_PASS:
            return ""
        return " ".join((orientation, *(f"{name}={inputs[name]}" for name in sorted(inputs))))

    def takes(self, name: str) -> bool:
        """Whether the graph has an input of this name."""
        return name in self._inputs

    def is_filled(self, address: str) -> bool:
        """Whether a photo puts its own value there."""
        return address in self._inputs.values()

    def address(self, name: str) -> str:
        """The "node.input" of a named input."""
        return next(address for known, address in self._inputs.items() if known == name)

    def fill(self, fillings: Sequence[Filling]) -> tuple[Graph, list[Place]]:
        """A new graph with the photos' values as node inputs, and where each photo comes out.

        Values are set on parsed JSON and never pasted into its text, so no prompt can change the graph.
        What the workflow has no input for (a negative prompt, say) is left out.
        Raises WorkflowError for more photos than one in a workflow that renders one by one.
        """
        if self.way is BatchWay.ONE_PASS:
            return self._one_pass(fillings), [Place(self.output, index) for index in range(len(fillings))]
        if len(fillings) == 1:
            return self._filled(self._values(fillings[0])), [Place(self.output, 0)]
        if self.way is BatchWay.BRANCHES:
            return self._branches(fillings), [Place(_branch(self.output, n), 0) for n in range(len(fillings))]
        raise WorkflowError(f"{self.name} renders one photo at a time")

    def _values(self, filling: Filling) -> dict[str, str | int | float]:
        width, height = self.sizes[filling.orientation]
        return {
            **filling.inputs,
            "prompt": filling.prompt,
            "negative_prompt": filling.negative_prompt,
            "seed": filling.seed,
            "width": width,
            "height": height,
            "filename_prefix": filling.filename_prefix,
        }

    def _filled(self, values: Mapping[str, str | int | float]) -> Graph:
        graph = copy.deepcopy(self.graph)
        for name, address in self._inputs.items():
            node, name_of_input = address.split(".")
            # What a photo does not bring (a LoRA, say) stays as the file has it.
            if name in values:
                graph[node]["inputs"][name_of_input] = values[name]
        return graph

    def _one_pass(self, fillings: Sequence[Filling]) -> Graph:
        return self._filled(
            self._values(fillings[0])
            | {
                "prompts": json.dumps([filling.prompt for filling in fillings]),
                "negative_prompts": json.dumps([filling.negative_prompt for filling in fillings]),
                "seeds": json.dumps([filling.seed for filling in fillings]),
                "batch_size": len(fillings),
            }
        )

    def _branches(self, fillings: Sequence[Filling]) -> Graph:
        """The nodes that depend on a photo once for each photo, all others once."""
        merged: Graph = {}
        for number, filling in enumerate(fillings):
            for node, content in self._filled(self._values(filling)).items():
                content["inputs"] = {
                    name: [_branch(value[0], number), *value[1:]]
                    if isinstance(value, list) and value[0] in self._of_one_photo
                    else value
                    for name, value in content["inputs"].items()
                }
                merged[_branch(node, number) if node in self._of_one_photo else node] = content
        return merged


def _branch(node: str, number: int) -> str:
    return f"{node}_{number}"


def _behind(graph: Graph, nodes: set[str]) -> frozenset[str]:
    """These nodes and all that depend on them."""
    found = set(nodes)
    while True:
        more = {
            node
            for node, content in graph.items()
            if any(isinstance(value, list) and value[0] in found for value in content["inputs"].values())
        }
        if more <= found:
            return frozenset(found)
        found |= more


def _expected(size: int, known: Sequence[float], way: BatchWay) -> float:
    """Seconds of a batch that nobody has measured."""
    if way is BatchWay.BRANCHES or len(known) > 1:
        return known[-1] / len(known) * size
    factor = UNMEASURED_PASS[size - 1] if size <= len(UNMEASURED_PASS) else UNMEASURED_PASS[-1] / 4 * size
    return known[0] * factor


def load(path: Path) -> Workflow:
    """Read one workflow by its TOML file. Raises WorkflowError with a sentence that names the file."""
    try:
        description = _Description.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise WorkflowError(f"{path.name}: {error}") from error
    try:
        graph: Graph = json.loads((path.parent / description.graph).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise WorkflowError(f"{path.name}: {description.graph}: {error}") from error
    if not isinstance(graph, dict) or not all(
        isinstance(node, dict) and "inputs" in node for node in graph.values()
    ):
        raise WorkflowError(f"{description.graph}: not a graph in ComfyUI's API format (Save (API))")
    _check(path.name, description, graph)
    _check_nodes(description.graph, graph, path.parent)
    return Workflow(path.stem, description, graph)


def load_or_stop(folder: str) -> dict[str, Workflow]:
    """`load_all` for the start of a process: what is wrong stops it with one sentence (WrongSettings)."""
    try:
        return load_all(folder)
    except WorkflowError as error:
        raise WrongSettings(f"Workflows cannot be read: {error}.") from None


def load_all(folder: Path | str = "") -> dict[str, Workflow]:
    """Every workflow of a folder (by default the ones that come along) by name: the TOML file's without ending.

    Raises WorkflowError for a folder without any.
    """
    if not Path(folder or FOLDER).is_dir():
        raise WorkflowError(f"there is no folder {folder}")
    workflows = {path.stem: load(path) for path in sorted(Path(folder or FOLDER).glob("*.toml"))}
    if not workflows:
        raise WorkflowError(f"{folder}: there is no workflow (.toml) in this folder")
    return workflows


def _check_nodes(file: str, graph: Graph, folder: Path) -> None:
    """Only classes of the list: a graph has all rights of the ComfyUI process."""
    own = folder / ALLOWED_NODES
    lines = (own if own.is_file() else FOLDER / ALLOWED_NODES).read_text("utf-8").splitlines()
    allowed = {line.strip() for line in lines if line.strip() and not line.startswith("#")}
    used = {str(node.get("class_type")) for node in graph.values()}
    if strange := sorted(used - allowed):
        raise WorkflowError(f"{file}: {', '.join(strange)} is not in {ALLOWED_NODES}")


def _check(file: str, description: _Description, graph: Graph) -> None:
    for address in (*description.inputs.values(), *description.values):
        node, name = address.split(".")
        if name not in graph.get(node, {}).get("inputs", {}):
            raise WorkflowError(f"{file}: {address} is no input of {description.graph}")
    if description.output not in graph:
        raise WorkflowError(f"{file}: output node {description.output} is not in {description.graph}")
    needed = (
        ("prompts", "seeds", "batch_size") if description.batch.way is BatchWay.ONE_PASS else ("prompt", "seed")
    )
    for required in needed:
        if required not in description.inputs:
            raise WorkflowError(f"{file}: [inputs] must say where the {required} goes")
    if missing := set(Orientation) - set(description.sizes):
        raise WorkflowError(f"{file}: [sizes] lacks {', '.join(sorted(missing))}")
