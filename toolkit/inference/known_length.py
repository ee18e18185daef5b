r"""The scale of a picture, from lengths that a person has measured in it.

A model errs about all lengths of one picture by a common factor, because the focal length is wrong or because things
are of an unusual size; and about each length by a factor of its own. In logarithms, the answer m to a true length t is

    log m = log t + log c + e,

where c is common to the picture and e belongs to the answer alone. A known length t_k, of which the model says m_k,
gives the factor f = t_k / m_k, by which every other answer m_q is multiplied:

    log (f m_q) = log t_q + e_q - e_k.

The common error c cancels. What is left is the error of the answer and that of the known length's answer. Relative
errors of a product add in quadrature if they are independent (JCGM 100:2008, "Guide to the expression of uncertainty in
measurement", 5.1.6); here this is done on each side of the interval, because the model's intervals are not symmetric.
Two answers about one picture rather err in the same direction; then their errors cancel in part, and the interval is
wider than it need be (5.2.2 of the same guide). What was measured counts as exact.

Conventions: see ``toolkit.geometry.camera``.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from toolkit.errors import UserError
from toolkit.inference.known_syntax import KnownLengths, PointNames
from toolkit.modeling.confidence.consistency import ConsistencyCheck
from toolkit.qa.parsing.answer import Motion
from toolkit.qa.query import Query
from toolkit.qa.tasks.length_power import length_power
from toolkit.qa.tasks.task import Task
from toolkit.utils.arrays import Array

Interval = tuple[float, float]
"""The lowest and the highest value."""

_UNUSUAL_FACTOR = 3.0  # a factor beyond this, or below its inverse, is more likely a mistake than an error of the model
_CONTRADICTION = 2.0  # known lengths whose factors differ by more than this contradict each other

NORMAL_TAIL = 1.645
"""Standard deviations from the middle to either end of a normal interval that holds the truth with ``COVERAGE``."""


@dataclass(frozen=True)
class MeasuredLength:
    """A known length, and what the model says about it.

    Attributes:
        points: The names of its points: one if it is a distance from the camera, two if it lies between points, and
            none if it is the camera's height.
        length: The length that the user measured [m].
        answered: What the model says [m]; None if that cannot be read.
        interval: The interval [m] that holds it by the model's own account; None if it is not known.
        by: The task whose answer this is.
    """

    points: PointNames
    length: float
    answered: float | None
    interval: Interval | None
    by: str

    def __str__(self) -> str:
        name = " to ".join(self.points) or "the camera's height"
        said = "cannot be read" if self.answered is None else f"{self.answered:.3g} m"
        return f"{name} is {self.length:.3g} m, the model says {said}"


@dataclass(frozen=True)
class Scale:
    """The factor by which all lengths of a picture are multiplied. It can be applied to other pictures of the scene.

    Attributes:
        factor: The factor.
        low: The lowest likely factor; None if it is not known.
        high: The highest likely factor; None if it is not known.
        origin: Where the factor comes from, for people.
        known: The known lengths that it comes from.
    """

    factor: float
    low: float | None
    high: float | None
    origin: str
    known: tuple[MeasuredLength, ...] = ()

    def __post_init__(self) -> None:
        ends = [self.factor if end is None else end for end in (self.low, self.factor, self.high)]
        if not 0 < ends[0] <= ends[1] <= ends[2] < math.inf:
            raise UserError(
                f"a scale cannot have the factor {self.factor} between {self.low} and {self.high}",
                remedy="give positive numbers in this order: low, factor, high",
            )

    def __str__(self) -> str:
        between = "" if self.low is None or self.high is None else f" ({self.low:.2f} to {self.high:.2f})"
        return f"all lengths x {self.factor:.3g}{between}: {self.origin}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know about the factor."""
        return (*_unread_warning(self.known), *_spread_warning(self.known), *_factor_warning(self.factor))

    def left_of_camera(self, doubt: Interval, from_camera: bool) -> Interval:
        """What is left of the doubt about the camera, as factors of an answer.

        Distances from the camera grow in proportion to the focal length f that it is said to have: a thing of width X
        that is u pixels wide lies at the depth Z = f X / u. Lengths across the viewing direction, X = Z u / f, do not
        depend on it. Any other length lies between the two. So the doubt cancels between distances from the camera
        alone.

        Args:
            doubt: The lowest and the highest likely ratio of the true focal length to the one that is used.
            from_camera: Whether the answer is about a distance from the camera.
        """
        asked = (1, 1) if from_camera else (0, 1)
        known = (1, 1) if all(len(each.points) == 1 for each in self.known) else (0, 1)
        powers = (asked[0] - known[1], asked[1] - known[0])
        factors = [ratio**power for ratio in doubt for power in powers]
        return min(factors), max(factors)


