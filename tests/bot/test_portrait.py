"""Candidates for a portrait come from the persona's own words; the chosen one is her picture and her reference."""

import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from bot import portrait
from bot.__main__ import main
from bot.personas import persona as personas
from bot.photos import prompt
from bot.portrait import Studio
from sandbox.comfyui import ComfyUIServer
from triggers.policy.policy import Policy


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    folder = tmp_path / "personas"
    folder.mkdir()
    for name in ("alisa.toml", "alisa.jpg"):
        shutil.copy(personas.FOLDER / name, folder)
    return Studio("alisa", tmp_path / "build", folder)


async def candidates(studio: Studio, comfyui: ComfyUIServer, count: int) -> None:
    settings = portrait.PortraitSettings(comfyui_url=comfyui.url, _env_file=None)
    await portrait._make(studio, count, settings)


async def test_candidates_differ_and_are_numbered_on_a_sheet(studio: Studio, comfyui: ComfyUIServer) -> None:
    await candidates(studio, comfyui, 5)
    files = [studio.candidate(number).read_bytes() for number in range(1, 6)]
    assert len(set(files)) == 5
    with Image.open(studio.sheet) as sheet:
        assert sheet.size == (4 * 320, 2 * 420)


async def test_the_chosen_one_is_her_portrait_and_another_reference(studio: Studio, comfyui: ComfyUIServer) -> None:
    before = studio.persona().looks.inputs()
    await candidates(studio, comfyui, 2)
    assert portrait.main("alisa", count=2, pick=2, studio=studio) == 0
    assert studio.persona().looks.inputs() != before
    with Image.open(studio.personas / "alisa.jpg") as picture:
        assert (picture.format, max(picture.size)) == ("JPEG", 1024)


async def test_new_candidates_take_the_place_of_the_old_ones(studio: Studio, comfyui: ComfyUIServer) -> None:
    await candidates(studio, comfyui, 3)
    await candidates(studio, comfyui, 1)
    assert not studio.candidate(2).exists()


def test_what_is_not_there_is_told(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    assert portrait.main("alisa", count=1, pick=9, studio=studio) == 2
    assert "no candidate 9" in capsys.readouterr().err
    assert portrait.main("nobody", count=1, pick=None, studio=studio) == 2
    assert "there are alisa" in capsys.readouterr().err


def test_without_a_comfyui_it_says_what_to_set(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMFYUI_URL", "")
    monkeypatch.chdir(studio.folder.parent)
    with pytest.raises(SystemExit, match="COMFYUI_URL"):
        portrait.main("alisa", count=1, pick=None, studio=studio)


@pytest.mark.parametrize("key", ["alisa", "vera", "daniel", "mark"])
def test_the_prompt_says_that_she_is_an_adult_and_dressed(key: str) -> None:
    said = prompt.portrait(personas.load(personas.FOLDER / f"{key}.toml"))
    assert "years old, adult" in said
    assert "fully clothed" in said
    assert Policy().check_prompt(said) is None


def test_the_command_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["bot"])
    assert main(["portrait", "nobody"]) == 2
