"""A stand-in for ComfyUI: its HTTP and WebSocket API, its validation and its order of events, without a GPU.

What it does was recorded from ComfyUI 0.3.64 on CPU; tests/generation/backends/test_comfyui_contract.py holds both
to it (docs/comfyui.md).
"""

from sandbox.comfyui.execution import Cost
from sandbox.comfyui.server import ComfyUIServer

__all__ = ["ComfyUIServer", "Cost"]
