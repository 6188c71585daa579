"""What a worker counts by itself, for Prometheus. What rows tell is in `generation.figures`."""

from prometheus_client import Counter, Gauge, Histogram

from generation.runtime.monitoring.metrics import BUCKETS, REGISTRY

PHOTOS_ENDED = Counter(
    "vitte_photos_ended", "Photos that this process brought to an end.", ["outcome", "reason"], registry=REGISTRY
)
STAGE_SECONDS = Histogram(
    "vitte_stage_seconds",
    "Seconds of each stage of the photos that this worker delivered.",
    ["stage"],
    buckets=BUCKETS,
    registry=REGISTRY,
)
PICTURES_REFUSED = Counter(
    "vitte_pictures_refused", "Finished pictures that nobody was shown.", ["why"], registry=REGISTRY
)
FACE_LIKENESS = Histogram(
    "vitte_face_likeness",
    "How much faces are like those of their reference pictures (cosine).",
    ["workflow"],
    buckets=(0.0, 0.1, 0.2, 0.3, 0.363, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    registry=REGISTRY,
)
RENDER_SECONDS = Histogram(
    "vitte_render_seconds",
    "GPU seconds of a graph, by ComfyUI's clock.",
    ["workflow"],
    buckets=BUCKETS,
    registry=REGISTRY,
)
BATCH_PHOTOS = Histogram(
    "vitte_batch_photos", "Photos in one graph.", buckets=(1, 2, 3, 4, 6, 8), registry=REGISTRY
)
MODEL_SWAPS = Counter(
    "vitte_model_swaps", "Graphs that needed another model than the one before.", registry=REGISTRY
)
IDLE_SECONDS = Counter(
    "vitte_gpu_idle_while_photos_waited_seconds",
    "Seconds in which this worker's GPU had nothing to do although photos waited.",
    registry=REGISTRY,
)
LEAKS = Counter(
    "vitte_memory_leak_remedies",
    "What was done about a ComfyUI that held more and more.",
    ["remedy"],
    registry=REGISTRY,
)
THROTTLE_SECONDS = Counter(
    "vitte_throttle_pause_seconds", "Seconds of pauses between graphs, made to cool down.", registry=REGISTRY
)
#: What the loaders of comfyui_nodes say; gauges, since another process counts.
MODEL_CACHE = {
    "hits": Gauge("vitte_model_cache_hits", "Models that were in RAM when a graph wanted them.", registry=REGISTRY),
    "loads": Gauge("vitte_model_cache_loads", "Models that ComfyUI loaded from its disk.", registry=REGISTRY),
    "load_seconds": Gauge("vitte_model_cache_load_seconds", "Seconds that all that took.", registry=REGISTRY),
}
