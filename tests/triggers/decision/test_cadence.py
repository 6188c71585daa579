"""Six whole dialogues under the rules: photos come where something is to be seen, and hardly elsewhere."""

import random
from pathlib import Path

import pytest

from triggers import FREE_GAP, PREMIUM_GAP, Frequency, Gap, Kind, Moment, Witness, decide, draw_gap
from triggers.detection import rows
from triggers.detection.detectors import NEARLY, Detectors, Task

TALK = Path(__file__).parents[1] / "data" / "dialogues.jsonl"
TURNS, SECONDS_A_TURN, COOLDOWN = 30, 45, 60

#: Of a turn: whether it asks, shows and promises, and what the detectors think of each.
Turn = tuple[tuple[bool, bool, bool], tuple[float, float, float]]


@pytest.fixture(scope="module")
def dialogues() -> list[list[Turn]]:
    detectors, talk = Detectors(), rows.read(TALK)
    turns: list[Turn] = []
    for request, visual, promise in zip(talk[0::3], talk[1::3], talk[2::3], strict=True):
        assert (request.task, visual.task, promise.task) == (Task.REQUEST, Task.VISUAL, Task.PROMISE)
        chances = (detectors.request(request.text), *detectors.reads(visual.text))
        turns.append(((request.label, visual.label, promise.label), chances))
    return [turns[start : start + TURNS] for start in range(0, len(turns), TURNS)]


def played(dialogues: list[list[Turn]], gaps: Gap, *, right: float | None) -> tuple[int, int]:
    """Photos where one belonged, and where none did; `right`: the share of true words in the scene line, if any."""
    rng = random.Random(7)
    witnesses = [Witness() for _ in range(3)]
    hits = wrong = 0
    for dialogue in dialogues:
        since, gap, last = 0, min(3, draw_gap(rng, gaps)), None
        for number, (truth, chances) in enumerate(dialogue, 1):
            since += 1
            said = [None if right is None else (is_so if rng.random() < right else not is_so) for is_so in truth]
            asked, shows, promised = (
                witness.weigh(word, chance) for witness, word, chance in zip(witnesses, said, chances, strict=True)
            )
            decision = decide(
                Moment(
                    answer_number=number,
                    answers_since_photo=since,
                    gap=gap,
                    latest_gap=gap if number == since else gaps[1],
                    seconds_since_photo=None if last is None else (number - last) * SECONDS_A_TURN,
                    cooldown=COOLDOWN,
                    photos_today=0,
                    daily_limit=1000,
                    photo_waiting=False,
                    frequency=Frequency.NORMAL,
                    unwelcome=0,
                    asked_by_command=False,
                    asked=asked,
                    promised=promised,
                    shows=shows,
                    nearly_shows=chances[1] > NEARLY,
                    story_changed=False,
                    atmosphere_changed=False,
                )
            )
            if decision.wants_photo:
                hits, wrong = hits + any(truth), wrong + (not any(truth))
                since, gap = 0, draw_gap(rng, gaps)
                last = number if decision.kind is Kind.AUTOMATIC else last
    return hits, wrong


@pytest.mark.parametrize("right", [None, 0.8, 1.0])
@pytest.mark.parametrize(("gaps", "most_wrong"), [(FREE_GAP, 10), (PREMIUM_GAP, 14)])
def test_a_photo_comes_where_something_is_to_be_seen(
    dialogues: list[list[Turn]], gaps: Gap, most_wrong: int, right: float | None
) -> None:
    """Of 55 right moments in 180 answers; over ten seeds hits were 46 to 49, wrong 5 to 7 and 9 to 11."""
    hits, wrong = played(dialogues, gaps, right=right)
    assert hits >= 42
    assert wrong <= most_wrong
