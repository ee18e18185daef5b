"""What an audit reports: a verdict, the evidence for it in numbers, the frames that show it worst, and the remedy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from toolkit.utils.json import to_json

Verdict = Literal["ok", "suspect", "fault", "cannot tell"]

VERDICTS: tuple[Verdict, ...] = ("fault", "suspect", "cannot tell", "ok")
"""All verdicts, the worst first."""

WORST_SHOWN = 6
"""How many frames a finding names at most."""


def frames_to_text(count: int) -> str:
    """A number of frames in words: "1 frame", "2 frames"."""
    return f"{count} frame{'s' if count != 1 else ''}"


@dataclass(frozen=True)
class WorstFrame:
    """A frame that shows a fault clearly.

    Attributes:
        line: The number of its line in the manifest.
        frame: The name of the frame.
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
        evidence: The reason for the verdict, in one sentence with numbers.
        remedy: What to write into the manifest, or what to look at; empty where nothing needs to be done.
        numbers: The numbers behind the evidence, by name.
        worst: The frames that show the fault, the worst first.
    """

    check: str
    verdict: Verdict
    evidence: str
    remedy: str = ""
    numbers: Mapping[str, float | str] = field(default_factory=dict)
    worst: Sequence[WorstFrame] = ()

    def to_json(self) -> dict[str, Any]:
        """The finding as an object that JSON can hold; NaN becomes null."""
        values: dict[str, Any] = to_json(self)
        return values
