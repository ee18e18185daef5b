"""From finished chunks to a manifest: whole, or not at all."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.data.convert.parallel.chunks import Plan, load_plan, parts, remove_parts
from toolkit.data.convert.parallel.job import Outcome
from toolkit.errors import UserError, UserErrors
from toolkit.utils.files import locked, write_lines, write_text

MANIFEST, RECORD, FAULTS = "manifest.jsonl", "conversion.json", "faults.txt"


def merge(dest: Path, skip_bad: bool = False) -> Outcome:
    """Join the shards in DEST.

    Raises:
        UserError: If a shard is not finished.
        UserErrors: If parts of the set are missing or damaged, and ``skip_bad`` is not set.
    """
    dest = dest.absolute()
    plan = load_plan(dest)
    missing = plan.missing(dest)
    if missing:
        shards = sorted({number % plan.shards + 1 for number in missing})
        raise UserError(
            f"{dest}: {len(missing)} of {len(plan.chunks)} chunks have not been converted",
            cause=f"unfinished shards, of {plan.shards}: {', '.join(map(str, shards))}",
            remedy="run these again with the same command; what is done is not done again",
        )
    with locked(dest):
        return join(dest, plan, skip_bad)


def join(dest: Path, plan: Plan, skip_bad: bool) -> Outcome:
    """Write the manifest of a plan whose chunks are all done, and forget the chunks where none has faults.

    Raises:
        UserErrors: If there are faults and ``skip_bad`` is not set, or there is no picture.
    """
    outcome = counted(dest, plan.chunks, plan.faults)
    if outcome.faults and not skip_bad:
        raise unfinished(dest, outcome)
    if not outcome.pictures:
        reasons = [UserError(f"{count} pictures: {reason}") for reason, count in outcome.skipped.items()]
        raise UserErrors(f"{dest}: no picture could be converted", [*outcome.faults, *reasons])
    write_lines(dest / MANIFEST, (line for part in parts(dest, plan.chunks) for line in part.lines))
    _record(dest, plan, outcome)
    if not outcome.faults:
        remove_parts(dest)
    return replace(outcome, manifest=dest / MANIFEST)


def counted(dest: Path, chunks: Sequence[str], faults: Sequence[UserError]) -> Outcome:
    """What chunks have come to, and ``faults`` besides."""
    pictures, found, skipped = 0, list(faults), Counter[str]()
    for part in parts(dest, chunks):
        pictures += len(part.lines)
        found += part.faults
        skipped.update(part.skipped)
    return Outcome(None, pictures, dict(skipped), found)


def unfinished(dest: Path, outcome: Outcome) -> UserErrors:
    """The error that lists the faults, after they are all written to a file."""
    _write_faults(dest, outcome.faults)
    return UserErrors(
        f"{dest}: no manifest was written; {outcome.pictures} pictures are converted and kept, all faults are in "
        f"{FAULTS}: mend them and run this again, or leave them out with --skip-bad",
        outcome.faults,
    )


def finished(dest: Path, plan: Plan) -> Outcome | None:
    """What DEST holds, if it is this plan's complete result without faults."""
    try:
        record: Mapping[str, Any] = json.loads((dest / RECORD).read_text(encoding="utf-8"))
        same = record["digest"] == plan.digest and record["bytes"] == (dest / MANIFEST).stat().st_size
    except (OSError, ValueError, KeyError):
        return None
    if not same or record["faults"]:
        return None
    return Outcome(dest / MANIFEST, record["pictures"], record["skipped"], (), fresh=False)


def _record(dest: Path, plan: Plan, outcome: Outcome) -> None:
    """What was converted, under which terms, and what was left out."""
    counts = {"pictures": outcome.pictures, "skipped": outcome.skipped, "faults": len(outcome.faults)}
    record = {**plan.about, **counts, "digest": plan.digest, "bytes": (dest / MANIFEST).stat().st_size}
    write_text(dest / RECORD, json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    _write_faults(dest, outcome.faults)


def _write_faults(dest: Path, faults: Sequence[UserError]) -> None:
    if faults:
        write_text(dest / FAULTS, "".join(f"{fault}\n" for fault in faults))
    else:
        (dest / FAULTS).unlink(missing_ok=True)
