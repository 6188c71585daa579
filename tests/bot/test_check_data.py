"""`python -m bot check-data` finds what does not fit, in the files and in a running ComfyUI."""

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bot import check_data
from bot.personas import persona
from generation.workflows import workflow
from generation.workflows.compatibility import problems
from generation.workflows.definition import FOLDER
from sandbox.comfyui import ComfyUIServer
from sandbox.comfyui.nodes import NODES

ROOT = Path(__file__).parents[2]
WORKFLOWS = workflow.load_all()
ALISA = (persona.FOLDER / "alisa.toml").read_text()


def command(folder: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """In a folder without a .env, so that nothing of this machine counts."""
    environment = {
        name: value for name, value in os.environ.items() if name not in {"COMFYUI_URL", "WORKFLOWS_FOLDER"}
    }
    environment |= {"PYTHONPATH": str(ROOT), **variables}
    arguments = [sys.executable, "-m", "bot", "check-data"]
    return subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_what_comes_along_fits(tmp_path: Path) -> None:
    ended = command(tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "COMFYUI_URL is not set" in ended.stdout


async def test_what_comes_along_fits_the_stand_in(tmp_path: Path, comfyui: ComfyUIServer) -> None:
    ended = await asyncio.to_thread(command, tmp_path, COMFYUI_URL=comfyui.url)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert comfyui.url in ended.stdout


def test_a_comfyui_that_is_not_there_is_said_in_a_sentence(tmp_path: Path) -> None:
    ended = command(tmp_path, COMFYUI_URL="http://127.0.0.1:9")
    assert ended.returncode == 1
    assert "does not answer" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_broken_workflow_and_a_missing_one_are_both_named(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "workflows")
    (tmp_path / "workflows" / "sdxl.toml").unlink()
    (tmp_path / "workflows" / "z-image-turbo-lora.json").write_text("{")
    ended = command(tmp_path, WORKFLOWS_FOLDER=str(tmp_path / "workflows"))
    assert ended.returncode == 1
    assert "z-image-turbo-lora.toml" in ended.stderr
    assert "vera.toml: workflow 'sdxl' does not exist" in ended.stderr


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('default = "z-image-turbo"', 'default = "gone"', "workflow 'gone' does not exist"),
        (
            "[workflow]",
            '[[workflow.rules]]\nstory = "gone"\nworkflow = "sdxl"\n\n[workflow]',
            "names the story 'gone'",
        ),
        (
            "[workflow]",
            '[[workflow.rules]]\natmosphere = "gone"\nworkflow = "sdxl"\n\n[workflow]',
            "names the atmosphere 'gone'",
        ),
        ("[workflow]", '[looks.lora]\nfile = "face.safetensors"\n\n[workflow]', "no input for the lora_name"),
        ('default = "z-image-turbo"', 'default = "z-image-turbo-lora"', "wants a lora_name"),
        ("oversized grey sweater and jeans", "серый свитер", "must be English"),
        ("oversized grey sweater and jeans", "nothing, naked", "refused by the policy (explicit)"),
        ("light freckles", "looking like Taylor Swift", "refused by the policy (real_person)"),
    ],
)
def test_what_does_not_fit_in_a_personas_file_is_found(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in ALISA
    (tmp_path / "alisa.toml").write_text(ALISA.replace(old, new))
    shutil.copy(persona.FOLDER / "alisa.jpg", tmp_path)
    found = list(check_data.of_persona(persona.load(tmp_path / "alisa.toml"), WORKFLOWS))
    assert any(problem in each for each in found), found


def test_what_a_comfyui_lacks_is_found() -> None:
    lacking = {name: node for name, node in NODES.items() if name != "ModelSamplingAuraFlow"}
    lacking["UNETLoader"] = {"input": {"required": {"unet_name": ["COMBO", {"options": ["other.safetensors"]}]}}}
    lacking["VAEDecode"] = {"input": {"required": {"samples": ["LATENT"], "vae": ["VAE"], "tile": ["INT"]}}}
    found = " ".join(problems(WORKFLOWS["z-image-turbo"], lacking))
    assert "no node ModelSamplingAuraFlow" in found
    assert (
        "unet_name 'z_image_turbo_bf16.safetensors' is not among what this ComfyUI has: other.safetensors" in found
    )
    assert "has no input weight_dtype" in found
    assert "lacks the input tile" in found
    assert not list(problems(WORKFLOWS["z-image-turbo"], NODES))
