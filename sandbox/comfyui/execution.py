"""One prompt at a time: the queue, the history, and the events of a run, in ComfyUI's order."""

import asyncio
import hashlib
import heapq
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.comfyui.nodes import LOADERS
from sandbox.comfyui.pictures import pictures, prompts, render, steps_of
from sandbox.faults import Faults

Graph = dict[str, Any]
#: An event's type, its data, and the clientId it is for (None: everybody).
Send = Callable[[str, dict[str, Any], str | None], None]

MAX_HISTORY = 10_000
#: Node classes that leave an image file, and whether it is a temporary one.
SAVERS = {"SaveImage": False, "PreviewImage": True, "VitteSaveImage": True}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a render costs in seconds: by batch size (the last entry and a share of it beyond), and a model swap."""

    batch: tuple[float, ...] = (2.0, 2.8, 3.3, 3.8)
    swap: float = 1.0

    def of(self, size: int) -> float:
        if size <= len(self.batch):
            return self.batch[size - 1]
        return self.batch[-1] * size / len(self.batch)


@dataclass(order=True, slots=True)
class Prompt:
    number: float
    prompt_id: str
    graph: Graph = field(compare=False)
    extra: dict[str, Any] = field(compare=False)
    outputs: list[str] = field(compare=False)

    def as_item(self) -> list[Any]:
        return [self.number, self.prompt_id, self.graph, self.extra, self.outputs]


class Interrupted(Exception):
    """`/interrupt` reached the running prompt."""


class NodeError(Exception):
    """A node raised."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Executor:
    """The queue and its single worker. Lives as long as the server; a restart of the server forgets all."""

    def __init__(self, folder: Path, cost: Cost, faults: Faults, send: Send) -> None:
        self.folder = folder
        #: What was uploaded.
        self.inputs = folder / "input"
        self.cost = cost
        self.waiting: list[Prompt] = []
        self.running: Prompt | None = None
        self.history: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self.loaded_model: str | None = None
        self.renders: list[int] = []
        #: Prompts that waited behind each one that ended: zero while orders wait means that the GPU went idle.
        self.waiting_at_end: list[int] = []
        self.swaps = 0
        #: What a bench wants to know of each prompt; times are seconds since 1970.
        self.record: dict[str, dict[str, Any]] = {}
        #: A prompt text that runs the card out of memory, in whatever company.
        self.poison: str | None = None
        #: What each graph raises until a restart; and whether none begins until then.
        self.broken = ""
        self.asleep = False
        #: Bytes of VRAM that each graph leaves behind until a restart, and what they come to.
        self.leak = 0
        self.leaked = 0
        self._faults = faults
        self._send = send
        self._wake = asyncio.Event()
        self._interrupted = asyncio.Event()
        self._cache: dict[str, Any] = {}
        self._messages: list[Any] = []

    # -- queue -----------------------------------------------------------------------------------------

    def put(self, prompt: Prompt) -> None:
        self.record[prompt.prompt_id] = {"received": time.time(), "photos": 0, "swaps": 0}
        heapq.heappush(self.waiting, prompt)
        self.queue_changed()
        self._wake.set()

    def delete(self, prompt_id: str) -> None:
        """Waiting ones only; a running one is not touched, as in ComfyUI."""
        self.waiting = [prompt for prompt in self.waiting if prompt.prompt_id != prompt_id]
        heapq.heapify(self.waiting)
        self.queue_changed()

    def interrupt(self, prompt_id: str | None) -> None:
        if self.running and prompt_id in {None, self.running.prompt_id}:
            self._interrupted.set()

    def forget(self) -> None:
        """The process was started anew."""
        self.waiting, self.running, self.loaded_model = [], None, None
        self.broken, self.asleep, self.leaked = "", False, 0
        self.history.clear()
        self._cache = {}

    def remaining(self) -> int:
        return len(self.waiting) + (self.running is not None)

    def queue_changed(self) -> None:
        self._send("status", {"status": {"exec_info": {"queue_remaining": self.remaining()}}}, None)

    # -- execution -------------------------------------------------------------------------------------

    async def work(self) -> None:
        """Run prompts for ever, one at a time."""
        while True:
            while not self.waiting or self.asleep:
                self._wake.clear()
                await self._wake.wait()
            self.running = heapq.heappop(self.waiting)
            self.queue_changed()
            await self._run(self.running)

    async def _run(self, prompt: Prompt) -> None:
        self._interrupted.clear()
        self._messages = []
        outputs: dict[str, Any] = {}
        status = "success"
        silent = self._faults.take("render", "no_events") is not None
        client = None if silent else prompt.extra.get("client_id")
        executed: list[str] = []
        self.record[prompt.prompt_id]["started"] = time.time()
        self._tell(prompt, client, "execution_start", {})
        # The original caches nodes that no output needs as well; here they are left out.
        needed = _order(prompt.graph, prompt.outputs)
        cached = [node for node in needed if self._signature(prompt.graph, node) in self._cache]
        self._tell(prompt, client, "execution_cached", {"nodes": cached})
        states: dict[str, Any] = {}
        node = ""
        try:
            for node in needed:
                await self._execute(prompt, node, client, states, outputs, cached=node in cached)
                executed.append(node)
            self._tell(prompt, client, "execution_success", {})
        except Exception as error:
            # Like the original: whatever a node raises ends this prompt and not the server.
            status = "error"
            self._tell_failure(prompt, client, node, executed, error)
        self._cache = (
            {self._signature(prompt.graph, node): outputs.get(node) for node in needed}
            if (status == "success")
            else {}
        )
        # ComfyUI writes the history after it has sent execution_success: asking at once finds nothing.
        await asyncio.sleep(0.002)
        self.record[prompt.prompt_id]["ended"] = time.time()
        self._remember(prompt, outputs, status)
        self.waiting_at_end.append(len(self.waiting))
        self.running = None
        self.queue_changed()
        if client:
            self._send("executing", {"node": None, "prompt_id": prompt.prompt_id}, client)

    async def _execute(
        self,
        prompt: Prompt,
        node: str,
        client: str | None,
        states: dict[str, Any],
        outputs: dict[str, Any],
        *,
        cached: bool,
    ) -> None:
        kind = prompt.graph[node]["class_type"]
        is_output = kind in SAVERS
        if cached and not is_output:
            return
        if cached:
            outputs[node] = self._cache[self._signature(prompt.graph, node)]
        else:
            self._progress(prompt, client, states, node, 0.0, 1.0, "running")
            self._hear(client, "executing", {"node": node, "display_node": node, "prompt_id": prompt.prompt_id})
            if kind in LOADERS:
                await self._load(prompt, prompt.graph[node]["inputs"][LOADERS[kind]])
            elif kind in {"KSampler", "VitteSample", "SamplerCustomAdvanced"}:
                await self._sample(prompt, node, client, states)
            elif is_output:
                outputs[node] = {"images": await self._save(prompt.graph, node, temporary=SAVERS[kind])}
        if is_output:
            self._hear(
                client,
                "executed",
                {"node": node, "display_node": node, "output": outputs[node], "prompt_id": prompt.prompt_id},
            )
        self._progress(prompt, client, states, node, 1.0, 1.0, "finished")

    async def _load(self, prompt: Prompt, model: str) -> None:
        if model != self.loaded_model:
            await self._pause(self.cost.swap)
            self.swaps += 1
            self.record[prompt.prompt_id]["swaps"] += 1
            self.loaded_model = model

    async def _sample(self, prompt: Prompt, node: str, client: str | None, states: dict[str, Any]) -> None:
        inputs = prompt.graph[node]["inputs"]
        size = prompt.graph[inputs["latent_image"][0]]["inputs"]["batch_size"]
        if self.broken:
            raise NodeError("RuntimeError", self.broken)
        poisoned = self.poison is not None and self.poison in json.dumps(prompt.graph)
        if poisoned or self._faults.take("render", "out_of_memory"):
            raise NodeError("torch.OutOfMemoryError", "Allocation on device 0 would exceed allowed memory.")
        if self._faults.take("render", "stall"):
            await self._pause(3600)
        if self._faults.take("render", "stuck"):
            await asyncio.sleep(3600)
        if "seeds" in inputs and not len(json.loads(inputs["seeds"])) == len(prompts(prompt.graph, inputs)) == size:
            raise NodeError("ValueError", "prompts, seeds and the batch must be as many")
        steps = steps_of(prompt.graph, node)
        for step in range(1, steps + 1):
            await self._pause(self.cost.of(size) / steps)
            self._progress(prompt, client, states, node, step, steps, "running")
            if step % 2 or step == steps:
                # Today's ComfyUI leaves values out that follow quickly.
                self._hear(
                    client, "progress", {"value": step, "max": steps, "prompt_id": prompt.prompt_id, "node": node}
                )
        self.renders.append(size)
        self.leaked += self.leak
        self.record[prompt.prompt_id]["photos"] += size

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._interrupted.wait()
        except TimeoutError:
            return
        raise Interrupted

    async def _save(self, graph: Graph, node: str, *, temporary: bool) -> list[dict[str, str]]:
        prefix = Path(graph[node]["inputs"].get("filename_prefix", "ComfyUI"))
        if ".." in prefix.parts or prefix.is_absolute():
            raise NodeError("Exception", "Saving image outside the output folder is not allowed.")
        folder = self.folder / prefix.parent
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for index, source in enumerate(pictures(graph, node)):
            # Counted by listing the folder, like the original.
            name = f"{prefix.name}_{len(list(folder.glob(f'{prefix.name}_*'))) + 1:05}_.png"
            fault = self._faults.take("render", "black", "noise", "red")
            kept = None if graph[node]["class_type"] == "VitteSaveImage" else graph
            content = await asyncio.to_thread(
                render, source, index, kept, self.inputs, flaw=fault.kind if fault else ""
            )
            (folder / name).write_bytes(content)
            subfolder = "" if prefix.parent == Path() else str(prefix.parent)
            files.append({"filename": name, "subfolder": subfolder, "type": "temp" if temporary else "output"})
        return files

    # -- telling ---------------------------------------------------------------------------------------

    def _tell(self, prompt: Prompt, client: str | None, name: str, data: dict[str, Any]) -> None:
        """An event that is kept in the history as well."""
        data = {"prompt_id": prompt.prompt_id, **data, "timestamp": int(time.time() * 1000)}
        self._messages.append([name, data])
        self._hear(client, name, data)

    def _tell_failure(
        self, prompt: Prompt, client: str | None, node: str, executed: list[str], error: Exception
    ) -> None:
        data: dict[str, Any] = {
            "node_id": node,
            "node_type": prompt.graph[node]["class_type"],
            "executed": executed,
        }
        if isinstance(error, Interrupted):
            self._tell(prompt, client, "execution_interrupted", data)
            return
        data |= {
            "exception_message": f"{error}\n",
            "exception_type": error.kind if isinstance(error, NodeError) else type(error).__name__,
            "traceback": [],
            "current_inputs": {},
            "current_outputs": [],
        }
        self._tell(prompt, client, "execution_error", data)

    def _hear(self, client: str | None, name: str, data: dict[str, Any]) -> None:
        if client:
            self._send(name, data, client)

    def _progress(
        self,
        prompt: Prompt,
        client: str | None,
        states: dict[str, Any],
        node: str,
        value: float,
        maximum: float,
        state: str,
    ) -> None:
        states[node] = {
            "value": value,
            "max": maximum,
            "state": state,
            "node_id": node,
            "prompt_id": prompt.prompt_id,
            "display_node_id": node,
            "parent_node_id": None,
            "real_node_id": node,
        }
        self._hear(client, "progress_state", {"prompt_id": prompt.prompt_id, "nodes": dict(states)})

    def _remember(self, prompt: Prompt, outputs: dict[str, Any], status: str) -> None:
        self.history[prompt.prompt_id] = {
            "prompt": prompt.as_item(),
            "outputs": outputs if status == "success" else {},
            "status": {"status_str": status, "completed": status == "success", "messages": self._messages},
            "meta": {},
        }
        while len(self.history) > MAX_HISTORY:
            self.history.popitem(last=False)

    def _signature(self, graph: Graph, node: str) -> str:
        """A node with all that it depends on: equal signatures give equal outputs, so the cache serves them."""
        inputs = {
            name: self._signature(graph, value[0]) + str(value[1]) if isinstance(value, list) else value
            for name, value in sorted(graph[node]["inputs"].items())
        }
        content = json.dumps([graph[node]["class_type"], inputs], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


def _order(graph: Graph, outputs: list[str]) -> list[str]:
    """Nodes in an order in which each comes after what it depends on."""
    order: dict[str, None] = {}

    def visit(node: str) -> None:
        if node in order:
            return
        for value in graph[node]["inputs"].values():
            if isinstance(value, list):
                visit(value[0])
        order[node] = None

    for output in outputs:
        visit(output)
    return list(order)
