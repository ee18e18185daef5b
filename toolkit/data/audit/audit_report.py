"""What an audit prints and writes: a table, JSON, and a contact sheet of the worst frames."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.table import Table

from toolkit.data.audit.audited_frame import Shot
from toolkit.data.audit.finding import VERDICTS, Finding, Worst
from toolkit.utils.arrays import Pixels
from toolkit.utils.contact_sheet import Cell, save_sheet

SCHEMA = "toolkit.data.audit.audit/1"
"""Version of the JSON; a change that breaks readers raises the number."""


_STYLE = {"fault": "bold red", "suspect": "yellow", "cannot tell": "dim", "ok": "green"}


_PER_FINDING = 4  # frames of one finding on the sheet


_PANEL = 480  # width of a picture on which labels are drawn [px]


_DOT = 3  # radius of a label's dot [px]


_FAINT = 0.45  # how much of the picture shines through a depth map


@dataclass(frozen=True)
class AuditReport:
    """The findings of an audit.

    Attributes:
        path: The manifest.
        findings: One or more a check.
        shots: The frames that were looked at, by line, for the sheet.
    """

    path: Path
    findings: tuple[Finding, ...]
    shots: Mapping[int, Shot]

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        counts = {verdict: sum(each.verdict == verdict for each in self.findings) for verdict in VERDICTS}
        return {
            "schema": SCHEMA,
            "manifest": str(self.path),
            "verdicts": counts,
            "findings": [finding.to_json() for finding in self.findings],
        }

    def table(self) -> Table:
        """The findings, one a row, worst first."""
        table = Table("check", "verdict", "evidence", "what to do", title=str(self.path), show_lines=True)
        for finding in sorted(self.findings, key=lambda each: VERDICTS.index(each.verdict)):
            style = _STYLE[finding.verdict]
            table.add_row(finding.check, f"[{style}]{finding.verdict}[/]", _plain(finding.evidence), _what(finding))
        return table

    def cells(self) -> list[Cell]:
        """The worst frames, with their labels drawn over the picture."""
        cells = []
        for finding in sorted(self.findings, key=lambda each: VERDICTS.index(each.verdict)):
            if finding.verdict in ("fault", "suspect"):
                seen = [worst for worst in finding.worst if worst.line in self.shots]
                cells += [self._cell(finding, worst) for worst in seen[:_PER_FINDING]]
        return cells

    def save_sheet(self, path: Path) -> bool:
        """Write the contact sheet as PNG; False where there is nothing to show."""
        cells = self.cells()
        if cells:
            save_sheet(cells, path, columns=2, width=_PANEL * 2)
        return bool(cells)

    def _cell(self, finding: Finding, worst: Worst) -> Cell:
        shot = self.shots[worst.line]
        title = f"{finding.check}: {finding.verdict}. Line {worst.line}, {Path(worst.frame).name}"
        return Cell(title, (shot.picture, draw_labels(shot)), "", "", worst.note)


def draw_labels(shot: Shot) -> Pixels:
    """The picture (h, w, 3) with its depth over it: near is red, far is blue."""
    scale = _PANEL / shot.picture.shape[1]
    canvas = cv2.resize(shot.picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    low, high = np.nanpercentile(np.log(shot.depth), (2, 98))
    share = (high - np.log(shot.depth)) / max(high - low, 1e-9)
    levels = np.clip(np.rint(share * 255), 0, 255).astype(np.uint8)
    colours = cv2.applyColorMap(levels[:, None], cv2.COLORMAP_TURBO)[:, 0, ::-1]
    if shot.dense:
        layer, known = np.zeros_like(shot.picture), np.zeros(shot.picture.shape[:2], dtype=np.uint8)
        layer[shot.cells[:, 1], shot.cells[:, 0]] = colours
        known[shot.cells[:, 1], shot.cells[:, 0]] = 1
        size = canvas.shape[1::-1]
        large, mask = (cv2.resize(each, size, interpolation=cv2.INTER_NEAREST) for each in (layer, known))
        mixed = _FAINT * canvas + (1 - _FAINT) * large
        return np.where(mask[..., None] > 0, mixed, canvas).astype(np.uint8)
    canvas = np.ascontiguousarray(canvas)
    radius = _DOT if len(shot.cells) < 1000 else 1
    for (u, v), colour in zip(np.rint((shot.cells + 0.5) * scale - 0.5).astype(int), colours, strict=True):
        cv2.circle(canvas, (int(u), int(v)), radius, colour.tolist(), -1, cv2.LINE_AA)
    return np.asarray(canvas, dtype=np.uint8)


def _what(finding: Finding) -> str:
    lines: Sequence[str] = sorted({str(worst.line) for worst in finding.worst}, key=int)
    named = f" (lines {', '.join(lines)})" if lines and finding.verdict in ("fault", "suspect") else ""
    return _plain(finding.remedy + named)


def _plain(text: str) -> str:
    """Without rich's markup: a file's name may hold brackets."""
    return text.replace("[", "\\[")
