"""ComfyUI's loaders, with the last few models kept in RAM; the active one is in VRAM, which ComfyUI sees to.

ComfyUI forgets what a loader made as soon as a graph runs that does not load it. `--cache-lru` counts the results
of all nodes, not models: a handful of photos push the other model out.
"""

import os
from pathlib import Path
from typing import Any

import folder_paths
import nodes

from .model_cache import ModelCache

#: How many of each kind stay in RAM (checkpoints, diffusion models, text encoders, VAEs).
KEPT = ModelCache(int(os.environ.get("VITTE_MODELS_IN_RAM", "3")))

#: ComfyUI's class, and the folder of the files that its inputs name.
_CORE = {
    "CheckpointLoaderSimple": "checkpoints",
    "UNETLoader": "diffusion_models",
    "CLIPLoader": "text_encoders",
    "DualCLIPLoader": "text_encoders",
    "VAELoader": "vae",
}


def _with_memory(name: str, folder: str) -> type:
    core: Any = nodes.NODE_CLASS_MAPPINGS[name]

    def load(self: Any, **inputs: Any) -> Any:
        key = tuple((given, value, _changed(folder, value)) for given, value in sorted(inputs.items()))
        return KEPT.get(name, key, lambda: getattr(core(), core.FUNCTION)(**inputs))

    return type(
        f"Vitte{name}",
        (),
        {
            "__doc__": f"{name} that keeps the last {KEPT.most} in RAM.",
            "INPUT_TYPES": classmethod(lambda _cls: core.INPUT_TYPES()),
            "RETURN_TYPES": core.RETURN_TYPES,
            "FUNCTION": "load",
            "CATEGORY": "vitte",
            "load": load,
        },
    )


def _changed(folder: str, value: Any) -> float | None:
    """When the file that an input names was last changed: another file under the same name is another model."""
    path = folder_paths.get_full_path(folder, value) if isinstance(value, str) else None
    return Path(path).stat().st_mtime if path else None


LOADERS = {f"Vitte{name}": _with_memory(name, folder) for name, folder in _CORE.items()}
