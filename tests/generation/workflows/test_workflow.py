"""Workflows are data: two files each, checked when they are read."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation.errors import WorkflowError
from generation.models import Orientation
from generation.workflows import workflow
from generation.workflows.definition import ALLOWED_NODES, FOLDER, BatchWay, Graph, WorkflowFile
from generation.workflows.workflow import Filling, Place, Workflow

WORKFLOWS = workflow.load_all()


def fill(loaded: Workflow, filling: Filling) -> Graph:
    """The graph of one photo."""
    graph, places = loaded.fill([filling])
    assert places == [Place(loaded.output, 0)]
    return graph


def filling(**changes: object) -> Filling:
    values = {"prompt": "p", "negative_prompt": "n", "seed": 7, "filename_prefix": "vitte/x"}
    return Filling(**{**values, "orientation": Orientation.PORTRAIT, **changes})  # type: ignore[arg-type]


def test_z_image_turbo_has_the_settings_of_the_research() -> None:
    graph = fill(WORKFLOWS["z-image-turbo"], filling())
    sampler = graph["8"]["inputs"]
    assert (sampler["steps"], sampler["cfg"], sampler["sampler_name"], sampler["scheduler"]) == (
        8, 1.0, "euler", "simple",
    )  # fmt: skip
    assert graph["1"]["inputs"]["weight_dtype"] == "fp8_e4m3fn"
    assert graph["2"]["inputs"]["device"] == "cpu"


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_a_photo_fills_prompt_seed_size_and_file_name(name: str) -> None:
    loaded = WORKFLOWS[name]
    tall = fill(loaded, filling(orientation=Orientation.PORTRAIT))
    wide = fill(loaded, filling(orientation=Orientation.LANDSCAPE))
    told = {name: loaded.address(name).split(".") for name in ("prompt", "seed")}
    assert [tall[node]["inputs"][given] for node, given in told.values()] == ["p", 7]
    assert tall[loaded.output]["inputs"]["filename_prefix"] == "vitte/x"
    sizes = [
        next((n["inputs"]["width"], n["inputs"]["height"]) for n in graph.values() if "width" in n["inputs"])
        for graph in (tall, wide)
    ]
    assert sizes[0] == sizes[1][::-1]


@given(st.text())
def test_no_prompt_changes_anything_but_its_own_input(prompt: str) -> None:
    loaded = WORKFLOWS["sdxl"]
    graph = fill(loaded, filling(prompt=prompt))
    assert graph["2"]["inputs"].pop("text") == prompt
    other = fill(loaded, filling())
    other["2"]["inputs"].pop("text")
    assert graph == other


def test_filling_leaves_the_workflow_as_it_was() -> None:
    loaded = WORKFLOWS["sdxl"]
    before = json.dumps(loaded.graph)
    fill(loaded, filling(prompt="changed"))
    assert json.dumps(loaded.graph) == before


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (('prompt = "2.text"', 'prompt = "2.words"'), "2.words is no input"),
        (('output = "7"', 'output = "99"'), "output node 99"),
        (("portrait = [832, 1216]", "portrait = [833, 1216]"), "multiple of 8"),
        (("landscape = [1216, 832]", ""), "lacks landscape"),
        (('seed = "5.seed"', ""), "where the seed goes"),
        (('title = "SDXL"', 'titel = "SDXL"'), "titel"),
        (('graph = "sdxl.json"', 'graph = "gone.json"'), "gone.json"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_what_is_wrong(
    tmp_path: Path, change: tuple[str, str], complaint: str
) -> None:
    source = (FOLDER / "sdxl.toml").read_text()
    assert change[0] in source
    (tmp_path / "sdxl.toml").write_text(source.replace(*change))
    (tmp_path / "sdxl.json").write_text((FOLDER / "sdxl.json").read_text())
    with pytest.raises(WorkflowError, match=r"sdxl\.toml") as raised:
        workflow.load_all(tmp_path)
    assert complaint in str(raised.value)


def test_a_graph_with_a_node_class_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    graph = json.loads((FOLDER / "sdxl.json").read_text())
    graph["99"] = {"class_type": "PythonRunner", "inputs": {}}
    (tmp_path / "sdxl.json").write_text(json.dumps(graph))
    (tmp_path / "sdxl.toml").write_text((FOLDER / "sdxl.toml").read_text())
    with pytest.raises(WorkflowError, match="PythonRunner"):
        workflow.load_all(tmp_path)
    listed = (FOLDER / ALLOWED_NODES).read_text()
    (tmp_path / ALLOWED_NODES).write_text(f"{listed}\n# ours\nPythonRunner\n")
    assert workflow.load_all(tmp_path)


def test_a_folder_without_workflows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkflowError, match="there is no folder"):
        workflow.load_all(tmp_path / "misspelt")


def test_a_lora_goes_where_the_workflow_has_a_place_for_it_and_nowhere_else() -> None:
    with_lora, without = WORKFLOWS["z-image-turbo-lora"], WORKFLOWS["z-image-turbo"]
    of_her = filling(inputs={"lora_name": "face.safetensors", "lora_strength": 0.8})
    loader = fill(with_lora, of_her)["11"]["inputs"]
    assert loader == {"model": ["1", 0], "lora_name": "face.safetensors", "strength_model": 0.8}
    assert "face.safetensors" not in json.dumps(fill(without, of_her))
    assert with_lora.model == without.model


# -- switches -------------------------------------------------------------------------------------------

SWITCHES = [(name, switch) for name, loaded in WORKFLOWS.items() for switch in loaded.switches]


@pytest.mark.parametrize(("name", "switch"), SWITCHES)
def test_every_switch_that_comes_along_says_what_it_does_and_changes_the_graph(name: str, switch: str) -> None:
    path = FOLDER / f"{name}.toml"
    is_on = WORKFLOWS[name].switches[switch].on
    assert WORKFLOWS[name].switches[switch].about
    turned = {switch: False} if is_on else WorkflowFile.read(path).alone(switch)
    assert workflow.load(path, turned).graph != WORKFLOWS[name].graph
    assert workflow.load(path, {switch: is_on}).graph == WORKFLOWS[name].graph


@pytest.mark.parametrize("name", sorted(name for name, each in WORKFLOWS.items() if "one_pass" in each.switches))
def test_all_switches_fit_together(name: str) -> None:
    switches = WORKFLOWS[name].switches
    excluded = {other for switch in switches.values() for other in switch.excludes}
    loaded = workflow.load(FOLDER / f"{name}.toml", {switch: switch not in excluded for switch in switches})
    assert loaded.way is BatchWay.ONE_PASS
    graph, places = loaded.fill([filling(prompt="p", seed=3), filling(prompt="q", seed=4)])
    assert [place.index for place in places] == [0, 1]
    by_class = {node["class_type"]: node["inputs"] for node in graph.values()}
    assert json.loads(by_class["VitteSample"]["seeds"]) == [3, 4]
    assert '["p", "q"]' in [node["inputs"].get("prompts") for node in graph.values()]
    # The compiled model is the one that samples.
    compiled = next(node for node, content in graph.items() if content["class_type"] == "TorchCompileModel")
    assert by_class["VitteSample"]["model"] == [compiled, 0]
    assert next(size["batch_size"] for size in by_class.values() if "batch_size" in size) == 2


@pytest.mark.parametrize(
    ("switch", "complaint"),
    [
        ('values = {"99.steps" = 4}', "99.steps is no input"),
        ('classes = {99 = "VAEDecode"}', "there is no node 99"),
        ('remove = ["6"]', "needs node 6"),
        ('classes = {6 = "PythonRunner"}', "PythonRunner is not in"),
        ('batch = {way = "one_pass"}', "where the prompts goes"),
    ],
)
def test_a_switch_that_does_not_fit_is_refused_even_while_it_is_off(
    tmp_path: Path, switch: str, complaint: str
) -> None:
    source = (FOLDER / "sdxl.toml").read_text()
    (tmp_path / "sdxl.toml").write_text(f'{source}\n[switches.mine]\nabout = "x"\n{switch}\n')
    (tmp_path / "sdxl.json").write_text((FOLDER / "sdxl.json").read_text())
    with pytest.raises(WorkflowError) as raised:
        workflow.load_all(tmp_path)
    assert complaint in str(raised.value)


def test_an_unknown_switch_is_named() -> None:
    with pytest.raises(WorkflowError, match=r"sdxl\.toml: there is no switch warp"):
        workflow.load(FOLDER / "sdxl.toml", {"warp": True})


def test_switches_that_exclude_each_other_are_refused_together() -> None:
    with pytest.raises(WorkflowError, match="compile and fp8_weights exclude each other"):
        workflow.load(FOLDER / "z-image-turbo.toml", {"compile": True})


def test_other_weights_are_another_model_and_another_loader_is_not() -> None:
    path = FOLDER / "z-image-turbo.toml"
    usual = WORKFLOWS["z-image-turbo"].model
    assert workflow.load(path, {"fp8_weights": False}).model != usual
    assert workflow.load(path, {"model_cache": True}).model == usual


def test_without_own_nodes_only_the_switches_that_need_them_are_off(tmp_path: Path) -> None:
    for file in FOLDER.iterdir():
        text = file.read_text()
        if file.suffix == ".toml":
            text = text.replace('about = "files', 'on = true\nabout = "files')
        (tmp_path / file.name).write_text(text)
    ours, theirs = workflow.load_all(tmp_path), workflow.load_all(tmp_path, own_nodes=False)
    for name in ours:
        assert "VitteSaveImage" in str(ours[name].graph)
        assert theirs[name].graph == WORKFLOWS[name].graph


WITH_REFERENCES = ("flux2-klein", "qwen-image-edit")


def links(graph: Graph) -> set[str]:
    return {
        str(value[0]) for node in graph.values() for value in node["inputs"].values() if isinstance(value, list)
    }


@pytest.mark.parametrize("name", WITH_REFERENCES)
@pytest.mark.parametrize("count", range(4))
def test_a_graph_has_as_many_reference_pictures_as_the_photo_brings(name: str, count: int) -> None:
    brought: dict[str, str | float] = {
        f"reference_{number}": f"references/vitte-{number}.jpg" for number in range(1, count + 1)
    }
    graph = fill(WORKFLOWS[name], filling(inputs=brought))
    loaded = [node["inputs"]["image"] for node in graph.values() if node["class_type"] == "LoadImage"]
    assert sorted(loaded) == [f"vitte-{number}.jpg" for number in range(1, count + 1)]
    assert links(graph) <= graph.keys()
    assert list(WORKFLOWS[name].pictures(brought)) == list(brought)
    node, given = WORKFLOWS[name].address("prompt").split(".")
    said = graph[node]["inputs"][given]
    assert said.endswith("p")
    assert ("same face" in said) is bool(count)


def test_references_chain_one_behind_the_other() -> None:
    brought: dict[str, str | float] = {"reference_1": "a.jpg", "reference_2": "b.jpg"}
    graph = fill(WORKFLOWS["flux2-klein"], filling(inputs=brought))
    last = graph[graph["9"]["inputs"]["conditioning"][0]]
    first = graph[last["inputs"]["conditioning"][0]]
    assert [last["class_type"], first["class_type"]] == ["ReferenceLatent"] * 2
    assert first["inputs"]["conditioning"] == ["4", 0]


@pytest.mark.parametrize("name", ["z-image-turbo", "sdxl"])
def test_a_workflow_without_references_leaves_them_out(name: str) -> None:
    brought: dict[str, str | float] = {"reference_1": "a.jpg"}
    assert fill(WORKFLOWS[name], filling(inputs=brought)) == fill(WORKFLOWS[name], filling())
    assert not WORKFLOWS[name].pictures(brought)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('picture = "20.image"', 'picture = "20.picture"', "20.picture is no input"),
        ('nodes = ["20", "21", "22", "23"]', 'nodes = ["21", "22", "23"]', "20 must be among its nodes"),
        ('through = "23.conditioning"', 'through = "23.latents"', "23.latents is no input"),
    ],
)
def test_a_reference_that_does_not_fit_its_graph_is_told(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    for name in ("flux2-klein.json", "flux2-klein.toml", "allowed_nodes.txt"):
        text = (FOLDER / name).read_text()
        (tmp_path / name).write_text(text.replace(old, new))
    with pytest.raises(WorkflowError, match=complaint):
        workflow.load(tmp_path / "flux2-klein.toml")


@pytest.mark.parametrize("name", WITH_REFERENCES)
def test_the_last_photo_of_the_scene_stands_behind_her_own_pictures(name: str) -> None:
    brought: dict[str, str | float] = {
        "scene_photo": "photos/2026/11/abc.png",
        "reference_1": "references/vitte-1.jpg",
    }
    loaded = WORKFLOWS[name]
    graph = fill(loaded, filling(inputs=brought))
    pictures = [graph[node]["inputs"]["image"] for node in ("20", "30")]
    assert pictures == ["vitte-1.jpg", "vitte-abc.png"]
    assert "40" not in graph
    node, given = loaded.address("prompt").split(".")
    assert "place" in graph[node]["inputs"][given].removesuffix("p")


def test_three_pictures_of_her_leave_no_place_for_a_scene() -> None:
    brought: dict[str, str | float] = {f"reference_{each}": f"references/vitte-{each}.jpg" for each in (1, 2, 3)}
    assert "scene_photo" not in WORKFLOWS["flux2-klein"].pictures(brought | {"scene_photo": "photos/x.png"})


@pytest.mark.parametrize("name", WITH_REFERENCES)
def test_a_photo_that_is_wanted_otherwise_takes_the_place_of_the_scene_and_of_a_third_portrait(name: str) -> None:
    brought: dict[str, str | float] = {f"reference_{each}": f"references/vitte-{each}.jpg" for each in (1, 2, 3)}
    brought |= {"scene_photo": "photos/x.png", "edited_photo": "photos/y.png"}
    loaded = WORKFLOWS[name]
    assert list(loaded.pictures(brought)) == ["reference_1", "reference_2", "edited_photo"]
    graph = fill(loaded, filling(inputs=brought))
    assert graph["40"]["inputs"]["image"] == "vitte-y.png"
    node, given = loaded.address("prompt").split(".")
    assert re.search("Edit the last picture|Change the last reference picture", graph[node]["inputs"][given])


def test_photos_of_different_scenes_share_a_pass_of_a_workflow_that_does_not_look_at_them() -> None:
    loaded = workflow.load(FOLDER / "z-image-turbo.toml", {"one_pass": True})
    shapes = {
        loaded.shape(Orientation.PORTRAIT, {"reference_1": f"references/{each}", "scene_photo": each})
        for each in "ab"
    }
    assert len(shapes) == 1


def test_what_a_graph_costs_is_known_by_its_number_of_pictures() -> None:
    brought: dict[str, str | float] = {"reference_1": "references/a.jpg", "scene_photo": "photos/b.png"}
    klein = WORKFLOWS["flux2-klein"]
    assert [klein.kind({}), klein.kind(brought)] == ["flux2-klein", "flux2-klein+2"]
    assert klein.kind(brought) in klein.kinds
    assert WORKFLOWS["sdxl"].kind(brought) == "sdxl"
