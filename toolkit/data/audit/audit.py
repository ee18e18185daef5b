"""Audit: faults of labels, found without ground truth; each check gives a verdict, evidence, and a remedy.

A check is a module with ``check(shots, rng)``: it looks at a sample of a manifest's lines and returns findings.
Its docstring states the null hypothesis and the threshold.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from toolkit.data.audit.audit_report import AuditReport
from toolkit.data.audit.audited_frame import Shot
from toolkit.data.audit.checks import depth_scale as scale
from toolkit.data.audit.checks import depth_type, duplicates, intrinsics, pose_scale, poses, saturation, sky
from toolkit.data.audit.checks import edge_alignment as alignment
from toolkit.data.audit.finding import Finding, Verdict, Worst
from toolkit.data.audit.read_frames import Reading, read_manifest
from toolkit.utils.progress import bar

__all__ = ["AuditReport", "Finding", "Verdict", "Worst", "audit"]


Check = Callable[[Sequence[Shot], np.random.Generator], list[Finding]]


CHECKS: dict[str, Check] = {
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
"""The checks by name, in the order of a report; that of the depth type goes before them all."""


def audit(path: Path, frames: int = 200, seed: int = 0, checks: Collection[str] = ()) -> AuditReport:
    """Audit a manifest.

    Args:
        path: The manifest.
        frames: How many lines are read whole, at most.
        seed: Of the sample and of every search.
        checks: Names of the checks to run, "depth type" or of ``CHECKS``; none stands for all.

    Raises:
        UserError: If no line of it can be used.
    """
    reading = read_manifest(path, frames, np.random.default_rng(seed))
    findings = _findings(reading, checks or (depth_type.CHECK, *CHECKS), seed)
    return AuditReport(path, tuple(findings), {shot.line: shot for shot in reading.shots})


def _findings(reading: Reading, names: Collection[str], seed: int) -> list[Finding]:
    shots, findings = reading.shots, [reading.finding()]
    wanted = [check for name, check in CHECKS.items() if name in names]
    with bar("auditing", 1 + len(wanted)) as progress:
        if depth_type.CHECK in names:
            typed = depth_type.check(shots, np.random.default_rng(seed))
            shots = _read_as_found(shots, typed)
            findings += typed
        progress.advance()
        for check in wanted:
            findings += check(shots, np.random.default_rng(seed))
            progress.advance()
    return findings


def _read_as_found(shots: Sequence[Shot], typed: Sequence[Finding]) -> list[Shot]:
    """Shots with depth read as the planes say, so that one fault does not show up in every check."""
    found = {str(finding.numbers["declared"]): depth_type.found_reading(finding) for finding in typed}
    return [replace(shot, reading=found[shot.declared or "not stated"] or shot.reading) for shot in shots]
