"""Are poses what they should be: ``world_from_camera`` of this very picture, in OpenCV's axes?

Points of a frame are carried into the next frames of its sequence and compared with the labels there
(``toolkit.data.audit.support.reprojection``). This is done with the poses as given, and with the poses as they would be
after each common mistake: inverted, in OpenGL's axes, in the axes of a body, left-handed, with transposed rotations,
with exchanged entries of the quaternion, or with the pose of the line before or after.

The null hypothesis is that no other reading fits better than the given poses. A pair of frames tells something if it
agrees on ``LEAST`` or more under some reading. For each other reading, the pairs that it improves by more than
``MARGIN`` are counted against the pairs that it worsens by more than ``MARGIN``. A sign test over pairs rejects the
null hypothesis below ``ALPHA``, with the chance multiplied by the number of readings (Bonferroni 1936). If no reading
is better, but most pairs that overlap according to the poses agree on less than ``POOR``, then something else is wrong
with poses, intrinsics or depth, and the verdict is suspect. (The depths of two unrelated frames agree on about 0.1 by
chance.) The verdict is "cannot tell" if fewer than ``PAIRS`` pairs tell something, as with a camera that hardly moves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.spatial.transform import Rotation

from toolkit.data.audit.audited_frame import AuditedFrame
from toolkit.data.audit.finding import WORST_SHOWN, Finding, WorstFrame
from toolkit.data.audit.support.reprojection import FramePair, draw_pairs, make_pairs
from toolkit.data.audit.support.significance import ALPHA, median_or_nan, sign_test
from toolkit.geometry.pose import inverse
from toolkit.utils.arrays import Array

CHECK = "poses"
LEAST = 0.3
"""The agreement that a pair must reach under some reading to tell something."""

MARGIN = 0.05
"""The difference of agreement from which on a reading is better or worse for a pair."""

POOR = 0.25
"""The agreement below which a pair that should overlap contradicts the poses."""

PAIRS = 10
"""The number of pairs of frames that are needed."""

_COMPARED = 80  # about how many pairs of frames are compared, in all sequences together
_OVERLAP = 0.3  # the share of the points that must be in view if poor agreement is to count against the poses
_STILL = 1e-6  # poses whose entries differ by less than this are the same ([m], and sine of an angle)
_NOISE = 3.0  # grey levels; two pictures of a camera that stands still differ by less than this on average
_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
_LEFT = np.diag([1.0, -1.0, 1.0, 1.0])
_BODY = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])
GIVEN = "as given"
"""The name of the reading that takes the poses as they are."""


def _transposed(pose: Array) -> Array:
    turned = pose.copy()
    turned[:3, :3] = pose[:3, :3].T
    return turned


def _requaternioned(pose: Array, order: Sequence[int]) -> Array:
    """The pose whose quaternion (x, y, z, w) has the entries of the given pose's quaternion in this order."""
    turned = pose.copy()
    turned[:3, :3] = Rotation.from_quat(Rotation.from_matrix(pose[:3, :3]).as_quat()[list(order)]).as_matrix()
    return turned


MISTAKES: dict[str, tuple[Callable[[Array], Array], str]] = {
    "inverted": (inverse, "they are camera_from_world: write their inverses"),
    "in OpenGL's axes": (lambda pose: pose @ _OPENGL, "multiply by diag(1, -1, -1, 1) from the right"),
    "inverted and in OpenGL's axes": (
        lambda pose: inverse(pose) @ _OPENGL,
        "write their inverses, times diag(1, -1, -1, 1) from the right",
    ),
    "of a body with x forward, z up": (lambda pose: pose @ _BODY, "multiply by body_from_camera from the right"),
    "left-handed": (lambda pose: _LEFT @ pose @ _LEFT, "multiply by diag(1, -1, 1, 1) from both sides"),
    "with transposed rotations": (_transposed, "transpose their rotation parts"),
    "with w first in the quaternions": (
        lambda pose: _requaternioned(pose, (1, 2, 3, 0)),
        "(w, x, y, z) was read as (x, y, z, w): read it in its order",
    ),
    "with w last in the quaternions": (
        lambda pose: _requaternioned(pose, (3, 0, 1, 2)),
        "(x, y, z, w) was read as (w, x, y, z): read it in its order",
    ),
}
"""Common mistakes by name: a function that mends one pose (4, 4), and the remedy in words."""

_SHIFTS = {"those of the line before": 1, "those of the line after": -1}


