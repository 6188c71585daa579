"""Menus and descriptions that a bot has set, as a person sees them."""

from sandbox.telegram.store import Json, Store


def commands_for(store: Store, person_id: int, language_code: str) -> list[Json]:
    """The menu that a person sees in the private chat: the narrowest scope first, each in the person's language."""
    scopes = (f"chat:{person_id}", "all_private_chats", "default")
    keys = [f"commands:{scope}:{language}" for scope in scopes for language in (language_code, "")]
    return next((commands for key in keys if (commands := store.setting(key))), [])


def description_for(store: Store, language_code: str) -> str:
    """What an empty chat with the bot says."""
    return store.setting(f"description:{language_code}") or store.setting("description:") or ""


def commands_key(parameters: Json) -> str:
    """Under which a menu is kept: its scope and language."""
    scope = parameters.get("scope") or {"type": "default"}
    name = scope["type"] + (f":{scope['chat_id']}" if scope["type"] == "chat" else "")
    return f"commands:{name}:{parameters.get('language_code') or ''}"
