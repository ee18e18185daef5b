"""Fit a model's depth map to the labels of its picture. What is fitted knows the truth, so reports must say so."""

from dataclasses import dataclass

import numpy as np

from toolkit.utils.arrays import Array


@dataclass(frozen=True)
class ScaleFactor:
    """A scale factor that turns a model's depths into depth_z.

    Attributes:
        factor: The scale factor.
    """

    factor: float = 1.0

    def __call__(self, values: Array) -> Array:
        """Turn a model's depths (...) into depth_z (...) [m]."""
        return self.factor * values


@dataclass(frozen=True)
class ScaleShift:
    """A scale and a shift that turn relative inverse depth into depth_z.

    Attributes:
        scale: The inverse depth [1/m] of one unit of the model.
        shift: The inverse depth [1/m] where the model gives 0.
        least: The smallest inverse depth [1/m]; smaller and negative ones are replaced by it.
    """

    scale: float
    shift: float
    least: float

    def __call__(self, values: Array) -> Array:
        """Turn a model's values (...) into depth_z (...) [m]."""
        depth_z: Array = 1 / np.maximum(self.scale * values + self.shift, self.least)
        return depth_z


def fit_ratio_of_medians(values: Array, depth_z: Array) -> ScaleFactor:
    """Fit a scale factor: the median of the true depths divided by the median of the model's depths.

    Source: Zhou et al. 2017, "Unsupervised Learning of Depth and Ego-Motion from Video", section 4.

    Args:
        values: The model's depths (N,) [m].
        depth_z: The true depth_z (N,) [m] at the same points.
    """
    return ScaleFactor(float(np.median(depth_z) / np.median(values)))


def fit_least_squares(values: Array, depth_z: Array) -> ScaleShift:
    """Fit scale s and shift t so that the sum of (s d + t - d*)^2 over inverse depths is least.

    Source: Ranftl et al. 2020, "Towards Robust Monocular Depth Estimation", equations 2 to 4. No point is put farther
    away than the farthest label, because depth is capped where such models are evaluated in metres.

    Args:
        values: The model's inverse depth d (N,), up to scale and shift.
        depth_z: The true depth_z 1 / d* (N,) [m] at the same points.
    """
    truth = 1 / depth_z
    centred = values - values.mean()
    spread = float(centred @ centred)
    scale = float(centred @ truth) / spread if spread > 0 else 0.0
    return ScaleShift(scale, float(truth.mean() - scale * values.mean()), float(truth.min()))


def fit_medians(values: Array, depth_z: Array) -> ScaleShift:
    """Fit scale and shift by medians t(d) and mean absolute deviations s(d) from them, which outliers change less.

    Source: Ranftl et al. 2020, equations 5 and 6: (d - t(d)) / s(d) = (d* - t(d*)) / s(d*).

    Args:
        values: The model's inverse depth d (N,), up to scale and shift.
        depth_z: The true depth_z 1 / d* (N,) [m] at the same points.
    """
    truth = 1 / depth_z
    middle, true_middle = float(np.median(values)), float(np.median(truth))
    deviation = float(np.abs(values - middle).mean())
    scale = float(np.abs(truth - true_middle).mean()) / deviation if deviation > 0 else 0.0
    return ScaleShift(scale, true_middle - scale * middle, float(truth.min()))
