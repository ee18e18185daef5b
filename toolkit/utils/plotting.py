"""What plots need: whether matplotlib is there, and bars made of characters."""

import importlib.util
import math
from collections.abc import Sequence

_BARS = "▁▂▃▄▅▆▇█"


def sparkline(counts: Sequence[int]) -> str:
    """Counts as bars one character wide; a dot where there is nothing."""
    most = max(counts, default=0)
    return "".join(_BARS[math.ceil(count / most * len(_BARS)) - 1] if count else "·" for count in counts)


INSTALL = "pip install '3dqa-toolkit[plots]'"


def can_draw() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None
