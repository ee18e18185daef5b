"""Names for the types of NumPy arrays that signatures use."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""Float64 numbers of any shape; the docstrings state shape, unit and frame."""

Array32 = NDArray[np.float32]
"""Float32 numbers of any shape."""

Pixels = NDArray[np.uint8]
"""A picture (height, width, 3), uint8 RGB."""
