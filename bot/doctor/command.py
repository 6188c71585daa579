"""Runs all checks one after another and prints what they find."""

from collections.abc import Callable
from functools import partial

from bot.doctor import rendering, services, stores
from bot.doctor.findings import Findings, Level, ok
from bot.settings import Settings
from generation.runtime import logs
from generation.runtime.settings import load
from generation.settings import Settings as WorkerSettings


async def main(*, pictures: bool) -> int:
    """Print each finding when it is known; the exit status is 1 when something is wrong. Raises WrongSettings."""
    settings = load(Settings)
    # What goes wrong is said here, in other words.
    logs.configure("console", "critical", process="doctor")
    print(ok("settings", "complete").as_text(), flush=True)
    worst = 0
    async for finding in examine(settings, pictures=pictures):
        print(finding.as_text(), flush=True)
        worst += finding.level is Level.WRONG
    print("Nothing is wrong." if not worst else f"{worst} of these must be put right.")
    return 1 if worst else 0


async def examine(settings: Settings, *, pictures: bool, worker: WorkerSettings | None = None) -> Findings:
    """Everything in the order in which it is needed. `worker`: in place of the environment's settings of one."""
    checks: tuple[Callable[[], Findings], ...] = (
        partial(stores.postgresql, settings),
        partial(stores.redis, settings),
        partial(stores.s3, settings),
        partial(services.telegram, settings),
        partial(services.language_model, settings),
        partial(rendering.rendering, pictures=pictures, settings=worker),
        stores.disk,
    )
    for check in checks:
        async for finding in check():
            yield finding
