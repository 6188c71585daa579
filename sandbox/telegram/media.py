"""Photos and documents that a bot uploads or names by `file_id`, with Telegram's limits."""

import asyncio
import io
from typing import Any

from aiohttp import web
from PIL import Image, UnidentifiedImageError

from sandbox.telegram.checks import MAX_CAPTION, formatted, is_true
from sandbox.telegram.errors import bad_request
from sandbox.telegram.store import Json, Store

MAX_PHOTO_BYTES = 10 * 1024 * 1024
MAX_DOCUMENT_BYTES = 50 * 1024 * 1024
MAX_PHOTO_SIDES = 10_000
MAX_PHOTO_RATIO = 20


async def photo_content(store: Store, parameters: Json, media: Any) -> Json:
    """The fields of a message made of an `InputMediaPhoto`; its file is one of the request's parts or known."""
    if not isinstance(media, dict) or media.get("type") != "photo":
        raise bad_request("can't parse InputMedia: only photos are known here")
    photo = media.get("media", "")
    if isinstance(photo, str) and photo.startswith("attach://"):
        photo = parameters.get(photo.removeprefix("attach://"))
    content: Json = {"photo": await photo_sizes(store, photo)}
    content |= formatted(media, "caption", MAX_CAPTION, "message caption is too long")
    return content | ({"has_media_spoiler": True} if is_true(media.get("has_spoiler")) else {})


async def photo_sizes(store: Store, photo: Any) -> list[Json]:
    """The sizes of an uploaded photo, or of a known one by its `file_id`."""
    if isinstance(photo, str):
        file = store.file(photo)
        if file is None:
            raise bad_request("wrong file identifier/HTTP URL specified")
        return [_photo_size(photo, file[2], await asyncio.to_thread(_dimensions, file[2]))]
    content = _uploaded(photo, "photo", MAX_PHOTO_BYTES)
    width, height = await asyncio.to_thread(_dimensions, content)
    if width + height > MAX_PHOTO_SIDES or max(width, height) > MAX_PHOTO_RATIO * min(width, height):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    sizes = []
    for data in (await asyncio.to_thread(_thumbnail, content), content):
        file_id = store.add_file("photo.jpg", "image/jpeg", data)
        sizes.append(_photo_size(file_id, data, await asyncio.to_thread(_dimensions, data)))
    return sizes


def document(store: Store, upload: Any) -> Json:
    """An uploaded document, or a known one by its `file_id`."""
    if isinstance(upload, str):
        file = store.file(upload)
        if file is None:
            raise bad_request("wrong file identifier/HTTP URL specified")
        name, kind, content, file_id = *file, upload
    else:
        content = _uploaded(upload, "document", MAX_DOCUMENT_BYTES)
        name, kind = upload.filename, upload.content_type
        file_id = store.add_file(name, kind, content)
    return {
        "file_id": file_id,
        "file_unique_id": file_id[-12:],
        "file_name": name,
        "mime_type": kind,
        "file_size": len(content),
    }


def _uploaded(upload: Any, kind: str, limit: int) -> bytes:
    if not isinstance(upload, web.FileField):
        raise bad_request(f"there is no {kind} in the request")
    with upload.file as file:
        content = file.read()
    if len(content) > limit:
        raise bad_request(f"file is too big: {len(content)} bytes, a {kind} may have {limit}")
    return content


def _dimensions(content: bytes) -> tuple[int, int]:
    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.size
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        raise bad_request("IMAGE_PROCESS_FAILED") from None


def _thumbnail(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as image:
        small = image.convert("RGB")
    small.thumbnail((320, 320))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def _photo_size(file_id: str, content: bytes, size: tuple[int, int]) -> Json:
    return {
        "file_id": file_id,
        "file_unique_id": file_id[-12:],
        "width": size[0],
        "height": size[1],
        "file_size": len(content),
    }
