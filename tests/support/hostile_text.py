"""Text that attacks whoever shows it, and the check that what is shown is harmless."""

import unicodedata

HOSTILE = (
    "é\x1b[31m\x1b]52;c;aGk=\x07\x1b]8;;http:evil\x07\x9b2J\x08\x7f\r# x\n  try:     evil | <script>alert(1)<b>"
    "`*[red][link=evil]:smile:\u202e\u2066\u200b\u2028\ufeff\U000e0041\udc80$\\frac"
)
"""Escape sequences, line breaks, directions of writing, invisible characters, half a character, and markup.

It has no slash, so that it can be the name of a file.
"""


def hidden_in(text: str) -> list[str]:
    """The characters of a text, other than line breaks, that a terminal obeys or does not show."""
    return [
        letter for letter in text if letter != "\n" and unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    ]
