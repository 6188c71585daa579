"""What a bot process counts by itself, for Prometheus (`generation.runtime.monitoring.metrics`)."""

from prometheus_client import Counter, Gauge, Histogram

from generation.runtime.monitoring.metrics import BUCKETS, REGISTRY

UPDATES = Counter("vitte_updates", "Updates of Telegram that were handled.", ["kind", "outcome"], registry=REGISTRY)
OWN_SECONDS = Histogram(
    "vitte_update_own_seconds",
    "The bot's own time for an update, less the waiting for Telegram and the language model.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
    registry=REGISTRY,
)
MODEL_SECONDS = Histogram(
    "vitte_language_model_call_seconds", "One call of the language model.", buckets=BUCKETS, registry=REGISTRY
)
SCENE_LINE_TRUST = Gauge(
    "vitte_scene_line_trust",
    "How often the language model was right where a detector was sure.",
    ["question", "answer"],
    registry=REGISTRY,
)
GUARD_SECONDS = Histogram(
    "vitte_guard_call_seconds", "One call of the guard model.", buckets=BUCKETS, registry=REGISTRY
)
GUARD_CALLS = Counter("vitte_guard_calls", "Calls of the guard model.", ["verdict"], registry=REGISTRY)
TEXTS_WITHOUT_MODEL = Counter(
    "vitte_texts_without_model",
    "Texts that ended their process or took too long, and were read by letters and patterns alone.",
    registry=REGISTRY,
)
MODEL_TOKENS = Counter(
    "vitte_language_model_tokens",
    "Tokens as the servers counted them; cached are part of prompt.",
    ["kind"],
    registry=REGISTRY,
)
MODEL_ENDS = Counter("vitte_language_model_ends", "Answers by why they ended.", ["finish"], registry=REGISTRY)
MODEL_FIRST_TEXT = Histogram(
    "vitte_language_model_first_text_seconds", "From asking to the first words.", buckets=BUCKETS, registry=REGISTRY
)
MODEL_ERRORS = Counter(
    "vitte_language_model_call_errors", "Calls without a usable answer.", ["kind"], registry=REGISTRY
)
