"""What happens in chats, as seen by the people in them: a stream of server-sent events for each person."""

import asyncio
import json

from aiohttp import web

from sandbox.telegram.store import Json, Store

#: A reader that falls this far behind is cut off; its page loads everything anew.
BACKLOG = 1000
#: No person's number. A browser has six connections to a host, so its page listens to everybody in one stream.
EVERYBODY = 0


class Events:
    """Listeners of all people. Lives as long as the server."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listeners: dict[int, set[asyncio.Queue[tuple[str, Json] | None]]] = {}

    def publish(self, chat_id: int, name: str, data: Json) -> None:
        """Tell everybody in a chat."""
        for person_id in self._store.members(chat_id):
            self.tell(person_id, name, data)

    def tell(self, person_id: int, name: str, data: Json) -> None:
        for queue in list(self._listeners.get(person_id, ())):
            if queue.qsize() < BACKLOG:
                queue.put_nowait((name, data))
        for queue in list(self._listeners.get(EVERYBODY, ())):
            if queue.qsize() < BACKLOG:
                queue.put_nowait((name, {"person": person_id, "data": data}))

    def close(self) -> None:
        """End all streams, so that the server can stop."""
        for queues in self._listeners.values():
            for queue in queues:
                queue.put_nowait(None)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """`GET .../events`: stays open, of one person or, as `{person, data}`, of all.

        Events are `message`, `edited`, `deleted`, `action`, `draft`, `answer`, `reactions`.
        """
        person_id = int(request.match_info.get("person", EVERYBODY))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        await response.write(b": open\n\n")
        queue: asyncio.Queue[tuple[str, Json] | None] = asyncio.Queue()
        self._listeners.setdefault(person_id, set()).add(queue)
        try:
            while event := await queue.get():
                name, data = event
                await response.write(f"event: {name}\ndata: {json.dumps(data)}\n\n".encode())
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._listeners[person_id].discard(queue)
        return response
