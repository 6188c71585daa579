"""Personas are data, adults, and fit the workflows."""

import shutil
from pathlib import Path

import pytest

from bot.personas import camera, persona
from bot.personas.persona import WrongPersona
from bot.personas.scene import Scene
from bot.photos.prompt import DECENT, describe
from generation.models import Orientation
from generation.workflows import workflow

WORKFLOWS = set(workflow.load_all())
PERSONAS = persona.load_all(WORKFLOWS)
ALISA = (persona.FOLDER / "alisa.toml").read_text()


def test_there_are_at_least_three_each_with_three_stories() -> None:
    assert len(PERSONAS) >= 3
    assert all(len(it.stories) >= 3 for it in PERSONAS.values())


@pytest.mark.parametrize("name", sorted(PERSONAS))
def test_every_photo_prompt_says_adult_and_carries_looks_outfit_and_place(name: str) -> None:
    it = PERSONAS[name]
    for key, story in it.stories.items():
        description = describe(it, key, story.scene)
        for part in (it.looks.person, DECENT, f"{it.age} years old", story.scene.outfit, story.scene.place):
            assert part in description.prompt
        assert "child" in description.negative_prompt
        assert description.workflow in WORKFLOWS
        assert len(description.prompt) < 2000


@pytest.mark.parametrize(
    ("words", "due"),
    [
        ("close-up portrait, 85mm lens", True),
        ("mirror selfie", True),
        ("half-body, looking straight into the lens", True),
        ("portrait orientation, wide shot", False),
        ("close-up of her hands", False),
        ("full body, seen from behind", False),
        ("", False),
    ],
)
def test_a_face_is_due_where_the_camera_says_so(words: str, due: bool) -> None:
    assert camera.shows_face(words) is due


def test_the_workflow_follows_persona_and_atmosphere_and_the_shape_follows_the_camera() -> None:
    vera = PERSONAS["vera"]
    assert describe(vera, "club", Scene(atmosphere="glamorous")).workflow == "sdxl"
    assert describe(vera, "sunday", Scene(atmosphere="cosy")).workflow == "z-image-turbo"
    assert describe(vera, "club", Scene(camera="close-up")).orientation is Orientation.PORTRAIT
    assert describe(vera, "club", Scene(camera="Wide shot of the hall")).orientation is Orientation.LANDSCAPE


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("age = 27", "age = 17", "greater than or equal to 21"),
        ('default = "z-image-turbo"', 'default = "gone"', "gone"),
        ('atmosphere = "cosy"', 'atmosphere = "unknown"', "unknown"),
        ("[stories.attic]", "[stories.ATTIC]", "ATTIC"),
        ('en = "Alisa"', "", "name.en"),
    ],
)
def test_a_wrong_file_stops_the_start_with_its_name(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert old in ALISA
    (tmp_path / "alisa.toml").write_text(ALISA.replace(old, new))
    shutil.copy(persona.FOLDER / "alisa.jpg", tmp_path)
    with pytest.raises(WrongPersona, match=r"alisa\.toml") as raised:
        persona.load_all(WORKFLOWS, tmp_path)
    assert complaint in str(raised.value)
