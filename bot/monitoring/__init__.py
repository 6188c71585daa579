"""The bot's figures, the chart, and the alerts that operators get.

Rules and metrics of every process are `generation.runtime.monitoring`.
"""
