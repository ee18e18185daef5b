"""Is depth capped, so that values pile up at one greatest or least value that many frames share?

The null hypothesis is that the greatest value of a frame is where its scene ends. Two frames then share it to the last
digit with a chance of at most ``COINCIDENCE``: the maxima of any sensor spread over thousands of steps, and a wall that
two frames see gives two different maxima, since the cameras stand at different places. The test is binomial, below
``ALPHA``. It counts the frames that share the most common value and have a pile there, which is at least ``PILE`` times
as many labels at the value as at each value next to it. A wall that is seen head-on also makes a pile, but in one frame
only. Fewer than ``LEAST`` frames tell nothing. Capped labels are wrong labels, whatever their share, but a share below
``RARE`` is only suspect, for the value may be the limit of the sensor.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from toolkit.data.audit.audited_frame import AuditedFrame, RangeEnd, StoredValues
from toolkit.data.audit.finding import WORST_SHOWN, Finding
from toolkit.data.audit.support.significance import ALPHA, tail

CHECK = "saturation"
LEAST = 5
"""The number of frames that are needed."""

COINCIDENCE = 0.005
"""The chance that two frames share their greatest value, if nothing caps it."""

PILE = 3.0
"""How many times as many labels a pile must have as each value next to it."""

RARE = 0.001
"""The share of capped labels below which the verdict is only suspect."""

_END_OF: Mapping[str, Callable[[StoredValues], RangeEnd]] = {
    "greatest": lambda stored: stored.top,
    "least": lambda stored: stored.bottom,
}
"""The ends of a frame's range, by the word that the report has for them."""


def check(frames: Sequence[AuditedFrame], rng: np.random.Generator) -> list[Finding]:
    """Find a value at which depth is capped; one finding, or one for each end that is capped. ``rng`` is not used."""
    if len(frames) < LEAST:
        return [Finding(CHECK, "cannot tell", f"{len(frames)} frames are too few to share a value; {LEAST} are needed")]
    sides = [_judge_end(frames, word) for word in _END_OF]
    wrong = [finding for finding in sides if finding.verdict != "ok"]
    if wrong:
        return wrong
    return [
        Finding(CHECK, "ok", "; ".join(side.evidence for side in sides), "", {**sides[0].numbers, **sides[1].numbers})
    ]


def _judge_end(frames: Sequence[AuditedFrame], word: str) -> Finding:
    """The finding about the greatest or the least value.

    Args:
        frames: The frames.
        word: "greatest" or "least".
    """
    ends = [_END_OF[word](frame.stored) for frame in frames]
    value, sharing = Counter(float(f"{end.value:.6g}") for end in ends).most_common(1)[0]
    having = [(frame, end) for frame, end in zip(frames, ends, strict=True) if float(f"{end.value:.6g}") == value]
    piled = [(frame, end) for frame, end in having if end.pile >= PILE and end.at > 1]
    chance = tail(len(piled) - 1, len(frames) - 1, COINCIDENCE)
    share = sum(end.at for _, end in having) / sum(frame.stored.count for frame in frames)
    metres = value * frames[0].scale
    numbers: dict[str, float | str] = {
        f"{word} value [m]": metres,
        f"frames that share the {word}": sharing,
        f"share of labels at the {word}": share,
        f"chance of the {word}": chance,
    }
    evidence = f"{sharing} of {len(frames)} frames share the {word} depth {metres:.4g} m, {share:.2%} of all labels"
    if len(piled) < 2 or chance >= ALPHA:
        return Finding(CHECK, "ok", evidence, "", numbers)
    worst = [
        frame.worst(f"{end.at} of {frame.stored.count} labels are {end.value * frame.scale:.4g} m")
        for frame, end in sorted(piled, key=lambda pair: -pair[1].at / pair[0].stored.count)[:WORST_SHOWN]
    ]
    mean = np.mean([end.pile for _, end in piled])
    return Finding(
        CHECK,
        "fault" if share >= RARE else "suspect",
        f"{evidence}; {mean:.0f} times as many as at each value beside it",
        f"mark depths of {metres:.4g} m as invalid (0 in a depth map; left out of a list)",
        numbers,
        worst,
    )
