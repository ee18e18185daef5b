"""Scoring answers: numbers, choices and camera motions.

A metric scores one answer at a time and summarises many scores. It also knows the best answers that do not depend on
the picture; every model must beat those. A summary is computed from the scores and from a weight for each sample, so
that ``toolkit.evaluation.reports.bootstrap`` can say how certain it is.

There are two kinds of numbers, and every docstring says which is which:

- Numbers over all samples are shares of right answers. An answer that could not be read, or that cannot be right (such
  as a negative distance), counts as wrong.
- Numbers over answered samples are errors, because a missing answer has no error. The share ``answered`` stands beside
  them: a model that answers only easy questions has small errors, but a small share too.
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
