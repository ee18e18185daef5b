"""Colors."""

from toolkit.errors import UserError, did_you_mean

PALETTE: dict[str, tuple[int, int, int]] = {
    "red": (205, 15, 35),
    "orange": (255, 130, 0),
    "yellow": (255, 228, 40),
    "green": (15, 135, 50),
    "blue": (10, 85, 225),
    "purple": (130, 20, 135),
    "black": (22, 22, 24),
    "white": (252, 252, 252),
}
"""Their colours, far apart, as RGB."""


COLORS: dict[str, tuple[int, int, int]] = {
    "red": (255, 0, 0),
    "blue": (0, 70, 255),
    "green": (0, 190, 0),
    "yellow": (255, 225, 0),
    "magenta": (255, 0, 255),
    "cyan": (0, 230, 255),
    "orange": (255, 130, 0),
    "white": (255, 255, 255),
}
"""Colour names used in questions, and their RGB values; in the order in which questions take them."""


def rgb(color: str) -> tuple[int, int, int]:
    """The RGB value of a colour name.

    Raises:
        UserError: If the name is unknown.
    """
    if color not in COLORS:
        raise UserError(f"unknown marker colour {color!r}", remedy=did_you_mean(color, COLORS))
    return COLORS[color]
