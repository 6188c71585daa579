"""Reference pictures of photos, fetched from S3 once: what lies under a key never changes."""

from collections import OrderedDict
from collections.abc import Mapping

from generation.errors import LacksFile, ObjectGone
from generation.storage import Storage
from generation.workflows.workflow import BEHIND_PORTRAITS, Workflow, picture_name

#: Pictures that are kept in memory; one has 4 MiB at most (`bot.personas.references`).
KEPT = 32
Inputs = Mapping[str, str | float]


class References:
    """One per worker."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: OrderedDict[str, bytes] = OrderedDict()

    async def brought(self, inputs: Inputs, workflow: Workflow) -> tuple[Inputs, dict[str, bytes]]:
        """What a photo brings: its inputs without what is gone, and the pictures by their names in ComfyUI.

        Raises StorageUnavailable, and LacksFile for a persona's own picture: somebody else's face would be worse
        than no photo. The last photo of the scene may have been deleted.
        """
        left, pictures = dict(inputs), dict[str, bytes]()
        for name, key in workflow.pictures(inputs).items():
            try:
                pictures[picture_name(key)] = await self._one(key)
            except ObjectGone:
                if name not in BEHIND_PORTRAITS:
                    raise LacksFile(f"the reference picture {key} is not in S3", {}) from None
                del left[name]
                # Its place may be another portrait's.
                return await self.brought(left, workflow)
        return left, pictures

    async def _one(self, key: str) -> bytes:
        if key not in self._known:
            self._known[key] = await self._storage.get(key)
        self._known.move_to_end(key)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return self._known[key]
