"""PostgreSQL's address as hosters give it: libpq's URL, whose parameters asyncpg takes by other names or never."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

SCHEMES = {"postgres", "postgresql", "postgresql+asyncpg"}
LOOKS_LIKE = "must look like postgresql://user:password@host:5432/database"
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
#: What changes nothing for us: asyncpg has no channel binding and no GSS encryption, and its sockets live with the
#: process; Prisma's and Django's own words are in many pasted addresses.
WITHOUT_EFFECT = {
    "channel_binding", "gssencmode", "krbsrvname", "keepalives", "keepalives_idle", "keepalives_interval",
    "keepalives_count", "tcp_user_timeout", "client_encoding", "fallback_application_name", "sslcompression",
    "sslsni", "connection_limit", "pool_timeout", "schema", "prepared_statements", "statement_cache_size",
}  # fmt: skip
_OPTION = re.compile(r"(?:-c\s*|--)([a-z_.]+)=((?:\\.|\S)*)")


@dataclass(frozen=True, slots=True)
class Address:
    """Where PostgreSQL is, for SQLAlchemy and asyncpg."""

    url: URL
    connect_args: dict[str, Any] = field(default_factory=dict)
    #: Behind a pooler that gives each transaction another connection, as PgBouncer does.
    pooled: bool = False


def parse(text: str, *, password: str = "") -> Address:
    """Read an address; `password` replaces the one in it. Raises ValueError with a sentence without secrets."""
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in SCHEMES:
        raise ValueError(LOOKS_LIKE)
    if "," in rest.partition("/")[0].rpartition("@")[2]:
        raise ValueError("names several hosts; name one, or the pooler in front of them")
    try:
        url = make_url(f"postgresql+asyncpg://{rest}")
    except (ArgumentError, ValueError):
        raise ValueError(f"{LOOKS_LIKE}; in a password, # is %23") from None
    connect_args: dict[str, Any] = {}
    parameters = {name: value if isinstance(value, str) else value[-1] for name, value in url.query.items()}
    pooled = _flag("pgbouncer", parameters.pop("pgbouncer", "false"))
    for name, value in parameters.items():
        if name in READ:
            READ[name](connect_args, value)
        elif name not in WITHOUT_EFFECT:
            raise ValueError(f"has the parameter {name}, which is not known here: leave it out")
    url = url.set(query={})
    return Address(url.set(password=password) if password else url, connect_args, pooled)


def _flag(name: str, value: str) -> bool:
    if value.lower() not in {"true", "false", "1", "0", "on", "off", "yes", "no"}:
        raise ValueError(f"says {name}={value}: true or false")
    return value.lower() in {"true", "1", "on", "yes"}


def _ssl(connect_args: dict[str, Any], value: str) -> None:
    if value not in SSL_MODES:
        raise ValueError(f"says sslmode={value}: one of {', '.join(SSL_MODES)}")
    connect_args["ssl"] = value


def _seconds(connect_args: dict[str, Any], value: str) -> None:
    if not value.isdigit():
        raise ValueError(f"says connect_timeout={value}: whole seconds")
    # libpq: zero is no limit, and one second is too short to be meant.
    connect_args["timeout"] = max(2, int(value)) if int(value) else 60


def _application(connect_args: dict[str, Any], value: str) -> None:
    connect_args.setdefault("server_settings", {})["application_name"] = value


def _options(connect_args: dict[str, Any], value: str) -> None:
    found = _OPTION.findall(value)
    if not found or _OPTION.sub("", value).strip():
        raise ValueError(f"says options={value}: only -c name=value is understood")
    settings = {name: setting.replace("\\ ", " ") for name, setting in found}
    connect_args.setdefault("server_settings", {}).update(settings)


def _session(connect_args: dict[str, Any], value: str) -> None:
    connect_args["target_session_attrs"] = value


def _host(connect_args: dict[str, Any], value: str) -> None:
    """A socket's folder, which has no place before the path."""
    connect_args["host"] = value


def _port(connect_args: dict[str, Any], value: str) -> None:
    if not value.isdigit():
        raise ValueError(f"says port={value}: a number")
    connect_args["port"] = int(value)


def _refused(instead: str) -> Callable[[dict[str, Any], str], None]:
    def refuse(_connect_args: dict[str, Any], _value: str) -> None:
        raise ValueError(instead)

    return refuse


#: Parameters that mean something, and what they do to asyncpg's arguments.
READ: dict[str, Callable[[dict[str, Any], str], None]] = {
    "sslmode": _ssl,
    "ssl": _ssl,
    "connect_timeout": _seconds,
    "application_name": _application,
    "options": _options,
    "target_session_attrs": _session,
    "sslrootcert": _refused("has sslrootcert: put the certificate into the system's store, or set PGSSLROOTCERT"),
    "sslcert": _refused("has sslcert: set PGSSLCERT and PGSSLKEY instead"),
    "sslkey": _refused("has sslkey: set PGSSLCERT and PGSSLKEY instead"),
    "password": _refused("has the password among its parameters: put it behind the user, or set DATABASE_PASSWORD"),
    "user": _refused("has the user among its parameters: put it before the host"),
    "host": _host,
    "port": _port,
}


def without_state(connect_args: dict[str, Any]) -> dict[str, Any]:
    """For a pooler that gives each transaction another connection: nothing of a session is relied on.

    No parameter at the start (PgBouncer refuses them), no statement that is remembered, and names that no other
    client of the same server connection has (asyncpg issue 1013).
    """
    return {
        **{name: value for name, value in connect_args.items() if name != "server_settings"},
        "statement_cache_size": 0,
        "prepared_statement_cache_size": 0,
        "prepared_statement_name_func": lambda: f"__vitte_{uuid4().hex}__",
    }
