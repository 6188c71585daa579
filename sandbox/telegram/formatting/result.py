"""What a parser has read: the text without marks and its entities."""

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sandbox.telegram.errors import bad_request
from sandbox.telegram.store import Json


def length(text: str) -> int:
    """As Telegram counts: UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@dataclass(slots=True)
class Open:
    """An entity whose end was not read yet."""

    kind: str
    offset: int
    byte: int
    part: int
    argument: str = ""


@dataclass(slots=True)
class Result:
    """Grows while a text is read; offsets and lengths are UTF-16 code units."""

    parts: list[str] = field(default_factory=list)
    entities: list[Json] = field(default_factory=list)
    opened: list[Open] = field(default_factory=list)
    units: int = 0

    def add(self, text: str) -> None:
        self.parts.append(text)
        self.units += length(text)

    def open(self, kind: str, byte: int, argument: str = "") -> None:
        self.opened.append(Open(kind, self.units, byte, len(self.parts), argument))

    def close(self, **said: object) -> None:
        """End the newest entity; one of nothing leaves no trace."""
        last = self.opened.pop()
        self.put(last.kind, last.offset, **said)

    def put(self, kind: str, offset: int, **said: object) -> None:
        if self.units > offset:
            self.entities.append({"type": kind, "offset": offset, "length": self.units - offset, **said})

    def link(self, url: str, offset: int) -> None:
        """A link, a mention of a person by number, or nothing where the address leads nowhere."""
        if user := re.fullmatch(r"tg:(?://)?user\?id=(\d+)", url, re.IGNORECASE):
            self.put("text_mention", offset, user={"id": int(user[1]), "is_bot": False, "first_name": ""})
        elif address := _address(url):
            self.put("text_link", offset, url=address)

    def begins_line(self) -> bool:
        """Whether nothing stands in the line yet."""
        return next((part for part in reversed(self.parts) if part != "\r"), "\n").endswith("\n")

    def since(self, last: Open) -> str:
        return "".join(self.parts[last.part :])


def _address(url: str) -> str:
    """As Telegram keeps it: with its protocol and path; empty when it is no address."""
    address = url.strip() if "://" in url else f"http://{url.strip()}"
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    if re.search(r"\s", address) or not parts.netloc:
        return ""
    if parts.scheme.lower() in {"http", "https"} and "." not in parts.netloc:
        return ""
    return address if parts.path or parts.query else f"{address}/"


def byte_offset(text: str, position: int) -> int:
    return len(text[:position].encode("utf-8", "surrogatepass"))


def complaint(words: str) -> Exception:
    return bad_request(f"can't parse entities: {words}")
