"""The names of colours and their RGB values, for marks and for drawn shapes."""

from toolkit.errors import UserError, did_you_mean

RGB = tuple[int, int, int]
"""Red, green and blue, from 0 to 255."""

COLORS: dict[str, RGB] = {
    "red": (255, 0, 0),
    "blue": (0, 70, 255),
    "green": (0, 190, 0),
    "yellow": (255, 225, 0),
    "magenta": (255, 0, 255),
    "cyan": (0, 230, 255),
    "orange": (255, 130, 0),
    "white": (255, 255, 255),
}
"""The colours that marks can have, in the order in which points get them."""

PALETTE: dict[str, RGB] = {
    **{name: COLORS[name] for name in ("red", "orange", "yellow", "green", "blue")},
    "purple": (130, 20, 135),
    "black": (22, 22, 24),
    "white": COLORS["white"],
}
"""The colours that drawn shapes can have. No two of them look alike."""


def unknown_color(color: str) -> UserError:
    """The error for a colour that marks cannot have."""
    return UserError(f"unknown marker colour {color!r}", remedy=did_you_mean(color, COLORS))
