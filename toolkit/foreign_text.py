"""Showing foreign text: names of files, words of manifests, answers of models and servers, and what others wrote.

Such text may hold escape sequences that steer a terminal, characters that turn the direction of writing or cannot be
seen, line breaks that imitate a message of the toolkit, and markup. It is shown here so that none of this has an
effect, and so that a reader sees that it is there.
"""

import re
import unicodedata
from html import escape

LONGEST = 300
"""The largest number of characters that are shown of a foreign text on one line."""

_MARKUP = re.compile(r"([\\`*\[\]|~$#])|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown takes for markup. An underscore inside a word is none."""

_LIST_OR_RULE = re.compile(r"^(\d*)([-+=]|(?<=\d)[.)](?=\s|$))")
"""How a line begins that Markdown takes for a list, a rule or the underline of a heading."""


def visible(text: str) -> str:
    r"""A text whose control characters are shown, such as ``\x1b``; line breaks stay.

    Shown are all characters that take no place of their own: control characters, marks of direction and of joining,
    characters without a width, halves of surrogate pairs, and codes that stand for no character.
    """
    return "".join(letter if letter == "\n" else _shown(letter) for letter in text) if _has_hidden(text) else text


def one_line(text: object, longest: int = LONGEST) -> str:
    r"""A text on one line: line breaks are shown as ``\n``, and a long text loses its middle.

    Args:
        text: The text, or something that has one, such as a path.
        longest: The largest number of characters of the result.
    """
    whole = str(text)
    if len(whole) > longest:  # first, so that a text of many megabytes costs nothing
        whole = f"{whole[:longest]}…{whole[-longest:]}"
    shown = "".join(map(_shown, whole)) if _has_hidden(whole) else whole
    if len(shown) <= longest:
        return shown
    head = longest // 2
    return f"{shown[:head]}…{shown[head + 1 - longest :]}"


def to_html(text: object) -> str:
    """A text on one line as HTML shows it, also between quotes."""
    return escape(one_line(text).strip())


def to_markdown(text: object) -> str:
    """A text on one line as Markdown shows it: in a paragraph, a heading, a list or a table."""
    marked = _MARKUP.sub(lambda found: f"\\{found[0]}", to_html(text).replace("&#x27;", "'").replace("&quot;", '"'))
    return _LIST_OR_RULE.sub(r"\1\\\2", marked)


def valid_unicode(text: str) -> str:
    """A text that a model can be given: halves of surrogate pairs, which are no characters, become question marks."""
    return text.encode("utf-8", "replace").decode()


def json_escaped(text: str) -> str:
    """JSON whose hidden characters are escaped, those that JSON itself allows, too; line breaks stay."""
    return "".join(letter if letter == "\n" else _json_letter(letter) for letter in text)


def _has_hidden(text: str) -> bool:
    return not text.isprintable()


def _is_hidden(letter: str) -> bool:
    """Whether a character is neither printable nor one of the spaces of other widths."""
    return not letter.isprintable() and unicodedata.category(letter) != "Zs"


def _shown(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii") if _is_hidden(letter) else letter


def _json_letter(letter: str) -> str:
    if not _is_hidden(letter):
        return letter
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
