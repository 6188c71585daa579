"""Handing updates to the bot: long polling with confirmation by offset, or a webhook with its secret."""

import asyncio
from typing import Any

import aiohttp

from sandbox.telegram.store import Json, Store

WEBHOOK_TIMEOUT = 60
#: A failed webhook call is repeated after this many seconds (Telegram's own pauses are longer).
WEBHOOK_PAUSE = 0.5
#: Connections to a webhook at once, unless it says otherwise.
WEBHOOK_CONNECTIONS = 40


class Conflict(Exception):
    """Two ways of receiving, or two receivers, at once."""


class Updates:
    """The queue of one bot's updates. Unconfirmed ones stay, over a restart as well."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changed = asyncio.Event()
        self._poll = 0
        self.webhook: Json = store.setting("webhook") or {}
        self.last_webhook_error = ""

    def add(self, received: Json) -> Json:
        """Queue an update (without its id) unless the bot did not ask for its kind."""
        allowed = self.webhook.get("allowed_updates") or self._store.setting("allowed_updates")
        kind = next(iter(received))
        if allowed and kind not in allowed:
            return {}
        update = self._store.add_update(received)
        self._changed.set()
        return update

    async def get(self, *, offset: int, limit: int, timeout: float, allowed: list[str] | None) -> list[Json]:
        """getUpdates: confirm everything before `offset`, then wait for at least one update."""
        if self.webhook:
            raise Conflict(
                "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
            )
        self._poll += 1
        mine = self._poll
        self._changed.set()
        if allowed is not None:
            self._store.set_setting("allowed_updates", allowed)
        if offset > 0:
            self._store.confirm_updates(offset)
        elif offset < 0:
            self._store.confirm_updates(self._store.last_update_id() + offset + 1)
        try:
            async with asyncio.timeout(timeout):
                while not (updates := self._store.updates(limit)):
                    self._changed.clear()
                    await self._changed.wait()
                    if mine != self._poll:
                        raise Conflict(
                            "terminated by other getUpdates request;"
                            " make sure that only one bot instance is running"
                        )
        except TimeoutError:
            return []
        return updates

    def set_webhook(self, webhook: Json) -> None:
        self.webhook = webhook
        self._store.set_setting("webhook", webhook)
        self._changed.set()

    async def deliver(self) -> None:
        """Post updates to the webhook, those of one chat in order, chats side by side; never returns.

        Each comes again until it is answered with 2xx.
        """
        chats: dict[int, asyncio.Task[None]] = {}
        limit = asyncio.Semaphore(int(self.webhook.get("max_connections") or WEBHOOK_CONNECTIONS))
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            while True:
                self._changed.clear()
                chats = {chat: task for chat, task in chats.items() if not task.done()}
                for update in self._store.updates(1000) if self.webhook else []:
                    chat = _chat_of(update)
                    if chat not in chats:
                        chats[chat] = group.create_task(self._deliver(session, update, limit))
                await self._changed.wait()

    async def _deliver(self, session: aiohttp.ClientSession, update: Json, limit: asyncio.Semaphore) -> None:
        async with limit:
            if await self._post(session, update):
                self._store.remove_update(update["update_id"])
            else:
                await asyncio.sleep(WEBHOOK_PAUSE)
        asyncio.get_running_loop().call_soon(self._changed.set)

    async def _post(self, session: aiohttp.ClientSession, update: Json) -> bool:
        headers = {}
        if secret := self.webhook.get("secret_token"):
            headers["X-Telegram-Bot-Api-Secret-Token"] = secret
        limit = aiohttp.ClientTimeout(total=WEBHOOK_TIMEOUT)
        try:
            async with session.post(self.webhook["url"], json=update, headers=headers, timeout=limit) as response:
                if response.ok:
                    return True
                self.last_webhook_error = f"Wrong response from the webhook: {response.status}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self.last_webhook_error = f"{type(error).__name__}"
        return False

    def webhook_info(self) -> dict[str, Any]:
        return {
            "url": self.webhook.get("url", ""),
            "has_custom_certificate": False,
            "pending_update_count": self._store.count_updates(),
        } | ({"last_error_message": self.last_webhook_error} if self.last_webhook_error else {})


def _chat_of(update: Json) -> int:
    """What updates are ordered by: their chat, or whoever they are of."""
    event: Json = next((value for key, value in update.items() if key != "update_id"), {})
    message = event.get("message") or event
    return int((message.get("chat") or event.get("from") or {}).get("id") or 0)
