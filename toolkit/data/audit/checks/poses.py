"""Are poses what they claim to be: ``world_from_camera``, in OpenCV's axes, of the very picture?

Points of a frame are carried into the next frames of its sequence and compared with the labels there
(``toolkit.data.audit.support.reprojection``), under the poses as given and under each mistake that is common: inverted,
OpenGL axes, body axes, left-handed axes, a transposed rotation, exchanged quaternion entries, the pose of the line
before or after.

Null hypothesis: the given poses fit best, or as well. A pair tells if some reading agrees on ``LEAST`` or more. Of
each other reading the pairs that it makes better by ``MARGIN`` or more are counted against those that it makes worse;
a sign test over pairs, with the chance multiplied by the number of readings (Bonferroni 1936), rejects below ``ALPHA``.
Where poses are as good as any but most pairs that they say overlap agree on less than ``POOR``, something else
is wrong: poses, intrinsics or depth; the verdict is suspect. Chance agreement of a frame's depth with another
one's is about 0.1. Fewer than ``PAIRS`` pairs that tell cannot tell, nor does a camera that hardly moves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.spatial.transform import Rotation

from toolkit.data.audit.audited_frame import Shot
from toolkit.data.audit.finding import WORST_SHOWN, Finding, Worst
from toolkit.data.audit.support.reprojection import Pair, make_pairs, thinned
from toolkit.data.audit.support.significance import ALPHA, median, sign_test
from toolkit.geometry.pose import inverse
from toolkit.utils.arrays import Array

CHECK = "poses"


LEAST = 0.3


MARGIN = 0.05


POOR = 0.25


PAIRS = 10


_PAIRS = 80  # that are compared, of all sequences together


_OVERLAP = 0.3  # share of the points that must be in view for a poor agreement to speak against the poses


_STILL = 1e-6  # [m], and sine of an angle


_NOISE = 3.0  # mean difference of two pictures of a camera that stands still, in grey levels


_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])


_LEFT = np.diag([1.0, -1.0, 1.0, 1.0])


_BODY = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])


GIVEN = "as given"


def _transposed(pose: Array) -> Array:
    turned = pose.copy()
    turned[:3, :3] = pose[:3, :3].T
    return turned


def _requaternioned(pose: Array, order: Sequence[int]) -> Array:
    """The pose whose quaternion (x, y, z, w) is made of those entries of the given one's."""
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
"""What poses may be instead: how to mend one, and what to do about all."""


_SHIFTS = {"those of the line before": 1, "those of the line after": -1}


@dataclass(frozen=True, eq=False)
class _Trial:
    """A pair under every reading of the poses.

    Attributes:
        pair: The frames.
        given: two_from_one (4, 4) as the poses are given.
        agreement: By reading; NaN where it has no pose.
    """

    pair: Pair
    given: Array
    agreement: dict[str, float]


def check(shots: Sequence[Shot], rng: np.random.Generator) -> list[Finding]:
    """One finding; none where no line has a pose."""
    sequences = posed_sequences(shots)
    if not sequences:
        return []
    frozen = [shot for sequence in sequences for shot in _frozen(sequence)]
    if 2 * len(frozen) > sum(map(len, sequences)):
        return [_standing(frozen, sum(map(len, sequences)))]
    trials = _trials(sequences, rng)
    telling = [trial for trial in trials if np.nanmax(list(trial.agreement.values())) >= LEAST]
    name, chance = _better(telling)
    given = [trial.agreement[GIVEN] for trial in telling]
    claimed = [trial for trial in trials if trial.pair.two.dense and _overlap(trial) >= _OVERLAP]
    poor = [trial for trial in claimed if trial.agreement[GIVEN] < POOR]
    numbers: dict[str, float | str] = {
        "pairs": len(trials),
        "pairs that tell": len(telling),
        "agreement as given": median(given),
        "pairs said to overlap": len(claimed),
        "of them in disagreement": len(poor),
        "best other reading": name,
        "agreement of it": median([trial.agreement[name] for trial in telling]) if name else float("nan"),
        "chance": chance,
    }
    return [_judge(numbers, telling, poor, name if chance < ALPHA else "")]


def posed_sequences(shots: Sequence[Shot]) -> list[list[Shot]]:
    """Frames with poses, sequence by sequence, in the order of their lines."""
    groups: dict[str, list[Shot]] = {}
    for shot in shots:
        if shot.frame.world_from_camera is not None:
            groups.setdefault(shot.frame.sequence, []).append(shot)
    return [sorted(group, key=lambda shot: shot.line) for group in groups.values() if len(group) > 1]


def _pose(shot: Shot) -> Array:
    pose = shot.frame.world_from_camera
    assert pose is not None
    return pose


def _frozen(sequence: Sequence[Shot]) -> list[Shot]:
    """Frames with the very pose of the frame before them, and another picture."""
    return [
        later
        for earlier, later in pairwise(sequence)
        if np.abs(_pose(earlier) - _pose(later)).max() < _STILL and _differ(earlier, later)
    ]


