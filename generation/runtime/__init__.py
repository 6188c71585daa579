"""Ground of every process: database, settings loading, logs, error reports, operator switches, Telegram session.

Nothing of photos, people or prices.
"""
