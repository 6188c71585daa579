"""`python -m generation create-bucket`: make the S3 bucket if it is not there."""

import asyncio
import sys

from generation import storage
from generation.errors import StorageUnavailable
from generation.settings import Settings, load


async def create_bucket(settings: Settings) -> None:
    async with storage.opened(settings) as opened:
        await opened.create_bucket()


def main(arguments: list[str]) -> int | str:
    if arguments != ["create-bucket"]:
        return "usage: python -m generation create-bucket"
    settings = load(Settings)
    try:
        asyncio.run(create_bucket(settings))
    except StorageUnavailable as error:
        return f"The bucket {settings.s3_bucket} cannot be made: {error}"
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
