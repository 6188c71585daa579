"""The research's algorithm as ordered, named rules: the first that has an opinion decides.

Source of the figures: the customer's research, section 9 (free people every 5th to 7th answer, premium
every 3rd to 5th, visual scenes at once).
"""

import random
from collections.abc import Callable

from triggers.moment import Decision, Kind, Moment
from triggers.text import asks_for_photo, shows_something

FREE_GAP = (5, 7)
PREMIUM_GAP = (3, 5)

Rule = Callable[[Moment], Decision | None]


def decide(moment: Moment) -> Decision:
    """Which photo this moment deserves, if any, by the first rule that has an opinion."""
    for rule in RULES:
        decision = rule(moment)
        if decision is not None:
            return decision
    return _no("nothing_special", "no rule had a reason for a photo")


def draw_gap(rng: random.Random, *, premium: bool) -> int:
    """Answers until the next photo of the cadence, both ends included."""
    return rng.randint(*(PREMIUM_GAP if premium else FREE_GAP))


def request(moment: Moment) -> Decision | None:
    """The person's own wish comes before every limit of the automatic photos."""
    if moment.asked_by_command:
        return Decision(Kind.REQUESTED, "request", "the person used /photo")
    if asks_for_photo(moment.person_text):
        return Decision(Kind.REQUESTED, "request", "the person asked for a picture")
    return None


def opening(moment: Moment) -> Decision | None:
    """Never on message 0: the person has not said a word yet."""
    if moment.answer_number < 1:
        return _no("opening", "the dialogue has not begun")
    return None


def one_at_a_time(moment: Moment) -> Decision | None:
    """A person's automatic photos do not pile up in the queue."""
    if moment.photo_waiting:
        return _no("one_at_a_time", "an automatic photo is still on its way")
    return None


def cooldown(moment: Moment) -> Decision | None:
    """Automatic photos keep a distance in time, however fast the talk is."""
    since = moment.seconds_since_photo
    if since is not None and since < moment.cooldown:
        return _no("cooldown", f"the last automatic photo was {since:.0f} s ago")
    return None


def story_change(moment: Moment) -> Decision | None:
    """A new story begins with a look at it."""
    if moment.story_changed:
        return _automatic("story_change", "a new story has begun")
    return None


def atmosphere_change(moment: Moment) -> Decision | None:
    """The mood of the scene has turned."""
    if moment.atmosphere_changed:
        return _automatic("atmosphere_change", "the atmosphere has changed")
    return None


def visual_scene(moment: Moment) -> Decision | None:
    """The answer shows something; the language model's own word comes first, the text where there is none."""
    if moment.scene_visual is not None:
        return _automatic("visual_scene", "the scene line says so") if moment.scene_visual else None
    if shows_something(moment.answer_text):
        return _automatic("visual_scene", "the answer describes what can be seen")
    return None


def cadence(moment: Moment) -> Decision | None:
    """Every so many answers, the exact gap drawn anew each time."""
    if moment.answers_since_photo >= moment.gap:
        return _automatic(
            "cadence", f"{moment.answers_since_photo} answers without a photo, the gap is {moment.gap}"
        )
    return None


RULES: tuple[Rule, ...] = (
    request,
    opening,
    one_at_a_time,
    cooldown,
    story_change,
    atmosphere_change,
    visual_scene,
    cadence,
)


def _no(rule: str, reason: str) -> Decision:
    return Decision(Kind.NONE, rule, reason)


def _automatic(rule: str, reason: str) -> Decision:
    return Decision(Kind.AUTOMATIC, rule, reason)
