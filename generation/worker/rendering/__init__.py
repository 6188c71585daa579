"""The GPU's side of a worker: which photos go next, their graphs handed over, the card warmed up.

What becomes of a photo afterwards is `generation.worker.pipeline`.
"""
