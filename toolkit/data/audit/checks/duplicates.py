"""Are pictures given more than once, whole or nearly, and do their labels agree?

Null hypothesis: two lines show different moments. Files with the same bytes reject it at once. Nearly the same
pictures are compared as thumbnails, brightness and contrast taken out: two frames of a moving camera correlate
below ``ALIKE``, while compression, resizing and exposure leave a picture above it (measured on real walks:
the nearest of 44 frames of one correlate by 0.86). Every pair of the sample is compared. A picture given twice
counts twice in training: suspect above no pair at all. Where the depths of the two also differ, one is wrong:
fault.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.data.audit.audited_frame import Shot
from toolkit.data.audit.finding import WORST_SHOWN, Finding, Verdict, Worst
from toolkit.data.audit.support.significance import median

CHECK = "duplicates"


ALIKE = 0.99


DISAGREE = 0.03
"""Median relative difference of depth above which two labels of one picture contradict each other."""


_THUMB = (48, 36)


_FLAT = 1.0  # grey levels of contrast below which a thumbnail shows nothing


_BLUR = 1.0  # px, of the thumbnail: noise and compression are finer


def check(shots: Sequence[Shot], rng: np.random.Generator) -> list[Finding]:
    """One finding; ``rng`` is not used."""
    if len(shots) < 2:
        return [Finding(CHECK, "cannot tell", "there is but one frame")]
    pairs = _pairs(shots)
    same = sum(shots[a].digest == shots[b].digest for a, b, _ in pairs)
    differing = {(a, b): _difference(shots[a], shots[b]) for a, b, _ in pairs}
    against = [by for by in differing.values() if by > DISAGREE]
    repeated = len({index for a, b, _ in pairs for index in (a, b)})
    numbers: dict[str, float | str] = {
        "frames": len(shots),
        "pairs of the same bytes": same,
        "pairs alike": len(pairs) - same,
        "pairs whose depths differ": len(against),
        "share of frames concerned": repeated / len(shots),
        "nearest correlation": max((alike for _, _, alike in pairs), default=float("nan")),
    }
    if not pairs:
        return [Finding(CHECK, "ok", f"no two of {len(shots)} pictures are the same or nearly so", "", numbers)]
    verdict: Verdict = "fault" if against else "suspect"
    evidence = f"{same} pairs of pictures are the same, {len(pairs) - same} nearly so; {len(against)} with other depths"
    remedy = "keep one line of each" + (", the one with the right labels" if against else "")
    return [Finding(CHECK, verdict, evidence, remedy, numbers, _worst(shots, pairs, differing))]


def _pairs(shots: Sequence[Shot]) -> list[tuple[int, int, float]]:
    """Pairs of frames with alike pictures, the most alike first, and their correlation."""
    thumbs = np.stack([_thumb(shot) for shot in shots])
    alike = thumbs @ thumbs.T
    digests = np.array([shot.digest for shot in shots])
    alike[digests[:, None] == digests[None, :]] = 1.0
    rows, columns = np.nonzero(np.triu(alike > ALIKE, k=1))
    order = np.argsort(-alike[rows, columns], kind="stable")
    return [(int(rows[at]), int(columns[at]), float(alike[rows[at], columns[at]])) for at in order]


def _thumb(shot: Shot) -> NDArray[np.float32]:
    """The picture as a unit vector without its mean; zero where it shows nothing."""
    small = cv2.resize(shot.grey, _THUMB, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), _BLUR)
    small = small - small.mean()
    size = float(np.linalg.norm(small))
    return (small / size if size > _FLAT * np.sqrt(small.size) else np.zeros_like(small)).ravel()


def _difference(one: Shot, two: Shot) -> float:
    """Median relative difference of depth_z where both have labels; NaN where they share none."""
    size = (one.grid.shape[1], one.grid.shape[0])
    other = cv2.resize(two.grid, size, interpolation=cv2.INTER_NEAREST)
    both = np.isfinite(one.grid) & np.isfinite(other)
    return median(np.abs(np.log(one.grid[both] / other[both])))


def _worst(
    shots: Sequence[Shot], pairs: Sequence[tuple[int, int, float]], differing: dict[tuple[int, int], float]
) -> list[Worst]:
    """The second of each pair, those with contradicting depths first."""
    ranked = sorted(pairs, key=lambda pair: -np.nan_to_num(differing[pair[:2]]))
    return [
        Worst(shots[b].line, shots[b].frame.name, _note(shots[a], shots[b], alike, differing[a, b]))
        for a, b, alike in ranked[:WORST_SHOWN]
    ]


def _note(one: Shot, two: Shot, alike: float, by: float) -> str:
    likeness = "the same bytes" if one.digest == two.digest else f"correlation {alike:.4f}"
    depths = f"depths differ by {by:.1%}" if np.isfinite(by) else "no labels in common"
    return f"as line {one.line} ({likeness}), {depths}"
