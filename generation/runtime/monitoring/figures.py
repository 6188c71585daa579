"""What a figure is, and a snapshot of them as Prometheus reads it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import ColumnElement, func, literal_column

QUANTILES = (0.5, 0.95)
#: Values by what tells them apart: "" where a figure has one value only.
Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """What a value means. `label` is what its values are told apart by: empty for a single one."""

    name: str
    metric: str
    help: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All figures at one moment. A figure without a value (no photo in the window) is left out."""

    at: datetime
    values: Mapping[str, Values]

    def of(self, name: str, subject: str = "") -> float | None:
        """A value by its figure's name and what tells it apart; None where there is none."""
        return self.values.get(name, {}).get(subject)

    def total(self, name: str) -> float:
        """The sum of a figure's values."""
        return sum(self.values.get(name, {}).values())


class SnapshotCollector(Collector):
    """A snapshot in Prometheus' words."""

    def __init__(self, snapshot: Snapshot, figures: Iterable[Figure]) -> None:
        self._snapshot = snapshot
        self._figures = figures

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """A family of gauges for each figure."""
        for figure in self._figures:
            labels = [figure.label] if figure.label else []
            family = GaugeMetricFamily(figure.metric, figure.help, labels=labels)
            for subject, value in self._snapshot.values.get(figure.name, {}).items():
                family.add_metric([subject] if labels else [], value)
            yield family


def percentiles(seconds: Any) -> ColumnElement[list[float]]:
    """The quantiles that all figures have, of a column."""
    wanted: ColumnElement[Any] = literal_column(f"ARRAY[{', '.join(map(str, QUANTILES))}]::float8[]")
    return func.percentile_cont(wanted).within_group(seconds)


def by_quantile(found: list[float]) -> Values:
    """What `percentiles` found, by the quantile's name."""
    return {str(quantile): float(value) for quantile, value in zip(QUANTILES, found, strict=True)}