@dataclass(frozen=True, eq=False)
class _Trial:
    """How well a pair of frames agrees under every reading of the poses.

    Attributes:
        pair: The two frames.
        given: The pose two_from_one (4, 4) that follows from the poses as given.
        agreement: The agreement by the name of the reading; NaN where the reading has no pose.
    """

    pair: FramePair
    given: Array
    agreement: dict[str, float]


@dataclass(frozen=True)
class _Outcome:
    """What all pairs of frames show together.

    Attributes:
        trials: All pairs.
        telling: The pairs that tell something.
        claimed: The pairs that overlap according to the poses as given.
        poor: The claimed pairs that disagree.
        other: The name of the best other reading; "" if there is none.
        chance: The chance that the other reading is no better than the given poses.
    """

    trials: Sequence[_Trial]
    telling: Sequence[_Trial]
    claimed: Sequence[_Trial]
    poor: Sequence[_Trial]
    other: str
    chance: float

    def agreement(self, name: str) -> float:
        """The median agreement of the pairs that tell something, under a reading."""
        return median_or_nan([trial.agreement[name] for trial in self.telling])

    @property
    def numbers(self) -> dict[str, float | str]:
        """The numbers of the finding, by name."""
        return {
            "pairs": len(self.trials),
            "pairs that tell": len(self.telling),
            "agreement as given": self.agreement(GIVEN),
            "pairs said to overlap": len(self.claimed),
            "of them in disagreement": len(self.poor),
            "best other reading": self.other,
            "agreement of it": self.agreement(self.other) if self.other else float("nan"),
            "chance": self.chance,
        }


def check(frames: Sequence[AuditedFrame], rng: np.random.Generator) -> list[Finding]:
    """Find poses that are wrong, and the mistake; one finding, or none if no two lines of a sequence have poses."""
    sequences = posed_sequences(frames)
    if not sequences:
        return []
    frozen = [frame for sequence in sequences for frame in _frozen(sequence)]
    if 2 * len(frozen) > sum(map(len, sequences)):
        return [_frozen_finding(frozen, sum(map(len, sequences)))]
    trials = _trials(sequences, rng)
    telling = [trial for trial in trials if np.nanmax(list(trial.agreement.values())) >= LEAST]
    claimed = [trial for trial in trials if trial.pair.two.dense and _overlap(trial) >= _OVERLAP]
    poor = [trial for trial in claimed if trial.agreement[GIVEN] < POOR]
    return [_finding(_Outcome(trials, telling, claimed, poor, *_best_other_reading(telling)))]


def posed_sequences(frames: Sequence[AuditedFrame]) -> list[list[AuditedFrame]]:
    """The frames with poses of each sequence that has two or more of them, in the order of their lines."""
    groups: dict[str, list[AuditedFrame]] = {}
    for frame in frames:
        if frame.world_from_camera is not None:
            groups.setdefault(frame.sequence, []).append(frame)
    return [sorted(group, key=lambda frame: frame.line) for group in groups.values() if len(group) > 1]


def _pose(frame: AuditedFrame) -> Array:
    pose = frame.world_from_camera
    assert pose is not None
    return pose


def _frozen(sequence: Sequence[AuditedFrame]) -> list[AuditedFrame]:
    """The frames that have exactly the pose of the frame before them, but another picture."""
    return [
        later
        for earlier, later in pairwise(sequence)
        if np.abs(_pose(earlier) - _pose(later)).max() < _STILL and _differ(earlier, later)
    ]


def _differ(one: AuditedFrame, two: AuditedFrame) -> bool:
    """Whether the pictures of two frames differ by more than noise."""
    return one.grey.shape != two.grey.shape or bool(np.abs(one.grey - two.grey).mean() > _NOISE)


def _frozen_finding(frozen: Sequence[AuditedFrame], total: int) -> Finding:
    evidence = f"{len(frozen)} of {total} frames have exactly the pose of the frame before, but another picture"
    worst = [frame.worst("the pose of the frame before") for frame in frozen[:WORST_SHOWN]]
    numbers = {"frames": total, "frames with the pose before": len(frozen)}
    return Finding(CHECK, "fault", evidence, "give each frame its own pose, or none", numbers, worst)


