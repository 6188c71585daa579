"""How settings are read from the environment and `.env`, and the groups that several processes share."""

import re
from dataclasses import replace
from typing import Annotated, Literal, Self, TypeVar
from urllib.parse import quote, unquote, urlsplit

from pydantic import AfterValidator, Field, HttpUrl, SecretStr, StringConstraints, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sentry_sdk.utils import BadDsn, Dsn

from generation.runtime import database_url
from generation.runtime.database_url import Address

Model = TypeVar("Model", bound=BaseSettings)


def _database_url(url: str) -> str:
    database_url.parse(url)
    return url


def _http_url(url: str) -> str:
    try:
        TypeAdapter(HttpUrl).validate_python(url)
    except ValidationError:
        raise ValueError("must look like http://host:port") from None
    return url.rstrip("/")


def _http_address(url: str) -> str:
    if "?" in url or "#" in url:
        raise ValueError("must look like http://host:port, without ? and #: paths are put behind it")
    return _http_url(url)


HttpAddress = Annotated[str, AfterValidator(_http_address)]
#: One that is called as it stands.
HttpUrlToCall = Annotated[str, AfterValidator(_http_url)]
#: Seconds: more than none, and no more than a week, which nobody means.
Seconds = Annotated[float, Field(gt=0, le=7 * 86_400, allow_inf_nan=False)]
#: The same, where none is a choice.
SecondsOrNone = Annotated[float, Field(ge=0, le=7 * 86_400, allow_inf_nan=False)]
#: A name that something goes by elsewhere.
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


def _redis_url(url: str) -> str:
    if not url.startswith(("redis://", "rediss://")):
        # arq and our own pool speak TCP; Sentinel and Cluster have other protocols.
        raise ValueError("must look like redis://host:6379/0: no socket, no Sentinel, no Cluster")
    if "#" in url:
        raise ValueError("has a # in it: in a password it is %23, or set REDIS_PASSWORD")
    if not _is_redis_address(url):
        raise ValueError("must look like redis://host:6379/0")
    return url


def _is_redis_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    database = parts.path.strip("/")
    return bool(parts.hostname) and port != 0 and (not database or database.isdigit())


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

    database_url: Annotated[str, AfterValidator(_database_url)]
    #: Instead of the one in the address, where it may have any characters.
    database_password: SecretStr | None = None
    database_pooled: bool = False
    database_connections: Annotated[int, Field(gt=0, le=500)] = 20
    migrations_database_url: Annotated[str, AfterValidator(_database_url)] | None = None

    @property
    def database(self) -> Address:
        """Where PostgreSQL is, or the pooler before it."""
        address = self._parsed(self.database_url)
        return replace(address, pooled=address.pooled or self.database_pooled)

    @property
    def direct(self) -> Address:
        """Where PostgreSQL itself is: migrations hold a lock of their session, which no pooler can give."""
        if self.migrations_database_url:
            return self._parsed(self.migrations_database_url)
        if self.database.pooled:
            raise WrongSettings("DATABASE_URL is a pooler's: set MIGRATIONS_DATABASE_URL to PostgreSQL's own one.")
        return self.database

    def _parsed(self, url: str) -> Address:
        password = self.database_password.get_secret_value() if self.database_password else ""
        return database_url.parse(url, password=password)


class RedisSettings(Group):
    """Redis, and the name under which this deployment's arq jobs stand there."""

    redis_url: Annotated[str, AfterValidator(_redis_url)]
    #: Instead of the one in the address, where it may have any characters.
    redis_password: SecretStr | None = None
    arq_queue: Name = "vitte:photos"

    @property
    def redis(self) -> str:
        """Redis' address with its password."""
        if self.redis_password is None:
            return self.redis_url
        parts = urlsplit(self.redis_url)
        user = quote(unquote(parts.username or ""), safe="")
        password = quote(self.redis_password.get_secret_value(), safe="")
        place = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f"{user}:{password}@{place}").geturl()


class S3Settings(Group):
    """The bucket of the originals, at SeaweedFS, MinIO or anything else that speaks S3."""

    s3_endpoint_url: HttpAddress
    s3_access_key: SecretStr
    s3_secret_key: SecretStr
    s3_bucket: Name = "vitte-photos"
    s3_region: Name = "us-east-1"


def _proxy(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"(?:https?|socks4|socks5)://\S+:\d{1,5}/?", value.get_secret_value()):
        raise ValueError(
            "a proxy is http://, socks4:// or socks5://, with a port, as in socks5://user:word@host:1080"
        )
    return value


class TelegramSettings(Group):
    """The bot's token, and the Bot API server that it talks to."""

    bot_token: Annotated[SecretStr, AfterValidator(_token)]
    telegram_api_url: HttpAddress = "https://api.telegram.org"
    telegram_api_local: bool = False
    telegram_proxy: Annotated[SecretStr, AfterValidator(_proxy)] | None = None
    telegram_ipv4_only: bool = False


class ProcessSettings(Group):
    """What every process has: its log, its metrics endpoint, the alert rules, and how long it may take to stop."""

    alerts_file: str = ""
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    log_format: Literal["auto", "console", "json"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    sentry_dsn: Annotated[SecretStr, AfterValidator(_sentry_dsn)] | None = None
    shutdown_wait: Annotated[int, Field(ge=0, le=3600)] = 30


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
