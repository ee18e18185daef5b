"""Types of NumPy arrays that signatures name."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""Numbers of any shape; docstrings state shape, unit and frame."""

Pixels = NDArray[np.uint8]
"""A picture (height, width, 3), RGB."""
