"""The watchdog: when a worker falls sick, and what ends it."""

import asyncio
from pathlib import Path

from generation.backends.watchdog import Watchdog
from generation.errors import ComfyUISick, ComfyUIUnreachable, GenerationError, StorageUnavailable


class Service:
    """Answers or fails as it is told, and renders or fails as it is told."""

    name, at_once, one_after_another = "stand-in", 1, True

    def __init__(self) -> None:
        self.error: GenerationError | None = None
        self.cannot_render: GenerationError | None = None
        self.checks = 0
        self.proofs = 0

    async def prove(self) -> None:
        self.proofs += 1
        if self.cannot_render:
            raise self.cannot_render

    async def check(self) -> None:
        self.checks += 1
        if self.error:
            raise self.error


def watchdog(*, sick_after: float = 0, command: str = "") -> tuple[Watchdog, Service, Service, list[str]]:
    backend, storage = Service(), Service()
    sick: list[str] = []
    dog = Watchdog(
        backend,  # type: ignore[arg-type]  # only its check is asked
        storage,  # type: ignore[arg-type]
        sick_after=sick_after,
        restart_command=command,
        on_sick=sick.append,
        prove=backend.prove,
    )
    return dog, backend, storage, sick


async def test_nothing_is_taken_before_the_first_healthy_answer_and_the_first_one_ends_it() -> None:
    dog, backend, _, _ = watchdog()
    assert dog.problem
    backend.error = ComfyUIUnreachable("away")
    await dog.look()
    assert dog.problem == "away"
    backend.error = None
    await dog.look()
    assert dog.problem is None
    await asyncio.wait_for(dog.healthy(), 1)


async def test_one_bad_answer_is_forgiven_and_many_are_not() -> None:
    dog, backend, _, sick = watchdog(sick_after=0.1)
    await dog.look()
    backend.error = ComfyUISick("does not stop")
    await dog.look()
    assert dog.problem is None
    await asyncio.sleep(0.12)
    await dog.look()
    assert dog.problem == "does not stop"
    assert sick == ["does not stop"], "its photos are given back once"
    await dog.look()
    assert len(sick) == 1


async def test_nobody_at_its_address_is_sick_at_the_second_look() -> None:
    dog, backend, _, _ = watchdog(sick_after=60)
    await dog.look()
    backend.error = ComfyUIUnreachable("refused", refused=True)
    await dog.look()
    assert dog.problem is None
    await dog.look()
    assert dog.problem == "refused"


async def test_storage_is_asked_only_while_it_is_doubted_and_takes_no_photos_away() -> None:
    dog, _, storage, sick = watchdog()
    await dog.look()
    await dog.look()
    assert storage.checks == 1
    storage.error = StorageUnavailable("no bucket")
    dog.doubt_storage()
    await dog.look()
    assert dog.problem == "no bucket"
    assert sick == []
    storage.error = None
    await dog.look()
    assert dog.problem is None


async def test_the_restart_command_runs_once_and_one_that_fails_harms_nobody(tmp_path: Path) -> None:
    proof = tmp_path / "count"
    dog, backend, _, _ = watchdog(command=f"sh -c 'echo x >> {proof}'")
    backend.error = ComfyUISick("stuck")
    for _ in range(3):
        await dog.look()
    await dog.restarted()
    assert proof.read_text() == "x\n"
    dog, backend, _, _ = watchdog(command="/no/such/program")
    backend.error = ComfyUISick("stuck")
    await dog.look()
    await dog.restarted()
    assert dog.problem == "stuck"
