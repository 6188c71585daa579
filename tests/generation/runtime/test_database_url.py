"""Addresses as hosters give them, and a real PgBouncer in transaction mode."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import ValidationError
from sqlalchemy import text

from generation.runtime import database_url
from generation.runtime.database import Database
from generation.runtime.settings import DatabaseSettings, WrongSettings
from sandbox.servers import remove, short_folder
from sandbox.sockets import free_port
from tests.conftest import settled
from tests.generation.conftest import PlaceOrder

HOST = "postgresql://me:secret@db.example:5432/vitte"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://me:secret@db.example/vitte", {}),
        # Neon, Supabase, Render, Heroku, DigitalOcean, Aiven, Prisma's pooled address.
        (f"{HOST}?sslmode=require&channel_binding=require", {"ssl": "require"}),
        (f"{HOST}?sslmode=verify-full&gssencmode=disable", {"ssl": "verify-full"}),
        (f"{HOST}?connect_timeout=15", {"timeout": 15}),
        (f"{HOST}?connect_timeout=0", {"timeout": 60}),
        (f"{HOST}?application_name=vitte", {"server_settings": {"application_name": "vitte"}}),
        (
            f"{HOST}?options=-c%20search_path%3Dvitte%20-c%20statement_timeout%3D5000",
            {"server_settings": {"search_path": "vitte", "statement_timeout": "5000"}},
        ),
        (f"{HOST}?options=--search_path%3Dours", {"server_settings": {"search_path": "ours"}}),
        (f"{HOST}?keepalives=1&keepalives_idle=30&target_session_attrs=any", {"target_session_attrs": "any"}),
        (f"{HOST}?host=/var/run/postgresql", {"host": "/var/run/postgresql"}),
        (f"{HOST}?pgbouncer=true&connection_limit=1&pool_timeout=10", {}),
    ],
)
def test_parameters_of_libpq_are_understood(url: str, expected: dict[str, Any]) -> None:
    address = database_url.parse(url)
    assert address.connect_args == expected
    assert address.pooled is ("pgbouncer" in url)
    assert address.url.render_as_string(hide_password=False).startswith("postgresql+asyncpg://me:secret@db.example")
    assert not address.url.query


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://me:secret@db/vitte", "must look like"),
        ("db.example:5432", "must look like"),
        (f"{HOST}?sslmode=maybe", "sslmode=maybe"),
        (f"{HOST}?connect_timeout=soon", "connect_timeout=soon"),
        (f"{HOST}?options=verbose", "options=verbose"),
        (f"{HOST}?frobnicate=1", "frobnicate"),
        (f"{HOST}?sslrootcert=/tmp/ca.pem", "PGSSLROOTCERT"),
        ("postgresql://me:secret@one:5432,two:5432/vitte", "several hosts"),
        (f"{HOST}?pgbouncer=perhaps", "true or false"),
        ("postgresql://me:sec#ret@db.example:port/vitte", "must look like"),
    ],
)
def test_what_cannot_work_is_refused_in_a_sentence_without_the_password(url: str, says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        DatabaseSettings.example(database_url=url)
    (problem,) = refused.value.errors()
    assert says in problem["msg"]
    assert "sec" not in problem["msg"].replace("seconds", "").replace("second", "")


def test_a_password_of_any_characters_has_a_variable_of_its_own() -> None:
    password = "p@ss:/w#r?d%20 ü"
    settings = DatabaseSettings.example(database_url="postgresql://vitte@db/vitte", database_password=password)
    assert settings.database.url.password == password
    assert settings.database.url.host == "db"


def test_migrations_go_past_the_pooler() -> None:
    pooled = DatabaseSettings.example(database_url=HOST, database_pooled=True)
    with pytest.raises(WrongSettings, match="MIGRATIONS_DATABASE_URL"):
        _ = pooled.direct
    both = pooled.model_copy(update={"migrations_database_url": "postgresql://me@direct/vitte"})
    assert both.direct.url.host == "direct"
    assert not both.direct.pooled


@pytest_asyncio.fixture
async def pgbouncer(database_url: str) -> AsyncIterator[str]:
    """The address of a PgBouncer in transaction mode with three server connections."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed (apt-get install pgbouncer)")
    folder, port = short_folder(), free_port()
    behind = database_url_of(database_url)
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={behind['host']} port={behind['port']} user={behind['user']}"
        f" password={behind['password']}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\nunix_socket_dir =\n"
        "pool_mode = transaction\ndefault_pool_size = 3\nmax_client_conn = 100\nlogfile = /dev/null\n"
    )
    command = [program, str(folder / "pgbouncer.ini")]
    process = subprocess.Popen(as_owner_of(behind["host"], command), stderr=subprocess.DEVNULL)  # noqa: ASYNC220 - started and left
    async with asyncio.timeout(20):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
    yield f"postgresql://any@127.0.0.1:{port}/{behind['database']}"
    process.terminate()
    process.wait()
    remove(folder)


def as_owner_of(folder: str, command: list[str]) -> list[str]:
    """PgBouncer does not run as root; PostgreSQL's own user may use its socket."""
    if os.getuid() != 0:
        return command
    owner = Path(folder).stat()
    return ["setpriv", f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups", *command]


def database_url_of(url: str) -> dict[str, Any]:
    address = database_url.parse(url)
    parts, given = address.url, address.connect_args
    return {
        "host": given.get("host", parts.host),
        "port": given.get("port", parts.port or 5432),
        "user": parts.username,
        "password": parts.password or "any",
        "database": parts.database,
    }


async def test_behind_a_real_pgbouncer_every_unit_of_work_goes_through(pgbouncer: str) -> None:
    database = Database(database_url.parse(f"{pgbouncer}?pgbouncer=true"), pool_size=20)

    async def work(number: int) -> int:
        async with database.unit() as session:
            await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": number % 3})
            return int((await session.execute(text("SELECT :number + 1"), {"number": number})).scalar_one())

    assert await asyncio.gather(*map(work, range(400))) == list(range(1, 401))
    await database.close()


async def test_behind_it_without_the_setting_the_first_unit_says_what_is_missing(pgbouncer: str) -> None:
    database = Database(pgbouncer)
    with pytest.raises(Exception, match="startup parameter"):
        async with database.unit() as session:
            await session.execute(text("SELECT 1"))
    await database.close()


async def test_the_product_works_behind_it(
    pgbouncer: str, settings: Any, bucket: Any, order: PlaceOrder, database: Database, anya: Any
) -> None:
    from sandbox.wiring import bot_running, worker_running  # noqa: PLC0415 - heavy, and for this test alone
    from tests.player import has_text  # noqa: PLC0415

    pooled = settings.model_copy(update={"database_url": pgbouncer, "database_pooled": True})
    async with bot_running(pooled), worker_running(pooled):
        await anya.enter("Алиса")
        await anya.say("Как прошёл день?")
        await anya.hears(has_text)
        photo = await settled(database, (await order()).id, "delivered", "failed")
    assert photo.status == "delivered"
