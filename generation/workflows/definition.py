"""The two files of a workflow: a graph in ComfyUI's API format, and the TOML file that says what is what in it.

A switch is a named change of the graph, as data: turning an optimisation on is one word in the file, and
`python -m generation bench-gpu` measures each.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from generation.errors import WorkflowError
from generation.models import Orientation

FOLDER = Path(__file__).parent / "graphs"
#: The node classes that a graph may use; the workflows' own folder may hold another list.
ALLOWED_NODES = "allowed_nodes.txt"

Graph = dict[str, dict[str, Any]]
Pixels = Annotated[int, Field(ge=64, le=4096, multiple_of=8)]
InputAddress = Annotated[str, Field(pattern=r"^[^.]+\.[^.]+$")]
InputName = Literal[
    "prompt", "negative_prompt", "seed", "width", "height", "filename_prefix",
    # What makes a persona the same in every picture, where the workflow has it.
    "lora_name", "lora_strength",
    # One sampler pass for several photos: JSON lists, one entry for each photo, and their number.
    "prompts", "negative_prompts", "seeds", "batch_size",
]  # fmt: skip
#: A value of a node input: of its own, or the output of another node (node and index).
Value = str | int | float | bool | tuple[str, int]


class BatchWay(StrEnum):
    """How a workflow renders several photos."""

    #: Each in a graph of its own; what is gained is the loaded model.
    ONE_BY_ONE = "one_by_one"
    #: One graph with a branch for each photo behind shared loaders.
    BRANCHES = "branches"
    #: One pass of the sampler for all; the graph must be made for it.
    ONE_PASS = "one_pass"  # noqa: S105 - a pass of the sampler


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Batch(_Part):
    """The table `[batch]`: `seconds` is what graphs of 1, 2, ... photos took on the operator's card."""

    way: BatchWay = BatchWay.ONE_BY_ONE
    largest: Annotated[int, Field(ge=1, le=16)] = 4
    seconds: list[Annotated[float, Field(gt=0)]] = []


class Reference(_Part):
    """A table `[[references]]`: a picture that photos may bring, and what becomes of the graph without it."""

    #: The input of a LoadImage that takes the picture's file name.
    picture: InputAddress
    #: Nodes that are there for this picture alone.
    nodes: Annotated[list[str], Field(min_length=1)]
    #: An input of one of them: who took that node's output takes what comes in there. Other inputs that hang on
    #: the nodes are left out.
    through: InputAddress | None = None


class Node(_Part):
    """One node of an API-format graph."""

    class_type: str
    inputs: dict[str, Value] = {}


class Switch(_Part):
    """A table `[switches.NAME]`. What it does not name stays as it is."""

    #: What it does and what it needs, for whoever reads the bench's table.
    about: str
    on: bool = False
    #: Switches that must be off with it.
    excludes: list[str] = []
    #: Other classes for nodes with the same inputs.
    classes: dict[str, str] = {}
    #: New nodes, or others in the place of old ones; and nodes that go.
    nodes: dict[str, Node] = {}
    remove: list[str] = []
    values: dict[InputAddress, Value] = {}
    #: Other tables `[inputs]` and `[batch]`.
    inputs: dict[InputName, InputAddress] | None = None
    batch: Batch | None = None

    @property
    def needs_own_nodes(self) -> bool:
        """Whether it needs generation/comfyui_nodes."""
        classes = (*self.classes.values(), *(node.class_type for node in self.nodes.values()))
        return any(kind.startswith("Vitte") for kind in classes)


class Description(_Part):
    """The TOML file beside a graph."""

    title: str
    graph: str
    output: str
    inputs: dict[InputName, InputAddress]
    sizes: dict[Orientation, tuple[Pixels, Pixels]]
    values: dict[InputAddress, Value] = {}
    references: Annotated[list[Reference], Field(max_length=3)] = []
    #: Said in front of the prompt when a reference picture goes along.
    reference_words: str = ""
    #: The last photo of the same scene goes along behind the persona's pictures, with these words; without words
    #: it does not.
    scene_words: str = ""
    #: The same of a photo that the person wants otherwise: the workflow changes it instead of making a new one.
    edit_words: str = ""
    batch: Batch = Batch()
    switches: dict[str, Switch] = {}


def without(graph: Graph, reference: Reference) -> Graph:
    """A graph without a picture that is not brought."""
    node, _, name = (reference.through or "").partition(".")
    instead = graph[node]["inputs"][name] if node else None
    left: Graph = {}
    for kept in graph.keys() - set(reference.nodes):
        inputs = {}
        for given, value in graph[kept]["inputs"].items():
            if isinstance(value, list | tuple) and value[0] in reference.nodes:
                if value[0] == node:
                    inputs[given] = instead
            else:
                inputs[given] = value
        left[kept] = graph[kept] | {"inputs": inputs}
    return {kept: left[kept] for kept in graph if kept in left}


