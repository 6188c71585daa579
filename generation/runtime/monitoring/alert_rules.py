"""Alert rules: when a figure passes its limit for long enough, and when that has ended. Values in, values out."""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, model_validator

from generation.runtime.monitoring.figures import Figure, Snapshot
from generation.runtime.settings import WrongSettings

FILE = Path(__file__).with_name("alerts.toml")
#: Figures by which a worker can look at its own card.
OF_A_CARD = ("gpu_temperature", "gpu_load", "vram_used")


class Action(StrEnum):
    """What follows when an alert fires; operators are told in any case."""

    TELL = "tell"
    SCALE_UP = "scale_up"
    INVESTIGATE = "investigate"
    THROTTLE = "throttle"


class RulesError(Exception):
    """The file of rules is wrong; the text is one sentence that names it."""


#: Seconds; no window and no wait of a rule is longer.
LONGEST = 86_400
Limit = Annotated[float, Field(allow_inf_nan=False)]


class Rule(BaseModel):
    """One alert. The limits are in the figure's unit.

    `hold` and `until` are what `for_seconds` and `clear_at` were called until 2026-11; operators' files may say so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = ""
    figure: str
    of: str = ""
    total: bool = False
    above: Limit | None = None
    below: Limit | None = None
    clear_at: Annotated[Limit, Field(validation_alias=AliasChoices("clear_at", "until"))]
    for_seconds: Annotated[float, Field(ge=0, le=LONGEST, validation_alias=AliasChoices("for_seconds", "hold"))] = 0
    action: Action = Action.TELL

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("needs one of above and below")
        if self.total and self.of:
            raise ValueError("total and of exclude each other")
        beyond = self.clear_at > self.above if self.above is not None else self.clear_at < (self.below or 0)
        if beyond:
            raise ValueError("clear_at must be on the harmless side of the limit")
        return self

    @property
    def limit(self) -> float:
        """What the value must pass, whichever side it is on."""
        return self.above if self.above is not None else self.below or 0

    def is_passed(self, value: float) -> bool:
        """Whether the value is beyond the limit."""
        return value > self.above if self.above is not None else value < self.limit

    def is_clear(self, value: float) -> bool:
        """Whether a firing alert ends at this value (hysteresis)."""
        return value <= self.clear_at if self.above is not None else value >= self.clear_at

    def values(self, snapshot: Snapshot) -> Iterator[tuple[str, float]]:
        """What it watches: each value and what tells it apart ("" for a figure as a whole)."""
        found = snapshot.values.get(self.figure, {})
        if self.total:
            if found:
                yield "", snapshot.total(self.figure)
        elif self.of:
            if self.of in found:
                yield "", found[self.of]
        else:
            yield from found.items()


@dataclass(frozen=True, slots=True)
class State:
    """Where one rule stands with one subject."""

    #: When the limit was passed without a break since; None while it is not.
    passed_at: datetime | None = None
    #: When it became an alert.
    fired_at: datetime | None = None
    value: float | None = None


#: The limit is not passed.
OK = State()


def step(rule: Rule, state: State, value: float | None, now: datetime) -> State:
    """The state after a look. A value that is gone (the worker left, no photos) ends it."""
    if value is None:
        return OK
    if state.fired_at is not None:
        return OK if rule.is_clear(value) else State(state.passed_at, state.fired_at, value)
    if not rule.is_passed(value):
        return OK
    passed_at = state.passed_at or now
    fired_at = now if now - passed_at >= timedelta(seconds=rule.for_seconds) else None
    return State(passed_at, fired_at, value)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    window: Annotated[float, Field(gt=0, le=LONGEST)]
    rules: Annotated[Mapping[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")], Rule], Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Rules:
    """The whole file. `window` is in seconds."""

    window: float
    rules: Mapping[str, Rule]

    def with_action(self, action: Action) -> Sequence[Rule]:
        """The rules from which this follows."""
        return [rule for rule in self.rules.values() if rule.action is action]


class Throttle:
    """Whether one worker must cool down: it looks at its own card by the rules that throttle."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules.with_action(Action.THROTTLE)
        self._states: dict[str, State] = {}

    def look(self, values: Mapping[str, float | None], now: datetime) -> bool:
        """`values` by figure. True from the moment that a rule fires until its value is clear."""
        for rule in self._rules:
            state = self._states.get(rule.name, OK)
            self._states[rule.name] = step(rule, state, values.get(rule.figure), now)
        return any(state.fired_at for state in self._states.values())


