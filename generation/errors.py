"""What can go wrong with a photo.

GenerationError
├── QueueFull            the order was not accepted
├── WorkflowError        a workflow file or what is put into it is wrong
├── ComfyUIError
│   ├── ComfyUIUnreachable   it does not answer; the photo goes back and no attempt is counted
│   ├── GraphRejected        it refused the graph; trying again cannot help
│   ├── RenderFailed         a node raised (out of memory, for one)
│   ├── RenderInterrupted    somebody stopped it
│   ├── RenderTimeout        no result within the time limit
│   └── PromptLost           ComfyUI forgot it (restarted)
├── BadImage             what came back is no picture a person should see
├── ObjectGone           S3 has no such original any more
└── StorageUnavailable   S3 does not answer; the photo goes back and no attempt is counted
"""

from typing import Any


class GenerationError(Exception):
    """Base of everything this package raises on purpose."""

    #: Whether another attempt can help.
    retryable = True
    #: Whether the attempt counts against the photo (an outage of a service does not).
    counts = True


class QueueFull(GenerationError):
    """As many photos wait already as the queue limit allows."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} photos are waiting")
        self.waiting = waiting


class WorkflowError(GenerationError):
    """A workflow's files do not fit each other, or a value does not fit the workflow."""

    retryable = False


class ComfyUIError(GenerationError):
    """Something between us and a finished graph."""


class ComfyUIUnreachable(ComfyUIError):
    """ComfyUI refuses connections, breaks them off or answers nothing in time."""

    counts = False


class GraphRejected(ComfyUIError):
    """ComfyUI's validation refused the graph; `node_errors` is its own report."""

    retryable = False

    def __init__(self, message: str, node_errors: dict[str, Any]) -> None:
        super().__init__(message)
        self.node_errors = node_errors


class RenderFailed(ComfyUIError):
    """A node raised while the graph ran."""

    def __init__(self, exception_type: str, message: str, node_id: str = "") -> None:
        super().__init__(f"{exception_type} in node {node_id}: {message}")
        self.exception_type = exception_type


class RenderInterrupted(ComfyUIError):
    """The graph was stopped from outside."""


class RenderTimeout(ComfyUIError):
    """The graph did not end within its time limit."""


class PromptLost(ComfyUIError):
    """ComfyUI knows the prompt neither in its queue nor in its history."""

    counts = False


class BadImage(GenerationError):
    """Truncated, empty or blank: nothing that a person should see."""


class ObjectGone(GenerationError):
    """The stored original is not there any more."""

    retryable = False


class StorageUnavailable(GenerationError):
    """S3 does not take or give the object."""

    counts = False
