"""One way to write signs, spaces and capitals, so that patterns need not know all the ways that people write them."""

import re

GLYPHS = str.maketrans(
    {
        **dict.fromkeys("\u00a0\u2009\u202f\u2014", " "),
        **dict.fromkeys("\u2212\u2013\u2011\u2010\u207b", "-"),
        **dict.fromkeys("\u2019\u2018\u2032", "'"),
        **dict.fromkeys("\u201c\u201d\u2033", '"'),
        **{"×": "*", "·": "*", "÷": "/", "≈": "=", "º": "°", "¹": "1"},
        **{"½": " 1/2", "¼": " 1/4", "¾": " 3/4"},
    }
)
"""A table for ``str.translate``: ASCII for typographic spaces, dashes, quotation marks and signs."""

_EMPHASIS = re.compile(r"[*_`\" \t]+")


def lower_ascii(text: str) -> str:
    """A text in lower case, with typographic signs in ASCII and single spaces between the words."""
    return " ".join(text.translate(GLYPHS).lower().split())


def without_emphasis(text: str) -> str:
    """A text with typographic signs in ASCII, and without Markdown emphasis, double quotes and double spaces."""
    return _EMPHASIS.sub(" ", text.translate(GLYPHS))
