"""Merges the results of finished chunks into a manifest, which is written whole or not at all."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.data.convert.parallel.chunks import ChunkPlan, load_plan, load_results, remove_results
from toolkit.data.convert.parallel.job import ConvertOutcome
from toolkit.errors import UserError, UserErrors
from toolkit.utils.files import locked, write_lines, write_text
from toolkit.utils.json import dump_json

MANIFEST, RECORD, FAULTS = "manifest.jsonl", "conversion.json", "faults.txt"


def merge(dest: Path, skip_bad: bool = False) -> ConvertOutcome:
    """Merge the shards in DEST into a manifest.

    Raises:
        UserError: If a shard is not finished.
        UserErrors: If parts of the data set are missing or damaged, and ``skip_bad`` is not set.
    """
    dest = dest.absolute()
    plan = load_plan(dest)
    missing = plan.missing(dest)
    if missing:
        shards = sorted({number % plan.shards + 1 for number in missing})
        raise UserError(
            f"{dest}: {len(missing)} of {len(plan.chunks)} chunks have not been converted",
            cause=f"of {plan.shards} shards, these are not finished: {', '.join(map(str, shards))}",
            remedy="run these again with the same command; what is done is not done again",
        )
    with locked(dest):
        return write_manifest(dest, plan, skip_bad)


def write_manifest(dest: Path, plan: ChunkPlan, skip_bad: bool) -> ConvertOutcome:
    """Write the manifest of a plan whose chunks are all done; remove their results if none has a fault.

    Raises:
        UserErrors: If there are faults and ``skip_bad`` is not set, or no picture was converted.
    """
    outcome = count_outcome(dest, plan.chunks, plan.faults, plan.skipped)
    if outcome.faults and not skip_bad:
        _write_faults(dest, outcome.faults)
        raise UserErrors(
            f"{dest}: no manifest was written; {outcome.pictures} pictures are converted and kept, all faults are in "
            f"{FAULTS}: mend them and run this again, or leave them out with --skip-bad",
            outcome.faults,
        )
    if not outcome.pictures:
        reasons = [UserError(f"{count} pictures: {reason}") for reason, count in outcome.skipped.items()]
        raise UserErrors(f"{dest}: no picture could be converted", [*outcome.faults, *reasons])
    write_lines(dest / MANIFEST, (line for result in load_results(dest, plan.chunks) for line in result.lines))
    _write_record(dest, plan, outcome)
    if not outcome.faults:
        remove_results(dest)
    return replace(outcome, manifest=dest / MANIFEST)


def count_outcome(
    dest: Path, chunks: Sequence[str], faults: Sequence[UserError] = (), passed_over: Mapping[str, int] | None = None
) -> ConvertOutcome:
    """The sum of the results of chunks, with what was found when the data set was listed.

    Args:
        dest: The folder for the manifest.
        chunks: The names of the chunks.
        faults: What was missing or damaged then.
        passed_over: The number of files that were passed over then, by reason.
    """
    pictures, found, skipped = 0, list(faults), Counter(passed_over or {})
    for result in load_results(dest, chunks):
        pictures += len(result.lines)
        found += result.faults
        skipped.update(result.skipped)
    return ConvertOutcome(None, pictures, dict(skipped), found)


def find_finished(dest: Path, plan: ChunkPlan) -> ConvertOutcome | None:
    """The outcome that DEST holds, if it is the complete result of this plan and has no faults; None otherwise."""
    try:
        record: Mapping[str, Any] = json.loads((dest / RECORD).read_text(encoding="utf-8"))
        same = record["digest"] == plan.digest and record["bytes"] == (dest / MANIFEST).stat().st_size
    except (OSError, ValueError, KeyError):
        return None
    if not same or record["faults"]:
        return None
    return ConvertOutcome(dest / MANIFEST, record["pictures"], record["skipped"], (), fresh=False)


def is_conversion(dest: Path) -> bool:
    """Whether DEST holds a conversion, finished or under way, whose manifest nobody has changed since."""
    try:
        load_plan(dest)
        return True
    except UserError:
        pass
    try:
        record: Mapping[str, Any] = json.loads((dest / RECORD).read_text(encoding="utf-8"))
        return "digest" in record and bool(record["bytes"] == (dest / MANIFEST).stat().st_size)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _write_record(dest: Path, plan: ChunkPlan, outcome: ConvertOutcome) -> None:
    """Record what was converted, under which terms, and what was left out."""
    counts = {"pictures": outcome.pictures, "skipped": outcome.skipped, "faults": len(outcome.faults)}
    record = {**plan.about, **counts, "digest": plan.digest, "bytes": (dest / MANIFEST).stat().st_size}
    write_text(dest / RECORD, dump_json(record, indent=2) + "\n")
    _write_faults(dest, outcome.faults)


def _write_faults(dest: Path, faults: Sequence[UserError]) -> None:
    if faults:
        write_text(dest / FAULTS, "".join(f"{fault}\n" for fault in faults))
    else:
        (dest / FAULTS).unlink(missing_ok=True)
