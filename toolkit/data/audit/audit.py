"""The audit: it finds faults of labels without ground truth; each check gives a verdict, evidence, and a remedy.

A check is a module with a function ``check(frames, rng)``, which looks at a sample of a manifest's lines and returns
findings. The module's docstring states the null hypothesis and the threshold.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from toolkit.data.audit.audit_report import AuditReport
from toolkit.data.audit.audited_frame import AuditedFrame
from toolkit.data.audit.checks import depth_scale as scale
from toolkit.data.audit.checks import (
    depth_type,
    duplicates,
    intrinsics,
    inverse_depth,
    pose_scale,
    poses,
    saturation,
    sky,
)
from toolkit.data.audit.checks import edge_alignment as alignment
from toolkit.data.audit.finding import Finding, Verdict, WorstFrame
from toolkit.data.audit.read_frames import AuditSample, read_manifest
from toolkit.utils.progress import bar

__all__ = ["AuditReport", "Finding", "Verdict", "WorstFrame", "audit"]

AuditCheck = Callable[[Sequence[AuditedFrame], np.random.Generator], list[Finding]]
"""Looks at frames and returns findings; the generator draws what the check samples."""

CHECKS: dict[str, AuditCheck] = {
    inverse_depth.CHECK: inverse_depth.check,
    scale.CHECK: scale.check,
    pose_scale.CHECK: pose_scale.check,
    saturation.CHECK: saturation.check,
    intrinsics.RULES: intrinsics.check_rules,
    intrinsics.SURFACES: intrinsics.check_surfaces,
    poses.CHECK: poses.check,
    alignment.CHECK: alignment.check,
    duplicates.CHECK: duplicates.check,
    sky.CHECK: sky.check,
}
"""The checks by name, in the order of a report. The check of the depth type runs before all of these."""

WITHOUT_DEPTH = (intrinsics.RULES, duplicates.CHECK)
"""The checks that do not look at depth. Only these run if inverse depth was found, which misleads all others."""


def audit(path: Path, frames: int = 200, seed: int = 0, checks: Collection[str] = ()) -> AuditReport:
    """Audit a manifest.

    Args:
        path: The manifest.
        frames: The number of lines whose picture and labels are read, at most.
        seed: The seed of the sample and of every search.
        checks: The names of the checks to run: "depth type", or names from ``CHECKS``. Without names, all checks run.

    Returns:
        The findings, and the frames that they are about.

    Raises:
        UserError: If no line of the manifest can be used.
    """
    sample = read_manifest(path, frames, np.random.default_rng(seed))
    findings = _run_checks(sample, checks or (depth_type.CHECK, *CHECKS), seed)
    return AuditReport(path, tuple(findings), {frame.line: frame for frame in sample.frames})


def _run_checks(sample: AuditSample, names: Collection[str], seed: int) -> list[Finding]:
    frames, findings = sample.frames, [sample.finding()]
    with bar("auditing", len(names)) as progress:
        for name in _ordered(names):
            if name not in WITHOUT_DEPTH and any(map(inverse_depth.is_found, findings)):
                continue
            rng = np.random.default_rng(seed)
            if name == depth_type.CHECK:
                typed = depth_type.check(frames, rng)
                frames = _apply_found_types(frames, typed)
                findings += typed
            else:
                findings += CHECKS[name](frames, rng)
            progress.advance()
    return findings


def _ordered(names: Collection[str]) -> list[str]:
    """The checks with these names in the order in which they run: what misleads other checks comes before them."""
    first = (inverse_depth.CHECK, depth_type.CHECK)
    return [name for name in (*first, *(each for each in CHECKS if each not in first)) if name in names]


def _apply_found_types(frames: Sequence[AuditedFrame], typed: Sequence[Finding]) -> list[AuditedFrame]:
    """Frames whose depth has the type that the planes show, so that one fault does not show up in every check."""
    found = depth_type.found_types(typed)
    return [replace(frame, reading=found[frame.declared] or frame.reading) for frame in frames]
