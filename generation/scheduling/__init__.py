"""Which photos share the next graph, and what a graph is expected to cost: pure functions over values.

No rows and no clock: `generation.worker` reads and acts.
"""
