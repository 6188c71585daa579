"""Settings of the photo pipeline, read from the environment and `.env`; nothing else reads them."""

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    model_validator,
)
from pydantic_settings import NoDecode
from sentry_sdk.utils import BadDsn, Dsn

from generation.runtime.settings import DatabaseSettings, HttpAddress


def _redis_url(url: str) -> str:
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must look like redis://host:6379/0")
    return url


def _token(token: SecretStr) -> SecretStr:
    number, separator, secret = token.get_secret_value().partition(":")
    if not (number.isdigit() and separator and secret) or any(map(str.isspace, secret)):
        raise ValueError("must look like 123456789:ABC..., as @BotFather gives it")
    return token


def _sentry_dsn(dsn: SecretStr) -> SecretStr:
    try:
        Dsn(dsn.get_secret_value())
    except BadDsn:
        raise ValueError("must look like https://key@host/number") from None
    return dsn


def _names(value: object) -> object:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


class Settings(DatabaseSettings):
    """What the worker needs. Times are in seconds."""

    redis_url: Annotated[str, AfterValidator(_redis_url)]
    s3_endpoint_url: HttpAddress
    s3_access_key: SecretStr
    s3_secret_key: SecretStr
    s3_bucket: str = "vitte-photos"
    s3_region: str = "us-east-1"
    comfyui_url: HttpAddress
    bot_token: Annotated[SecretStr, AfterValidator(_token)]
    telegram_api_url: HttpAddress = "https://api.telegram.org"

    arq_queue: str = "vitte:photos"
    arq_poll_delay: Annotated[float, Field(gt=0, le=5)] = 0.02
    queue_limit: Annotated[int, Field(gt=0)] = 100
    premium_head_start: Annotated[float, Field(ge=0, le=72_000)] = 3600
    requested_photo_expires: Annotated[float, Field(gt=0)] = 1800
    automatic_photo_expires: Annotated[float, Field(gt=0)] = 180
    workflows_folder: str = ""
    warm_up: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = ()
    model_slice: Annotated[float, Field(ge=0)] = 60
    batch_window: Annotated[float, Field(ge=0, le=60)] = 0
    hand_over_lead: Annotated[float, Field(ge=0)] = 0.1
    photo_attempts: Annotated[int, Field(gt=0)] = 3
    photo_retry_pause: Annotated[float, Field(gt=0)] = 2
    render_timeout: Annotated[float, Field(gt=0)] = 180
    stall_timeout: Annotated[float, Field(gt=0)] = 120
    sick_after: Annotated[float, Field(gt=0)] = 15
    watch_every: Annotated[float, Field(gt=0)] = 2
    comfyui_restart_command: str = ""
    render_backend: Literal["comfyui", "runpod"] = "comfyui"
    runpod_url: HttpAddress | None = None
    runpod_api_key: SecretStr | None = None
    runpod_at_once: Annotated[int, Field(gt=0, le=100)] = 4
    overflow_depth: Annotated[int, Field(ge=0)] = 0
    lease: Annotated[float, Field(gt=0)] = 8
    sweep_every: Annotated[int, Field(ge=1, le=30)] = 5
    shutdown_wait: Annotated[int, Field(ge=0)] = 30

    alerts_file: str = ""
    gpu_index: Annotated[int, Field(ge=0)] | None = None
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = None

    log_format: Literal["auto", "console", "json"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    sentry_dsn: Annotated[SecretStr, AfterValidator(_sentry_dsn)] | None = None

    @model_validator(mode="after")
    def _runpod_is_complete(self) -> Self:
        if self.render_backend == "runpod" and not (self.runpod_url and self.runpod_api_key):
            raise ValueError("RENDER_BACKEND=runpod needs RUNPOD_URL and RUNPOD_API_KEY")
        return self

    @property
    def has_own_nodes(self) -> bool:
        """Whether its ComfyUI may have the nodes of generation/comfyui_nodes; RunPod's workers do not."""
        return self.render_backend == "comfyui"

    @classmethod
    def example(cls, **values: object) -> Self:
        """Settings for a test or a tool, from values alone: no environment and no file is read."""
        return cls(_env_file=None, **values)  # type: ignore[arg-type]
