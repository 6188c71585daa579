"""An engine that batches by itself behind OpenAI's image API: vLLM-Omni, SGLang-Diffusion and their like.

It serves one model, batches different people's prompts with their own seeds, and takes several photos at once
(`vllm serve Tongyi-MAI/Z-Image-Turbo --omni --max-num-seqs 8`). Images come back as base64. It renders no graph:
what a photo asks for goes over by name, with one workflow's steps and sizes.
"""

import asyncio
import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import aiohttp
import structlog

from generation.backends.comfyui_history import ImageFile, Rendered
from generation.backends.gpu import GpuReport
from generation.errors import (
    BadImage,
    ComfyUIError,
    ComfyUIUnreachable,
    GraphRejected,
    RenderFailed,
    RenderTimeout,
    WorkflowError,
)
from generation.workflows.definition import Graph
from generation.workflows.workflow import Asked

log = structlog.get_logger(__name__)

#: Bytes of an answer: a picture of 64 MiB as base64, and a little more.
MAX_ANSWER = 90 * 1024 * 1024


class ImageApi:
    """One server. `url` has its `/v1`; `workflow` is the one whose photos it makes; `model` may be empty."""

    name = "image_api"
    one_after_another = False
    is_overflow = False

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        *,
        workflow: str,
        model: str = "",
        api_key: str = "",
        at_once: int = 8,
    ) -> None:
        self._session = session
        self._url = url
        self._model = model
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self.renders_only: frozenset[str] | None = frozenset({workflow})
        self.at_once = at_once

    async def render(
        self,
        graph: Graph,
        *,
        prompt_id: str,
        timeout: float,
        stall: float | None = None,
        submitted: Callable[[], Any] = lambda: None,
        asked: Sequence[Asked] = (),
        pictures: Mapping[str, bytes] = MappingProxyType({}),
    ) -> Rendered:
        """One photo; `asked` says which, and neither the graph nor pictures are looked at.

        Raises ComfyUIUnreachable, GraphRejected, RenderFailed, RenderTimeout, WorkflowError.
        """
        if len(asked) != 1:
            raise WorkflowError("an image API makes one photo for each request")
        photo = asked[0]
        body: dict[str, Any] = {
            "prompt": photo.prompt,
            "n": 1,
            "size": f"{photo.width}x{photo.height}",
            "seed": photo.seed,
            "response_format": "b64_json",
        }
        body |= {"num_inference_steps": photo.steps} if photo.steps else {}
        body |= {"negative_prompt": photo.negative_prompt} if photo.negative_prompt else {}
        body |= {"model": self._model} if self._model else {}
        began = asyncio.get_running_loop().time()
        submitted()
        answer = await self._ask("POST", "/images/generations", timeout=timeout, json=body)
        seconds = asyncio.get_running_loop().time() - began
        return Rendered({photo.output: _images(answer)}, seconds)

    async def view(self, image: ImageFile) -> bytes:
        """The bytes of an image of the answer."""
        try:
            return base64.b64decode(image.data, validate=True)
        except binascii.Error as error:
            raise BadImage(f"not base64: {error}") from error

    async def check(self) -> None:
        """Raise ComfyUIUnreachable unless the model is loaded."""
        await self._ask("GET", "/models", timeout=5)

    async def object_info(self) -> None:
        """It has no nodes."""

    async def report(self) -> GpuReport:
        """It tells nothing of its card."""
        return GpuReport()

    async def free(self) -> None:
        """Its model is what it is there for."""
        raise ComfyUIError("an image API has no such thing")

    async def restart(self) -> None:
        """Nor by us; COMFYUI_RESTART_COMMAND may."""
        raise ComfyUIError("an image API has no such thing")

    async def close(self) -> None:
        """Nothing is left to do: a request that is given up is broken off."""

    async def listen(self) -> None:
        """Nothing runs beside it."""

    async def _ask(self, method: str, path: str, *, timeout: float, **options: Any) -> dict[str, Any]:
        try:
            async with self._session.request(
                method,
                self._url + path,
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=timeout, sock_connect=5),
                **options,
            ) as response:
                body = await _bounded(response)
                if response.status != 200:
                    raise _failure(response.status, body.decode("utf-8", "replace"))
                answer = await asyncio.to_thread(_parsed, body)
        except TimeoutError:
            raise RenderTimeout(f"no result within {timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            refused = isinstance(error, aiohttp.ClientConnectorError)
            raise ComfyUIUnreachable(f"{method} {path}: {type(error).__name__}", refused=refused) from error
        if not isinstance(answer, dict):
            raise ComfyUIUnreachable(f"{method} {path} answered something else than an object")
        return answer


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > MAX_ANSWER:
            raise BadImage(f"more than {MAX_ANSWER} bytes for one image")
    return bytes(body)


def _parsed(body: bytes) -> Any:
    """Megabytes of base64: parsed off the event loop."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def _images(answer: dict[str, Any]) -> list[ImageFile]:
    data = answer.get("data")
    return [
        ImageFile("image.png", "", "base64", each["b64_json"])
        for each in (data if isinstance(data, list) else [])
        if isinstance(each, dict) and isinstance(each.get("b64_json"), str)
    ]


def _failure(status: int, body: str) -> ComfyUIError:
    """What a status means: refused for good, out of memory, or away.

    The body is read and never repeated: FastAPI's 422 holds the whole request, and that is a prompt.
    """
    if any(said in body for said in ("out of memory", "OutOfMemory")):
        return RenderFailed("torch.OutOfMemoryError", f"the image API ran out of memory ({status})")
    if status in {400, 413, 422}:
        return GraphRejected(f"the image API refused the request ({status})", {})
    if status == 500:
        # One request's own fault, as far as anybody can tell: the others go on.
        return RenderFailed("ImageApi", "the image API failed (500)")
    return ComfyUIUnreachable(f"the image API answered {status}")
