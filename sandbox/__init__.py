"""Whatever a bare machine lacks, so that the product runs and is tested anywhere.

Real servers from wheels: PostgreSQL, Valkey, S3. Stand-ins over real sockets, as strict as the originals:
Telegram (Bot API and a chat page), ComfyUI, and the language model. Production installs none of it.
"""
