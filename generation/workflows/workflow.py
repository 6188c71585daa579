"""ComfyUI graphs as data: an API-format graph beside a TOML file that says which node input is what.

A new workflow is two files in `workflows/`; it takes no code.
"""

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from generation.errors import WorkflowError
from generation.models import Orientation
from generation.runtime.settings import WrongSettings
from generation.workflows.definition import (
    FOLDER,
    BatchWay,
    Description,
    Graph,
    Switch,
    WorkflowFile,
    without,
)

#: What makes a loaded model another one, among a loader's inputs; where all are equal, there is no swap.
MODEL_INPUTS = frozenset({"ckpt_name", "unet_name", "lora_name", "weight_dtype"})
#: Seconds of one photo, until the worker has measured its own.
UNMEASURED = 10.0
#: Reference pictures of a photo, at most.
MOST_REFERENCES = 3
#: The input that names the last photo of the same scene.
SCENE_PHOTO = "scene_photo"
#: In its place: a photo that the person wants otherwise, which workflows with `edit_words` change.
EDITED_PHOTO = "edited_photo"
#: Pictures that are not of her alone, and that may be gone.
BEHIND_PORTRAITS = (EDITED_PHOTO, SCENE_PHOTO)
#: How the names of all pictures begin that workers bring to a ComfyUI.
OURS = "vitte-"
#: What a sampler pass of 1, 2, ... photos is expected to cost, in renders of one, until it is measured.
UNMEASURED_PASS = (1.0, 1.75, 2.45, 3.1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Filling:
    """What one photo puts into a workflow. `filename_prefix` names the file on the ComfyUI machine."""

    prompt: str
    negative_prompt: str
    seed: int
    orientation: Orientation
    filename_prefix: str
    #: Further named inputs: a LoRA, keys of reference pictures.
    inputs: Mapping[str, str | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a photo of a batch comes out: the `index`-th image of an output node."""

    node: str
    index: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What one photo asks for, by name: for engines that render no graph. Pixels, and the workflow's steps."""

    prompt: str
    negative_prompt: str
    seed: int
    width: int
    height: int
    steps: int | None
    #: The workflow's output node, where the photo is looked for.
    output: str


class Workflow:
    """One ComfyUI graph and where its inputs are. Immutable; shared by all photos."""

    def __init__(
        self,
        name: str,
        description: Description,
        graph: Graph,
        *,
        path: Path | None = None,
        on: frozenset[str] = frozenset(),
    ) -> None:
        """`path` is its TOML file, and `on` are the switches that are turned on in it."""
        self.name = name
        self.path = path
        self.on = on
        self.output = description.output
        self.sizes = description.sizes
        self._references = description.references
        self._reference_words = description.reference_words
        self._words_behind = {EDITED_PHOTO: description.edit_words, SCENE_PHOTO: description.scene_words}
        self._inputs = {str(name): address for name, address in description.inputs.items()} | _pictures(description)
        self._batch = description.batch
        self.switches: Mapping[str, Switch] = description.switches
        self.graph = graph = copy.deepcopy(graph)
        for address, value in description.values.items():
            node, name_of_input = address.split(".")
            graph[node]["inputs"][name_of_input] = list(value) if isinstance(value, tuple) else value
        self._of_one_photo = _behind(graph, {address.split(".")[0] for address in self._inputs.values()})

    @property
    def way(self) -> BatchWay:
        """How several photos share a graph of it."""
        return self._batch.way

    @property
    def model(self) -> str:
        """Names of the model files that it loads; graphs with the same ones run without a swap."""
        return " ".join(
            str(value)
            for _, node in sorted(self.graph.items())
            for name, value in sorted(node["inputs"].items())
            if name in MODEL_INPUTS and value and value != "default"
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
        return " ".join((orientation, *(f"{name}={inputs[name]}" for name in sorted(inputs) if self.takes(name))))

    def pictures(self, inputs: Mapping[str, str | float]) -> dict[str, str]:
        """Keys in S3 of the reference pictures that the graph takes of a photo's inputs, by the input's name."""
        names = [name for name in reference_names(len(self._references)) if name in inputs]
        if EDITED_PHOTO in inputs and self._takes_behind(EDITED_PHOTO, 0):
            # What is to be changed must be seen; one portrait less does.
            names = [*names[: len(self._references) - 1], EDITED_PHOTO]
        elif SCENE_PHOTO in inputs and self._takes_behind(SCENE_PHOTO, len(names)):
            names.append(SCENE_PHOTO)
        return {name: str(inputs[name]) for name in names}

    def kind(self, inputs: Mapping[str, str | float]) -> str:
        """By what its graphs cost differently: the name, and how many pictures it is given."""
        count = len(self.pictures(inputs))
        return f"{self.name}+{count}" if count else self.name

    @property
    def kinds(self) -> list[str]:
        """All that there can be."""
        return [self.name, *(f"{self.name}+{count}" for count in range(1, len(self._references) + 1))]

    def _takes_behind(self, name: str, portraits: int) -> bool:
        return bool(self._words_behind.get(name)) and portraits < len(self._references)

    def takes(self, name: str) -> bool:
        """Whether the graph has an input of this name."""
        return name in self._inputs or self._takes_behind(name, 0)

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

    def asked(self, fillings: Sequence[Filling]) -> list[Asked]:
        """What photos ask for, without the graph."""
        steps = (node["inputs"].get("steps") for node in self.graph.values())
        known = next((count for count in steps if isinstance(count, int)), None)
        return [
            Asked(
                prompt=filling.prompt,
                negative_prompt=filling.negative_prompt if self.takes("negative_prompt") else "",
                seed=filling.seed,
                width=self.sizes[filling.orientation][0],
                height=self.sizes[filling.orientation][1],
                steps=known,
                output=self.output,
            )
            for filling in fillings
        ]

    def probe(self, filling: Filling, *, side: int, steps: int) -> Graph:
        """The graph of one photo, as small and as quick as it goes: `side` pixels square, so many steps."""
        graph, _ = self.fill([filling])
        for node in graph.values():
            if isinstance(node["inputs"].get("steps"), int):
                node["inputs"]["steps"] = steps
        for name in ("width", "height"):
            if self.takes(name):
                node_id, _, field_name = self.address(name).partition(".")
                graph[node_id]["inputs"][field_name] = side
        return graph

    def _values(self, filling: Filling) -> dict[str, str | int | float]:
        width, height = self.sizes[filling.orientation]
        pictures = self.pictures(filling.inputs)
        words = [self._reference_words] if pictures.keys() - set(BEHIND_PORTRAITS) else []
        words += [said for name, said in self._words_behind.items() if name in pictures]
        return {
            **filling.inputs,
            **dict(zip(reference_names(), map(picture_name, pictures.values()), strict=False)),
            "prompt": ". ".join((*words, filling.prompt)),
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
        # From the last one on: what is left of a chain hangs on the one before it.
        for name, reference in reversed(list(zip(reference_names(), self._references, strict=False))):
            if name not in values:
                graph = without(graph, reference)
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


def picture_name(key: str) -> str:
    """The file name in ComfyUI of a picture that lies under this key in S3."""
    name = key.rpartition("/")[2]
    return name if name.startswith(OURS) else f"{OURS}{name}"


def reference_names(count: int = MOST_REFERENCES) -> list[str]:
    """What reference pictures are called among a photo's inputs."""
    return [f"reference_{number}" for number in range(1, count + 1)]


def _pictures(description: Description) -> dict[str, str]:
    names = reference_names(len(description.references))
    return {name: each.picture for name, each in zip(names, description.references, strict=True)}


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


def load(path: Path, turned: Mapping[str, bool] = MappingProxyType({})) -> Workflow:
    """Read one workflow by its TOML file, with its switches as it says, or as `turned` says.

    Each switch that is off is tried as well, so that one that does not fit is found before it is needed.
    Raises WorkflowError with a sentence that names the file.
    """
    file = WorkflowFile.read(path)
    for name in file.description.switches:
        file.switched(file.alone(name)).check()
    wanted = file.switched(turned)
    wanted.check()
    on = frozenset(name for name, switch in file.description.switches.items() if turned.get(name, switch.on))
    return Workflow(path.stem, wanted.description, wanted.graph, path=path, on=on)


def _without_own_nodes(path: Path) -> dict[str, bool]:
    switches = WorkflowFile.read(path).description.switches
    return {name: False for name, switch in switches.items() if switch.needs_own_nodes}


def load_or_stop(folder: str, *, own_nodes: bool = True) -> dict[str, Workflow]:
    """`load_all` for the start of a process: what is wrong stops it with one sentence (WrongSettings)."""
    try:
        return load_all(folder, own_nodes=own_nodes)
    except WorkflowError as error:
        raise WrongSettings(f"Workflows cannot be read: {error}.") from None


def load_all(folder: Path | str = "", *, own_nodes: bool = True) -> dict[str, Workflow]:
    """Every workflow of a folder (by default the ones that come along) by name: the TOML file's without ending.

    Without `own_nodes`, switches that need generation/comfyui_nodes are off: RunPod's workers do not have them.
    Raises WorkflowError for a folder without any.
    """
    if not Path(folder or FOLDER).is_dir():
        raise WorkflowError(f"there is no folder {folder}")
    paths = sorted(Path(folder or FOLDER).glob("*.toml"))
    workflows = {path.stem: load(path, {} if own_nodes else _without_own_nodes(path)) for path in paths}
    if not workflows:
        raise WorkflowError(f"{folder}: there is no workflow (.toml) in this folder")
    return workflows
