"""The report of an audit: a table, JSON, and a contact sheet of the worst frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from rich.text import Text

from toolkit.data.audit.audited_frame import AuditedFrame
from toolkit.data.audit.finding import VERDICTS, Finding, WorstFrame
from toolkit.foreign_text import one_line
from toolkit.utils.arrays import Pixels
from toolkit.utils.contact_sheet import Cell, save_sheet
from toolkit.utils.overwrite import check_overwrite

SCHEMA = "toolkit.audit/1"
"""Name and version of the JSON; the number goes up with a change that breaks programs which read it."""

_STYLE = {"fault": "bold red", "suspect": "yellow", "cannot tell": "dim", "ok": "green"}
_COMMAND = "data audit"
_PER_FINDING = 4  # how many frames of one finding the sheet shows
_PANEL = 480  # the width of a picture on which labels are drawn [px]
_DOT = 3  # the radius of a label's dot [px]
_FAINT = 0.45  # the share of the picture that shines through a depth map


@dataclass(frozen=True)
class AuditReport:
    """The findings of an audit.

    Attributes:
        path: The manifest.
        findings: The findings, one or more for each check.
        frames: The frames that were looked at, by the number of their line; the contact sheet shows some of them.
    """

    path: Path
    findings: tuple[Finding, ...]
    frames: Mapping[int, AuditedFrame]

    def to_json(self) -> dict[str, Any]:
        """The report as an object that JSON can hold."""
        counts = {verdict: sum(each.verdict == verdict for each in self.findings) for verdict in VERDICTS}
        return {
            "schema": SCHEMA,
            "manifest": str(self.path),
            "verdicts": counts,
            "findings": [finding.to_json() for finding in self.findings],
        }

    def to_table(self) -> Table:
        """The findings as a table with one row for each finding, the worst first."""
        table = Table("check", "verdict", "evidence", "what to do", title=one_line(self.path), show_lines=True)
        for finding in self._worst_first():
            style = _STYLE[finding.verdict]
            table.add_row(
                finding.check,
                Text(finding.verdict, style),
                finding.evidence,
                _remedy_to_text(finding),
            )
        return table

    def cells(self) -> list[Cell]:
        """The cells of the contact sheet: the worst frames, each as a picture without and with its labels."""
        cells = []
        for finding in self._worst_first():
            if finding.verdict in ("fault", "suspect"):
                seen = [worst for worst in finding.worst if worst.line in self.frames]
                cells += [self._cell(finding, worst) for worst in seen[:_PER_FINDING]]
        return cells

    def save_sheet(self, path: Path, force: bool = False) -> bool:
        """Write the contact sheet as PNG, and say whether there was anything to show.

        Args:
            path: The PNG file.
            force: Whether a file of another origin may be written over, other than a picture that was looked at.

        Raises:
            UserError: If it may not be written over.
        """
        cells = self.cells()
        if cells:
            seen = [Path(worst.frame) for finding in self.findings for worst in finding.worst]
            check_overwrite([path], _COMMAND, force, [self.path, *seen])
            save_sheet(cells, path, _COMMAND, columns=2, width=_PANEL * 2)
        return bool(cells)

    def _worst_first(self) -> list[Finding]:
        return sorted(self.findings, key=lambda each: VERDICTS.index(each.verdict))

    def _cell(self, finding: Finding, worst: WorstFrame) -> Cell:
        frame = self.frames[worst.line]
        title = f"{finding.check}: {finding.verdict}. Line {worst.line}, {Path(worst.frame).name}"
        return Cell(title, (frame.picture, draw_labels(frame)), "", "", worst.note)


def draw_labels(frame: AuditedFrame) -> Pixels:
    """The picture (h, w, 3), RGB, with its labels drawn over it: near ones are red, far ones are blue."""
    scale = _PANEL / frame.picture.shape[1]
    canvas = cv2.resize(frame.picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    low, high = np.nanpercentile(np.log(frame.depth), (2, 98))
    share = (high - np.log(frame.depth)) / max(high - low, 1e-9)
    levels = np.clip(np.rint(share * 255), 0, 255).astype(np.uint8)
    colours = cv2.applyColorMap(levels[:, None], cv2.COLORMAP_TURBO)[:, 0, ::-1]
    if frame.dense:
        return _draw_map(canvas, frame, colours)
    canvas = np.ascontiguousarray(canvas)
    radius = _DOT if len(frame.cells) < 1000 else 1
    for (u, v), colour in zip(np.rint((frame.cells + 0.5) * scale - 0.5).astype(int), colours, strict=True):
        cv2.circle(canvas, (int(u), int(v)), radius, colour.tolist(), -1, cv2.LINE_AA)
    return np.asarray(canvas, dtype=np.uint8)


def _draw_map(canvas: NDArray[Any], frame: AuditedFrame, colours: NDArray[Any]) -> Pixels:
    """A depth map, whose labels have these colours (N, 3), half transparent over the enlarged picture."""
    layer, known = np.zeros_like(frame.picture), np.zeros(frame.picture.shape[:2], dtype=np.uint8)
    layer[frame.cells[:, 1], frame.cells[:, 0]] = colours
    known[frame.cells[:, 1], frame.cells[:, 0]] = 1
    size = canvas.shape[1::-1]
    large, mask = (cv2.resize(each, size, interpolation=cv2.INTER_NEAREST) for each in (layer, known))
    mixed = _FAINT * canvas + (1 - _FAINT) * large
    return np.where(mask[..., None] > 0, mixed, canvas).astype(np.uint8)


def _remedy_to_text(finding: Finding) -> str:
    """The remedy of a finding, and the lines that show the fault."""
    lines: Sequence[str] = sorted({str(worst.line) for worst in finding.worst}, key=int)
    named = f" (lines {', '.join(lines)})" if lines and finding.verdict in ("fault", "suspect") else ""
    return finding.remedy + named
