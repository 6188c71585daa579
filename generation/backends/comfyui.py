"""A client of one ComfyUI server.

The WebSocket is a hint that something ended; `/history` is the truth. ComfyUI's sockets are known to stop
without an error, and a socket that reconnects under the same clientId while the old one is still open
never hears anything again (its server.py, `sockets.pop(sid)`), so every connection takes a new clientId.
"""

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from types import MappingProxyType
from typing import Any

import aiohttp
import structlog
from pydantic import SecretStr

from generation.backends.comfyui_history import (
    MAX_IMAGE_BYTES,
    ImageFile,
    Rendered,
    has_outputs,
    read_image,
    refusal,
    rendered,
)
from generation.backends.comfyui_place import Place, Watched, bring
from generation.backends.gpu import GpuReport
from generation.comfyui_nodes.access import HEADER
from generation.errors import (
    ComfyUIError,
    ComfyUISick,
    ComfyUIUnreachable,
    GraphRejected,
    RenderStalled,
    RenderTimeout,
)
from generation.runtime.plain_text import plain_text
from generation.workflows.definition import Graph
from generation.workflows.workflow import Asked

log = structlog.get_logger(__name__)

#: Looks for which a graph may be unknown, and its outputs missing: some histories are written seconds later
#: (ComfyUI issue 11540).
UNKNOWN_FOR = 6
#: How the files of all workers' graphs begin.
_OURS = '"vitte/'

_ENDED = frozenset({"execution_error", "execution_interrupted"})


