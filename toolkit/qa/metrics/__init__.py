"""Scoring answers: numbers, choices and camera motions.

A metric scores one answer at a time, summarises many scores, and knows the answers that ignore the picture,
which every model must beat. A summary is a function of scores and of a weight for each sample, so that
``toolkit.evaluation.bootstrap`` can say how certain it is.

Two kinds of numbers must not be confused, and every docstring says which is which:

- Over all samples: shares of right answers. An answer that was not read, or cannot be right, is wrong.
- Over answered samples: errors, which a missing answer does not have. ``answered`` stands beside them: a
  model that answers only where it is easy has small errors and a small share.
"""

from toolkit.qa.metrics.accuracy import Accuracy, GapAccuracy, accuracy_beyond, accuracy_by_gap, relative_gap
from toolkit.qa.metrics.camera_motion import MotionError
from toolkit.qa.metrics.metric import Metric
from toolkit.qa.metrics.relative_error import RelativeAccuracy
from toolkit.qa.metrics.weighted_statistics import Columns, as_columns

__all__ = [
    "Accuracy",
    "Columns",
    "GapAccuracy",
    "Metric",
    "MotionError",
    "RelativeAccuracy",
    "accuracy_beyond",
    "accuracy_by_gap",
    "as_columns",
    "relative_gap",
]
