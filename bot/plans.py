"""What the free and the premium plan allow."""

from dataclasses import dataclass

from bot.settings import Settings
from triggers import Gap


@dataclass(frozen=True, slots=True)
class Plan:
    """How many photos, and how often by themselves."""

    gap: Gap
    #: Seconds between two automatic photos.
    cooldown: float
    #: Photos in any 24 hours; those that failed do not count.
    daily_limit: int


def plan(settings: Settings, *, premium: bool) -> Plan:
    if premium:
        return Plan(settings.premium_photo_gap, settings.premium_photo_cooldown, settings.premium_photos_a_day)
    return Plan(settings.free_photo_gap, settings.free_photo_cooldown, settings.free_photos_a_day)
