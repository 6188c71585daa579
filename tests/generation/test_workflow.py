"""Workflows are data: two files each, checked when they are read."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation import workflow
from generation.errors import WorkflowError
from generation.models import Orientation
from generation.workflow import Filling, Place, Workflow
from generation.workflow_file import ALLOWED_NODES, FOLDER, Graph

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
    text = json.dumps(tall)
    assert '"text": "p"' in text
    assert '"seed": 7' in text
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