KnownInput = KnownLengths | Scale
"""Known lengths [m] by the names of their points, or a Scale that was measured before."""


@dataclass(frozen=True)
class Rescaling:
    """How a Scale changes the answers to one question.

    Attributes:
        scale: The Scale.
        power: The power of lengths with which answers grow; None if it is not known, and then nothing is changed.
        camera: What is left of the doubt about the camera, as the lowest and the highest factor.
    """

    scale: Scale
    power: float | None
    camera: Interval

    def warnings(self, task: str = "", points: Collection[str] = ()) -> Iterator[str]:
        """Yield what the user should know about the answer to a question.

        Args:
            task: The name of the task.
            points: The names of the points of the question.
        """
        yield from self.scale.warnings
        if self.power is None:
            yield "it is not known how this answer depends on lengths: the known length does not change it"
        elif not self.power:
            yield "this answer does not depend on the scale: the known length does not change it"
        if any((each.by, set(each.points)) == (task, set(points)) for each in self.scale.known):
            yield "the question is about a known length itself: the answer repeats what you gave"

    def value(self, value: Any) -> Any:
        """The value of an answer, changed: a number, or the distance in a motion."""
        if not self.power:
            return value
        factor = self.scale.factor**self.power
        if isinstance(value, Motion):
            return replace(value, distance=value.distance * factor)
        return value * factor if isinstance(value, int | float) else value

    def check(self, check: ConsistencyCheck) -> ConsistencyCheck:
        """The result of a comparison with the model's own depths, all of them changed."""
        depths = {name: depth and depth * self.scale.factor for name, depth in check.depths.items()}
        return replace(check, depths=depths, implied=self.value(check.implied))

    def interval(self, number: float | None, own: Interval | None) -> Interval | None:
        """The interval of an answer, changed. The module says how the errors add up.

        Args:
            number: The number in the answer before it is changed.
            own: The interval that holds it by the model's own account, without any doubt about the camera.
        """
        if not self.power or own is None or number is None:
            return own
        if self.scale.low is None or self.scale.high is None:
            return None
        factors = sorted(each**self.power for each in (self.scale.low, self.scale.factor, self.scale.high))
        low, high = product_interval(number, own, (factors[0], factors[1], factors[2]))
        ends = [end * doubt for end in (low, high) for doubt in self.camera]
        return min(ends), max(ends)


def rescaling_of(task: Task | None, query: Query, scale: Scale | None, doubt: Interval) -> Rescaling | None:
    """How a Scale changes the answers to a question; None without a Scale.

    Args:
        task: The task; None if no task reads the answer.
        query: The question.
        scale: The Scale, if there is one.
        doubt: The lowest and the highest likely ratio of the true focal length to the one that is used.
    """
    if scale is None:
        return None
    power = None if task is None else length_power(task, query)
    return Rescaling(scale, power, scale.left_of_camera(doubt, from_camera=len(query.points) == 1))


def product_interval(number: float, own: Interval, factors: tuple[float, float, float]) -> Interval:
    """The interval of a number times a factor whose errors are independent of it.

    On each side, the logarithmic widths w of both add in quadrature: w^2 = w_number^2 + w_factor^2 (JCGM 100:2008,
    5.1.6). If the number's interval holds 0, there is no logarithm, and the widest product is taken.

    Args:
        number: The number.
        own: Its interval.
        factors: The lowest, the most likely, and the highest factor; all are positive.
    """
    low, high = own
    least, factor, most = factors
    if high < 0:
        above, below = product_interval(-number, (-high, -low), factors)
        return -below, -above
    if low <= 0:
        return low * most, high * most
    middle = min(max(number, low), high)
    below = math.hypot(math.log(middle / low), math.log(factor / least))
    above = math.hypot(math.log(high / middle), math.log(most / factor))
    return middle * factor * math.exp(-below), middle * factor * math.exp(above)


