"""Lines that hold nothing but a number and its unit, as the last line of an explanation does."""

from toolkit.qa.parsing.numbers import normalised, numbers


def last_line_alone(text: str) -> str | None:
    """The last line of a text, if it alone among several lines holds nothing but a number and its unit.

    Returns:
        The line; None if it holds other words too, if another line is like it, or if there is only one line.
    """
    lines = [line for line in text.splitlines() if line.strip(" \t#>*_`")]
    if len(lines) < 2 or not _is_alone(lines[-1]) or any(map(_is_alone, lines[:-1])):
        return None
    return lines[-1]


def _is_alone(line: str) -> bool:
    """Whether a line holds one number, perhaps with its unit, and no other word."""
    words = normalised(line)
    found = numbers(words)
    if len(found) != 1:
        return False
    rest = words[: found[0].start] + words[found[0].end :]
    return not any(letter.isalnum() for letter in rest)
