"""Looks at a finished picture before anybody sees it, in a process of its own."""

from functools import partial

import structlog

from generation import metrics
from generation.delivery import classifier
from generation.delivery.classifier import ClassifierError
from generation.errors import NoFace, NotLookedAt, ShowsTooMuch
from generation.models import Photo
from generation.runtime.processes import Processes, ProcessLost
from generation.runtime.settings import WrongSettings

log = structlog.get_logger(__name__)

#: Turns the check off.
NONE = "none"
#: Seconds for the model, and for one picture, which takes about 20 ms of CPU.
LOADING, PATIENCE = 60, 10


class PictureCheck:
    """One per worker, built by `generation.worker.app`; `open` it before the first photo."""

    def __init__(self, name: str) -> None:
        """`name`: a classifier of `generation.delivery.classifier`, or NONE."""
        self._name = name
        self._processes = (
            None if name == NONE else Processes(1, begin=partial(classifier.load, name), patience=PATIENCE)
        )

    async def open(self) -> None:
        """Load the model, which takes a second or two. Raises WrongSettings when that cannot work."""
        if self._processes is None:
            log.warning("picture_check.off")
            return
        try:
            await self._processes.run(classifier.check, within=LOADING)
        except ClassifierError as error:
            raise WrongSettings(f"PICTURE_CLASSIFIER is wrong: {error}.") from None
        except ProcessLost as error:
            raise WrongSettings(f"the model of PICTURE_CLASSIFIER does not load: {error}.") from None

    async def close(self) -> None:
        """End the process."""
        if self._processes:
            await self._processes.close()

    async def check(self, photo: Photo, image: bytes) -> None:
        """Raises ShowsTooMuch and NoFace for what nobody should see; NotLookedAt when nobody could look."""
        if self._processes is None:
            return
        try:
            findings = await self._processes.run(classifier.look_at, image)
        except (ProcessLost, ClassifierError) as error:
            raise NotLookedAt(f"{type(error).__name__}: {error}") from error
        if findings.naked and not photo.explicit:
            metrics.PICTURES_REFUSED.labels("naked").inc()
            raise ShowsTooMuch("the picture shows nakedness")
        if photo.face_due and findings.face is False:
            metrics.PICTURES_REFUSED.labels("no_face").inc()
            raise NoFace("a portrait without a face")
