"""A console for rich output that foreign text cannot steer."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from toolkit.foreign_text import one_line, visible


class ForeignTextConsole(Console):
    """A console that takes text as it is: no markup, no emoji codes, and control characters are shown.

    Its own colours come from ``Text`` and ``Table`` alone.
    """

    def __init__(self, **settings: Any) -> None:
        """Open the console; ``settings`` are those of ``Console``."""
        super().__init__(markup=False, emoji=False, **settings)

    def render_str(self, text: str, **settings: Any) -> Text:
        """Show the hidden characters of a text before it is measured. The settings are those of ``Console``."""
        return super().render_str(visible(text), **settings)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Show the hidden characters of everything that is printed, ``Text`` among it."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))

    def note(self, text: str, label: str = "note", style: str = "yellow") -> None:
        """Print a note or a warning, on one line."""
        self.print(Text.assemble((f"{label}:", style), " ", one_line(text, _LONGEST_NOTE)))


_LONGEST_NOTE = 2000  # characters
