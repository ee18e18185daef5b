"""Is depth capped: do values pile up at one greatest or least value that many frames share?

Null hypothesis: the greatest value of a frame is where its scene ends, so that two frames share it to the
last digit with a chance of at most ``COINCIDENCE``; thousands of steps lie in the range of maxima of any
sensor, and a wall that two frames see gives two maxima, since they stand at different places. The
test is binomial (``ALPHA``), on frames that share the commonest value and have a pile there: at least ``PILE``
times as many labels at the value as at each value next to it. A head-on wall makes a pile, but in one frame.
Fewer than ``LEAST`` frames cannot tell. Capped labels are wrong labels, whatever their share; a share below
``RARE`` is only suspect, for it may be the range of the sensor.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from toolkit.data.audit.audited_frame import End, Shot
from toolkit.data.audit.finding import WORST_SHOWN, Finding, Worst
from toolkit.data.audit.support.significance import ALPHA, tail

CHECK = "saturation"


LEAST = 5


COINCIDENCE = 0.005


PILE = 3.0


RARE = 0.001


_SIDES = (("greatest", "top"), ("least", "bottom"))


def check(shots: Sequence[Shot], rng: np.random.Generator) -> list[Finding]:
    """One finding for both ends of the range; ``rng`` is not used."""
    if len(shots) < LEAST:
        return [Finding(CHECK, "cannot tell", f"{len(shots)} frames are too few to share a value; {LEAST} are needed")]
    sides = [_side(shots, word, key) for word, key in _SIDES]
    wrong = [finding for finding in sides if finding.verdict != "ok"]
    if wrong:
        return wrong
    return [
        Finding(CHECK, "ok", "; ".join(side.evidence for side in sides), "", {**sides[0].numbers, **sides[1].numbers})
    ]


def _side(shots: Sequence[Shot], word: str, key: str) -> Finding:
    ends: list[End] = [getattr(shot.stored, key) for shot in shots]
    value, sharing = Counter(float(f"{end.value:.6g}") for end in ends).most_common(1)[0]
    having = [(shot, end) for shot, end in zip(shots, ends, strict=True) if float(f"{end.value:.6g}") == value]
    piled = [(shot, end) for shot, end in having if end.pile >= PILE and end.at > 1]
    chance = tail(len(piled) - 1, len(shots) - 1, COINCIDENCE)
    share = sum(end.at for _, end in having) / sum(shot.stored.count for shot in shots)
    metres = value * shots[0].scale
    numbers: dict[str, float | str] = {
        f"{word} value [m]": metres,
        f"frames that share the {word}": sharing,
        f"share of labels at the {word}": share,
        f"chance of the {word}": chance,
    }
    evidence = f"{sharing} of {len(shots)} frames share the {word} depth {metres:.4g} m, {share:.2%} of all labels"
    if len(piled) < 2 or chance >= ALPHA:
        return Finding(CHECK, "ok", evidence, "", numbers)
    worst = [
        Worst(shot.line, shot.frame.name, f"{end.at} of {shot.stored.count} labels are {end.value * shot.scale:.4g} m")
        for shot, end in sorted(piled, key=lambda pair: -pair[1].at / pair[0].stored.count)[:WORST_SHOWN]
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
