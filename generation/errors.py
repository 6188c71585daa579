"""What can go wrong with a photo.

GenerationError
├── QueueFull            the order was not accepted: too many wait
├── OneAtATime           the order was not accepted: an automatic photo of this person is on its way
├── WorkflowError        a workflow file or what is put into it is wrong
│   └── NobodyCanRender      no living worker has what the workflow needs
├── ComfyUIError
│   ├── ComfyUIUnreachable   it does not answer; the photo goes back and no attempt is counted
│   ├── GraphRejected        it refused the graph; trying again cannot help
│   │   ├── LacksWorkflow        a node or a file of the workflow is missing there; the photo goes back uncounted
│   │   └── LacksFile            a file that this photo brings is missing there; another worker may have it
│   ├── RenderFailed         a node raised (out of memory, for one)
│   ├── RenderInterrupted    somebody stopped it
│   ├── RenderTimeout        no result within the time limit
│   ├── RenderStalled        it runs and makes no progress
│   ├── ComfyUISick          given up by the watchdog; the photo goes back and no attempt is counted
│   └── PromptLost           ComfyUI forgot it (restarted); the photo goes back and no attempt is counted
├── BadImage             what came back is no picture a person should see
│   ├── BrokenImage          the bytes are no whole file
│   ├── ShowsTooMuch         nakedness that is not wanted; the next attempt's prompt is stricter
│   ├── NoFace               a portrait without a face
│   └── UnlikeHerself        another face than that of the reference pictures
├── NotLookedAt          the classifier of pictures could not look
├── ObjectGone           S3 has no such original any more
├── StorageUnavailable   S3 does not answer; the photo goes back and no attempt is counted
└── WorkerStopped        this worker shuts down; the photo goes back and no attempt is counted
"""

from typing import Any

from generation.runtime.plain_text import plain_text


class GenerationError(Exception):
    """Base of everything this package raises on purpose; words of a foreign server become plain text."""

    def __init__(self, message: str = "") -> None:
        super().__init__(plain_text(message))

    #: Whether another attempt can help.
    retryable = True
    #: Whether the attempt counts against the photo (an outage of a service does not).
    counts = True
    #: Whether a service was away, which no number of attempts can be blamed on the photo for.
    outage = False


class QueueFull(GenerationError):
    """As many photos wait already as the queue limit allows, or as can be made before this one's scene is over."""

    def __init__(self, waiting: int, wait: float | None) -> None:
        super().__init__(f"{waiting} photos are waiting")
        self.waiting = waiting
        #: Seconds until a new one would start; None when nobody can know, since no worker is there.
        self.wait = wait


class OneAtATime(GenerationError):
    """Nobody fills the queue: of each person one automatic photo at a time is on its way."""


class WorkflowError(GenerationError):
    """A workflow's files do not fit each other, or a value does not fit the workflow."""

    retryable = False


class NobodyCanRender(WorkflowError):
    """No living worker has shown that it can render the workflow; the words say what is missing here."""


class ComfyUIError(GenerationError):
    """Something between us and a finished graph."""


class ComfyUIUnreachable(ComfyUIError):
    """ComfyUI refuses connections, breaks them off or answers nothing in time."""

    counts = False
    outage = True

    def __init__(self, message: str, *, refused: bool = False, pause: float = 0.0) -> None:
        super().__init__(message)
        #: Seconds for which it does not want to be asked.
        self.pause = pause
        #: Nobody listens at its address: the process is gone.
        self.refused = refused


class ComfyUISick(ComfyUIError):
    """The watchdog found that this ComfyUI cannot work; another one makes the photo."""

    counts = False
    outage = True


class GraphRejected(ComfyUIError):
    """ComfyUI's validation refused the graph; `node_errors` is its own report."""

    retryable = False

    def __init__(self, message: str, node_errors: dict[str, Any]) -> None:
        super().__init__(message)
        self.node_errors = node_errors

    def told(self) -> str:
        """The message, and what ComfyUI says of the first node: which file is missing, for one."""
        problems = (problem for report in self.node_errors.values() for problem in report.get("errors", []))
        details = next((str(problem.get("details", "")) for problem in problems), "")
        return plain_text(f"{self} ({details})" if details else str(self))


class LacksWorkflow(GraphRejected):
    """A node class or a file of the workflow is not there: this worker's fault, and another one may have it."""

    retryable = True
    counts = False


class LacksFile(GraphRejected):
    """A file that the photo itself names (a LoRA, a reference) is not there."""

    retryable = True


class RenderFailed(ComfyUIError):
    """A node raised while the graph ran."""

    def __init__(self, exception_type: str, message: str, node_id: str = "") -> None:
        super().__init__(f"{exception_type} in node {node_id}: {message}")
        self.exception_type = exception_type


class RenderInterrupted(ComfyUIError):
    """The graph was stopped from outside."""


class RenderTimeout(ComfyUIError):
    """The graph did not end within its time limit."""


class RenderStalled(ComfyUIError):
    """The graph runs and nothing has been heard of it for too long."""


class PromptLost(ComfyUIError):
    """ComfyUI knows the prompt neither in its queue nor in its history."""

    counts = False


class BadImage(GenerationError):
    """Truncated, empty or blank: nothing that a person should see."""


class BrokenImage(BadImage):
    """The bytes are no whole image file."""


class ShowsTooMuch(BadImage):
    """It shows nakedness, and explicit content is off for this person."""


class NoFace(BadImage):
    """A face was due and there is none."""


class UnlikeHerself(BadImage):
    """The face is not that of her reference pictures; worth one more seed."""


class NotLookedAt(GenerationError):
    """Nobody could look at the picture before it would have been sent, so it is not."""


class ObjectGone(GenerationError):
    """The stored original is not there any more."""

    retryable = False


class StorageUnavailable(GenerationError):
    """S3 does not take or give the object."""

    counts = False
    outage = True


class WorkerStopped(GenerationError):
    """The worker is shutting down; another one makes the photo."""

    counts = False
    outage = True
