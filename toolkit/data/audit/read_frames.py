"""Reads what is audited of a manifest: a sample of its lines, including lines that do not state their depth type."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.data.audit.audited_frame import AuditedFrame, read_audited_frame
from toolkit.data.audit.finding import WORST_SHOWN, Finding, WorstFrame
from toolkit.data.frames.frame import DepthType, Frame
from toolkit.data.manifest.manifest import manifest_lines
from toolkit.data.manifest.parse_line import ManifestLine
from toolkit.errors import UserError
from toolkit.utils.progress import bar

_RUN = 4  # neighbouring lines that are drawn together, so that poses and duplicates can be compared


@dataclass(frozen=True)
class CheckedLine:
    """One line of a manifest that was checked, while its files are not yet read.

    Attributes:
        number: The number of the line.
        frame: The Frame of the line; where the line states no depth type, its depth is taken for z-depth.
        declared: The depth type that the line states, or None.
    """

    number: int
    frame: Frame
    declared: DepthType | None


@dataclass(frozen=True)
class AuditSample:
    """What was read of a manifest.

    Attributes:
        lines: Every line that can be used.
        frames: The sample of these lines whose picture and labels were read.
        faults: What is wrong with the other lines, each with the number of its line.
    """

    lines: Sequence[CheckedLine]
    frames: Sequence[AuditedFrame]
    faults: Sequence[tuple[int, UserError]]

    def finding(self) -> Finding:
        """The finding about whether the lines can be read."""
        faulty = {number for number, _ in self.faults}
        total = len(self.lines) + len(faulty - {line.number for line in self.lines})
        repeated = len(self.lines) - len({line.frame.name for line in self.lines})
        numbers = {
            "lines": total,
            "lines read whole": len(self.frames),
            "faulty lines": len(faulty),
            "lines that repeat a picture": repeated,
        }
        if not self.faults:
            evidence = f"{total} lines are sound, {len(self.frames)} were read whole"
            if not repeated:
                return Finding("lines", "ok", evidence, "", numbers)
            evidence += f"; {repeated} name a picture that another line names"
            return Finding("lines", "suspect", evidence, "join the labels of a picture in one line", numbers)
        worst = [WorstFrame(number, "", _problem_and_cause(fault)) for number, fault in self.faults[:WORST_SHOWN]]
        first = _problem_and_cause(self.faults[0][1])
        evidence = f"{len(faulty)} of {total} lines cannot be used, the first: {first}"
        return Finding("lines", "fault", evidence, "toolkit data validate lists every fault", numbers, worst)


def read_manifest(path: Path, count: int, rng: np.random.Generator) -> AuditSample:
    """Check every line of a manifest, and read the files of a sample of them.

    Args:
        path: The manifest.
        count: The number of lines whose files are read, at most; they are drawn in runs of neighbours.
        rng: Draws the lines, and the labels that are kept of each frame.

    Raises:
        UserError: If there is no such manifest, or none of its lines can be used.
    """
    lines, faults = _check_lines(path)
    frames = []
    chosen = sample_runs(len(lines), count, rng)
    with bar("reading", len(chosen)) as progress:
        for index in chosen:
            line = lines[index]
            try:
                frames.append(read_audited_frame(line.number, line.frame, line.declared, rng))
            except UserError as fault:
                faults.append((line.number, fault))
            progress.advance()
    if not frames:
        first = str(faults[0][1]) if faults else "the manifest is empty"
        raise UserError(f"{path}: no line can be audited", cause=first, remedy="toolkit data validate lists the faults")
    return AuditSample(lines, frames, faults)


def sample_runs(total: int, wanted: int, rng: np.random.Generator) -> list[int]:
    """At most ``wanted`` of ``total`` indices in ascending order, drawn in runs of ``_RUN`` neighbours."""
    if total <= wanted:
        return list(range(total))
    starts = rng.permutation(np.arange(0, total, _RUN))
    drawn = [index for start in starts for index in range(start, min(start + _RUN, total))]
    return sorted(drawn[:wanted])


def _check_lines(path: Path) -> tuple[list[CheckedLine], list[tuple[int, UserError]]]:
    lines, faults = [], []
    for number, text in manifest_lines(path):
        line = ManifestLine(f"{path}, line {number}", path.parent, "z")
        frame = line.frame(text, decode=False)
        faults += [(number, fault) for fault in line.faults]
        if frame is not None:
            lines.append(CheckedLine(number, frame, _declared_type(line.row.get("depth_type"))))
    return lines, faults


def _declared_type(value: Any) -> DepthType | None:
    return value if value in ("z", "euclidean") else None


def _problem_and_cause(fault: UserError) -> str:
    """A fault in one line, without its remedy."""
    return fault.problem + (f" ({fault.cause})" if fault.cause else "")