def load(path: Path | str, figures: Iterable[Figure] | None) -> Rules:
    """Read the rules (an empty path: the ones that come along). Raises RulesError.

    `figures` are all that a rule may watch. None leaves that question to the bot, which knows all of them: a worker
    obeys the rules on its own card and needs no other.
    """
    known = None if figures is None else {figure.name: figure for figure in figures}
    file = Path(path or FILE)
    try:
        content = _File.model_validate(tomllib.loads(file.read_text("utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RulesError(f"{file.name}: {where}: {first['msg']}") from None
    except (OSError, ValueError) as error:
        raise RulesError(f"{file.name}: {error}") from None
    rules = {name: rule.model_copy(update={"name": name}) for name, rule in content.rules.items()}
    for rule in rules.values():
        _check(file.name, rule, known)
    return Rules(content.window, rules)


def load_or_stop(path: str, figures: Iterable[Figure] | None) -> Rules:
    """`load` for the start of a process: what is wrong stops it with one sentence (WrongSettings)."""
    try:
        return load(path, figures)
    except RulesError as error:
        raise WrongSettings(f"The alert rules cannot be read: {error}.") from None


def _check(file: str, rule: Rule, known: Mapping[str, Figure] | None) -> None:
    if known is not None and rule.figure not in known:
        raise RulesError(f"{file}: {rule.name}: there is no figure {rule.figure!r}")
    if known is not None and (rule.of or rule.total) and not known[rule.figure].label:
        raise RulesError(f"{file}: {rule.name}: {rule.figure} has a single value")
    if rule.action is Action.THROTTLE and (rule.figure not in OF_A_CARD or rule.of or rule.total):
        raise RulesError(f"{file}: {rule.name}: only {', '.join(OF_A_CARD)} of a card can throttle it")


def prometheus(rules: Rules, figures: Sequence[Figure]) -> str:
    """The same rules as a rule file of Prometheus. `figures` are all that the rules may speak of."""
    by_name = {figure.name: figure for figure in figures}
    lines = ["# Written by `python -m bot prometheus-rules` from the alert rules; do not edit.", "groups:"]
    lines += ["  - name: vitte", "    rules:"]
    for rule in rules.rules.values():
        lines += _prometheus(rule, by_name[rule.figure])
    return "\n".join((*lines, _DOWN))


#: What no process can say of itself. The jobs are those of docs/monitoring/prometheus.yml.
_DOWN = """\
      - alert: bot_down
        expr: absent(up{job="bot"} == 1)
        for: 60s
        labels:
          action: tell
        annotations:
          summary: "No bot answers Prometheus: nobody gets an answer, and nobody else sends these alerts."
      - alert: worker_down
        expr: absent(up{job="worker"} == 1)
        for: 60s
        labels:
          action: tell
        annotations:
          summary: "No worker answers Prometheus."
"""


def _prometheus(rule: Rule, figure: Figure) -> Sequence[str]:
    """Every process tells of the whole, hence the maximum; hysteresis by asking whether it fires already."""
    each = figure.label and not (rule.of or rule.total)
    chosen = f'{{{figure.label}="{rule.of}"}}' if rule.of else ""
    if rule.total:
        value = f"sum(max by ({figure.label}) ({figure.metric}))"
    else:
        value = f"max{f' by ({figure.label}) ' if each else ''}({figure.metric}{chosen})"
    compare = ">" if rule.above is not None else "<"
    fires = f'ALERTS{{alertname="{rule.name}", alertstate="firing"}}'
    on = f"on ({figure.label if each else ''})"
    return (
        f"      - alert: {rule.name}",
        "        expr: >-",
        f"          ({value} {compare} {rule.limit:g})",
        f"          or ({value} {compare} {rule.clear_at:g} and {on} {fires})",
        f"        for: {rule.for_seconds:g}s",
        "        labels:",
        f"          action: {rule.action.value}",
        "        annotations:",
        f"          summary: {json.dumps(f'{figure.help} Now {{{{ $value }}}}, limit {rule.limit:g}.')}",
    )
