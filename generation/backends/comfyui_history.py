"""What ComfyUI's answers tell of a graph: why it is refused; of one that has ended its images or its error."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from generation.errors import ComfyUIError, GraphRejected, LacksWorkflow, RenderFailed, RenderInterrupted

#: No picture of a sane size comes near it; a wrong server could send anything.
MAX_IMAGE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file on the ComfyUI machine, as `/history` names it; `data` where a back end sends it along."""

    filename: str
    subfolder: str
    type: str
    data: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A graph that succeeded: image files by output node, and the seconds it ran by ComfyUI's own clock."""

    outputs: dict[str, list[ImageFile]]
    seconds: float | None


def rendered(entry: dict[str, Any]) -> Rendered:
    """What a history entry tells of a graph that has ended; raises the error that it tells of."""
    status = entry.get("status") or {}
    if status.get("status_str") == "error":
        raise _failure(status.get("messages") or [])
    outputs = {
        node: [
            ImageFile(image["filename"], image.get("subfolder", ""), image.get("type", "output"))
            for image in output.get("images", [])
        ]
        for node, output in (entry.get("outputs") or {}).items()
    }
    return Rendered(outputs, _seconds(status.get("messages") or []))


def _seconds(messages: list[Any]) -> float | None:
    stamps = {name: details.get("timestamp") for name, details in messages}
    started, ended = stamps.get("execution_start"), stamps.get("execution_success")
    return (ended - started) / 1000 if started and ended else None


def _failure(messages: list[Any]) -> ComfyUIError:
    for name, details in messages:
        if name == "execution_interrupted":
            return RenderInterrupted("interrupted")
        if name == "execution_error":
            return RenderFailed(
                str(details.get("exception_type")),
                str(details.get("exception_message")).strip(),
                str(details.get("node_id")),
            )
    return RenderFailed("unknown", "history says error and nothing more")


def refusal(answer: Mapping[str, Any]) -> GraphRejected:
    """What ComfyUI's answer to a graph that it does not take means, in the words of old and new versions."""
    error = answer.get("error") or {}
    node_errors = answer.get("node_errors") or {}
    message = f"{error.get('message', 'rejected')} {error.get('details', '')}".strip()
    kinds = {str(problem.get("type")) for report in node_errors.values() for problem in report.get("errors", [])}
    no_node = error.get("type") == "missing_node_type" or "does not exist" in str(error.get("message", ""))
    kind = LacksWorkflow if no_node or "value_not_in_list" in kinds else GraphRejected
    return kind(message, node_errors)


def has_outputs(entry: Mapping[str, Any]) -> bool:
    """Whether a history entry is complete: one of a graph that succeeded has outputs."""
    return (entry.get("status") or {}).get("status_str") == "error" or any(
        output.get("images") for output in (entry.get("outputs") or {}).values()
    )


async def read_image(response: aiohttp.ClientResponse) -> bytes:
    """The whole body. Raises ComfyUIError when it is larger than MAX_IMAGE_BYTES."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MAX_IMAGE_BYTES:
            raise ComfyUIError(f"more than {MAX_IMAGE_BYTES} bytes for one image")
    return b"".join(parts)
