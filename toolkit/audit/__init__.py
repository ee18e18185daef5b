"""Audit: faults of labels, found without ground truth; each check gives a verdict, evidence, and a remedy.

A check is a module with ``check(shots, rng)``: it looks at a sample of a manifest's lines and returns findings.
Its docstring states the null hypothesis and the threshold.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from toolkit.audit import (
    alignment,
    depth_type,
    duplicates,
    intrinsics,
    mirrors,
    pose_scale,
    poses,
    saturation,
    scale,
    sky,
)
from toolkit.audit.finding import Finding, Verdict, Worst
from toolkit.audit.read import Reading, read_manifest
from toolkit.audit.report import AuditReport
from toolkit.audit.shot import Shot
from toolkit.progress import bar

__all__ = ["AuditReport", "Finding", "Verdict", "Worst", "audit", "audit_reading"]

Check = Callable[[Sequence[Shot], np.random.Generator], list[Finding]]

CHECKS: tuple[Check, ...] = (
    scale.check,
    pose_scale.check,
    saturation.check,
    intrinsics.check,
    poses.check,
    alignment.check,
    duplicates.check,
    sky.check,
    mirrors.check,
)


def audit(path: Path, frames: int = 200, seed: int = 0) -> AuditReport:
    """Audit a manifest.

    Args:
        path: The manifest.
        frames: How many lines are read whole, at most.
        seed: Of the sample and of every search.

    Raises:
        UserError: If no line of it can be used.
    """
    reading = read_manifest(path, frames, np.random.default_rng(seed))
    return AuditReport(path, tuple(audit_reading(reading, seed)), {shot.line: shot for shot in reading.shots})


def audit_reading(reading: Reading, seed: int = 0) -> list[Finding]:
    """The findings of every check."""
    typed = depth_type.check(reading.shots, np.random.default_rng(seed))
    shots = _read_as_found(reading.shots, typed)
    findings = [reading.finding(), *typed]
    with bar("auditing", len(CHECKS)) as progress:
        for check in CHECKS:
            findings += check(shots, np.random.default_rng(seed))
            progress.advance()
    return findings


def _read_as_found(shots: Sequence[Shot], typed: Sequence[Finding]) -> list[Shot]:
    """Shots with depth read as the planes say, so that one fault does not show up in every check."""
    found = {str(finding.numbers["declared"]): depth_type.found_reading(finding) for finding in typed}
    return [replace(shot, reading=found[shot.declared or "not stated"] or shot.reading) for shot in shots]
