"""Originals in S3 (SeaweedFS in compose.yaml), under keys that say nothing about a person."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID, uuid4

import aioboto3
import aiohttp
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from generation.errors import ObjectGone, StorageUnavailable
from generation.runtime.settings import S3Settings

#: What is stored to see whether anything can be.
PROBE = b"vitte"
#: What S3's codes mean to whoever has to mend it; those of MinIO and R2 among them.
HINTS = {
    "InvalidAccessKeyId": "S3_ACCESS_KEY is unknown there",
    "SignatureDoesNotMatch": "S3_SECRET_KEY or S3_REGION is wrong",
    "RequestTimeTooSkewed": "the clock of this machine or of the S3 server is wrong",
    "NoSuchBucket": "there is no bucket {bucket!r}: create it, or set S3_BUCKET",
    "404": "there is no bucket {bucket!r}: create it, or set S3_BUCKET",
    "AccessDenied": "the key may not write and delete in {bucket!r}",
    "403": "the key may not use {bucket!r}",
    "XMinioStorageFull": "the S3 server is full",
    "QuotaExceeded": "the bucket's quota is used up",
    "507": "the S3 server is full",
}


def object_key(key: UUID, when: datetime) -> str:
    """`photos/2026/11/<random uuid>.png`"""
    return f"photos/{when:%Y/%m}/{key}.png"


def reference_key(name: str) -> str:
    """Where a reference picture lies, by its file name."""
    return f"references/{name}"


class Storage:
    """One S3 bucket. Lives inside `opened`; calls end within 15 s and raise StorageUnavailable."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    async def put(self, key: str, content: bytes, *, content_type: str = "image/png") -> None:
        """Store a picture. Storing the same key again replaces it, so this may run twice."""
        async with self._translated("put"):
            await self._client.put_object(Bucket=self._bucket, Key=key, Body=content, ContentType=content_type)

    async def get(self, key: str) -> bytes:
        """The bytes of an original. Raises ObjectGone when there is none under this key."""
        async with self._translated("get"):
            try:
                answer = await self._client.get_object(Bucket=self._bucket, Key=key)
            except self._client.exceptions.NoSuchKey:
                raise ObjectGone(key) from None
            async with answer["Body"] as body:
                content: bytes = await body.read()
                return content

    async def delete(self, key: str) -> None:
        """Delete an original; one that is not there is fine."""
        async with self._translated("delete"):
            await self._client.delete_object(Bucket=self._bucket, Key=key)

    async def check(self) -> None:
        """Raise StorageUnavailable unless an original could be stored and deleted.

        Tried with a small object: a server that is full or read-only still answers for its bucket, and a token that
        may store may not ask for it (Cloudflare's R2).
        """
        key = f"probes/{uuid4()}"
        await self.put(key, PROBE)
        await self.delete(key)

    async def create_bucket(self) -> None:
        """Make the bucket if it is not there; a bucket that exists is fine."""
        async with self._translated("create"):
            try:
                await self._client.head_bucket(Bucket=self._bucket)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                    raise
                await self._client.create_bucket(Bucket=self._bucket)

    @asynccontextmanager
    async def _translated(self, call: str) -> AsyncIterator[None]:
        try:
            yield
        except ClientError as error:
            raise StorageUnavailable(f"S3 {call}: {self._words(error)}") from error
        except (BotoCoreError, aiohttp.ClientError, OSError, TimeoutError) as error:
            # An answer that breaks off in its body comes as aiohttp's own.
            raise StorageUnavailable(f"S3 {call}: {error}") from error

    def _words(self, error: ClientError) -> str:
        """What the operator has to do, and S3's own words."""
        code = str(error.response.get("Error", {}).get("Code", ""))
        hint = HINTS.get(code, "")
        return f"{hint.format(bucket=self._bucket)} ({error})" if hint else str(error)


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
