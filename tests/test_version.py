"""One version, told by every command, the metrics and the operators' page."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from prometheus_client import generate_latest

import generation
from generation.runtime.monitoring import build
from generation.runtime.monitoring.metrics import REGISTRY

ROOT = Path(__file__).parents[1]


def test_the_version_is_a_day_and_stands_in_one_place() -> None:
    assert re.fullmatch(r"20\d\d\.\d{1,2}\.\d{1,2}", generation.__version__)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "generation.__version__"}


def test_the_newest_section_of_the_changelog_is_of_that_day() -> None:
    newest = re.search(r"^## (\d{4})-(\d\d)-(\d\d)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert ".".join(str(int(part)) for part in newest.groups()) == generation.__version__


@pytest.mark.parametrize("module", ["bot", "generation"])
def test_every_command_says_its_version(module: str) -> None:
    command = [sys.executable, "-m", module, "--version"]
    said = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert said.stdout.split()[0] == generation.__version__


def test_the_commit_is_the_images_or_the_checkouts(monkeypatch: pytest.MonkeyPatch) -> None:
    build.commit.cache_clear()
    monkeypatch.setenv("VITTE_COMMIT", "0123456789abcdef")
    assert build.version() == f"{generation.__version__} (0123456789)"
    build.tell()
    assert f'commit="0123456789",version="{generation.__version__}"' in generate_latest(REGISTRY).decode()
    build.commit.cache_clear()
    monkeypatch.delenv("VITTE_COMMIT")
    monkeypatch.setattr(build, "ROOT", Path("/nowhere"))
    assert build.version() == generation.__version__
    build.commit.cache_clear()
