"""Reading a grid of values between its points."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toolkit.utils.arrays import Array


def bilinear(values: NDArray[np.floating], places: ArrayLike) -> Array:
    """Bilinearly interpolated values of a grid; places outside take the value of the nearest place in the grid.

    Args:
        values: The grid (h, w).
        places: The places (..., 2), (column, row), in units of the grid's spacing; (0, 0) is ``values[0, 0]``.

    Returns:
        The values (...).
    """
    last = np.array(values.shape[::-1]) - 1
    inside = np.clip(np.asarray(places, dtype=np.float64), 0, last)
    low = np.minimum(inside.astype(np.int64), np.maximum(last - 1, 0))
    left, top = np.moveaxis(low, -1, 0)
    right, bottom = np.moveaxis(np.minimum(low + 1, last), -1, 0)
    across, down = np.moveaxis(inside - low, -1, 0)
    upper = values[top, left] * (1 - across) + values[top, right] * across
    lower = values[bottom, left] * (1 - across) + values[bottom, right] * across
    blended: Array = upper * (1 - down) + lower * down
    return blended
