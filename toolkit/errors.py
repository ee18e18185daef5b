"""Errors that users can correct themselves: problem, cause, remedy. The command line prints them and exits with 2."""

import difflib
import re
import textwrap
from collections.abc import Iterable, Sequence

from toolkit.foreign_text import visible

_COMPARED = 100  # characters of an unknown name that are compared with the known ones

_DETAIL = 4
"""Characters before a continued line of a problem."""

_BESIDE = 11
"""Characters before a continued line of a cause or a remedy: it stands below the words behind "because:" or "try:"."""


class UserError(Exception):
    """A mistake in what the user gave to the toolkit.

    As a text, it has no control characters, whatever the names of files and the words of others in it are.

    Args:
        problem: What went wrong, with the file, line and key where there is one.
        cause: Why it went wrong, if that is known.
        remedy: What the user can do about it.
    """

    def __init__(self, problem: str, cause: str = "", remedy: str = "") -> None:
        self.problem = problem
        self.cause = cause
        self.remedy = remedy
        super().__init__(problem, cause, remedy)

    def __str__(self) -> str:
        lines = [_indented(self.problem, _DETAIL)]
        if self.cause:
            lines.append(f"  because: {_indented(self.cause, _BESIDE)}")
        if self.remedy:
            lines.append(f"  try:     {_indented(self.remedy, _BESIDE)}")
        return "\n".join(lines)


class SettingError(UserError):
    """A fault of one setting of a section.

    Args:
        key: The name of the setting.
        problem: What is wrong with its value.
        remedy: What the user can do about it.
    """

    def __init__(self, key: str, problem: str, remedy: str = "") -> None:
        super().__init__(f"{key}: {problem}", remedy=remedy)
        self.key = key
        self.fault = problem

    def __reduce__(self) -> tuple[object, ...]:
        """Pickled whole: worker processes send errors home."""
        return SettingError, (self.key, self.fault, self.remedy)


class UserErrors(UserError):
    """All faults of one input, reported together.

    Args:
        where: The input that has the faults, such as the path of a file.
        faults: One error for each fault, in the order of the input.
        shown: How many faults are printed in full. The others are only counted.
    """

    def __init__(self, where: str, faults: Sequence[UserError], shown: int = 20) -> None:
        self._where = where
        self.faults = list(faults)
        count = len(self.faults)
        super().__init__(f"{where}: {count} fault{'s' if count != 1 else ''}")
        self._shown = shown

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the error with all its faults: worker processes send errors to the main process."""
        return UserErrors, (self._where, self.faults, self._shown)

    def __str__(self) -> str:
        lines = [_indented(self.problem, _DETAIL), *(f"- {fault}" for fault in self.faults[: self._shown])]
        if len(self.faults) > self._shown:
            lines.append(f"- and {len(self.faults) - self._shown} more")
        return "\n".join(lines)


def raise_all(where: str, faults: Sequence[UserError]) -> None:
    """Raise all faults of one input together; do nothing if there are none.

    Raises:
        UserErrors: If there is at least one fault.
    """
    if faults:
        raise UserErrors(where, faults)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The remedy for an unknown name: the known names most similar to it, or all known names if none is similar."""
    names = sorted(known)
    close = difflib.get_close_matches(name[:_COMPARED], names, n=2, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(close)}? (known: {', '.join(names)})"
    return f"use one of: {', '.join(names) or 'none are known'}"


def wrapped(text: str, width: int) -> str:
    """A message in lines of at most ``width`` characters. No word is cut, and continued lines are indented."""
    return "\n".join(
        textwrap.fill(
            line,
            width,
            subsequent_indent=" " * _indent(line),
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in text.splitlines()
    )


def _indented(text: str, width: int) -> str:
    """A text whose continued lines begin with spaces, so that none of them can pass for a line of the error itself."""
    return visible(text).replace("\n", "\n" + " " * width)


def _indent(line: str) -> int:
    """The column at which the words of a line begin: behind "error:", "because:", "try:" or a dash."""
    begin = re.match(r" *(?:(?:error|because|try): +|- )?", line)
    return begin.end() if begin else 0
