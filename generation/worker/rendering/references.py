"""Reference pictures of photos, fetched from S3 once: their names say what is in them, so they never change."""

from collections import OrderedDict
from collections.abc import Iterable

from generation.errors import LacksFile, ObjectGone
from generation.storage import Storage, reference_key

#: Pictures that are kept in memory; one has 4 MiB at most (`bot.personas.references`).
KEPT = 32


class References:
    """One per worker."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: OrderedDict[str, bytes] = OrderedDict()

    async def get(self, names: Iterable[str]) -> dict[str, bytes]:
        """The pictures by name. Raises StorageUnavailable, and LacksFile for one that is not there."""
        return {name: await self._one(name) for name in dict.fromkeys(names)}

    async def _one(self, name: str) -> bytes:
        if name not in self._known:
            try:
                self._known[name] = await self._storage.get(reference_key(name))
            except ObjectGone:
                # Somebody else's face would be worse than no photo.
                raise LacksFile(f"the reference picture {name} is not in S3", {}) from None
        self._known.move_to_end(name)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return self._known[name]
