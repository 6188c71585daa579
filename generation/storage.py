"""Originals in S3 (MinIO in production), under keys that say nothing about a person."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

import aioboto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from generation.errors import ObjectGone, StorageUnavailable
from generation.runtime.settings import S3Settings


def object_key(key: UUID, when: datetime) -> str:
    """`photos/2026/11/<random uuid>.png`"""
    return f"photos/{when:%Y/%m}/{key}.png"


class Storage:
    """One S3 bucket. Lives inside `opened`; calls end within 15 s and raise StorageUnavailable."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    async def put(self, key: str, content: bytes) -> None:
        """Store a PNG. Storing the same key again replaces it, so this may run twice."""
        async with _translated("put"):
            await self._client.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType="image/png")

    async def get(self, key: str) -> bytes:
        """The bytes of an original. Raises ObjectGone when there is none under this key."""
        async with _translated("get"):
            try:
                answer = await self._client.get_object(Bucket=self._bucket, Key=key)
            except self._client.exceptions.NoSuchKey:
                raise ObjectGone(key) from None
            async with answer["Body"] as body:
                content: bytes = await body.read()
                return content

    async def delete(self, key: str) -> None:
        """Delete an original; one that is not there is fine."""
        async with _translated("delete"):
            await self._client.delete_object(Bucket=self._bucket, Key=key)

    async def check(self) -> None:
        """Raise StorageUnavailable unless the bucket answers."""
        async with _translated("check"):
            await self._client.head_bucket(Bucket=self._bucket)

    async def create_bucket(self) -> None:
        """Make the bucket if it is not there; a bucket that exists is fine."""
        async with _translated("create"):
            try:
                await self._client.head_bucket(Bucket=self._bucket)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                    raise
                await self._client.create_bucket(Bucket=self._bucket)


@cache
def _session() -> aioboto3.Session:
    """One for all clients of a process: reading botocore's description of S3 takes a third of a second."""
    return aioboto3.Session()


@asynccontextmanager
async def opened(settings: S3Settings) -> AsyncIterator[Storage]:
    """A client for the life of a process."""
    config = Config(
        connect_timeout=3,
        read_timeout=10,
        retries={"mode": "standard", "total_max_attempts": 2},
        s3={"addressing_style": "path"},
        # Older S3 servers refuse the checksums that newer botocore adds unasked.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    async with _session().client(
        "s3",
        endpoint_url=settings.s3_endpoint_url,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key.get_secret_value(),
        aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
        config=config,
    ) as client:
        yield Storage(client, settings.s3_bucket)


@asynccontextmanager
async def _translated(call: str) -> AsyncIterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError, OSError, TimeoutError) as error:
        raise StorageUnavailable(f"S3 {call}: {error}") from error
