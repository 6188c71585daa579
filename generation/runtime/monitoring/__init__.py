"""Figures, Prometheus metrics, the HTTP endpoint, alert rules and incidents, as every process uses them.

Which figures there are is said by their owners, `generation.figures` and `bot.monitoring`.
"""
