"""Settings of `make run`: its own, and those of the whole product on one machine."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.settings import Settings as BotSettings
from generation.settings import Settings as WorkerSettings

Port = Annotated[int, Field(ge=0, le=65535)]


class SandboxSettings(BaseSettings):
    """A port that is taken is replaced by a free one; 0 always takes a free one."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, env_prefix="sandbox_", extra="ignore", frozen=True
    )

    data: Path = Path(".data")
    port: Port = 8080
    comfyui_port: Port = 8188
    llm_port: Port = 0
    redis_port: Port = 0
    s3_port: Port = 0
    render_seconds: Annotated[float, Field(ge=0)] = 2.0
    llm_seconds: Annotated[float, Field(ge=0)] = 0.6
    llm_word_seconds: Annotated[float, Field(ge=0)] = 0.05


class ProductSettings(BotSettings, WorkerSettings):  # type: ignore[misc] # pydantic's plugin: both have `model_construct`
    """Of the bot and a worker together, as tests, benchmarks and tools start both."""
