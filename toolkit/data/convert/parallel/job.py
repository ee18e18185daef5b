"""One call of ``toolkit data convert``, and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.data.convert.base_format import Options
from toolkit.errors import UserError


@dataclass(frozen=True)
class Job:
    """One call of ``toolkit data convert``.

    Attributes:
        format: Its name.
        source: The set as downloaded.
        dest: Where the manifest goes.
        options: What the output depends on.
        workers: Processes.
        limit: Pictures, the first of the listing; None for all.
        shard: (i, n), 1 <= i <= n: convert the i-th of n shares, to be merged; None for all of it.
        skip_bad: Whether to write the manifest without what is faulty.
    """

    format: str
    source: Path
    dest: Path
    options: Options = field(default_factory=Options)
    workers: int = 1
    limit: int | None = None
    shard: tuple[int, int] | None = None
    skip_bad: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a conversion has made.

    Attributes:
        manifest: The manifest, or None where other shards are still to come.
        pictures: Pictures converted.
        skipped: Sound pictures left out: how many for each reason.
        faults: What could not be converted.
        fresh: Whether anything was done; False where DEST was complete already.
    """

    manifest: Path | None
    pictures: int
    skipped: Mapping[str, int]
    faults: Sequence[UserError]
    fresh: bool = True


def parse_shard(text: str) -> tuple[int, int]:
    """(i, n) from "i/n".

    Raises:
        UserError: If it is not that.
    """
    first, _, second = text.partition("/")
    if first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second):
        return int(first), int(second)
    raise UserError(f"--shard {text} is not i/n with i from 1 to n", remedy="write --shard 1/8 to --shard 8/8")
