"""Reads what is audited of a manifest: a sample of its lines, also of lines that say nothing of their depth type."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.data.audit.audited_frame import Shot, read_shot
from toolkit.data.audit.finding import WORST_SHOWN, Finding, Worst
from toolkit.data.frames.frame import DepthType, Frame
from toolkit.data.manifest.manifest import manifest_lines
from toolkit.data.manifest.parse_line import ManifestLine
from toolkit.errors import UserError
from toolkit.utils.progress import bar

_RUN = 4  # neighbouring lines that are drawn together, so that poses and duplicates can be compared


@dataclass(frozen=True)
class Entry:
    """One line of a manifest, checked, its files not yet read.

    Attributes:
        line: Its number.
        frame: Its Frame; where the line states no depth type, as if it were z.
        declared: What the line says its depth is.
    """

    line: int
    frame: Frame
    declared: DepthType | None


@dataclass(frozen=True)
class Reading:
    """What was read of a manifest.

    Attributes:
        entries: Every sound line.
        shots: The sample of them that was read whole.
        faults: What was wrong with the other lines, by line number.
    """

    entries: Sequence[Entry]
    shots: Sequence[Shot]
    faults: Sequence[tuple[int, UserError]]

    def finding(self) -> Finding:
        """Whether the lines can be read."""
        lines = len({line for line, _ in self.faults})
        total = len(self.entries) + len({line for line, _ in self.faults} - {entry.line for entry in self.entries})
        repeated = len(self.entries) - len({entry.frame.name for entry in self.entries})
        numbers = {
            "lines": total,
            "lines read whole": len(self.shots),
            "faulty lines": lines,
            "lines that repeat a picture": repeated,
        }
        if not self.faults:
            evidence = f"{total} lines are sound, {len(self.shots)} were read whole"
            if not repeated:
                return Finding("lines", "ok", evidence, "", numbers)
            evidence += f"; {repeated} name a picture that another line names"
            return Finding("lines", "suspect", evidence, "join the labels of a picture in one line", numbers)
        worst = [Worst(line, "", _one_line(fault)) for line, fault in self.faults[:WORST_SHOWN]]
        evidence = f"{lines} of {total} lines cannot be used, the first: {_one_line(self.faults[0][1])}"
        return Finding("lines", "fault", evidence, "toolkit data validate lists every fault", numbers, worst)


def read_manifest(path: Path, frames: int, rng: np.random.Generator) -> Reading:
    """Check every line, and read a sample of at most ``frames`` whole, in runs of neighbours.

    Raises:
        UserError: If there is no such manifest, or none of its lines can be used.
    """
    entries, faults = _entries(path)
    shots = []
    chosen = sample_runs(len(entries), frames, rng)
    with bar("reading", len(chosen)) as progress:
        for index in chosen:
            entry = entries[index]
            try:
                shots.append(read_shot(entry.line, entry.frame, entry.declared, rng))
            except UserError as fault:
                faults.append((entry.line, fault))
            progress.advance()
    if not shots:
        first = str(faults[0][1]) if faults else "the manifest is empty"
        raise UserError(f"{path}: no line can be audited", cause=first, remedy="toolkit data validate lists the faults")
    return Reading(entries, shots, faults)


def sample_runs(total: int, wanted: int, rng: np.random.Generator) -> list[int]:
    """At most ``wanted`` of ``total`` indices in order, drawn in runs of ``_RUN`` neighbours."""
    if total <= wanted:
        return list(range(total))
    starts = rng.permutation(np.arange(0, total, _RUN))
    drawn = [index for start in starts for index in range(start, min(start + _RUN, total))]
    return sorted(drawn[:wanted])


def _entries(path: Path) -> tuple[list[Entry], list[tuple[int, UserError]]]:
    entries, faults = [], []
    for number, text in manifest_lines(path):
        line = ManifestLine(f"{path}, line {number}", path.parent, "z")
        frame = line.frame(text, decode=False)
        faults += [(number, fault) for fault in line.faults]
        if frame is not None:
            entries.append(Entry(number, frame, _declared(line.row.get("depth_type"))))
    return entries, faults


def _declared(value: Any) -> DepthType | None:
    return value if value in ("z", "euclidean") else None


def _one_line(fault: UserError) -> str:
    return fault.problem + (f" ({fault.cause})" if fault.cause else "")
