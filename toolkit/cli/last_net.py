"""The last net for foreign text: what other libraries print about it is shown without control characters, too.

The toolkit's own output goes through ``toolkit.foreign_text`` where it is made. Logs, warnings, tracebacks and the
errors of the command line's parser are worded by others, who repeat names of files, keys and values as they are.
"""

import logging
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from typer.core import TyperGroup

from toolkit.foreign_text import visible


class ForeignWordsGroup(TyperGroup):
    """The commands, whose parser repeats what the user typed without its control characters."""

    def make_context(self, *words: Any, **settings: Any) -> Any:
        """Parse the options of the whole program."""
        with _shown_in_errors():
            return super().make_context(*words, **settings)

    def invoke(self, ctx: Any) -> Any:
        """Parse the options of a command, and run it."""
        with _shown_in_errors():
            return super().invoke(ctx)


@contextmanager
def _shown_in_errors() -> Iterator[None]:
    """Show the hidden characters in errors of the parser, which have a message of their own to print."""
    try:
        yield
    except Exception as error:
        if isinstance(message := getattr(error, "message", None), str):
            error.message = visible(message)  # type: ignore[attr-defined]
        raise


def show_hidden_characters() -> None:
    """From now on, show the hidden characters in all logs, warnings and tracebacks of this process."""
    logging.setLogRecordFactory(_VisibleRecord)
    warnings.formatwarning = _visible_warning
    sys.excepthook = _print_traceback


class _VisibleRecord(logging.LogRecord):
    """A line of a log."""

    def getMessage(self) -> str:  # noqa: N802 - logging calls it so
        """The text of the line."""
        return visible(super().getMessage())


_format_warning = warnings.formatwarning


def _visible_warning(*about: Any, **more: Any) -> str:
    return visible(_format_warning(*about, **more))


def _print_traceback(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    print(visible("".join(traceback.format_exception(kind, error, at))), end="", file=sys.stderr)
