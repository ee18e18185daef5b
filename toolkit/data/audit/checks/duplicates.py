"""Are pictures given more than once, unchanged or nearly so, and do their labels agree?

The null hypothesis is that two lines show different moments. Files with the same bytes reject it at once. To find
pictures that are nearly the same, the check compares thumbnails without their brightness and contrast: two frames of a
moving camera correlate below ``ALIKE``, while a picture that was compressed, resized or exposed differently stays above
it (measured on real walks: the two most similar of 44 frames of one walk correlate by 0.86). Every pair of the sample
is compared. A picture that is given twice counts twice in training, so one such pair is enough for the verdict
suspect. If the depths of the two also differ, one of them is wrong, and the verdict is fault.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.data.audit.audited_frame import AuditedFrame
from toolkit.data.audit.finding import WORST_SHOWN, Finding, Verdict, WorstFrame
from toolkit.data.audit.support.significance import median_or_nan

CHECK = "duplicates"
ALIKE = 0.99
"""Two pictures whose thumbnails correlate by more than this are nearly the same."""

DISAGREE = 0.03
"""The median relative difference of depth above which the labels of two such pictures contradict each other."""

_THUMB = (48, 36)  # width and height of a thumbnail [px]
_FLAT = 1.0  # grey levels; a thumbnail with less contrast shows nothing
_BLUR = 1.0  # px of the thumbnail; noise and traces of compression are finer than this


def check(frames: Sequence[AuditedFrame], rng: np.random.Generator) -> list[Finding]:
    """Find pictures that are given more than once; one finding. ``rng`` is not used."""
    if len(frames) < 2:
        return [Finding(CHECK, "cannot tell", "there is only one frame")]
    pairs = _pairs(frames)
    same = sum(frames[a].digest == frames[b].digest for a, b, _ in pairs)
    differing = {(a, b): _difference(frames[a], frames[b]) for a, b, _ in pairs}
    against = [by for by in differing.values() if by > DISAGREE]
    repeated = len({index for a, b, _ in pairs for index in (a, b)})
    numbers: dict[str, float | str] = {
        "frames": len(frames),
        "pairs of the same bytes": same,
        "pairs alike": len(pairs) - same,
        "pairs whose depths differ": len(against),
        "share of frames concerned": repeated / len(frames),
        "nearest correlation": max((alike for _, _, alike in pairs), default=float("nan")),
    }
    if not pairs:
        return [Finding(CHECK, "ok", f"no two of {len(frames)} pictures are the same or nearly so", "", numbers)]
    verdict: Verdict = "fault" if against else "suspect"
    evidence = f"{same} pairs of pictures are the same, {len(pairs) - same} nearly so; {len(against)} differ in depth"
    remedy = "keep one line of each" + (", the one with the right labels" if against else "")
    return [Finding(CHECK, verdict, evidence, remedy, numbers, _worst(frames, pairs, differing))]


def _pairs(frames: Sequence[AuditedFrame]) -> list[tuple[int, int, float]]:
    """The indices of pairs of frames with nearly the same picture and their correlation, the most similar first."""
    thumbs = np.stack([_thumb(frame) for frame in frames])
    alike = thumbs @ thumbs.T
    digests = np.array([frame.digest for frame in frames])
    alike[digests[:, None] == digests[None, :]] = 1.0
    rows, columns = np.nonzero(np.triu(alike > ALIKE, k=1))
    order = np.argsort(-alike[rows, columns], kind="stable")
    return [(int(rows[at]), int(columns[at]), float(alike[rows[at], columns[at]])) for at in order]


def _thumb(frame: AuditedFrame) -> NDArray[np.float32]:
    """The thumbnail as a unit vector (N,) without its mean; zeros if it shows nothing."""
    small = cv2.resize(frame.grey, _THUMB, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), _BLUR)
    small = small - small.mean()
    size = float(np.linalg.norm(small))
    return (small / size if size > _FLAT * np.sqrt(small.size) else np.zeros_like(small)).ravel()


def _difference(one: AuditedFrame, two: AuditedFrame) -> float:
    """The median relative difference of z-depth where both frames have labels; NaN if they have none in common."""
    size = (one.grid.shape[1], one.grid.shape[0])
    other = cv2.resize(two.grid, size, interpolation=cv2.INTER_NEAREST)
    both = np.isfinite(one.grid) & np.isfinite(other)
    return median_or_nan(np.abs(np.log(one.grid[both] / other[both])))


def _worst(
    frames: Sequence[AuditedFrame], pairs: Sequence[tuple[int, int, float]], differing: dict[tuple[int, int], float]
) -> list[WorstFrame]:
    """The second frame of each pair, those with contradicting depths first."""
    ranked = sorted(pairs, key=lambda pair: -np.nan_to_num(differing[pair[:2]]))
    return [
        WorstFrame(frames[b].line, frames[b].name, _note(frames[a], frames[b], alike, differing[a, b]))
        for a, b, alike in ranked[:WORST_SHOWN]
    ]


def _note(one: AuditedFrame, two: AuditedFrame, alike: float, by: float) -> str:
    likeness = "the same bytes" if one.digest == two.digest else f"correlation {alike:.4f}"
    depths = f"depths differ by {by:.1%}" if np.isfinite(by) else "no labels in common"
    return f"the same as line {one.line} ({likeness}), {depths}"
