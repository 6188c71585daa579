"""Commands of an engineer.

`python -m generation create-bucket` makes the S3 bucket if it is not there.
`python -m generation bench-gpu --help` measures workflows, batches and switches on the card of a real ComfyUI.
"""

import asyncio
import sys

from generation import storage
from generation.errors import StorageUnavailable
from generation.settings import Settings, load


async def create_bucket(settings: Settings) -> None:
    async with storage.opened(settings) as opened:
        await opened.create_bucket()


def main(arguments: list[str]) -> int | str:
    match arguments:
        case ["create-bucket"]:
            settings = load(Settings)
            try:
                asyncio.run(create_bucket(settings))
            except StorageUnavailable as error:
                return f"The bucket {settings.s3_bucket} cannot be made: {error}"
            return 0
        case ["bench-gpu", *options]:
            from generation.bench_gpu import command  # noqa: PLC0415 - of this command alone

            return command.main(options)
    return "usage: python -m generation [create-bucket | bench-gpu]"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
