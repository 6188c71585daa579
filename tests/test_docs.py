"""What documents and docstrings name is there, and every command explains itself."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CODE = [
    path for name in ("bot", "generation", "triggers", "sandbox", "tests") for path in (ROOT / name).rglob("*.py")
]
TEXTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("generation/**/*.md"), *CODE]
QUOTED = re.compile(r"`([^`\n]+)`")
PATH = re.compile(r"[\w./-]+\.(?:py|toml|tsv|txt|md|yml|yaml|ftl)")
DOTTED = re.compile(r"(?:bot|generation|triggers|sandbox|tests)(?:\.\w+)+")
#: Written by people or by commands, and not in the repository.
ELSEWHERE = {"NAME.toml", "pylock.toml", "build/bench-gpu.md"}


def modules() -> dict[str, set[str]]:
    """Every name that a module defines, in whichever class or function, by the module's dotted name."""
    found = {}
    for path in CODE:
        parts = path.relative_to(ROOT).with_suffix("").parts
        tree = ast.parse(path.read_text())
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        names |= {node.name for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)}
        names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names |= {alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
                  for alias in node.names}  # fmt: skip
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = names
    return found


MODULES = modules()
NAMES = {path.name for path in ROOT.rglob("*") if ".venv" not in path.parts}


def is_there(word: str, document: Path) -> bool:
    """Whether a quoted word that looks like a path or a dotted name leads somewhere; other words are not asked."""
    if PATH.fullmatch(word) and word not in ELSEWHERE and "*" not in word and "NAME" not in word:
        return (ROOT / word).exists() or (document.parent / word).exists() or ("/" not in word and word in NAMES)
    if DOTTED.fullmatch(word) and not PATH.fullmatch(word):
        parts = word.split(".")
        folders = (ROOT / Path(*parts)).is_dir()
        return (
            folders
            or any(
                ".".join(parts[:cut]) in MODULES and set(parts[cut:]) <= MODULES[".".join(parts[:cut])]
                for cut in range(len(parts), 0, -1)
            )
            or word == "generation.worker.WorkerSettings"
        )
    return True


@pytest.mark.parametrize("document", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_named_is_there(document: Path) -> None:
    words = QUOTED.findall(document.read_text())
    assert [word for word in words if not is_there(word, document)] == []


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    assert [
        page.name
        for page in (ROOT / "docs").glob("*.md")
        if page.name not in {"README.md"} and page.name not in index
    ] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "decisions").glob("*.md")), ids=lambda path: path.stem)
def test_a_decision_has_a_date_and_a_status(page: Path) -> None:
    assert re.match(r"# .+\n\n2\d{3}-\d\d-\d\d · Status: \w+", page.read_text())


@pytest.mark.parametrize(
    "command",
    [
        "bot", "generation", "generation bench-gpu", "triggers", "sandbox", "sandbox.bench", "sandbox.soak",
        "sandbox.comfyui", "sandbox.contact_sheet", "sandbox.scaling", "sandbox.dashboard",
    ],
)  # fmt: skip
def test_every_command_explains_itself(command: str) -> None:
    asked = subprocess.run(
        [sys.executable, "-m", *command.split(), "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.startswith("usage: ")
