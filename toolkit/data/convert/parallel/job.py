"""One call of ``toolkit data convert``, and its outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.data.convert.base_format import ConvertOptions
from toolkit.errors import UserError


@dataclass(frozen=True)
class ConvertJob:
    """One call of ``toolkit data convert``.

    Attributes:
        format: The name of the format.
        source: The folder that holds the data set as downloaded.
        dest: The folder for the manifest.
        options: The choices that the output depends on.
        workers: The number of worker processes.
        limit: The number of pictures to convert, from the beginning of the listing; None for all.
        shard: (i, n) with 1 <= i <= n: convert the i-th of n shares, which are merged later; None for everything.
        skip_bad: Whether to write the manifest although some pictures are faulty, without these.
        force: Whether files of another origin in ``dest`` may be written over.
    """

    format: str
    source: Path
    dest: Path
    options: ConvertOptions = field(default_factory=ConvertOptions)
    workers: int = 1
    limit: int | None = None
    shard: tuple[int, int] | None = None
    skip_bad: bool = False
    force: bool = False


@dataclass(frozen=True)
class ConvertOutcome:
    """What a conversion has made.

    Attributes:
        manifest: The path of the manifest, or None where other shards are still to come.
        pictures: The number of pictures that were converted.
        skipped: The number of sound pictures that were left out, by reason.
        faults: One error for each part that could not be converted.
        fresh: Whether anything was done; False where DEST was complete already.
    """

    manifest: Path | None
    pictures: int
    skipped: Mapping[str, int]
    faults: Sequence[UserError]
    fresh: bool = True


def parse_shard(text: str) -> tuple[int, int]:
    """The pair (i, n) that the text "i/n" means.

    Raises:
        UserError: If the text has another form, or i is not from 1 to n.
    """
    first, _, second = text.partition("/")
    if first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second):
        return int(first), int(second)
    raise UserError(f"--shard {text} is not i/n with i from 1 to n", remedy="write --shard 1/8 to --shard 8/8")
