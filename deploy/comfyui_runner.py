"""Runs graphs in the ComfyUI of the same container, for Modal (deploy/modal) and Replicate (deploy/cog).

It says what went wrong in the sentences of RunPod's worker-comfyui (handler.py, 5.8), which Vitte's back ends
understand (generation/backends/http_jobs.py).
The standard library alone: it is copied into images that have no more.
"""

import base64
import http.client
import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

#: Seconds between two looks at a graph that runs, and that one request may take.
LOOK_EVERY, PATIENCE = 0.2, 30
#: Seconds that ComfyUI may take to answer after its start.
START_UP = 180


_FILE = re.compile(r"[\w][\w.\-]{0,120}")


class Image(NamedTuple):
    """A file that a SaveImage node wrote."""

    filename: str
    content: bytes


class RunFailed(Exception):
    """A graph that made no picture; `details` are the sentences about its nodes."""

    def __init__(self, words: str, details: Sequence[str] = ()) -> None:
        super().__init__(": ".join([words, "; ".join(details)]) if details else words)
        self.words = words
        self.details = list(details)


class Runner:
    """One ComfyUI. It renders one graph after another, so a container should be given one at a time."""

    def __init__(self, url: str = "http://127.0.0.1:8188") -> None:
        self._url = url
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str], patience: float = START_UP) -> None:
        """Start ComfyUI and wait until it answers. Raises RunFailed when it does not."""
        self._process = subprocess.Popen(command)  # noqa: S603 - ours
        self.wait_until_up(patience)

    def wait_until_up(self, patience: float = START_UP) -> None:
        """Raises RunFailed when it does not answer in so many seconds."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            try:
                self._ask("/system_stats")
            except RunFailed:
                if self._process is not None and self._process.poll() is not None:
                    raise RunFailed(
                        f"ComfyUI ended with status {self._process.returncode}: not reachable"
                    ) from None
                time.sleep(LOOK_EVERY)
            else:
                return
        raise RunFailed(f"ComfyUI is not reachable within {patience:g} s")

    def render(self, graph: dict[str, Any], timeout: float, pictures: Sequence[dict[str, str]] = ()) -> list[Image]:
        """All that the graph saves. Raises RunFailed.

        `pictures` are files for its LoadImage nodes, as worker-comfyui takes them: `name`, and `image` in Base64.
        """
        for picture in pictures:
            self._upload(str(picture["name"]), base64.b64decode(picture["image"].rpartition(",")[2]))
        prompt_id = str(uuid.uuid4())
        self._ask("/prompt", {"prompt": graph, "prompt_id": prompt_id, "client_id": prompt_id})
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            entry = json.loads(self._ask(f"/history/{prompt_id}")).get(prompt_id)
            if entry:
                return self._images(entry)
            time.sleep(LOOK_EVERY)
        self.stop_rendering(prompt_id)
        raise RunFailed(f"no result within {timeout:g} s")

    def stop_rendering(self, prompt_id: str | None = None) -> None:
        """Interrupt what renders, or one graph of it."""
        self._ask("/interrupt", {"prompt_id": prompt_id} if prompt_id else {})

    def _images(self, entry: dict[str, Any]) -> list[Image]:
        status = entry.get("status") or {}
        for name, told in status.get("messages") or []:
            if name == "execution_error":
                where = f"Node Type: {told.get('node_type')}, Node ID: {told.get('node_id')}"
                raise RunFailed(
                    "Job processing failed",
                    [f"Workflow execution error: {where}, Message: {told.get('exception_message')}"],
                )
            if name == "execution_interrupted":
                raise RunFailed("interrupted")
        saved = [
            image
            for output in (entry.get("outputs") or {}).values()
            for image in output.get("images") or []
            if image.get("type") in {"output", "temp"}
        ]
        return [Image(image["filename"], self._ask("/view?" + urllib.parse.urlencode(image))) for image in saved]

    def _upload(self, name: str, content: bytes) -> None:
        if not _FILE.fullmatch(name):
            raise RunFailed("Workflow validation failed", [f"{name!r} is no name of a file"])
        boundary = uuid.uuid4().hex
        part = f'--{boundary}\r\nContent-Disposition: form-data; name="%s"'
        head, more = part % "image" + f'; filename="{name}"\r\n\r\n', part % "overwrite" + "\r\n\r\ntrue"
        body = b"\r\n".join([head.encode() + content, more.encode(), f"--{boundary}--\r\n".encode()])
        self._ask("/upload/image", body, f"multipart/form-data; boundary={boundary}")

    def _ask(self, path: str, body: dict[str, Any] | bytes | None = None, kind: str = "application/json") -> bytes:
        request = urllib.request.Request(  # noqa: S310 - our own address
            self._url + path,
            data=json.dumps(body).encode() if isinstance(body, dict) else body,
            headers={"Content-Type": kind},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            if error.code == 400 and path == "/prompt":
                raise RunFailed(refusal(error.read())) from None
            raise RunFailed(
                f"ComfyUI {path.partition('?')[0]} answered {error.code}: HTTP communication error"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise RunFailed(f"ComfyUI is not reachable ({type(error).__name__})") from None


def refusal(body: bytes) -> str:
    """The words for a graph that ComfyUI does not take: of each node what is wrong, never what a prompt says."""
    try:
        told = json.loads(body)
    except ValueError:
        return "Workflow validation failed"
    lines = [
        f"Node {node} ({report.get('class_type')}): {problem.get('type')}: {problem.get('details')}"
        for node, report in (told.get("node_errors") or {}).items()
        for problem in report.get("errors") or []
    ]
    error = told.get("error")
    if not lines and isinstance(error, dict):
        # A node class that is not there: a ComfyUI of 2026 names it in the message alone.
        kind = " not found. The custom node is missing" if error.get("type") == "missing_node_type" else ""
        lines = [f"{error.get('message')}{kind}"]
    return "\n".join(["Workflow validation failed:", *lines])
