"""What deploy/ says for machines without Docker: units that systemd takes, and variables that exist."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bot.updates.webhook import WEBHOOK_PATH
from sandbox.settings import ProductSettings

ROOT = Path(__file__).parents[1]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


def unit(path: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # systemd's names have capitals
    parser.read_string(path.read_text())
    return parser


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_takes_the_unit(path: Path, tmp_path: Path) -> None:
    for each in UNITS:
        # The programs of this checkout, and a user that is there.
        text = each.read_text().replace("/opt/vitte/.venv/bin", str(Path(sys.executable).parent))
        text = (
            text.replace("/opt/vitte", str(ROOT))
            .replace("User=vitte", "User=root")
            .replace("Group=vitte", "Group=root")
        )
        (tmp_path / each.name).write_text(text)
    name = path.name.replace("@.", "@gpu0.")
    said = subprocess.run(
        [str(shutil.which("systemd-analyze")), "verify", "--man=no", "--recursive-errors=no", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
        env={"SYSTEMD_UNIT_PATH": f"{tmp_path}:/usr/lib/systemd/system", "PATH": "/usr/bin:/bin"},
    )
    complaints = [line for line in said.stderr.splitlines() if "vitte" in line]
    assert not complaints


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_is_hardened_and_has_time_to_stop(path: Path) -> None:
    service = unit(path)["Service"]
    assert service["User"] == "vitte"
    for name, value in (("NoNewPrivileges", "yes"), ("ProtectSystem", "strict"), ("CapabilityBoundingSet", "")):
        assert service[name] == value
    if service.get("Restart"):
        assert int(service["TimeoutStopSec"]) > ProductSettings.model_fields["shutdown_wait"].default


def test_the_environment_of_the_example_exists() -> None:
    text = (ROOT / "deploy" / "systemd" / "vitte.env.example").read_text()
    named = set(re.findall(r"^([A-Z0-9_]+)=", text, re.MULTILINE))
    assert named <= {name.upper() for name in ProductSettings.model_fields}
    required = {name.upper() for name, field in ProductSettings.model_fields.items() if field.is_required()}
    assert required <= named


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_the_proxies_pass_on_the_webhook_and_nothing_else(name: str) -> None:
    text = (ROOT / "deploy" / "proxy" / name).read_text()
    assert WEBHOOK_PATH in text
    assert "127.0.0.1:8081" in text
    assert "404" in text
