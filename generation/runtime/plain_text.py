"""Text without characters that are no text: a terminal or a model would obey them, PostgreSQL refuses some."""

import re

#: Control characters but tab and line feed, lone surrogates, marks that turn the direction of what follows,
#: annotations, invisible tags (they carry instructions that only a model sees), noncharacters.
_NO_TEXT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e007f]"
)
_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029\x85]")


def plain_text(text: str) -> str:
    """The text without them; every kind of line end is a line feed."""
    return _NO_TEXT.sub("", _LINE_ENDS.sub("\n", text))


def one_line(text: str) -> str:
    """The same for a line of a log: a line feed is shown as such."""
    return plain_text(text).replace("\n", "\\n")
