"""The registry of what a process counts by itself, for Prometheus. Labels never name a person.

What rows tell is a figure (`generation.figures`, `bot.monitoring.figures`).
"""

from prometheus_client import CollectorRegistry, Counter, PlatformCollector, ProcessCollector

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
#: Seconds; a photo takes from half a second (sending) to minutes (waiting).
BUCKETS = (0.1, 0.25, 0.5, 1, 2, 4, 6, 8, 10, 12, 15, 20, 30, 60, 120, 300)

#: Telegram asks for a pause (`retry_after`); counted next to the network.
FLOODS = Counter("vitte_telegram_floods", "Times that Telegram said 429.", ["method"], registry=REGISTRY)
