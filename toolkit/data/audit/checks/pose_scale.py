"""Are depth and poses in the same unit? The check finds the factor of depth under which frames agree best.

Points of a frame are carried into the next frames of its sequence, with their depth multiplied by a factor, and
compared with the depth there, multiplied by the same factor (``toolkit.data.audit.support.reprojection``). The factor
is searched over ``FACTORS``.

The null hypothesis is that the factor is 1: it lies within the range that resampling of the pairs of frames gives
(Efron 1979), outside which it lies by chance in 0.2 % of data sets. For a fault, it must lie outside by 5 %, which
allows for the step of the search. The verdict is "cannot tell", because the camera moves too little, unless ``PAIRS``
pairs agree on 30 % or more of what they see under some factor, and the range is within a factor of ``SHARP`` either
way. The check does not tell whether the depth or the poses are in metres.
"""

from collections.abc import Sequence

import numpy as np

from toolkit.data.audit.audited_frame import AuditedFrame
from toolkit.data.audit.checks.poses import posed_sequences
from toolkit.data.audit.finding import Finding
from toolkit.data.audit.support.reprojection import draw_pairs, make_pairs
from toolkit.geometry.pose import inverse
from toolkit.utils.arrays import Array

CHECK = "scale against poses"

FACTORS = np.exp(np.unique(np.round(np.concatenate([np.linspace(-7.3, 7.3, 123), np.linspace(-0.36, 0.36, 25)]), 6)))
"""The factors that are tried: 12 % apart, and 3 % apart near 1."""

SHARP = 1.3
"""The factor, either way, within which the range must lie to tell something."""

PAIRS = 10
"""The number of pairs of frames that must agree under some factor."""

_COMPARED = 50  # about how many pairs of frames are compared, in all sequences together
_RESAMPLES, _TAILS = 1000, (0.001, 0.999)
_TELLING = 0.3  # the agreement that a pair must reach under some factor
_CLOSE = 1.05  # the factor by which 1 must lie outside the range for a fault


def check(frames: Sequence[AuditedFrame], rng: np.random.Generator) -> list[Finding]:
    """Find the factor of depth under which frames agree best; one finding, or none if no depth map has a pose."""
    scores = _pose_scores(frames, rng)
    if scores is None:
        return []
    telling = scores[scores.max(axis=1) >= _TELLING]
    if len(telling) < PAIRS:
        words = f"{len(telling)} pairs of frames agree under any factor; {PAIRS} are needed"
        return [Finding(CHECK, "cannot tell", words)]
    factor = float(FACTORS[telling.sum(axis=0).argmax()])
    counts = rng.multinomial(len(telling), np.full(len(telling), 1 / len(telling)), size=_RESAMPLES)
    low, high = (float(each) for each in np.quantile(FACTORS[np.argmax(counts @ telling, axis=1)], _TAILS))
    numbers: dict[str, float | str] = {"factor": factor, "least": low, "greatest": high, "pairs": len(telling)}
    evidence = f"{len(telling)} pairs of frames agree best with depth times {factor:.3g} ({low:.3g} to {high:.3g})"
    if high / low > SHARP**2:
        return [Finding(CHECK, "cannot tell", f"{evidence}; the camera moves too little", "", numbers)]
    if low / _CLOSE <= 1 <= high * _CLOSE:
        return [Finding(CHECK, "ok", evidence, "", numbers)]
    remedy = f"multiply the depths by {factor:.3g}, or divide the translations by it: which of them is in metres?"
    return [Finding(CHECK, "fault", evidence, remedy, numbers)]


def _pose_scores(frames: Sequence[AuditedFrame], rng: np.random.Generator) -> Array | None:
    """The agreement (pairs, factors) of neighbouring frames with depth maps; None if there are no such frames."""
    sequences = [[frame for frame in sequence if frame.dense] for sequence in posed_sequences(frames)]
    total = sum(map(len, sequences))
    rows = []
    for sequence in sequences:
        for _, _, pair in draw_pairs(make_pairs(sequence, rng), _COMPARED * len(sequence) / max(total, 1), rng):
            one, two = pair.one.world_from_camera, pair.two.world_from_camera
            if one is not None and two is not None:
                two_from_one = inverse(two) @ one
                rows.append([pair.agreement(two_from_one, float(factor)) for factor in FACTORS])
    return np.array(rows) if rows else None
