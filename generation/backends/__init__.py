"""Talks to a ComfyUI or to what stands in for one: sends graphs, waits for pictures, watches its health.

No rows and no queue: those are `generation.orders` and `generation.worker`.
"""
