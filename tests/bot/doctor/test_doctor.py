"""The doctor on a whole product that is well, and with one thing after another broken."""

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from bot.doctor import command
from bot.doctor.findings import Finding, Level
from generation.runtime.database import Database
from generation.storage import Storage
from sandbox.comfyui import ComfyUIServer
from sandbox.llm import LanguageModelServer
from sandbox.settings import ProductSettings
from sandbox.telegram import TelegramServer


async def examined(settings: ProductSettings, *, pictures: bool = False) -> list[Finding]:
    return [each async for each in command.examine(settings, pictures=pictures, worker=settings)]


def of_level(findings: list[Finding], level: Level) -> list[str]:
    return [f"{each.about}: {each.words}" for each in findings if each.level is level]


async def test_of_a_product_that_is_well_nothing_is_wrong(
    settings: ProductSettings, bucket: Storage, llm: LanguageModelServer, comfyui: ComfyUIServer
) -> None:
    found = await examined(settings, pictures=True)
    assert of_level(found, Level.WRONG) == []
    fine = "\n".join(of_level(found, Level.OK))
    for part in ("PostgreSQL: version", "migrated to", "Redis: version", "S3: writes", "Telegram: @vitte_local",
                 "answers with a scene", "ComfyUI", "a tiny picture of", "GiB free"):  # fmt: skip
        assert part in fine
    # Nothing is left behind, and one question is enough.
    assert len(llm.requests) == 1
    async with Database(settings.database).unit() as session:
        assert await session.scalar(text("SELECT count(*) FROM photos")) == 0


@pytest.mark.parametrize(
    ("change", "about", "words"),
    [
        ({"database_url": "postgresql://nobody@127.0.0.1:1/none"}, "PostgreSQL", "cannot be used"),
        ({"redis_url": "redis://127.0.0.1:1/0"}, "Redis", "cannot be used"),
        ({"s3_secret_key": SecretStr("not-the-key-of-this-server")}, "S3", "S3_SECRET_KEY or S3_REGION is wrong"),
        ({"s3_bucket": "not-there"}, "S3", "there is no bucket 'not-there'"),
        ({"bot_token": SecretStr("1000000001:of-somebody-else-altogether-1234567")}, "Telegram", "does not take"),
        ({"llm_model": "gpt-of-nobody"}, "model", "gpt-of-nobody"),
        ({"llm_base_url": "http://127.0.0.1:1/v1"}, "model", "local"),
        ({"comfyui_url": "http://127.0.0.1:1"}, "rendering", "comfyui: "),
    ],
)
async def test_what_cannot_be_used_is_told_and_the_rest_looked_at(
    settings: ProductSettings, bucket: Storage, change: dict[str, object], about: str, words: str
) -> None:
    found = await examined(settings.model_copy(update=change))
    bad = [each for each in found if each.level is Level.WRONG]
    assert {each.about for each in bad} == {about}
    if about != "model" or "base_url" not in str(change):
        assert words in bad[0].words
    assert all(each.remedy for each in bad)
    assert len({each.about for each in found}) >= 6


async def test_tables_that_are_old_or_too_new_are_told(
    settings: ProductSettings, bucket: Storage, database: Database
) -> None:
    for revision, words, remedy in (("0001", "not to", "alembic upgrade head"), ("9999", "does not know", "newer")):
        async with database.unit() as session:
            await session.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
        (bad,) = [each for each in await examined(settings) if each.level is Level.WRONG]
        assert words in bad.words
        assert remedy in bad.remedy


async def test_a_model_without_scenes_and_a_webhook_that_is_not_ours_are_notes(
    settings: ProductSettings, bucket: Storage, llm: LanguageModelServer, telegram: TelegramServer
) -> None:
    llm.faults.add(path="completion", kind="say", text="Hello there.")
    llm.faults.add(path="completion", kind="say", text="Hello there.")

    found = await examined(settings.model_copy(update={"webhook_url": "https://vitte.example"}))
    assert of_level(found, Level.WRONG) == []
    notes = "\n".join(of_level(found, Level.NOTE))
    assert "without a scene" in notes
    assert "the webhook is not set yet" in notes


async def test_a_missing_model_file_is_named(
    settings: ProductSettings, bucket: Storage, comfyui: ComfyUIServer
) -> None:
    comfyui.faults.add(path="/object_info", kind="status", status=500, times=10)
    found = await examined(settings)
    assert any("rendering" in each for each in of_level(found, Level.WRONG))
