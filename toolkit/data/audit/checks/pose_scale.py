"""Are depth and poses in the same unit: by which factor must depth be multiplied for frames to agree?

Points of a frame, their depth multiplied by a factor, are carried into the next frames of its sequence and compared
with the depth there, multiplied as well (``toolkit.data.audit.support.reprojection``). The factor is searched over
``FACTORS``.

Null hypothesis: the factor is 1, so that it lies within the range that resampling pairs of frames gives (Efron
1979), which it leaves by chance in 0.2 % of data sets; a fault must leave it by 5 %, the step of the search.
Unless ``PAIRS`` pairs agree on 30 % or more of what they see under some factor, and the range is within a factor of
``SHARP`` either way, nothing can be told: the camera moves too little. Which of the two is in metres, this does
not say.
"""

from collections.abc import Sequence

import numpy as np

from toolkit.data.audit.audited_frame import Shot
from toolkit.data.audit.checks.poses import posed_sequences
from toolkit.data.audit.finding import Finding
from toolkit.data.audit.support.reprojection import make_pairs, thinned
from toolkit.geometry.pose import inverse
from toolkit.utils.arrays import Array

CHECK = "scale against poses"


FACTORS = np.exp(np.unique(np.round(np.concatenate([np.linspace(-7.3, 7.3, 123), np.linspace(-0.36, 0.36, 25)]), 6)))
"""12 % apart, and 3 % near 1."""


SHARP = 1.3


PAIRS = 10


_PAIRS = 50  # that are compared, of all sequences together


_RESAMPLES, _TAILS = 1000, (0.001, 0.999)


_TELLING = 0.3  # agreement of a pair that some factor must reach


_CLOSE = 1.05


def check(shots: Sequence[Shot], rng: np.random.Generator) -> list[Finding]:
    """One finding; none where no depth map has a pose."""
    scores = _pose_scores(shots, rng)
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


def _pose_scores(shots: Sequence[Shot], rng: np.random.Generator) -> Array | None:
    """Agreement (pairs, factors) of neighbouring frames with depth maps, None where there are none."""
    sequences = [[shot for shot in sequence if shot.dense] for sequence in posed_sequences(shots)]
    total = sum(map(len, sequences))
    rows = []
    for sequence in sequences:
        for _, _, pair in thinned(make_pairs(sequence, rng), _PAIRS * len(sequence) / max(total, 1), rng):
            one, two = pair.one.frame.world_from_camera, pair.two.frame.world_from_camera
            if one is not None and two is not None:
                two_from_one = inverse(two) @ one
                rows.append([pair.agreement(two_from_one, float(factor)) for factor in FACTORS])
    return np.array(rows) if rows else None
