"""Tables that every process shares: operator switches, alerts and incidents."""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, Float, Identity, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from generation.runtime.database import Base

Timestamp = DateTime(timezone=True)


class OperatorSwitch(Base):
    """A switch or a counter that an operator sets for all processes (`generation.runtime.operator_switches`)."""

    __tablename__ = "controls"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)
    changed_at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())


class Turn(Base):
    """When somebody last had a turn at work for one process at a time (`generation.runtime.monitoring.turns`)."""

    __tablename__ = "turns"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    taken_at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now())


class Alert(Base):
    """A rule whose limit is passed by one subject, from the first look until its end was told."""

    __tablename__ = "alerts"

    rule: Mapped[str] = mapped_column(Text, primary_key=True)
    subject: Mapped[str] = mapped_column(Text, primary_key=True)
    action: Mapped[str] = mapped_column(Text)
    passed_at: Mapped[datetime] = mapped_column(Timestamp)
    fired_at: Mapped[datetime | None] = mapped_column(Timestamp)
    ended_at: Mapped[datetime | None] = mapped_column(Timestamp)
    value: Mapped[float] = mapped_column(Float)
    # The furthest that the value went beyond the limit.
    worst: Mapped[float] = mapped_column(Float)
    # What the operators know of it: "began", "ended", or nothing yet.
    told: Mapped[str | None] = mapped_column(Text)
    # What SCALE_WEBHOOK_URL has heard of it, in the same words.
    called: Mapped[str | None] = mapped_column(Text)
    silenced_until: Mapped[datetime | None] = mapped_column(Timestamp)


class Incident(Base):
    """Something that failed and that no other row tells of. Kinds are words of the code; no row names a person."""

    __tablename__ = "incidents"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(Timestamp, server_default=func.now(), index=True)
    kind: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text)
