"""Telegram: people, personas, conversation. Orders photos from `generation` when `triggers` says so."""
