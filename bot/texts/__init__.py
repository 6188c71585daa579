"""Every word that people read, as Fluent files, and their lookup. No word stands in code."""

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

from fluent.runtime import FluentBundle, FluentResource
from fluent.syntax.ast import Resource

from generation.runtime.plain_text import plain_text

FOLDER = Path(__file__).parent
DEFAULT = "en"

#: Looks a key up in one person's language: `say("hello", name="Anna")`.
Say = Callable[..., str]


class Texts:
    """All languages, read once at the start. A key that a language lacks is a bug and raises KeyError."""

    def __init__(self, folder: Path = FOLDER) -> None:
        locales = sorted({path.stem.partition("-")[0] for path in folder.glob("*.ftl")})
        self._bundles = {locale: _bundle(locale, sorted(folder.glob(f"{locale}*.ftl"))) for locale in locales}

    @property
    def locales(self) -> list[str]:
        """Languages that there are texts in."""
        return list(self._bundles)

    def locale_of(self, language_code: str | None) -> str:
        """The language for a Telegram `language_code` such as "ru", "en-GB" or None."""
        language = (language_code or "").partition("-")[0].lower()
        return language if language in self._bundles else DEFAULT

    def has(self, key: str) -> bool:
        """Whether every language has this key."""
        return all(bundle.has_message(key) for bundle in self._bundles.values())

    def in_locale(self, locale: str) -> Say:
        """How the bot speaks in a language; the default one where it has no texts in it."""
        return partial(self._format, self._bundles[self.locale_of(locale)])

    def _format(self, bundle: FluentBundle, key: str, **values: object) -> str:
        pattern = bundle.get_message(key).value
        if pattern is None:
            raise KeyError(key)
        # An error of a foreign server, a name: what is put into the words is text and nothing else.
        plain = {name: plain_text(value) if isinstance(value, str) else value for name, value in values.items()}
        text, errors = bundle.format_pattern(pattern, plain)
        if errors:
            raise KeyError(f"{key}: {errors[0]}")
        return str(text)


def _bundle(locale: str, paths: list[Path]) -> FluentBundle:
    """One language: `ru.ftl`, and what belongs to operators in `ru-admin.ftl`."""
    # Isolation marks would show as boxes in some clients, and a name is shown by itself anyway.
    bundle = FluentBundle([locale], use_isolating=False)
    for path in paths:
        bundle.add_resource(_parsed(path.read_text("utf-8")))
    return bundle


@lru_cache(maxsize=8)
def _parsed(content: str) -> Resource:
    """Parsing takes a tenth of a second; tests and checks read the same files again and again."""
    return FluentResource(content)
