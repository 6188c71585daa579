"""How settings are read from the environment and `.env`, and the groups that several processes share."""

from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, HttpUrl, SecretStr, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sentry_sdk.utils import BadDsn, Dsn

Model = TypeVar("Model", bound=BaseSettings)


def _asyncpg_url(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"postgres", "postgresql", "postgresql+asyncpg"}:
        raise ValueError("must look like postgresql://user:password@host:5432/database")
    return f"postgresql+asyncpg://{rest}"


def _http_url(url: str) -> str:
    try:
        TypeAdapter(HttpUrl).validate_python(url)
    except ValidationError:
        raise ValueError("must look like http://host:port") from None
    return url.rstrip("/")


HttpAddress = Annotated[str, AfterValidator(_http_url)]


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


class Group(BaseSettings):
    """The settings of one component. A process' settings are the groups that it needs; times are in seconds."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    @classmethod
    def example(cls, **values: object) -> Self:
        """Settings for a test or a tool, from values alone: no environment and no file is read."""
        return cls(_env_file=None, **values)  # type: ignore[arg-type]


class DatabaseSettings(Group):
    """PostgreSQL: all that migrations need."""

    database_url: Annotated[str, AfterValidator(_asyncpg_url)]


class RedisSettings(Group):
    """Redis, and the name under which this deployment's arq jobs stand there."""

    redis_url: Annotated[str, AfterValidator(_redis_url)]
    arq_queue: str = "vitte:photos"


class S3Settings(Group):
    """The bucket of the originals, at MinIO or anything else that speaks S3."""

    s3_endpoint_url: HttpAddress
    s3_access_key: SecretStr
    s3_secret_key: SecretStr
    s3_bucket: str = "vitte-photos"
    s3_region: str = "us-east-1"


class TelegramSettings(Group):
    """The bot's token, and the Bot API server that it talks to."""

    bot_token: Annotated[SecretStr, AfterValidator(_token)]
    telegram_api_url: HttpAddress = "https://api.telegram.org"


class ProcessSettings(Group):
    """What every process has: its log, its metrics endpoint, the alert rules, and how long it may take to stop."""

    alerts_file: str = ""
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    log_format: Literal["auto", "console", "json"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    sentry_dsn: Annotated[SecretStr, AfterValidator(_sentry_dsn)] | None = None
    shutdown_wait: Annotated[int, Field(ge=0)] = 30


class WrongSettings(SystemExit):
    """Stops the start with one sentence for each variable that is missing or wrong."""


def load(model: type[Model]) -> Model:
    """Read the settings of a process.

    Raises WrongSettings, whose text names the variables and never shows a value (it could be a secret).
    """
    try:
        return model()
    except ValidationError as error:
        prefix = model.model_config.get("env_prefix") or ""
        raise WrongSettings("\n".join(_sentence(dict(problem), prefix) for problem in error.errors())) from None


def _sentence(problem: dict[str, object], prefix: str) -> str:
    location = problem["loc"]
    if not (isinstance(location, tuple) and location):
        return str(problem["msg"]).removeprefix("Value error, ") + "."
    name = f"{prefix}{location[0]}".upper()
    if problem["type"] == "missing":
        return f"{name} is not set: set it in the environment or in .env (see .env.example)."
    return f"{name} is wrong: {str(problem['msg']).removeprefix('Value error, ')}."
