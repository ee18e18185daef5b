"""What plots need: a check whether matplotlib is installed, a way to save figures, and bars made of characters."""

import importlib.util
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.utils.files import write_bytes
from toolkit.utils.overwrite import mark_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BARS = "▁▂▃▄▅▆▇█"

INSTALL_PLOTS = "pip install '3dqa-toolkit[plots]'"
"""The command that installs what plots need."""


def sparkline(counts: Sequence[int]) -> str:
    """Counts as a line of bars, each one character wide. A count of zero is a dot."""
    most = max(counts, default=0)
    return "".join(_BARS[math.ceil(count / most * len(_BARS)) - 1] if count else "·" for count in counts)


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def write_figure(figure: "Figure", path: Path, command: str) -> None:
    """Write a matplotlib figure as a PNG file that names the command.

    Raises:
        UserError: If the file cannot be written.
    """
    png = io.BytesIO()
    # Without this, matplotlib writes its version into the file, and the bytes differ between machines.
    figure.savefig(png, format="png", dpi=110, metadata={"Software": mark_of(command)})
    write_bytes(path, png.getvalue())
