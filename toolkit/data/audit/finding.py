"""What an audit says: a verdict, the evidence for it in numbers, the frames that show it worst, and the remedy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal

Verdict = Literal["ok", "suspect", "fault", "cannot tell"]


VERDICTS: tuple[Verdict, ...] = ("fault", "suspect", "cannot tell", "ok")
"""Worst first."""


WORST_SHOWN = 6
"""Frames that a finding names."""


def counted(frames: int) -> str:
    """Frames in words: 1 frame, 2 frames."""
    return f"{frames} frame{'s' if frames != 1 else ''}"


@dataclass(frozen=True)
class Worst:
    """A frame that shows a fault.

    Attributes:
        line: Its line in the manifest.
        frame: Its name.
        note: What is wrong with it, in numbers.
    """

    line: int
    frame: str
    note: str


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: The name of the check.
        verdict: ok, suspect, fault, or cannot tell.
        evidence: Why, in one sentence with numbers.
        remedy: What to write into the manifest, or to look at; empty where nothing is to be done.
        numbers: The numbers behind the evidence, by name.
        worst: The frames that show it, worst first.
    """

    check: str
    verdict: Verdict
    evidence: str
    remedy: str = ""
    numbers: Mapping[str, float | str] = field(default_factory=dict)
    worst: Sequence[Worst] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "check": self.check,
            "verdict": self.verdict,
            "evidence": self.evidence,
            "remedy": self.remedy,
            "numbers": {name: _json(value) for name, value in self.numbers.items()},
            "worst": [{"line": each.line, "frame": each.frame, "note": each.note} for each in self.worst],
        }


def _json(value: float | str) -> float | str | None:
    """JSON has no NaN."""
    return value if isinstance(value, str) or isfinite(value) else None
