"""An operator at the page: figures, the chart of a day that is made up, an alert. Pictures with `make tour`."""

import math
import os
import random
from pathlib import Path

from playwright.async_api import Page, expect

from generation.runtime.database import Database
from generation.storage import Storage
from sandbox.comfyui import ComfyUIServer
from sandbox.settings import ProductSettings
from sandbox.wiring import bot_running, worker_running
from tests.generation.test_figures import made, photos
from tests.journeys.test_page import page as page  # noqa: PLC0414 - a fixture
from tests.journeys.test_tour import Visitor

RULES = """
window = 900
[rules.gpu_overheating]
figure = "gpu_temperature"
above = 85
clear_at = 80
action = "throttle"
"""


async def test_an_operator_looks_and_is_told(
    settings: ProductSettings,
    bucket: Storage,
    database: Database,
    comfyui: ComfyUIServer,
    page: Page,
    tmp_path: Path,
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES)
    comfyui.temperature = 66
    settings = settings.model_copy(update={"alerts_file": str(rules)})
    await photos(database, *a_day())
    await page.set_viewport_size({"width": 1180, "height": 1240})
    if os.environ.get("TOUR"):
        await page.evaluate("document.getElementById('parts').hidden = true")
    olga = Visitor(page, "ru", folder="operator")
    await page.get_by_role("button", name="Olga").click()
    async with bot_running(settings, alerts_every=0.2), worker_running(settings):
        await page.get_by_role("button", name="START").click()
        await olga.press("Мне есть 18")
        await olga.press("Алиса")
        await expect(olga.messages.get_by_text("·").last).to_be_visible()
        await olga.write("/stats")
        await expect(olga.says("Языковая модель")).to_be_visible()
        await olga.write("/gpu")
        await expect(olga.says("VRAM")).to_be_visible()
        await olga.keep("panel")
        comfyui.temperature = 91
        await expect(olga.says("Видеокарта перегрелась")).to_be_visible()
        comfyui.temperature = 70
        await expect(olga.says("Кончилось")).to_be_visible()
        await olga.keep("alert")


def a_day() -> list[dict[str, object]]:
    """Photos of 24 hours, more in the evening than at night."""
    rng = random.Random(7)
    rows = []
    for minute in range(0, 24 * 60, 4):
        busy = 1 + math.sin(minute / 230)
        for _ in range(round(busy * 1.5)):
            wait = rng.uniform(0.5, 3 + 6 * busy)
            rows.append(made(minute * 60 + rng.uniform(0, 240), wait=wait, render=rng.gauss(8.5, 0.6)))
    return rows
