"""ComfyUI or what stands in for it, its card, and one tiny picture of each workflow."""

import os

import aiohttp

from bot.doctor.findings import Findings, note, ok, wrong
from generation.backends.base import Backend
from generation.backends.building import backend_of
from generation.backends.comfyui import ComfyUI
from generation.errors import ComfyUIError
from generation.runtime.database import Database
from generation.runtime.settings import WrongSettings, load
from generation.settings import Settings
from generation.worker.rendering.proving import Prover
from generation.worker.state import WorkerState
from generation.workflows import workflow

ABOUT = "rendering"


async def rendering(*, pictures: bool, settings: Settings | None = None) -> Findings:
    """What a worker proves before it takes photos; `pictures`: tiny ones are rendered."""
    if settings is None:
        try:
            settings = load(Settings)
        except WrongSettings as error:
            if "COMFYUI_URL" in os.environ:
                yield wrong(ABOUT, str(error))
            else:
                yield note(ABOUT, "no worker runs on this machine: COMFYUI_URL is not set here")
            return
    database = Database(settings.database, pool_size=1)
    try:
        async with aiohttp.ClientSession() as session:
            backend = backend_of(settings, session, database)
            try:
                async for finding in _proven(backend, settings, pictures=pictures):
                    yield finding
            finally:
                await backend.close()
    except ComfyUIError as error:
        yield wrong(ABOUT, f"{settings.render_backend}: {error}", "look at its address, and whether it runs")
    finally:
        await database.close()


async def _proven(backend: Backend, settings: Settings, *, pictures: bool) -> Findings:
    await backend.check()
    if isinstance(backend, ComfyUI):
        system = (await backend.system_stats()).get("system") or {}
        yield ok(ABOUT, f"ComfyUI {system.get('comfyui_version', '?')}")
    report = await backend.report()
    if report.vram_total:
        yield ok("card", f"{report.name}, {report.vram_total / 1024**3:.0f} GiB")
    elif isinstance(backend, ComfyUI):
        yield note("card", "ComfyUI has none", "it renders on the processor, which takes minutes")
    for warning in report.warnings:
        yield note(ABOUT, warning)
    known = workflow.load_or_stop(settings.workflows_folder, own_nodes=settings.has_own_nodes)
    state = WorkerState()
    prover = Prover(backend, lambda: known, state, renders=pictures, use=lambda _fitting: None)
    try:
        await prover.prove()
    except ComfyUIError as error:
        yield wrong(ABOUT, str(error))
        return
    for sentence in state.switched_off:
        yield note(ABOUT, sentence)
    for name, why in sorted(state.lacks.items()):
        # A worker does not take what it cannot render.
        yield note(ABOUT, f"{name} cannot be rendered: {why.removeprefix(f'{name}: ')}")
    can = ", ".join(sorted(state.workflows or ()))
    yield ok(ABOUT, f"{'a tiny picture of' if pictures else 'nodes and files for'} {can}")
