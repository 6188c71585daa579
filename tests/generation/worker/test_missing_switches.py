"""An optimisation that a ComfyUI does not have costs its speed and not its workflow."""

import asyncio
import shutil
from pathlib import Path

from sqlalchemy import select

from generation.models import RenderWorker
from generation.runtime.database import Database
from generation.storage import Storage
from generation.workflows import workflow
from generation.workflows.compatibility import fitted
from generation.workflows.definition import FOLDER
from sandbox.comfyui.nodes import nodes_of
from sandbox.settings import ProductSettings
from sandbox.wiring import worker_running
from tests.conftest import settled
from tests.generation.conftest import PlaceOrder
from tests.player import Player


def turned_on(folder: Path, name: str, *switches: str) -> Path:
    """The shipped workflows with some switches of one turned on."""
    folder = Path(shutil.copytree(FOLDER, folder))
    toml = folder / f"{name}.toml"
    text = toml.read_text()
    for switch in switches:
        text = text.replace(f"[switches.{switch}]\n", f"[switches.{switch}]\non = true\n")
    toml.write_text(text)
    return folder


def test_only_what_is_missing_is_turned_off(tmp_path: Path) -> None:
    sdxl = workflow.load_all(turned_on(tmp_path / "w", "sdxl", "tensorrt", "private_files"))["sdxl"]
    assert sdxl.on == {"tensorrt", "private_files"}
    everything = nodes_of(set())
    found, why = fitted(sdxl, everything)
    assert found.on == {"private_files"}
    assert [sentence for sentence in why if "TensorRTLoader" in sentence and "switch tensorrt is off" in sentence]
    engines = {"required": {"unet_name": [["vitte_sdxl_base.engine"]], "model_type": [["sdxl_base"]]}}
    with_engine = {**everything, "TensorRTLoader": {"input": engines, "output": ["MODEL"], "output_node": False}}
    assert fitted(sdxl, with_engine) == (sdxl, [])
    engines["required"]["unet_name"] = [["other.engine"]]
    assert fitted(sdxl, with_engine)[0].on == {"private_files"}


async def test_the_worker_goes_on_without_it_and_says_so(
    settings: ProductSettings, bucket: Storage, database: Database, order: PlaceOrder, anya: Player, tmp_path: Path
) -> None:
    folder = turned_on(tmp_path / "w", "sdxl", "stable_fast")
    photo = await order(workflow="sdxl")
    async with worker_running(settings.model_copy(update={"workflows_folder": str(folder)})):
        await settled(database, photo.id, "delivered")
        async with asyncio.timeout(30):
            while "stable_fast is off" not in (await _warning(database) or ""):
                await asyncio.sleep(0.05)


async def _warning(database: Database) -> str | None:
    async with database.unit() as session:
        return await session.scalar(select(RenderWorker.warning))
