"""Photos as rows: placed, queued, claimed, moved between statuses, erased, and announced by an arq job.

Not here: what renders them (`generation.worker`) and which go together (`generation.scheduling`).
"""
