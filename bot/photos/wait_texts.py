"""How long a photo will take, in words: honest, and rounded as people do."""

from bot.texts import Say

#: Seconds below which a wait needs no word.
SHORT = 15


def ahead(say: Say, seconds: float | None, place: int) -> str:
    """What to add to an answer whose photo must wait; nothing for a short wait.

    `place` is the photo's own in the queue, from 1. None: no GPU is there just now, so nobody knows.
    """
    if seconds is None:
        return say("photo-delayed")
    if seconds <= SHORT:
        return ""
    return say("photo-wait", wait=_spoken(say, seconds), place=place)


def still(say: Say, seconds: float | None, place: int) -> str:
    """What to say of a photo that should have been there by now."""
    if seconds is None:
        return say("photo-still-delayed")
    return say("photo-still", wait=_spoken(say, max(seconds, SHORT)), place=place)


def full(say: Say, seconds: float | None) -> str:
    """What to say instead of a photo when the queue takes no more."""
    if seconds is None:
        return say("photo-queue-full-unknown")
    return say("photo-queue-full", wait=_spoken(say, max(seconds, SHORT)))


def limit(say: Say, count: int, seconds: float) -> str:
    """What to say when the photos of a day are used up; the next one is possible in `seconds`."""
    if count == 0:
        return say("photo-limit-none")
    return say("photo-limit", count=count, wait=_spoken(say, seconds))


def _spoken(say: Say, seconds: float) -> str:
    if seconds < 55:
        return say("wait-seconds", seconds=10 * max(1, round(seconds / 10)))
    if seconds < 90 * 60:
        return say("wait-minutes", minutes=max(1, round(seconds / 60)))
    return say("wait-hours", hours=round(seconds / 3600))