def _trials(sequences: Sequence[Sequence[AuditedFrame]], rng: np.random.Generator) -> list[_Trial]:
    """Some pairs of each sequence, under every reading of the poses."""
    total = sum(map(len, sequences))
    trials = []
    for sequence in sequences:
        readings = _readings(sequence)
        for first, second, pair in draw_pairs(make_pairs(sequence, rng), _COMPARED * len(sequence) / total, rng):
            agreement = {name: _agreement(pair, poses[first], poses[second]) for name, poses in readings.items()}
            trials.append(_Trial(pair, inverse(_pose(pair.two)) @ _pose(pair.one), agreement))
    return trials


def _agreement(pair: FramePair, one: Array | None, two: Array | None) -> float:
    return float("nan") if one is None or two is None else pair.agreement(inverse(two) @ one)


def _readings(sequence: Sequence[AuditedFrame]) -> dict[str, list[Array | None]]:
    """The poses (4, 4) of a sequence's frames by the name of the reading; None where the reading has no pose."""
    given: list[Array | None] = [_pose(frame) for frame in sequence]
    readings = {GIVEN: given}
    for name, (mend, _) in MISTAKES.items():
        readings[name] = [mend(_pose(frame)) for frame in sequence]
    lines = {frame.line: pose for frame, pose in zip(sequence, given, strict=True)}
    for name, by in _SHIFTS.items():
        readings[name] = [lines.get(frame.line + by) for frame in sequence]
    return readings


def _best_other_reading(trials: Sequence[_Trial]) -> tuple[str, float]:
    """The other reading that fits better than the given one with the least chance, or ""; and this chance.

    A reading counts only if it improves more pairs than it worsens.
    """
    best, least = "", 1.0
    others = [name for name in (trials[0].agreement if trials else {}) if name != GIVEN]
    for name in others:
        gains = np.array([trial.agreement[name] - trial.agreement[GIVEN] for trial in trials])
        wins, losses = int((gains > MARGIN).sum()), int((gains < -MARGIN).sum())
        chance = min(1.0, sign_test(wins, losses) * len(others))
        if wins > losses and chance < least:
            best, least = name, chance
    if best:  # if another reading agrees even more on average, it is taken instead
        near = [name for name in others if _mean(trials, name) > _mean(trials, best)]
        best = max(near, key=lambda name: _mean(trials, name)) if near else best
    return best, least


def _mean(trials: Sequence[_Trial], name: str) -> float:
    return float(np.nanmean([trial.agreement[name] for trial in trials]))


def _overlap(trial: _Trial) -> float:
    """The share of the points that are in view of the second frame, according to the poses as given."""
    return len(trial.pair.carried(trial.given)[0]) / len(trial.pair.chosen)


def _finding(outcome: _Outcome) -> Finding:
    given, name, numbers = outcome.agreement(GIVEN), outcome.other, outcome.numbers
    telling, claimed, poor = outcome.telling, len(outcome.claimed), outcome.poor
    if name and outcome.chance < ALPHA:
        remedy = MISTAKES[name][1] if name in MISTAKES else f"they are {name}: move them by one line"
        evidence = (
            f"neighbouring frames agree on {given:.0%} of what both see with the poses as given, on "
            f"{outcome.agreement(name):.0%} if they are {name}; {len(telling)} pairs, "
            f"by chance once in {1 / max(outcome.chance, 1e-99):.2g}"
        )
        return Finding(CHECK, "fault", evidence, remedy, numbers, _worst(telling))
    if claimed >= PAIRS and 2 * len(poor) > claimed:
        evidence = (
            f"{len(poor)} of {claimed} pairs that overlap by their poses agree on less than {POOR:.0%} of what both see"
        )
        remedy = "compare poses, intrinsics and depth with their documentation; no usual mistake of poses explains it"
        return Finding(CHECK, "suspect", evidence, remedy, numbers, _worst(poor))
    if len(telling) < PAIRS:
        return Finding(CHECK, "cannot tell", f"{len(telling)} pairs of frames overlap; {PAIRS} are needed", "", numbers)
    evidence = f"neighbouring frames agree on {given:.0%} of what both see, in {len(telling)} pairs"
    return Finding(CHECK, "ok", f"{evidence}; no other reading does better", "", numbers)


def _worst(trials: Sequence[_Trial]) -> list[WorstFrame]:
    ranked = sorted(trials, key=lambda trial: trial.agreement[GIVEN])[:WORST_SHOWN]
    return [
        trial.pair.two.worst(f"agrees with line {trial.pair.one.line} on {trial.agreement[GIVEN]:.0%}")
        for trial in ranked
    ]
