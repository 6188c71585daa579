"""`python -m generation --help` lists the commands of an engineer; the worker itself is started by arq."""

import argparse
import asyncio
import sys

from generation import storage
from generation.errors import StorageUnavailable
from generation.runtime.monitoring.build import version
from generation.runtime.settings import load
from generation.settings import Settings


def main(arguments: list[str]) -> int | str:
    """Run the command that `arguments` name; the exit status, or a sentence on what went wrong."""
    if arguments[:1] == ["bench-gpu"]:
        # It has a parser of its own, and imports what no other command needs.
        from generation.bench_gpu import command  # noqa: PLC0415

        return command.main(arguments[1:])
    _parser().parse_args(arguments)
    settings = load(Settings)
    try:
        asyncio.run(_create_bucket(settings))
    except StorageUnavailable as error:
        return f"The bucket {settings.s3_bucket} cannot be made: {error}"
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m generation",
        description="Commands of an engineer. A worker is started by `arq generation.worker.WorkerSettings`.",
    )
    parser.add_argument("--version", action="version", version=version())
    commands = parser.add_subparsers(dest="command", title="commands", required=True)
    commands.add_parser("create-bucket", help="make the S3 bucket if it is not there")
    commands.add_parser(
        "bench-gpu", help="measure workflows, batches and switches on the card of a real ComfyUI", add_help=False
    )
    return parser


async def _create_bucket(settings: Settings) -> None:
    async with storage.opened(settings) as opened:
        await opened.create_bucket()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
