"""`alembic` brings an empty database to what the models say, and back; a new version harms no running old one."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

import bot.models
import generation.models
from generation.runtime.database import Base
from sandbox.cluster import Servers, alembic_config

MODELS = (bot.models, generation.models)


@pytest.fixture
def empty_url(servers: Servers) -> Iterator[str]:
    servers.postgres.create_database("test_migrations")
    yield servers.postgres.url("test_migrations")
    servers.postgres.drop_database("test_migrations")


async def names(url: str) -> dict[str, set[str]]:
    """Names of all constraints and indexes, by table."""
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_names)
    finally:
        await engine.dispose()


def _names(connection: object) -> dict[str, set[str]]:
    inspector = inspect(connection)
    assert inspector is not None
    found: dict[str, set[str]] = {}
    for table in inspector.get_table_names():
        if table == "alembic_version":
            continue
        every = [
            *inspector.get_check_constraints(table),
            *inspector.get_indexes(table),
            *inspector.get_foreign_keys(table),
            inspector.get_pk_constraint(table),
        ]
        found[table] = {str(one["name"]) for one in every}
    return found


async def test_up_down_up_and_the_models_have_nothing_more(empty_url: str) -> None:
    config = alembic_config(empty_url)
    await asyncio.to_thread(command.upgrade, config, "head")
    first = await names(empty_url)
    await asyncio.to_thread(command.downgrade, config, "base")
    assert await names(empty_url) == {}
    await asyncio.to_thread(command.upgrade, config, "head")
    assert await names(empty_url) == first
    await asyncio.to_thread(command.check, config)
    assert set(first) == set(Base.metadata.tables)


async def test_every_constraint_has_the_name_that_the_models_give_it(database_url: str) -> None:
    real = await names(database_url)
    for table in Base.metadata.sorted_tables:
        wanted = {str(index.name) for index in table.indexes}
        wanted |= {str(constraint.name) for constraint in table.constraints if constraint.name}
        unique = {name for name in wanted if name.startswith("uq_")}
        assert wanted - unique <= real[table.name], table.name


# -- beside the version before ------------------------------------------------------------------------------

ROOT = Path(__file__).parent.parent
#: Before 0005 nothing was installed anywhere.
REVISIONS = sorted(
    revision.revision
    for revision in ScriptDirectory.from_config(alembic_config("")).walk_revisions()
    if revision.revision > "0004"
)


async def run(program: str, *arguments: str, url: str = "postgresql://u@h/d", told: bytes = b"") -> tuple[int, str]:
    """Exit status and all that a program of this virtual environment said."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / program),
        *arguments,
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url.replace("+asyncpg", "")},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate(told)
    return process.returncode or 0, said.decode()


@pytest.mark.parametrize("revision", REVISIONS)
async def test_the_version_before_goes_on_working(revision: str) -> None:
    """squawk knows what locks a table for long, and what an older client would miss (https://squawkhq.com)."""
    before = f"{int(revision) - 1:04}"
    status, sql = await run("alembic", "upgrade", f"{before}:{revision}", "--sql")
    assert status == 0, sql
    # Counts and attempts stay small, lengths of texts are limits on purpose, and a revision is one transaction or
    # can be run again.
    accepted = "prefer-bigint-over-int,prefer-bigint-over-smallint,prefer-text-field,prefer-robust-stmts"
    excluded = f"--exclude={accepted},require-statement-timeout"
    status, said = await run("squawk", excluded, "--stdin-filepath", f"{revision}.sql", told=sql.encode())
    assert status == 0, said


async def test_two_replicas_that_start_together_migrate_once(empty_url: str) -> None:
    both = await asyncio.gather(*(run("alembic", "upgrade", "head", url=empty_url) for _ in range(2)))
    assert [status for status, _ in both] == [0, 0], both
    assert set(await names(empty_url)) == set(Base.metadata.tables)


async def test_a_migration_gives_up_before_it_holds_up_everybody(empty_url: str) -> None:
    await run("alembic", "upgrade", "0004", url=empty_url)
    engine = create_async_engine(empty_url)
    async with engine.connect() as report:
        await report.execute(text("SELECT count(*) FROM photos"))
        status, said = await run("alembic", "upgrade", "head", url=empty_url)
    await engine.dispose()
    assert status == 1
    assert said.strip().startswith("A long transaction holds a table that must change")
    assert "Traceback" not in said
    assert (await run("alembic", "upgrade", "head", url=empty_url))[0] == 0
