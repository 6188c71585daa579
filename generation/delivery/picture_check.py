"""Looks at a finished picture before anybody sees it, in a process of its own."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NoReturn

import structlog

from generation import metrics
from generation.delivery import classifier, faces
from generation.delivery.classifier import ClassifierError
from generation.errors import NoFace, NotLookedAt, ShowsTooMuch, UnlikeHerself
from generation.models import Photo
from generation.runtime.processes import Processes, ProcessLost
from generation.runtime.settings import WrongSettings
from generation.settings import PictureSettings

log = structlog.get_logger(__name__)

#: Turns the classifier off.
NONE = "none"
#: Seconds for the models, and for one picture, which takes about 20 ms of CPU, and 60 with faces.
LOADING, PATIENCE = 60, 10


class PictureCheck:
    """One per worker, built by `generation.worker.app`; `open` it before the first photo."""

    def __init__(self, settings: PictureSettings) -> None:
        self._classifies = settings.picture_classifier != NONE
        self._finds_faces = bool(settings.face_detector)
        self._settings = settings
        models = (settings.picture_classifier, settings.face_detector, settings.face_embedder)
        looks = self._classifies or self._finds_faces
        self._processes = Processes(1, begin=partial(_load, *models), patience=PATIENCE) if looks else None

    async def open(self) -> None:
        """Load the models, which takes a second or two. Raises WrongSettings when that cannot work."""
        if not self._classifies:
            log.warning("picture_check.off")
        if self._settings.face_embedder and not self._finds_faces:
            raise WrongSettings("FACE_EMBEDDER compares what FACE_DETECTOR finds: name that as well.")
        if self._classifies:
            await self._try(classifier.check, "PICTURE_CLASSIFIER")
        if self._finds_faces:
            await self._try(faces.check, "FACE_DETECTOR or FACE_EMBEDDER")

    async def _try(self, check: Callable[[], None], name: str) -> None:
        if self._processes is None:
            return
        try:
            await self._processes.run(check, within=LOADING)
        except ClassifierError as error:
            raise WrongSettings(f"{name} is wrong: {error}.") from None
        except ProcessLost as error:
            raise WrongSettings(f"the model of {name} does not load: {error}.") from None

    async def close(self) -> None:
        """End the process."""
        if self._processes:
            await self._processes.close()

    async def check(self, photo: Photo, image: bytes, references: Sequence[bytes] = ()) -> float | None:
        """How much the face is like those of her reference pictures; None where nobody compared.

        Raises ShowsTooMuch and NoFace for what nobody should see, UnlikeHerself for a face that is worth one more
        try, NotLookedAt when nobody could look.
        """
        if self._processes is None:
            return None
        try:
            await self._classify(self._processes, photo, image)
            return await self._compare(self._processes, photo, image, references)
        except (ProcessLost, ClassifierError) as error:
            raise NotLookedAt(f"{type(error).__name__}: {error}") from error

    async def _classify(self, processes: Processes, photo: Photo, image: bytes) -> None:
        if not self._classifies:
            return
        findings = await processes.run(classifier.look_at, image)
        if findings.naked and not photo.explicit:
            metrics.PICTURES_REFUSED.labels("naked").inc()
            raise ShowsTooMuch("the picture shows nakedness")
        if photo.face_due and findings.face is False:
            _no_face()

    async def _compare(
        self, processes: Processes, photo: Photo, image: bytes, references: Sequence[bytes]
    ) -> float | None:
        if not self._finds_faces:
            return None
        face, likeness = await processes.run(faces.look_at, image, tuple(references))
        if photo.face_due and not face:
            _no_face()
        if likeness is None:
            return None
        metrics.FACE_LIKENESS.labels(photo.workflow).observe(likeness)
        # Once: a second one that is no better is sent all the same, since a photo is waited for.
        if likeness < self._settings.face_likeness and photo.failures == 0:
            metrics.PICTURES_REFUSED.labels("unlike").inc()
            raise UnlikeHerself(f"the face is like her own by {likeness:.2f}")
        return likeness


def _no_face() -> NoReturn:
    metrics.PICTURES_REFUSED.labels("no_face").inc()
    raise NoFace("a portrait without a face")


def _load(name: str, detector: str, embedder: str) -> None:
    """Begin the process."""
    if name != NONE:
        classifier.load(name)
    if detector:
        faces.load(detector, embedder)
