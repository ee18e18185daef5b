"""What a conversion has done so far, on disk in DEST/.parts: a plan, and one file a chunk of pictures.

A chunk's name is a digest of all that its lines depend on, so that a restart, more workers or another machine find
what is done, and nothing stale is ever taken for it.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from toolkit.data.convert.base_format import Item
from toolkit.errors import UserError
from toolkit.utils.files import write_text

_FOLDER = ".parts"


_PLAN = "plan.json"


@dataclass(frozen=True)
class Part:
    """What became of one chunk.

    Attributes:
        lines: Manifest lines of its pictures, in order.
        faults: What could not be converted.
        skipped: Why sound pictures were left out: how many for each reason.
    """

    lines: Sequence[str]
    faults: Sequence[UserError]
    skipped: Mapping[str, int]

    def save(self, dest: Path, key: str) -> None:
        """Write it, whole or not at all."""
        content = {"lines": self.lines, "faults": [fault_to_json(each) for each in self.faults]}
        write_text(_part(dest, key), json.dumps({**content, "skipped": dict(self.skipped)}, ensure_ascii=False))


@dataclass(frozen=True)
class Plan:
    """A whole conversion, the same in all its shards.

    Attributes:
        about: What ``conversion.json`` will say: format, title, licence, options and the like.
        chunks: Names of the chunks, in the manifest's order.
        faults: What was missing when the set was listed.
        shards: How many shards share the work.
    """

    about: Mapping[str, Any]
    chunks: Sequence[str]
    faults: Sequence[UserError]
    shards: int = 1

    @property
    def digest(self) -> str:
        """Of all that the manifest depends on."""
        return digest_of(list(self.chunks), [fault_to_json(each) for each in self.faults])

    def save(self, dest: Path) -> None:
        """Write it, whole or not at all."""
        content = {**asdict(self), "faults": [fault_to_json(each) for each in self.faults]}
        write_text(dest / _FOLDER / _PLAN, json.dumps(content, ensure_ascii=False))

    def missing(self, dest: Path) -> list[int]:
        """Numbers of the chunks that have not been converted yet."""
        return [number for number, key in enumerate(self.chunks) if load_part(dest, key) is None]


def load_plan(dest: Path) -> Plan:
    """The plan of the conversion under way in DEST.

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
    return Plan(**{**content, "faults": [UserError(**fault) for fault in content["faults"]]})


def load_part(dest: Path, key: str) -> Part | None:
    """What became of a chunk; None if it has not been converted."""
    try:
        content = json.loads(_part(dest, key).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Part(content["lines"], [UserError(**fault) for fault in content["faults"]], content["skipped"])


def parts(dest: Path, chunks: Sequence[str]) -> Iterator[Part]:
    """The parts of chunks that have been converted, in order."""
    for key in chunks:
        part = load_part(dest, key)
        if part is not None:
            yield part


def remove_parts(dest: Path) -> None:
    """Forget what has been done; its lines are in the manifest."""
    shutil.rmtree(dest / _FOLDER, ignore_errors=True)


def chunk_key(settings: Sequence[Any], items: Sequence[Item]) -> str:
    """A chunk's name: a digest of what its lines depend on."""
    return digest_of(*settings, *items)


def digest_of(*values: Any) -> str:
    """A short digest of plain values."""
    return hashlib.sha256("\n".join(repr(value) for value in values).encode()).hexdigest()[:20]


def fault_to_json(fault: UserError) -> dict[str, str]:
    """A fault as plain values."""
    return {"problem": fault.problem, "cause": fault.cause, "remedy": fault.remedy}


def _part(dest: Path, key: str) -> Path:
    return dest / _FOLDER / key[:2] / f"{key}.json"
