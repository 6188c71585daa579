"""ComfyUI graphs as data: read, checked, filled for photos, with their optimisation switches.

Sending a graph is `generation.backends`.
"""
