"""How settings are read from the environment and `.env`, and what is said when one is missing or wrong."""

from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    HttpUrl,
    TypeAdapter,
    ValidationError,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

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


class DatabaseSettings(BaseSettings):
    """The one setting that migrations need."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    database_url: Annotated[str, AfterValidator(_asyncpg_url)]


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
