"""Settings of the photo pipeline by component, and all of a worker's; nothing else reads the environment."""

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from generation.runtime.settings import (
    DatabaseSettings,
    Group,
    HttpAddress,
    Name,
    ProcessSettings,
    RedisSettings,
    S3Settings,
    Seconds,
    SecondsOrNone,
    TelegramSettings,
)


def _names(value: object) -> object:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


class QueueSettings(Group):
    """How orders wait, for whoever places them and whoever makes them."""

    queue_limit: Annotated[int, Field(gt=0)] = 100
    premium_head_start: Annotated[float, Field(ge=0, le=72_000)] = 3600
    requested_photo_expires: Seconds = 1800
    automatic_photo_expires: Seconds = 180
    overflow_depth: Annotated[int, Field(ge=0)] = 0
    lease: Seconds = 7


Days = Annotated[int, Field(ge=0, le=36_500)]


class RetentionSettings(Group):
    """Days for which things are kept; 0 keeps them for ever. What is told to people by /privacy."""

    #: Messages that a summary stands for.
    keep_messages_days: Days = 365
    #: What was said in a talk, after it ended.
    keep_ended_talks_days: Days = 180
    #: Descriptions of photos that were delivered.
    keep_prompts_days: Days = 90
    #: Originals in S3; the photo itself stays in Telegram.
    keep_originals_days: Days = 730


class WorkflowSettings(Group):
    """Which ComfyUI workflows there are."""

    workflows_folder: str = ""


#: What each back end cannot do without, the ComfyUI of one's own apart.
NEEDED = {
    "comfyui": (),
    "image_api": ("image_api_url",),
    "runpod": ("runpod_url", "runpod_api_key"),
    "modal": ("modal_url", "modal_key", "modal_secret"),
    "replicate": ("replicate_model", "replicate_api_token"),
}


class ComfyUISettings(Group):
    """The worker's ComfyUI or what stands in for one, and its card."""

    comfyui_url: HttpAddress | None = None
    comfyui_secret: Annotated[SecretStr, Field(min_length=1)] | None = None
    comfyui_restart_command: str = ""
    warm_up: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = ()
    render_timeout: Seconds = 180
    stall_timeout: Seconds = 120
    gpu_index: Annotated[int, Field(ge=0)] | None = None
    render_backend: Literal["comfyui", "image_api", "runpod", "modal", "replicate"] = "comfyui"
    image_api_url: HttpAddress | None = None
    image_api_key: SecretStr | None = None
    image_api_model: str = ""
    image_api_workflow: Name = "z-image-turbo"
    image_api_at_once: Annotated[int, Field(gt=0, le=64)] = 8
    runpod_url: HttpAddress | None = None
    runpod_api_key: SecretStr | None = None
    modal_url: HttpAddress | None = None
    modal_key: SecretStr | None = None
    modal_secret: SecretStr | None = None
    replicate_url: HttpAddress = "https://api.replicate.com/v1"
    replicate_api_token: SecretStr | None = None
    replicate_model: Annotated[str, Field(pattern=r"^([\w.-]+/[\w.-]+|[0-9a-f]{64})?$")] = ""
    replicate_webhook_url: HttpAddress | None = None
    replicate_webhook_secret: Annotated[SecretStr, Field(pattern=r"^whsec_")] | None = None
    #: Money for a second of this worker's GPU, in whatever currency.
    gpu_second_price: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] = 0

    @model_validator(mode="after")
    def _backend_is_complete(self) -> Self:
        if self.render_backend == "comfyui" and not self.comfyui_url:
            raise ValueError("COMFYUI_URL is not set: set it in the environment or in .env (see .env.example)")
        missing = [name.upper() for name in NEEDED[self.render_backend] if not getattr(self, name)]
        if missing:
            raise ValueError(f"RENDER_BACKEND={self.render_backend} needs {' and '.join(missing)}")
        if bool(self.replicate_webhook_url) != bool(self.replicate_webhook_secret):
            raise ValueError("REPLICATE_WEBHOOK_URL and REPLICATE_WEBHOOK_SECRET go together")
        return self

    @property
    def render_url(self) -> str:
        """Where it renders."""
        return getattr(self, f"{self.render_backend}_url") or ""

    @property
    def is_overflow(self) -> bool:
        """Whether it is paid by the second and takes only what others cannot make in time."""
        return self.render_backend in {"runpod", "modal", "replicate"}

    @property
    def has_own_nodes(self) -> bool:
        """Whether its ComfyUI may have the nodes of generation/comfyui_nodes: RunPod's image has none."""
        return self.render_backend in {"comfyui", "modal", "replicate"}


class RenderSettings(Group):
    """Which photos share a graph, and how often a photo is tried."""

    model_slice: SecondsOrNone = 60
    batch_window: Annotated[float, Field(ge=0, le=60)] = 0
    photo_attempts: Annotated[int, Field(gt=0)] = 3
    photo_retry_pause: Seconds = 2
    probe_workflows: bool = True
    leak_vram: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = 4
    leak_ram: Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)] = 16


class PictureSettings(Group):
    """What looks at finished pictures."""

    picture_classifier: Annotated[str, Field(min_length=1)] = "open_nsfw"
    face_detector: str = ""
    face_embedder: str = ""
    face_likeness: Annotated[float, Field(ge=-1, le=1)] = 0.363


class Settings(
    DatabaseSettings,
    RedisSettings,
    S3Settings,
    TelegramSettings,
    QueueSettings,
    RetentionSettings,
    WorkflowSettings,
    ComfyUISettings,
    RenderSettings,
    PictureSettings,
    ProcessSettings,
):
    """All of a worker."""
