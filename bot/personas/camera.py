"""How a photo is framed: what a camera's words mean, and the takes of "again", each unlike the one before."""

import re
from dataclasses import dataclass
from enum import StrEnum

from generation.models import Orientation


class Framing(StrEnum):
    """How much of the persona is in the picture."""

    CLOSE = "close"
    HALF = "half"
    FULL = "full"
    WIDE = "wide"


_WORDS = (
    (Framing.WIDE, r"\b(?:wide|landscape|panoram\w*|from afar|full scene|establishing|distant|long shot)\b"),
    (Framing.CLOSE, r"\b(?:close[- ]?up|headshot|face|selfie|macro|portrait of the face)\b"),
    (Framing.FULL, r"\b(?:full[- ]?(?:body|length|figure)|head to toe|whole body)\b"),
)
#: A mirror shows her from head to toe, and a selfie is always upright.
_UPRIGHT = re.compile(
    r"\b(?:selfie|mirror|full[- ]?(?:body|length)|vertical|portrait orientation)\b", re.IGNORECASE
)
_FACE = re.compile(r"\b(?:selfie|headshot|face|portrait(?! orientation)|into the (?:lens|camera))\b", re.IGNORECASE)
_NO_FACE = re.compile(
    r"\b(?:behind|back (?:view|of|to)|turned away|away from the camera|profile|silhouette|hands?|feet|legs?"
    r"|wide|afar|distant|covering|hidden)\b",
    re.IGNORECASE,
)


def framing(camera: str) -> Framing:
    """How much of her a camera's words show; half of the figure where they say nothing."""
    for kind, words in _WORDS:
        if re.search(words, camera, re.IGNORECASE):
            return kind
    return Framing.HALF


def shows_face(camera: str) -> bool:
    """Whether a picture without a face is not what these words say."""
    return bool(_FACE.search(camera)) and not _NO_FACE.search(camera)


def orientation(camera: str) -> Orientation:
    """Wide shots are landscape pictures, all others portrait."""
    lies = framing(camera) is Framing.WIDE and not _UPRIGHT.search(camera)
    return Orientation.LANDSCAPE if lies else Orientation.PORTRAIT


@dataclass(frozen=True, slots=True)
class Take:
    """Camera and composition of another try; Z-Image Turbo hardly moves by the seed alone."""

    camera: str
    composition: str

    @property
    def words(self) -> str:
        """Camera and composition as the prompt has them."""
        return f"{self.camera}, {self.composition}"


COMPOSITIONS = (
    "off-centre, looking away from the camera",
    "centred, looking straight into the lens",
    "leaning forward a little, laughing",
    "turned half aside, hand near the face",
    "framed by something in the foreground, candid moment",
)

TAKES = (
    Take("close-up portrait, 85mm lens, eye level", "face slightly turned, soft background blur, off-centre"),
    Take("wide shot from afar, 24mm lens", "small figure on the left third, much of the place around"),
    Take("full body, 35mm lens, low angle", "centred, leading lines towards the figure"),
    Take("half-body, seen from the side", "profile, looking out of the frame, empty space in front"),
    Take(
        "close-up selfie, arm's length, from slightly above", "tilted frame, the place visible behind one shoulder"
    ),
    Take("half-body, over the shoulder from behind", "turning back to the camera, foreground out of focus"),
    Take("wide shot, high angle", "symmetrical composition, figure in the lower third"),
    Take("full body, in a mirror", "reflection framed by the mirror's edge, candid"),
)


def once_more(camera: str, take: int) -> str:
    """The same camera after `take` earlier tries, with another composition."""
    return ", ".join(filter(None, (camera, COMPOSITIONS[take % len(COMPOSITIONS)])))


def another(camera: str, take: int) -> Take:
    """The next take after `take` earlier ones, never with the framing of the photo it follows."""
    others = [each for each in TAKES if framing(each.camera) is not framing(camera)]
    return others[take % len(others)]
