"""What a conversion has done so far, on disk in DEST/.parts: a plan, and one file for each chunk of pictures.

The name of a chunk is a digest of everything that its lines depend on. So a restart, more workers or another machine
find what is done already, and an outdated result is never used.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.data.convert.base_format import DatasetItem
from toolkit.errors import UserError
from toolkit.utils.files import write_text
from toolkit.utils.json import dump_json

_FOLDER = ".parts"
_PLAN = "plan.json"


@dataclass(frozen=True)
class ChunkResult:
    """The result of converting one chunk.

    Attributes:
        lines: The manifest lines of its pictures, in order.
        faults: One error for each picture that could not be converted.
        skipped: The number of sound pictures that were left out, by reason.
    """

    lines: Sequence[str]
    faults: Sequence[UserError]
    skipped: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """The result as JSON can hold it."""
        return {"lines": self.lines, "faults": _faults_to_json(self.faults), "skipped": dict(self.skipped)}

    def save(self, dest: Path, key: str) -> None:
        """Write the result of the chunk of that name, whole or not at all."""
        write_text(_result_path(dest, key), dump_json(self.to_json()))


@dataclass(frozen=True)
class ChunkPlan:
    """A whole conversion, the same in all its shards.

    Attributes:
        about: What ``conversion.json`` will say: format, title, licence, options and the like.
        chunks: The names of the chunks, in the order of the manifest.
        faults: What was missing or damaged when the data set was listed.
        shards: The number of shards that share the work.
        skipped: The number of files that were passed over when the data set was listed, by reason.
    """

    about: Mapping[str, Any]
    chunks: Sequence[str]
    faults: Sequence[UserError]
    shards: int = 1
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """A digest of everything that the manifest depends on."""
        return _digest(list(self.chunks), _faults_to_json(self.faults), *sorted(self.skipped.items()))

    def to_json(self) -> dict[str, Any]:
        """The plan as JSON can hold it."""
        faults = _faults_to_json(self.faults)
        return {
            "about": self.about,
            "chunks": self.chunks,
            "faults": faults,
            "shards": self.shards,
            "skipped": dict(self.skipped),
        }

    def save(self, dest: Path) -> None:
        """Write the plan, whole or not at all."""
        write_text(dest / _FOLDER / _PLAN, dump_json(self.to_json()))

    def missing(self, dest: Path) -> list[int]:
        """The indices of the chunks that have not been converted yet."""
        return [index for index, key in enumerate(self.chunks) if load_result(dest, key) is None]


def load_plan(dest: Path) -> ChunkPlan:
    """The plan of the conversion that is under way in DEST.

    Raises:
        UserError: If there is none.
    """
    try:
        content = json.loads((dest / _FOLDER / _PLAN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UserError(
            f"{dest}: no conversion is under way here",
            remedy="run the shards first: toolkit data convert FORMAT SOURCE DEST --shard 1/N",
        ) from None
    return ChunkPlan(**{**content, "faults": [UserError(**fault) for fault in content["faults"]]})


def load_result(dest: Path, key: str) -> ChunkResult | None:
    """The result of a chunk; None if it has not been converted."""
    try:
        content = json.loads(_result_path(dest, key).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return ChunkResult(content["lines"], [UserError(**fault) for fault in content["faults"]], content["skipped"])


def load_results(dest: Path, chunks: Sequence[str]) -> Iterator[ChunkResult]:
    """The results of those chunks that have been converted, in order."""
    for key in chunks:
        result = load_result(dest, key)
        if result is not None:
            yield result


def remove_results(dest: Path) -> None:
    """Remove the plan and all results, once their lines are in the manifest."""
    shutil.rmtree(dest / _FOLDER, ignore_errors=True)


def chunk_key(settings: Sequence[Any], items: Sequence[DatasetItem]) -> str:
    """The name of a chunk: a digest of everything that its lines depend on."""
    return _digest(*settings, *items)


def _digest(*values: Any) -> str:
    return hashlib.sha256("\n".join(repr(value) for value in values).encode()).hexdigest()[:20]


def _faults_to_json(faults: Sequence[UserError]) -> list[dict[str, str]]:
    return [{"problem": fault.problem, "cause": fault.cause, "remedy": fault.remedy} for fault in faults]


def _result_path(dest: Path, key: str) -> Path:
    return dest / _FOLDER / key[:2] / f"{key}.json"
