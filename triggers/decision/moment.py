"""What the rules look at, and what they answer."""

from dataclasses import dataclass
from enum import StrEnum

from triggers.decision.pace import Frequency


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """One turn of a dialogue, after the persona has answered.

    Counts are of the persona's answers in this dialogue, the present one included.
    """

    answer_number: int
    """1 is the persona's first answer to the person; her opening lines are 0."""
    answers_since_photo: int
    gap: int
    """The cadence's present gap in answers, drawn by `draw_gap` after each photo."""
    latest_gap: int
    """The plan's largest gap: the latest moment for a photo, whatever the answers show."""
    seconds_since_photo: float | None
    """Since the last automatic photo was ordered; None when there was none yet."""
    cooldown: float
    """Seconds that must pass between two automatic photos, as the person's plan has it."""
    photos_today: int
    """Photos of the last 24 hours that did not fail."""
    daily_limit: int
    photo_waiting: bool
    """An automatic photo of this person has not been delivered yet."""
    frequency: Frequency
    """How often the person wants photos."""
    unwelcome: int
    """The person's last automatic photos, in a row, that were ignored or disliked."""
    asked_by_command: bool
    """The person used /photo, so there is nothing to guess."""
    asked: bool
    """The person's words ask for a picture."""
    promised: bool
    """The persona's answer says that she is sending one."""
    shows: bool
    """The persona's answer shows something. All three as detectors and scene line say together (`Witness`)."""
    nearly_shows: bool
    """It may show something, as the detector sees it: enough for a photo that is due."""
    story_changed: bool
    atmosphere_changed: bool

    @property
    def wished(self) -> bool:
        """Whether the person asked for a photo, in whichever way."""
        return self.asked_by_command or self.asked


class Kind(StrEnum):
    """What a decision comes to."""

    NONE = "none"
    AUTOMATIC = "automatic"
    REQUESTED = "requested"
    #: The person asked, and may not have one now; `rule` says why.
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Decision:
    """`rule` is the name of the rule that decided, `reason` says why in words for the operator."""

    kind: Kind
    rule: str
    reason: str

    @property
    def wants_photo(self) -> bool:
        """Whether a photo is ordered."""
        return self.kind in {Kind.AUTOMATIC, Kind.REQUESTED}