def _differ(one: Shot, two: Shot) -> bool:
    return one.grey.shape != two.grey.shape or bool(np.abs(one.grey - two.grey).mean() > _NOISE)


def _standing(frozen: Sequence[Shot], total: int) -> Finding:
    evidence = f"{len(frozen)} of {total} frames have the very pose of the frame before, but another picture"
    worst = [Worst(shot.line, shot.frame.name, "the pose of the frame before") for shot in frozen[:WORST_SHOWN]]
    numbers = {"frames": total, "frames with the pose before": len(frozen)}
    return Finding(CHECK, "fault", evidence, "give each frame its own pose, or none", numbers, worst)


def _trials(sequences: Sequence[Sequence[Shot]], rng: np.random.Generator) -> list[_Trial]:
    total = sum(map(len, sequences))
    trials = []
    for sequence in sequences:
        readings = _readings(sequence)
        for first, second, pair in thinned(make_pairs(sequence, rng), _PAIRS * len(sequence) / total, rng):
            agreement = {name: _agreement(pair, poses[first], poses[second]) for name, poses in readings.items()}
            trials.append(_Trial(pair, inverse(_pose(pair.two)) @ _pose(pair.one), agreement))
    return trials


def _agreement(pair: Pair, one: Array | None, two: Array | None) -> float:
    return float("nan") if one is None or two is None else pair.agreement(inverse(two) @ one)


def _readings(sequence: Sequence[Shot]) -> dict[str, list[Array | None]]:
    """The poses of a sequence under each reading."""
    given: list[Array | None] = [_pose(shot) for shot in sequence]
    readings = {GIVEN: given}
    for name, (mend, _) in MISTAKES.items():
        readings[name] = [mend(_pose(shot)) for shot in sequence]
    lines = {shot.line: pose for shot, pose in zip(sequence, given, strict=True)}
    for name, by in _SHIFTS.items():
        readings[name] = [lines.get(shot.line + by) for shot in sequence]
    return readings


def _better(trials: Sequence[_Trial]) -> tuple[str, float]:
    """The reading that improves the most pairs, if it improves more than it spoils, and its chance."""
    best, least = "", 1.0
    others = [name for name in (trials[0].agreement if trials else {}) if name != GIVEN]
    for name in others:
        gains = np.array([trial.agreement[name] - trial.agreement[GIVEN] for trial in trials])
        wins, losses = int((gains > MARGIN).sum()), int((gains < -MARGIN).sum())
        chance = min(1.0, sign_test(wins, losses) * len(others))
        if wins > losses and chance < least:
            best, least = name, chance
    if best:  # of two that are better, the one that agrees more
        near = [name for name in others if _mean(trials, name) > _mean(trials, best)]
        best = max(near, key=lambda name: _mean(trials, name)) if near else best
    return best, least


def _mean(trials: Sequence[_Trial], name: str) -> float:
    return float(np.nanmean([trial.agreement[name] for trial in trials]))


def _overlap(trial: _Trial) -> float:
    return len(trial.pair.carried(trial.given)[0]) / len(trial.pair.chosen)


def _judge(numbers: dict[str, float | str], telling: Sequence[_Trial], poor: Sequence[_Trial], name: str) -> Finding:
    given = float(numbers["agreement as given"])
    if name:
        remedy = MISTAKES[name][1] if name in MISTAKES else f"they are {name}: move them by one line"
        evidence = (
            f"neighbouring frames agree on {given:.0%} of what both see with the poses as given, on "
            f"{float(numbers['agreement of it']):.0%} if they are {name}; {len(telling)} pairs, "
            f"by chance once in {1 / max(float(numbers['chance']), 1e-99):.2g}"
        )
        return Finding(CHECK, "fault", evidence, remedy, numbers, _worst(telling))
    claimed = int(numbers["pairs said to overlap"])
    if claimed >= PAIRS and 2 * len(poor) > claimed:
        evidence = f"{len(poor)} of {claimed} pairs that the poses say overlap agree on less than {POOR:.0%} of it"
        remedy = "compare poses, intrinsics and depth with their documentation; no usual mistake of poses explains it"
        return Finding(CHECK, "suspect", evidence, remedy, numbers, _worst(poor))
    if len(telling) < PAIRS:
        return Finding(CHECK, "cannot tell", f"{len(telling)} pairs of frames overlap; {PAIRS} are needed", "", numbers)
    evidence = f"neighbouring frames agree on {given:.0%} of what both see, in {len(telling)} pairs"
    return Finding(CHECK, "ok", f"{evidence}; no other reading does better", "", numbers)


def _worst(trials: Sequence[_Trial]) -> list[Worst]:
    ranked = sorted(trials, key=lambda trial: trial.agreement[GIVEN])[:WORST_SHOWN]
    return [
        Worst(
            trial.pair.two.line,
            trial.pair.two.frame.name,
            f"agrees with line {trial.pair.one.line} on {trial.agreement[GIVEN]:.0%}",
        )
        for trial in ranked
    ]