class ComfyUI:
    """One per worker process, built and closed by the worker; `listen` runs beside it.

    `poll` is the pause in seconds between two looks at `/history` when the WebSocket says nothing; `stall` the
    seconds after which a running graph that says nothing over an open WebSocket counts as stuck.
    """

    #: Graphs in ComfyUI's hands at once: one renders, one is handed over behind it.
    at_once = 2
    one_after_another = True
    is_overflow = False
    renders_only: frozenset[str] | None = None
    name = "comfyui"

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        *,
        secret: SecretStr | None = None,
        poll: float = 1.0,
        stall: float = 120,
    ) -> None:
        self._to_nodes = {HEADER: secret.get_secret_value()} if secret else {}
        self._session = session
        self._url = url
        self._poll = poll
        self._stall = stall
        self._client_id: str | None = None
        self._stats: dict[str, Any] = {}
        self._has_gpu_node = True
        self._was_refused = False
        self._watched: dict[str, Watched] = {}
        self._abandoned: set[str] = set()
        #: Names of reference pictures that it was brought.
        self._pictures: set[str] = set()
        #: Items of its queue that are not of this worker, at the last check.
        self._foreign: list[Any] = []
        #: How often a graph was unknown and known again.
        self._flickers = 0
        self._patience = UNKNOWN_FOR * poll
        self._stopping: set[asyncio.Task[None]] = set()

    # -- rendering -------------------------------------------------------------------------------------

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
        """Run a graph to its end and return the image files of each output node.

        `timeout` is in seconds from the moment it runs; past it the graph is stopped. What it waits behind graphs
        of others is not charged, up to BEHIND_OTHERS of it. `stall`, instead of the client's own, is for graphs
        that compile.
        Raises GraphRejected, LacksWorkflow, ComfyUISick, RenderFailed, RenderInterrupted, RenderTimeout,
        RenderStalled, PromptLost, ComfyUIUnreachable.
        """
        loop = asyncio.get_running_loop()
        watched = self._watched[prompt_id] = Watched(
            asyncio.Event(), self._client_id, loop.time(), stall or self._stall
        )
        try:
            await self._submit_with(pictures, graph, prompt_id=prompt_id)
            submitted()
            return rendered(await self._wait(prompt_id, watched, timeout))
        except (ComfyUIUnreachable, ComfyUISick, RenderTimeout, RenderStalled, asyncio.CancelledError):
            # It may have taken the graph all the same, and would render for nobody.
            self._abandon(prompt_id)
            raise
        finally:
            del self._watched[prompt_id]

    async def _submit_with(self, pictures: Mapping[str, bytes], graph: Graph, *, prompt_id: str) -> None:
        """Bring the pictures that it does not have, once, and hand the graph over."""
        known = self._pictures & pictures.keys()
        await bring(self._request, pictures, self._pictures)
        try:
            await self.submit(graph, prompt_id=prompt_id)
        except GraphRejected:
            if not known:
                raise
            # Its input folder may have been emptied.
            self._pictures -= known
            await bring(self._request, pictures, self._pictures)
            await self.submit(graph, prompt_id=prompt_id)

    async def submit(self, graph: Graph, *, prompt_id: str) -> None:
        """Hand a graph over under an id of our own, so that it can be found again whatever happens."""
        body: dict[str, Any] = {"prompt": graph, "prompt_id": prompt_id}
        if self._client_id:
            body["client_id"] = self._client_id
        async with self._request("POST", "/prompt", json=body) as response:
            if response.status == 400:
                raise refusal(await response.json())
            if response.status != 200:
                raise ComfyUIUnreachable(f"/prompt answered {response.status}")
            # With several outputs ComfyUI drops a bad one and answers 200 all the same.
            if node_errors := (await response.json()).get("node_errors"):
                raise refusal({"error": {"message": "some outputs were dropped"}, "node_errors": node_errors})

    async def _wait(self, prompt_id: str, watched: Watched, timeout: float) -> dict[str, Any]:
        unreachable = 0
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll):
                    await watched.ended.wait()
                watched.ended.clear()
            try:
                place, entry = await self._look(prompt_id)
                unreachable = 0
            except ComfyUIUnreachable:
                # A busy or restarting server may miss a request; one that stays away has lost the graph.
                unreachable += 1
                if unreachable >= 5:
                    raise
                continue
            self._flickers += watched.was_lost and place is not Place.UNKNOWN
            watched.was_lost = place is Place.UNKNOWN
            seconds = watched.seconds_at(place, asyncio.get_running_loop().time())
            if place is Place.ENDED and (has_outputs(entry) or seconds > self._patience):
                return entry
            watched.check(seconds, timeout=timeout, listens=self._client_id, patience=self._patience)

    async def _look(self, prompt_id: str) -> tuple[Place, dict[str, Any]]:
        """Where a graph is, with its history entry once it has ended."""
        if entry := await self.history(prompt_id):
            return Place.ENDED, entry
        queue = await self._get("/queue")
        if any(item[1] == prompt_id for item in queue["queue_running"]):
            return Place.RUNS, {}
        pending = sorted(queue["queue_pending"], key=lambda item: float(item[0]))
        if any(item[1] == prompt_id for item in pending):
            is_next = not queue["queue_running"] and pending[0][1] == prompt_id
            return Place.NEXT if is_next else Place.WAITS, {}
        # It may have ended between the two questions.
        if entry := await self.history(prompt_id):
            return Place.ENDED, entry
        return Place.UNKNOWN, {}

    def _abandon(self, prompt_id: str) -> None:
        """Take the graph out of ComfyUI's hands, while its photos go on to another worker: nobody waits for it."""
        self._abandoned.add(prompt_id)
        task = asyncio.create_task(self._stop(prompt_id))
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

    async def close(self) -> None:
        """Wait until graphs that were taken back are stopped, as far as ComfyUI still answers."""
        await asyncio.gather(*self._stopping)

    async def _stop(self, prompt_id: str) -> None:
        for path, body in (("/queue", {"delete": [prompt_id]}), ("/interrupt", {"prompt_id": prompt_id})):
            try:
                async with self._request("POST", path, json=body, timeout=3):
                    pass
            except ComfyUIError as error:
                log.warning("comfyui.abandon_failed", prompt_id=prompt_id, error=str(error))

    # -- single calls ----------------------------------------------------------------------------------

    async def history(self, prompt_id: str) -> dict[str, Any] | None:
        """The entry of a graph that has ended, or None."""
        entry: dict[str, Any] | None = (await self._get(f"/history/{prompt_id}")).get(prompt_id)
        return entry

    async def system_stats(self) -> dict[str, Any]:
        """Version, memory and devices; also the cheapest proof of life."""
        return await self._get("/system_stats", timeout=5)

    async def check(self) -> None:
        """Raise ComfyUIError unless it answers and is not stuck in a graph that it was told to stop."""
        # What was true before an outage is not shown during it.
        self._stats, self._foreign = {}, []
        self._stats = await self.system_stats()
        queue = await self._get("/queue", timeout=5)
        running = {item[1] for item in queue["queue_running"]}
        self._foreign = [
            item
            for item in (*queue["queue_running"], *queue["queue_pending"])
            if item[1] not in self._watched and item[1] not in self._abandoned
        ]
        # Once it is gone from the queue it cannot come back.
        self._abandoned &= running
        if self._abandoned:
            raise ComfyUISick("it does not stop a graph that was taken back")

    async def report(self) -> GpuReport:
        """Of the last check: the card's memory; load and temperature where the node of `comfyui_nodes` is."""
        try:
            device = (self._stats.get("devices") or [{}])[0]
            node = await self._gpu_node()
            total, free = device.get("vram_total"), device.get("vram_free")
            if device.get("type") == "cpu":
                # Without a card ComfyUI calls the machine's memory so.
                total = free = None
            used = total - free if total and free is not None else None
            name = plain_text(str(device.get("name") or "")) or None
            return GpuReport(
                name,
                used,
                total,
                node.get("load"),
                node.get("temperature"),
                node.get("models") or {},
                node.get("ram"),
                len(self._foreign),
                tuple(self._warnings()),
            )
        except (AttributeError, TypeError, IndexError) as error:
            log.warning("comfyui.unreadable_stats", error=repr(error))
            return GpuReport()

    def _warnings(self) -> Iterator[str]:
        if any(_OURS in json.dumps(item[2:3]) for item in self._foreign):
            yield "another worker uses the same ComfyUI: give each its own"
        if self._flickers:
            yield "it forgets and remembers graphs: more than one ComfyUI seems to answer at this address"
        argv = (self._stats.get("system") or {}).get("argv")
        if isinstance(argv, list) and argv and "--disable-metadata" not in argv:
            yield "it was started without --disable-metadata, so its files may hold prompts"

    async def _gpu_node(self) -> dict[str, Any]:
        if not self._has_gpu_node:
            return {}
        try:
            async with self._ask_nodes("GET", "/vitte/gpu", timeout=2) as response:
                # One that does not have it now gets it with a restart, and this connection breaks then.
                self._has_gpu_node = response.status != 404
                return await response.json() if response.status == 200 else {}
        except ComfyUIUnreachable:
            return {}

    async def free(self) -> None:
        """Have it unload its models and give memory back; those that `comfyui_nodes` keeps in RAM as well."""
        async with self._request("POST", "/free", json={"unload_models": True, "free_memory": True}) as response:
            if response.status != 200:
                raise ComfyUIUnreachable(f"/free answered {response.status}")
        async with self._ask_nodes("DELETE", "/vitte/models"):
            pass  # 404 and 405: there is no such node

    async def restart(self) -> None:
        """Have `comfyui_nodes` end the process, for whoever keeps it running to start it anew."""
        async with self._ask_nodes("POST", "/vitte/restart") as response:
            if response.status == 403:
                raise ComfyUIError("COMFYUI_SECRET is not the VITTE_SECRET of this ComfyUI")
            if response.status != 200:
                raise ComfyUIError("COMFYUI_RESTART_COMMAND is not set, and comfyui_nodes is not installed")

    async def vram_peak(self, *, forget: bool = False) -> int | None:
        """Most bytes of VRAM that were in use since the last `forget`; None without `comfyui_nodes`."""
        if forget:
            async with self._ask_nodes("POST", "/vitte/gpu/forget_peak"):
                return None
        return (await self._gpu_node()).get("vram_peak")

    async def object_info(self) -> dict[str, Any]:
        """Every node class that this server has, with its inputs."""
        async with self._request("GET", "/object_info", timeout=60) as response:
            if response.status != 200:
                raise ComfyUIUnreachable(f"/object_info answered {response.status}")
            # Megabytes, with many nodes installed: parsing them would hold up the heartbeat.
            known: dict[str, Any] = await asyncio.to_thread(json.loads, await response.text())
            return known

    async def view(self, image: ImageFile) -> bytes:
        """The bytes of an image file. Raises ComfyUIError when it is gone or larger than MAX_IMAGE_BYTES."""
        params = {"filename": image.filename, "subfolder": image.subfolder, "type": image.type}
        async with self._request("GET", "/view", params=params, timeout=60) as response:
            if response.status != 200:
                raise ComfyUIError(f"/view answered {response.status}")
            return await read_image(response)

    @asynccontextmanager
    async def _ask_nodes(self, method: str, path: str, *, timeout: float = 10) -> Any:
        """A request to `comfyui_nodes`, which may ask for a secret; ComfyUI's own routes do not get it."""
        async with self._request(method, path, timeout=timeout, headers=self._to_nodes) as response:
            if response.status == 403 and not self._was_refused:
                log.warning("comfyui.nodes_refuse", hint="COMFYUI_SECRET must be the VITTE_SECRET of this ComfyUI")
            self._was_refused = response.status == 403
            yield response

    async def _get(self, path: str, *, timeout: float = 10) -> dict[str, Any]:
        async with self._request("GET", path, timeout=timeout) as response:
            if response.status != 200:
                raise ComfyUIUnreachable(f"{path} answered {response.status}")
            answer: dict[str, Any] = await response.json()
            return answer

    @asynccontextmanager
    async def _request(self, method: str, path: str, *, timeout: float = 10, **options: Any) -> Any:
        """The one door to the server: every call has a time limit and every foreign error becomes ours."""
        limit = aiohttp.ClientTimeout(total=timeout)
        try:
            async with self._session.request(method, self._url + path, timeout=limit, **options) as response:
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            refused = isinstance(error, aiohttp.ClientConnectorError)
            message = f"{method} {path}: {type(error).__name__} {error}".strip()
            raise ComfyUIUnreachable(message, refused=refused) from error

    # -- events ----------------------------------------------------------------------------------------

    async def listen(self) -> None:
        """Follow the WebSocket for ever, reconnecting with a new clientId after every break."""
        while True:
            try:
                await self._follow()
            except Exception as error:  # whatever a server or a custom node sends, listening goes on
                log.debug("comfyui.socket_lost", error=repr(error))
            self._client_id = None
            await asyncio.sleep(self._poll)

    async def _follow(self) -> None:
        client_id = uuid.uuid4().hex
        self._has_gpu_node = True
        async with self._session.ws_connect(
            f"{self._url}/ws",
            params={"clientId": client_id},
            heartbeat=20,
            max_msg_size=MAX_IMAGE_BYTES,
            timeout=aiohttp.ClientWSTimeout(ws_close=5),
        ) as socket:
            self._client_id = client_id
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._heard(message.json())

    def _heard(self, event: dict[str, Any]) -> None:
        data = event.get("data")
        if not isinstance(data, dict):
            return
        watched = self._watched.get(str(data.get("prompt_id")))
        if watched is None:
            return
        watched.heard_at = asyncio.get_running_loop().time()
        # execution_success comes before the history entry; `executing {node: null}` always after it.
        if event.get("type") in _ENDED or (event.get("type") == "executing" and data.get("node") is None):
            watched.ended.set()
