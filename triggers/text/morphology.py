"""Word forms of Russian: pymorphy3, loaded once."""

from functools import lru_cache

import pymorphy3


@lru_cache(maxsize=1)
def morphology() -> pymorphy3.MorphAnalyzer:
    """Loaded once, about 30 MB."""
    return pymorphy3.MorphAnalyzer()