@dataclass(frozen=True, slots=True)
class WorkflowFile:
    """What the two files say, with some switches turned. Read anew for each combination."""

    path: Path
    description: Description
    graph: Graph

    @classmethod
    def read(cls, path: Path) -> Self:
        """Both files as they are, no switch turned. Raises WorkflowError with a sentence that names the file."""
        try:
            description = Description.model_validate(tomllib.loads(path.read_text("utf-8")))
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
        return cls(path, description, graph)

    def switched(self, turned: Mapping[str, bool]) -> Self:
        """With its switches on as the file says, or as `turned` says. Raises WorkflowError for unknown ones."""
        if unknown := turned.keys() - self.description.switches:
            raise WorkflowError(f"{self.path.name}: there is no switch {', '.join(sorted(unknown))}")
        on = [name for name, switch in self.description.switches.items() if turned.get(name, switch.on)]
        found = self
        for name in on:
            switch = self.description.switches[name]
            if both := set(switch.excludes).intersection(on):
                raise WorkflowError(f"{self.path.name}: {name} and {', '.join(sorted(both))} exclude each other")
            found = found._with(name, switch)
        return found

    def alone(self, name: str) -> dict[str, bool]:
        """How to turn a switch on without those that it excludes, or that exclude it."""
        switches = self.description.switches
        excluded = {*switches[name].excludes, *(other for other in switches if name in switches[other].excludes)}
        return {name: True} | dict.fromkeys(excluded & switches.keys(), False)

    def _with(self, name: str, switch: Switch) -> Self:
        nodes = {node: made.model_dump(mode="json") for node, made in switch.nodes.items()}
        graph = {node: content for node, content in (self.graph | nodes).items() if node not in switch.remove}
        for node, kind in switch.classes.items():
            if node not in graph:
                raise WorkflowError(f"{self.path.name}: switch {name}: there is no node {node}")
            graph[node] = graph[node] | {"class_type": kind}
        changes: dict[str, Any] = {"values": self.description.values | switch.values}
        if switch.inputs is not None:
            changes["inputs"] = switch.inputs
        if switch.batch is not None:
            changes["batch"] = switch.batch
        return type(self)(self.path, self.description.model_copy(update=changes), graph)

    def check(self) -> None:
        """Raise WorkflowError unless everything that is named is there, and every node class is a listed one."""
        self._check_graph()
        self._check_inputs()
        self._check_classes()

    def _check_graph(self) -> None:
        file, description, graph = self.path.name, self.description, self.graph
        pictures = [each.picture for each in description.references]
        through = [each.through for each in description.references if each.through]
        for address in (*description.inputs.values(), *description.values, *pictures, *through):
            node, name = address.split(".")
            if name not in graph.get(node, {}).get("inputs", {}):
                raise WorkflowError(f"{file}: {address} is no input of {description.graph}")
        if description.output not in graph:
            raise WorkflowError(f"{file}: output node {description.output} is not in {description.graph}")
        for reference in description.references:
            named = {address.split(".")[0] for address in (reference.picture, reference.through) if address}
            if strange := named - set(reference.nodes):
                raise WorkflowError(f"{file}: [[references]]: {', '.join(strange)} must be among its nodes")
            graph = without(graph, reference)
        for whole in (self.graph, graph):
            self._check_links(whole)

    def _check_links(self, graph: Graph) -> None:
        file = self.path.name
        links = [value for node in graph.values() for value in node["inputs"].values() if isinstance(value, list)]
        if gone := {str(link[0]) for link in links} - graph.keys():
            raise WorkflowError(f"{file}: a node needs node {', '.join(sorted(gone))}, which is not there")

    def _check_inputs(self) -> None:
        file, description = self.path.name, self.description
        one_pass = description.batch.way is BatchWay.ONE_PASS
        for required in ("prompts", "seeds", "batch_size") if one_pass else ("prompt", "seed"):
            if required not in description.inputs:
                raise WorkflowError(f"{file}: [inputs] must say where the {required} goes")
        if missing := set(Orientation) - set(description.sizes):
            raise WorkflowError(f"{file}: [sizes] lacks {', '.join(sorted(missing))}")

    def _check_classes(self) -> None:
        """Only classes of the list: a graph has all rights of the ComfyUI process."""
        own = self.path.parent / ALLOWED_NODES
        lines = (own if own.is_file() else FOLDER / ALLOWED_NODES).read_text("utf-8").splitlines()
        allowed = {line.strip() for line in lines if line.strip() and not line.startswith("#")}
        used = {str(node.get("class_type")) for node in self.graph.values()}
        if strange := sorted(used - allowed):
            raise WorkflowError(f"{self.description.graph}: {', '.join(strange)} is not in {ALLOWED_NODES}")
