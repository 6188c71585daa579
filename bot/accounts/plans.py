"""What the free and the premium plan allow."""

from dataclasses import dataclass
from datetime import datetime

from bot.models import Person
from bot.settings import Settings
from triggers import Gap


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How many photos, how often by themselves, and how much is remembered."""

    gap: Gap
    #: Seconds between two automatic photos.
    cooldown: float
    #: Photos in any 24 hours; those that failed do not count.
    daily_limit: int
    #: Tokens of dialogue given to the model word for word; older messages go into the summary.
    memory_tokens: int
    #: Lasting facts kept by each persona.
    facts: int
    #: Personas of one's own.
    own_personas: int
    #: Calls and tokens of the language model in any 24 hours; seconds of voice and pictures of the person likewise.
    model_calls: int
    model_tokens: int
    voice_seconds: int
    pictures: int


def plan_of(person: Person, now: datetime, settings: Settings) -> Plan:
    """What a person is allowed at this moment."""
    return plan(settings, premium=person.is_premium(now, settings.premium_ids))


def plan(settings: Settings, *, premium: bool) -> Plan:
    """One of the two plans, as the operator set it."""
    if premium:
        return Plan(
            gap=settings.premium_photo_gap,
            cooldown=settings.premium_photo_cooldown,
            daily_limit=settings.premium_photos_a_day,
            memory_tokens=settings.premium_memory_tokens,
            facts=settings.premium_facts,
            own_personas=settings.premium_own_personas,
            model_calls=settings.premium_model_calls_a_day,
            model_tokens=settings.premium_model_tokens_a_day,
            voice_seconds=settings.premium_voice_seconds_a_day,
            pictures=settings.premium_pictures_a_day,
        )
    return Plan(
        gap=settings.free_photo_gap,
        cooldown=settings.free_photo_cooldown,
        daily_limit=settings.free_photos_a_day,
        memory_tokens=settings.free_memory_tokens,
        facts=settings.free_facts,
        own_personas=settings.free_own_personas,
        model_calls=settings.free_model_calls_a_day,
        model_tokens=settings.free_model_tokens_a_day,
        voice_seconds=settings.free_voice_seconds_a_day,
        pictures=settings.free_pictures_a_day,
    )
