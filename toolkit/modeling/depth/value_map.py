"""What a depth model says of a picture, read at pixels of the picture. Conventions: see ``toolkit.geometry.camera``."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.utils.arrays import Array

Box = tuple[float, float, float, float]


WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


_INVERSE_RANGE = (1e-4, 1e4)  # 1/m; Depth Pro's own bounds, so that no depth is infinite


@dataclass(frozen=True)
class ValueMap:
    """What a model says of one picture, in the model's own resolution.

    Attributes:
        values: (h, w) float32.
        size: Width and height of the picture [px].
        box: Left, top, right and bottom of the part of ``values`` that shows the picture, as shares of its extent;
            what lies outside is padding.
        inverse: Whether ``values`` are 1 / depth [1/m]; they are interpolated as such.
    """

    values: NDArray[np.float32]
    size: tuple[int, int]
    box: Box = WHOLE
    inverse: bool = False

    def read(self, pixels: Array) -> Array:
        """Values (N,), of ``inverse`` maps depths [m], at pixels (N, 2) of the picture; NaN outside it.

        As if the map were first resized to the picture, bilinearly and with half-pixel centres, as depth models are
        published, and then read at the nearest pixel: reading between pixels would make up points in the air at the
        edges of things, and labels are those of whole pixels too.
        """
        nearest = np.floor(pixels + 0.5)
        inside = np.all((nearest >= 0) & (nearest < self.size), axis=-1)
        corner, far = np.array(self.box[:2]), np.array(self.box[2:])
        shares = corner + (nearest[inside] + 0.5) / self.size * (far - corner)
        read = _bilinear(self.values, shares * self.values.shape[::-1] - 0.5)
        values = np.full(len(pixels), np.nan)
        values[inside] = 1 / np.clip(read, *_INVERSE_RANGE) if self.inverse else read
        return values


def _bilinear(values: NDArray[np.float32], places: Array) -> Array:
    """Values (N,) of a map (h, w) at places (N, 2), (column, row); beyond the outer centres the outer value holds."""
    last = np.array(values.shape[::-1]) - 1
    places = np.clip(places, 0, last)
    low = np.minimum(places.astype(np.int64), np.maximum(last - 1, 0))
    (left, top), (right, bottom) = low.T, np.minimum(low + 1, last).T
    across, down = (places - low).T
    upper = values[top, left] * (1 - across) + values[top, right] * across
    lower = values[bottom, left] * (1 - across) + values[bottom, right] * across
    blended: Array = upper * (1 - down) + lower * down
    return blended
