"""Fitting what a model says of a picture to its labels. Whatever is fitted knows the truth: reports must say so."""

from dataclasses import dataclass

import numpy as np

from toolkit.utils.arrays import Array


@dataclass(frozen=True)
class Factor:
    """Depths times a factor.

    Attributes:
        factor: It.
    """

    factor: float = 1.0

    def __call__(self, values: Array) -> Array:
        """depth_z (...) [m] of a model's depths (...)."""
        return self.factor * values


@dataclass(frozen=True)
class InverseLine:
    """Depth from inverse depth up to scale and shift.

    Attributes:
        scale: [1/m] a unit of the model.
        shift: [1/m].
        least: Inverse depths [1/m] below this, or negative, are taken for this.
    """

    scale: float
    shift: float
    least: float

    def __call__(self, values: Array) -> Array:
        """depth_z (...) [m] of a model's values (...)."""
        depth_z: Array = 1 / np.maximum(self.scale * values + self.shift, self.least)
        return depth_z


def ratio_of_medians(values: Array, depth_z: Array) -> Factor:
    """The median of the truth over that of the model.

    Source: Zhou et al. 2017, "Unsupervised Learning of Depth and Ego-Motion from Video", section 4.

    Args:
        values: (N,) what the model says [m].
        depth_z: (N,) the truth [m].
    """
    return Factor(float(np.median(depth_z) / np.median(values)))


def least_squares(values: Array, depth_z: Array) -> InverseLine:
    """Scale s and shift t with the least sum of (s d + t - d*)^2 over inverse depths.

    Source: Ranftl et al. 2020, "Towards Robust Monocular Depth Estimation", equations 2 to 4. Nothing is put farther
    away than the farthest label, as depth is capped where such models are measured in metres.

    Args:
        values: (N,) inverse depth d up to scale and shift.
        depth_z: (N,) the truth 1 / d* [m].
    """
    truth = 1 / depth_z
    off = values - values.mean()
    spread = float(off @ off)
    scale = float(off @ truth) / spread if spread > 0 else 0.0
    return InverseLine(scale, float(truth.mean() - scale * values.mean()), float(truth.min()))


def medians(values: Array, depth_z: Array) -> InverseLine:
    """The same by medians t(d) and mean absolute deviations s(d) from them, which bear outliers.

    Source: Ranftl et al. 2020, equations 5 and 6: (d - t(d)) / s(d) = (d* - t(d*)) / s(d*).

    Args:
        values: (N,) inverse depth d up to scale and shift.
        depth_z: (N,) the truth 1 / d* [m].
    """
    truth = 1 / depth_z
    middle, true_middle = float(np.median(values)), float(np.median(truth))
    deviation = float(np.abs(values - middle).mean())
    scale = float(np.abs(truth - true_middle).mean()) / deviation if deviation > 0 else 0.0
    return InverseLine(scale, true_middle - scale * middle, float(truth.min()))
