"""The rooms: each says what lives there, and none holds more than a person can look over."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = sorted(
    path.parent for name in ("bot", "generation", "triggers") for path in (ROOT / name).rglob("__init__.py")
)
#: Files of code in one folder: about ten, and its `__init__`.
MOST_FILES = 12


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_says_what_lives_there_and_what_does_not(package: Path) -> None:
    docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text()))
    assert docstring is not None
    assert docstring.count(".") >= 2, "one sentence on what lives there, one on what does not"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_folder_is_looked_over_at_a_glance(package: Path) -> None:
    assert len(list(package.glob("*.py"))) <= MOST_FILES


def test_every_folder_with_code_is_a_package() -> None:
    folders = {path.parent for name in ("bot", "generation", "triggers") for path in (ROOT / name).rglob("*.py")}
    assert folders == set(PACKAGES)


def test_the_top_level_is_what_the_customer_named_and_what_we_added() -> None:
    named = {"bot", "generation", "triggers", "migrations", "tests"}
    added = {"sandbox", "docs", "deploy", "requirements"}
    found = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    assert named <= found
    assert found <= named | added | {"build"}


def test_callback_data_stands_in_one_low_file() -> None:
    elsewhere = [
        path
        for path in (ROOT / "bot").rglob("*.py")
        if "(CallbackData" in path.read_text() and path != ROOT / "bot" / "telegram" / "callbacks.py"
    ]
    assert elsewhere == []


def test_a_photos_status_is_written_in_one_module() -> None:
    written = re.compile(r"\bstatus=(?:PhotoStatus\.|QUEUED|RENDERING|DROPPED|FAILED)|\"status\": PhotoStatus")
    elsewhere = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "generation").rglob("*.py")
        if written.search(path.read_text()) and path.name != "lifecycle.py"
    ]
    assert elsewhere == []
