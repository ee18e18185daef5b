"""The output of a depth model for one picture, read at pixels of the picture.

Conventions: see ``toolkit.geometry.camera``.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolkit.geometry.interpolation import bilinear
from toolkit.utils.arrays import Array

Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of a map, as shares of its width and height."""

_WHOLE: Box = (0.0, 0.0, 1.0, 1.0)

_INVERSE_RANGE = (1e-4, 1e4)  # [1/m]; Depth Pro's own bounds, so that no depth is infinite


@dataclass(frozen=True)
class ValueMap:
    """The output of a depth model for one picture, in the model's own resolution.

    Attributes:
        values: The output (h, w), float32: depth [m], inverse depth [1/m], or relative inverse depth.
        size: The width and the height of the picture [px].
        box: The part of ``values`` that shows the picture. What lies outside is padding.
        inverse: Whether ``values`` are 1 / depth [1/m]. They are then interpolated before they are turned into depth.
    """

    values: NDArray[np.float32]
    size: tuple[int, int]
    box: Box = _WHOLE
    inverse: bool = False

    def read(self, pixels: Array) -> Array:
        """Read the map at pixels of the picture.

        The result is the same as if the map were resized to the size of the picture, bilinearly and with half-pixel
        centres, and then read at the nearest pixel. Depth models are published in this way. Reading between pixels
        would make up points in the air at the edges of things, and labels belong to whole pixels too.

        Args:
            pixels: The pixels (u, v), (N, 2).

        Returns:
            The values (N,); NaN outside the picture. Of ``inverse`` maps these are depths [m].
        """
        nearest = np.floor(pixels + 0.5)
        inside = np.all((nearest >= 0) & (nearest < self.size), axis=-1)
        corner, far = np.array(self.box[:2]), np.array(self.box[2:])
        shares = corner + (nearest[inside] + 0.5) / self.size * (far - corner)
        read = bilinear(self.values, shares * self.values.shape[::-1] - 0.5)
        values = np.full(len(pixels), np.nan)
        values[inside] = 1 / np.clip(read, *_INVERSE_RANGE) if self.inverse else read
        return values
