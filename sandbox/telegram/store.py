"""People, chats, messages, files and unconfirmed updates, in a SQLite file, so that a restart finds them."""

import json
import secrets
import sqlite3
import time
from pathlib import Path
from typing import Any

Json = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS people (id INTEGER PRIMARY KEY, user TEXT NOT NULL, blocked INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS chats (
    id INTEGER PRIMARY KEY, chat TEXT NOT NULL, last_message INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS members (chat_id INTEGER, person_id INTEGER, PRIMARY KEY (chat_id, person_id));
CREATE TABLE IF NOT EXISTS messages (
    chat_id INTEGER, message_id INTEGER, message TEXT NOT NULL, PRIMARY KEY (chat_id, message_id));
CREATE TABLE IF NOT EXISTS files (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS updates (id INTEGER PRIMARY KEY AUTOINCREMENT, received TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


def without_reply(message: Json) -> Json:
    """As it is quoted in a reply: one level only, a reply inside a reply is not repeated."""
    return {key: value for key, value in message.items() if key != "reply_to_message"}


class Store:
    """One per server. `path` None keeps everything in memory."""

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path or ":memory:", isolation_level=None)
        # A crash of the machine may cost the last messages of a stand-in; a crash of the process does not.
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    # -- people and chats ------------------------------------------------------------------------------

    def add_person(self, user: Json) -> None:
        """A person, and the private chat with the bot that begins with the first message."""
        self._db.execute("INSERT OR IGNORE INTO people (id, user) VALUES (?, ?)", (user["id"], json.dumps(user)))

    def people(self) -> list[Json]:
        rows = self._db.execute("SELECT user, blocked FROM people ORDER BY rowid")
        return [json.loads(user) | {"blocked": bool(blocked)} for user, blocked in rows]

    def person(self, person_id: int) -> Json | None:
        row = self._db.execute("SELECT user FROM people WHERE id = ?", (person_id,)).fetchone()
        return json.loads(row[0]) if row else None

    def set_blocked(self, person_id: int, *, blocked: bool) -> None:
        self._db.execute("UPDATE people SET blocked = ? WHERE id = ?", (blocked, person_id))

    def is_blocked(self, person_id: int) -> bool:
        row = self._db.execute("SELECT blocked FROM people WHERE id = ?", (person_id,)).fetchone()
        return bool(row and row[0])

    def add_chat(self, chat: Json, members: list[int]) -> None:
        self._db.execute("INSERT OR IGNORE INTO chats (id, chat) VALUES (?, ?)", (chat["id"], json.dumps(chat)))
        for person_id in members:
            self._db.execute("INSERT OR IGNORE INTO members VALUES (?, ?)", (chat["id"], person_id))

    def delete_chat(self, chat_id: int) -> None:
        for table, column in (("chats", "id"), ("members", "chat_id"), ("messages", "chat_id")):
            self._db.execute(f"DELETE FROM {table} WHERE {column} = ?", (chat_id,))  # noqa: S608

    def chat(self, chat_id: int) -> Json | None:
        row = self._db.execute("SELECT chat FROM chats WHERE id = ?", (chat_id,)).fetchone()
        return json.loads(row[0]) if row else None

    def chats_of(self, person_id: int) -> list[Json]:
        rows = self._db.execute(
            "SELECT chat FROM chats JOIN members ON chat_id = id WHERE person_id = ? ORDER BY id DESC", (person_id,)
        )
        return [json.loads(row[0]) for row in rows]

    def members(self, chat_id: int) -> list[int]:
        return [row[0] for row in self._db.execute("SELECT person_id FROM members WHERE chat_id = ?", (chat_id,))]

    # -- messages --------------------------------------------------------------------------------------

    def add_message(self, chat: Json, sender: Json, content: Json) -> Json:
        """Give a message its number and keep it."""
        (number,) = self._db.execute(
            "UPDATE chats SET last_message = last_message + 1 WHERE id = ? RETURNING last_message", (chat["id"],)
        ).fetchone()
        message = {"message_id": number, "from": sender, "chat": chat, "date": int(time.time()), **content}
        self._db.execute("INSERT INTO messages VALUES (?, ?, ?)", (chat["id"], number, json.dumps(message)))
        return message

    def change_message(self, message: Json) -> None:
        self._db.execute(
            "UPDATE messages SET message = ? WHERE chat_id = ? AND message_id = ?",
            (json.dumps(message), message["chat"]["id"], message["message_id"]),
        )

    def delete_message(self, chat_id: int, message_id: int) -> None:
        self._db.execute("DELETE FROM messages WHERE chat_id = ? AND message_id = ?", (chat_id, message_id))

    def message(self, chat_id: int, message_id: int) -> Json | None:
        row = self._db.execute(
            "SELECT message FROM messages WHERE chat_id = ? AND message_id = ?", (chat_id, message_id)
        ).fetchone()
        return json.loads(row[0]) if row else None

    def messages(self, chat_id: int, *, after: int = 0, limit: int = 200) -> list[Json]:
        """The newest `limit` messages with a number over `after`, oldest first."""
        rows = self._db.execute(
            "SELECT message FROM messages WHERE chat_id = ? AND message_id > ? ORDER BY message_id DESC LIMIT ?",
            (chat_id, after, limit),
        ).fetchall()
        return [json.loads(row[0]) for row in reversed(rows)]

    # -- files -----------------------------------------------------------------------------------------

    def add_file(self, name: str, content_type: str, content: bytes) -> str:
        file_id = f"AgAC{secrets.token_urlsafe(24)}"
        self._db.execute("INSERT INTO files VALUES (?, ?, ?, ?)", (file_id, name, content_type, content))
        return file_id

    def put_file(self, file_id: str, name: str, content_type: str, content: bytes) -> None:
        """A file under a given id, such as what a person's client sends."""
        row = (file_id, name, content_type, content)
        self._db.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", row)

    def file(self, file_id: str) -> tuple[str, str, bytes] | None:
        """Name, content type and bytes."""
        row = self._db.execute("SELECT name, type, content FROM files WHERE id = ?", (file_id,)).fetchone()
        return (row[0], row[1], row[2]) if row else None

    # -- updates and settings --------------------------------------------------------------------------

    def add_update(self, received: Json) -> Json:
        cursor = self._db.execute("INSERT INTO updates (received) VALUES (?)", (json.dumps(received),))
        return {"update_id": cursor.lastrowid, **received}

    def updates(self, limit: int) -> list[Json]:
        rows = self._db.execute("SELECT id, received FROM updates ORDER BY id LIMIT ?", (limit,))
        return [{"update_id": id_, **json.loads(received)} for id_, received in rows]

    def confirm_updates(self, before: int) -> None:
        self._db.execute("DELETE FROM updates WHERE id < ?", (before,))

    def remove_update(self, update_id: int) -> None:
        self._db.execute("DELETE FROM updates WHERE id = ?", (update_id,))

    def last_update_id(self) -> int:
        return self._db.execute("SELECT coalesce(max(id), 0) FROM updates").fetchone()[0] or 0

    def count_updates(self) -> int:
        return self._db.execute("SELECT count(*) FROM updates").fetchone()[0] or 0

    def setting(self, name: str) -> Any:
        row = self._db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else None

    def set_setting(self, name: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(value)))
