"""Settings of the bot by component, and all of its process'."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    HttpUrl,
    SecretStr,
    model_validator,
)
from pydantic_settings import NoDecode

from generation.runtime.settings import (
    DatabaseSettings,
    Group,
    HttpAddress,
    HttpUrlToCall,
    Name,
    ProcessSettings,
    RedisSettings,
    S3Settings,
    Seconds,
    SecondsOrNone,
    TelegramSettings,
)
from generation.settings import QueueSettings, RetentionSettings, WorkflowSettings
from triggers import FREE_GAP, PREMIUM_GAP


def _ids(value: object) -> object:
    return value.replace(",", " ").split() if isinstance(value, str) else value


def _gap(value: object) -> object:
    return value.split("-") if isinstance(value, str) else value


def _rises(gap: tuple[int, int]) -> tuple[int, int]:
    if gap[0] > gap[1]:
        raise ValueError("the smaller number comes first, as in 5-7")
    return gap


def _packs(value: object) -> object:
    return [pack.split(":") for pack in value.replace(",", " ").split()] if isinstance(value, str) else value


_Pack = tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0, le=100_000)]]
#: Photos of a pack and its price in Stars.
Packs = Annotated[tuple[_Pack, ...], NoDecode, BeforeValidator(_packs)]
_Hour = Annotated[int, Field(ge=0, le=23)]
QuietHours = Annotated[tuple[_Hour, _Hour], NoDecode, BeforeValidator(_gap)]
PhotoGap = Annotated[
    tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]],
    NoDecode,
    BeforeValidator(_gap),
    AfterValidator(_rises),
]
Ids = Annotated[frozenset[int], NoDecode, BeforeValidator(_ids)]


Family = Literal[
    "auto", "openai", "openai-reasoning", "openrouter", "deepseek", "anthropic", "gemma", "mistral", "llama.cpp",
    "vllm", "ollama", "lm-studio",
]  # fmt: skip
Context = Annotated[int, Field(ge=1024)] | None


class ModelAddress(BaseModel):
    """One model on one server, and how it is asked."""

    model_config = ConfigDict(frozen=True)

    base_url: str
    api_key: SecretStr
    model: str
    profile: Family = "auto"
    structured: Literal["auto", "on", "off"] = "auto"
    context: int | None = None
    temperature: float = 0.9
    reasoning_effort: str = ""
    stop: tuple[str, ...] = ()
    extra_body: dict[str, Any] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        """Names the model on its server; a password in the address is nobody's business."""
        return f"{self.shown_url} {self.model}"

    @property
    def shown_url(self) -> str:
        """The address as operators read it."""
        return re.sub(r"//[^/]*@", "//", self.base_url)


class LlmSettings(Group):
    """The language model: any OpenAI-compatible server, and another one for when it is away."""

    llm_base_url: HttpAddress
    llm_api_key: SecretStr
    llm_model: Name
    llm_profile: Family = "auto"
    llm_structured: Literal["auto", "on", "off"] = "auto"
    llm_context: Context = None
    llm_temperature: Annotated[float, Field(ge=0, le=2)] = 0.9
    llm_reasoning_effort: Literal["", "none", "minimal", "low", "medium", "high"] = ""
    llm_stop: str = ""
    llm_extra_body: dict[str, Any] = Field(default_factory=dict)
    llm_fallback_base_url: HttpAddress | None = None
    llm_fallback_api_key: SecretStr = SecretStr("")
    llm_fallback_model: str = ""
    llm_fallback_profile: Family = "auto"
    llm_fallback_context: Context = None
    llm_timeout: Seconds = 60
    llm_max_tokens: Annotated[int, Field(gt=0)] = 700
    llm_transcription_model: str = ""
    llm_sees_pictures: bool = False
    voice_longest: Annotated[int, Field(gt=0, le=900)] = 300
    llm_price_prompt: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    llm_price_completion: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    llm_price_voice: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0

    @model_validator(mode="after")
    def _fallback_is_whole(self) -> Self:
        if self.llm_fallback_base_url and not self.llm_fallback_model:
            raise ValueError("LLM_FALLBACK_BASE_URL needs LLM_FALLBACK_MODEL")
        return self

    @property
    def model_addresses(self) -> tuple[ModelAddress, ...]:
        """The server, and the one that stands in for it."""
        first = ModelAddress(
            base_url=self.llm_base_url,
            api_key=self.llm_api_key,
            model=self.llm_model,
            profile=self.llm_profile,
            structured=self.llm_structured,
            context=self.llm_context,
            temperature=self.llm_temperature,
            reasoning_effort=self.llm_reasoning_effort,
            stop=tuple(filter(None, self.llm_stop.split("|"))),
            extra_body=self.llm_extra_body,
        )
        if not self.llm_fallback_base_url:
            return (first,)
        second = ModelAddress(
            base_url=self.llm_fallback_base_url,
            api_key=self.llm_fallback_api_key,
            model=self.llm_fallback_model,
            profile=self.llm_fallback_profile,
            context=self.llm_fallback_context,
            temperature=self.llm_temperature,
        )
        return (first, second)


