"""Vitte's nodes for ComfyUI: link this folder into `custom_nodes` and start ComfyUI anew (README.md).

It needs nothing that ComfyUI does not bring. The pure modules (`grouping`, `model_cache`, `nvml`) are imported
without it.
"""

from importlib.util import find_spec

NODE_CLASS_MAPPINGS: dict[str, type] = {}

if find_spec("comfy") is not None:
    from . import routes
    from .loaders import LOADERS
    from .sampling import VitteEncodePrompts, VitteSample
    from .saving import VitteSaveImage

    NODE_CLASS_MAPPINGS |= {
        "VitteEncodePrompts": VitteEncodePrompts,
        "VitteSample": VitteSample,
        "VitteSaveImage": VitteSaveImage,
        **LOADERS,
    }
    routes.add()

__all__ = ["NODE_CLASS_MAPPINGS"]
