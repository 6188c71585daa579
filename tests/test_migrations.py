"""`alembic` brings an empty database to what the models say, and back."""

import asyncio

import pytest
from alembic import command
from sqlalchemy import inspect
from sqlalchemy.ext.asyncio import create_async_engine

import bot.models
import generation.models
from generation.database import Base
from sandbox.cluster import Servers, alembic_config

MODELS = (bot.models, generation.models)


@pytest.fixture
def empty_url(servers: Servers) -> str:
    servers.postgres.create_database("test_migrations")
    return servers.postgres.url("test_migrations")


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