class GuardSettings(Group):
    """A guard model, which judges texts beside our own policy; none without an address."""

    guard_base_url: HttpAddress | None = None
    guard_api_key: SecretStr = SecretStr("")
    guard_model: str = ""
    guard_format: Literal["auto", "moderation", "llama_guard", "qwen3guard", "shieldgemma"] = "auto"
    guard_timeout: Annotated[float, Field(gt=0, le=60)] = 5
    guard_away: Literal["explicit_waits", "photos_wait", "nothing_waits"] = "explicit_waits"


#: What setWebhook takes (core.telegram.org/bots/api#setwebhook); a Bot API server of one's own takes any address.
SECRET_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,256}")
WEBHOOK_PORTS = {443, 80, 88, 8443}
TELEGRAM = "https://api.telegram.org"


class WebhookSettings(Group):
    """How Telegram's updates come; without an address the bot polls."""

    webhook_url: HttpAddress | None = None
    webhook_secret: Annotated[SecretStr, Field(min_length=1, max_length=256)] | None = None
    webhook_host: str = "127.0.0.1"
    webhook_port: Annotated[int, Field(ge=0, le=65535)] = 8081

    @model_validator(mode="after")
    def _webhook_is_guarded(self) -> Self:
        if self.webhook_url and not self.webhook_secret:
            raise ValueError("WEBHOOK_URL needs WEBHOOK_SECRET, or anyone could send updates")
        if self.webhook_secret and not SECRET_TOKEN.fullmatch(self.webhook_secret.get_secret_value()):
            raise ValueError("WEBHOOK_SECRET may have letters, digits, _ and - alone (Telegram's setWebhook)")
        if self.webhook_url and getattr(self, "telegram_api_url", "") == TELEGRAM:
            url = HttpUrl(self.webhook_url)
            if url.scheme != "https" or url.port not in WEBHOOK_PORTS:
                raise ValueError("WEBHOOK_URL must be https on port 443, 80, 88 or 8443: Telegram calls no other")
        return self


class PlanSettings(Group):
    """What the two plans allow, and what is sold."""

    premium_ids: Ids = frozenset()
    free_photo_gap: PhotoGap = FREE_GAP
    premium_photo_gap: PhotoGap = PREMIUM_GAP
    free_photo_cooldown: SecondsOrNone = 60
    premium_photo_cooldown: SecondsOrNone = 60
    free_photos_a_day: Annotated[int, Field(ge=0)] = 30
    premium_photos_a_day: Annotated[int, Field(ge=0)] = 150
    free_memory_tokens: Annotated[int, Field(ge=200)] = 3000
    premium_memory_tokens: Annotated[int, Field(ge=200)] = 12_000
    free_facts: Annotated[int, Field(ge=0)] = 20
    premium_facts: Annotated[int, Field(ge=0)] = 100
    free_own_personas: Annotated[int, Field(ge=0)] = 1
    premium_own_personas: Annotated[int, Field(ge=0)] = 10
    free_model_calls_a_day: Annotated[int, Field(ge=0)] = 500
    premium_model_calls_a_day: Annotated[int, Field(ge=0)] = 2500
    free_model_tokens_a_day: Annotated[int, Field(ge=0)] = 2_000_000
    premium_model_tokens_a_day: Annotated[int, Field(ge=0)] = 20_000_000
    free_voice_seconds_a_day: Annotated[int, Field(ge=0)] = 600
    premium_voice_seconds_a_day: Annotated[int, Field(ge=0)] = 3600
    free_pictures_a_day: Annotated[int, Field(ge=0)] = 20
    premium_pictures_a_day: Annotated[int, Field(ge=0)] = 100
    premium_stars: Annotated[int, Field(gt=0, le=10_000)] = 350
    photo_packs: Packs = ((20, 100), (60, 250))
    invitation_photos: Annotated[int, Field(ge=0)] = 5
    invitations_rewarded: Annotated[int, Field(ge=0)] = 20
    support_contact: str = ""


class ConversationSettings(Group):
    """What people may write and get, and when the bot begins nothing by itself."""

    messages_a_minute: Annotated[int, Field(gt=0)] = 20
    messages_at_once: Annotated[int, Field(gt=0)] = 30
    quiet_hours: QuietHours = (22, 9)
    explicit_content: bool = False


class ScalingSettings(Group):
    """How many processes share the work of one bot (docs/scaling.md)."""

    #: That answer people; with more than one of them one more takes the updates.
    bot_processes: Annotated[int, Field(ge=1, le=64)] = 1
    #: That read texts for each of them; without a number as many as there are cores, from two to four.
    text_readers: Annotated[int, Field(ge=1, le=64)] | None = None


class OperatorSettings(Group):
    """Who the operators are, and what is called when more GPUs are wanted."""

    admin_ids: Ids = frozenset()
    scale_webhook_url: HttpUrlToCall | None = None


class Settings(
    DatabaseSettings,
    RedisSettings,
    S3Settings,
    TelegramSettings,
    QueueSettings,
    RetentionSettings,
    WorkflowSettings,
    ProcessSettings,
    LlmSettings,
    GuardSettings,
    WebhookSettings,
    PlanSettings,
    ConversationSettings,
    ScalingSettings,
    OperatorSettings,
):
    """All of the bot; it needs no ComfyUI."""
