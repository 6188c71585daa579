"""Three questions to one text: does it show something, does it ask for a photo, does it promise one.

Each answer is a probability from a linear head over `triggers.model.features` and
`triggers.model.embedding`. The heads are in weights.npz, which `python -m triggers train` makes from `data/`.
CPU work of some milliseconds: call it in a thread, one text at a time.
"""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from triggers.detection.patterns import follows_up, promises_plainly, wishes_for_none
from triggers.model import heads
from triggers.model.embedding import Embedder
from triggers.model.features import windows
from triggers.model.heads import FeatureReader, Features, Head

WEIGHTS = Path(__file__).parent / "weights.npz"
#: Unsure means no photo.
SURE = 0.5
#: What may show something: enough for a photo that is due anyway.
NEARLY = 0.2
#: How likely "one more" means a photo, where one came just before; and nothing of the kind, where none did.
FOLLOW_UP = 0.9


class Task(StrEnum):
    """What is asked of a text."""

    VISUAL = "visual"
    """The persona's answer shows something that a photo taken right now would show."""
    REQUEST = "request"
    """The person asks for a picture of the persona or of what is around her."""
    PROMISE = "promise"
    """The persona says that she is sending one."""


class Detectors:
    """The trained heads and the embedding model; about 200 MB of memory, for the life of the process.

    Native code that reads what strangers write: a process of one's own is the place for it.
    """

    def __init__(
        self, trained: dict[Task, Head] | None = None, features: Callable[[str], Features] | None = None
    ) -> None:
        """`features`: shared with others, or of `no_meaning`, which judges by letters, lemmas and grammar alone."""
        self._heads = trained if trained is not None else load_heads()
        self.features = features or FeatureReader(Embedder().early)

    def probability(self, task: Task, text: str) -> float:
        """Of a long text, the piece that says it most clearly."""
        return max(judge(self._heads[task], task, piece, self.features(piece)) for piece in windows(text))

    def request(self, text: str, *, after_photo: bool = False) -> float:
        """How likely a person's text asks for a photo; `after_photo`: one came just before."""
        chance = self.probability(Task.REQUEST, text)
        if follows_up(text):
            return max(chance, FOLLOW_UP) if after_photo else min(chance, 1 - FOLLOW_UP)
        return chance

    def reads(self, text: str) -> tuple[float, float]:
        """Of a persona's answer: how likely it shows something, and how likely it promises a photo."""
        pieces = [(piece, self.features(piece)) for piece in windows(text)]
        visual, promise = (
            max(judge(self._heads[task], task, piece, features) for piece, features in pieces)
            for task in (Task.VISUAL, Task.PROMISE)
        )
        return visual, promise


def judge(head: Head, task: Task, text: str, features: Features) -> float:
    """The head's probability, unless the text leaves nothing to guess."""
    if task is Task.PROMISE and promises_plainly(text):
        return 1.0
    if task is Task.REQUEST and wishes_for_none(text):
        return 0.0
    return head.probability(features)


def load_heads(path: Path = WEIGHTS) -> dict[Task, Head]:
    """The trained heads."""
    stored = heads.load(path, Task)
    return {task: stored[task] for task in Task}