def scale_from(known: Sequence[MeasuredLength]) -> Scale:
    """The Scale that known lengths give: the median of their factors, with its interval.

    With one length, the interval is that of the model's answer. With n > 2 lengths whose answers err independently, the
    standard deviation of the median is sqrt(pi / (2 n)) times that of one factor (Laplace 1818; Stuart and Ord 1994,
    "Kendall's Advanced Theory of Statistics", volume 1, 10.11); the median of two is their mean. If the factors scatter
    more than the model's intervals allow, these are widened by the ratio of both (Birge 1932, "The calculation of
    errors by the method of least squares").

    Args:
        known: The known lengths, of which at least one has an answer that can be read.

    Raises:
        UserError: If none of the answers can be read.
    """
    read = [each for each in known if each.answered]
    if not read:
        raise UserError(
            f"the known length gives no scale: {'; '.join(map(str, known))}",
            cause="the model's answer about it is no length",
            remedy="give another known length, or none",
        )
    logs = np.array([math.log(each.length / each.answered) for each in read if each.answered])
    middle = float(np.median(logs))
    origin = "; ".join(map(str, read))
    if len(read) > 1:
        origin = f"the median of {len(read)} known lengths: {origin}"
    widths = _log_widths(read)
    if widths is None:
        return Scale(math.exp(middle), None, None, origin, tuple(known))
    share = _error_of_median(logs, math.hypot(*widths) / math.sqrt(2) / NORMAL_TAIL)
    low, high = math.exp(middle - share * widths[0]), math.exp(middle + share * widths[1])
    return Scale(math.exp(middle), low, high, origin, tuple(known))


def _log_widths(known: Sequence[MeasuredLength]) -> tuple[float, float] | None:
    """The widths of the interval of one factor below and above it, in logarithms; the root mean square of several.

    Returns:
        The widths; None if an interval is not known, or holds 0.
    """
    widths = []
    for each in known:
        if each.interval is None or not each.answered or each.interval[0] <= 0:
            return None
        low, high = each.interval
        middle = min(max(each.answered, low), high)
        widths.append((math.log(high / middle), math.log(middle / low)))  # a long answer makes a small factor
    below, above = np.sqrt(np.mean(np.square(widths), axis=0)).tolist()
    return below, above


def _error_of_median(logs: Array, own: float) -> float:
    """The standard deviation of the median of logarithms (N,), as a share of ``own``, that of each by its own account.

    ``scale_from`` names the sources.
    """
    count = len(logs)
    if count == 1:
        return 1.0
    scatter = math.sqrt(float(((logs - np.median(logs)) ** 2).sum()) / (count - 1))
    widened = max(1.0, scatter / own) if own > 0 else 1.0
    return widened * math.sqrt((math.pi / 2 if count > 2 else 1.0) / count)


def _unread_warning(known: Sequence[MeasuredLength]) -> Iterator[str]:
    unread = [each for each in known if not each.answered]
    if unread:
        yield f"{len(unread)} of {len(known)} known lengths are not used: {'; '.join(map(str, unread))}"


def _spread_warning(known: Sequence[MeasuredLength]) -> Iterator[str]:
    factors = [each.length / each.answered for each in known if each.answered]
    if factors and max(factors) > _CONTRADICTION * min(factors):
        yield (
            f"the known lengths contradict each other: their factors lie between {min(factors):.3g} and "
            f"{max(factors):.3g}; check the points and the lengths"
        )


def _factor_warning(factor: float) -> Iterator[str]:
    if not 1 / _UNUSUAL_FACTOR <= factor <= _UNUSUAL_FACTOR:
        yield (
            f"the known length makes all lengths {factor:.3g} times as long as the model says, which is unusual: check "
            "the point, the length, its unit and the camera"
        )
