"""The research's algorithm as ordered, named rules: the first that has an opinion decides.

The base is the customer's research, section 9: every so many answers, a change of story or atmosphere, a visual
scene at once. Before them stand the person's own wish and setting; between them, the persona's promise.
"""

from collections.abc import Callable

from triggers.decision.moment import Decision, Kind, Moment
from triggers.decision.pace import Frequency, pace

#: The rule whose photos are owed: she has said that one comes.
PROMISE = "promise"

Rule = Callable[[Moment], Decision | None]


def decide(moment: Moment) -> Decision:
    """Which photo this moment deserves, if any, by the first rule that has an opinion."""
    for rule in RULES:
        decision = rule(moment)
        if decision is not None:
            return decision
    return _no("nothing_special", "no rule had a reason for a photo")


def switched_off(moment: Moment) -> Decision | None:
    """The person wants no photos at all."""
    if moment.frequency is Frequency.NEVER:
        return _refused_or_no(moment, "switched_off", "the person has switched photos off")
    return None


def daily_limit(moment: Moment) -> Decision | None:
    """The plan's photos of the last 24 hours are used up."""
    if moment.photos_today >= moment.daily_limit:
        return _refused_or_no(
            moment, "daily_limit", f"{moment.photos_today} photos in 24 hours, as many as allowed"
        )
    return None


def request(moment: Moment) -> Decision | None:
    """The person's own wish comes before every limit of the automatic photos."""
    if moment.asked_by_command:
        return Decision(Kind.REQUESTED, "request", "the person used /photo")
    if moment.asked:
        return Decision(Kind.REQUESTED, "request", "the person asked for a picture")
    return None


def opening(moment: Moment) -> Decision | None:
    """Never on message 0: the person has not said a word yet."""
    if moment.answer_number < 1:
        return _no("opening", "the dialogue has not begun")
    return None


def only_when_asked(moment: Moment) -> Decision | None:
    """The person wants photos on request only."""
    if not moment.frequency.automatic:
        return _no("only_when_asked", "the person wants photos only on request")
    return None


def one_at_a_time(moment: Moment) -> Decision | None:
    """A person's automatic photos do not pile up in the queue."""
    if moment.photo_waiting:
        return _no("one_at_a_time", "an automatic photo is still on its way")
    return None


def promise(moment: Moment) -> Decision | None:
    """She said that she is sending one: then one comes, however short ago the last one was."""
    if moment.promised:
        return _automatic(PROMISE, "the answer promises a photo")
    return None


def cooldown(moment: Moment) -> Decision | None:
    """Automatic photos keep a distance in time, however fast the talk is."""
    since = moment.seconds_since_photo
    needed = moment.cooldown * pace(moment.frequency, moment.unwelcome).cooldown
    if since is not None and since < needed:
        return _no("cooldown", f"the last automatic photo was {since:.0f} s ago, {needed:.0f} s are needed")
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
    """The answer shows something."""
    if moment.shows:
        return _automatic("visual_scene", "the answer describes what can be seen")
    return None


def cadence(moment: Moment) -> Decision | None:
    """Every so many answers, the exact gap drawn anew each time and stretched by the person's pace.

    A photo that is due waits for an answer that may show something, until the plan's largest gap.
    """
    stretched = pace(moment.frequency, moment.unwelcome).gap
    gap, latest = (max(1, round(answers * stretched)) for answers in (moment.gap, moment.latest_gap))
    since = moment.answers_since_photo
    if since >= max(gap, latest) or (since >= gap and moment.nearly_shows):
        return _automatic("cadence", f"{since} answers without a photo, the gap is {gap}")
    return None


RULES: tuple[Rule, ...] = (
    switched_off,
    daily_limit,
    request,
    opening,
    only_when_asked,
    one_at_a_time,
    promise,
    cooldown,
    story_change,
    atmosphere_change,
    visual_scene,
    cadence,
)


def _no(rule: str, reason: str) -> Decision:
    return Decision(Kind.NONE, rule, reason)


def _refused_or_no(moment: Moment, rule: str, reason: str) -> Decision:
    return Decision(Kind.REFUSED if moment.wished else Kind.NONE, rule, reason)


def _automatic(rule: str, reason: str) -> Decision:
    return Decision(Kind.AUTOMATIC, rule, reason)
