"""Telling what a faulty manifest really is, if it is a whole file of another format; else each line would be blamed."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from toolkit.data.manifest.parse_line import KEYS
from toolkit.errors import UserError
from toolkit.utils.bounded_file import read_bounded
from toolkit.utils.json import parse_json, shown

_LARGEST = 1 << 28  # bytes; larger files are not looked at as a whole

_NAMED = 5  # keys of an unknown object that are named
_COMPARED = 100  # characters of a key that are compared with those of manifests

_MANIFEST = "a manifest has one JSON object a line, with a picture, its camera and its depths: docs/data.md shows it"


@dataclass(frozen=True)
class _OtherFormat:
    """A format that is taken for a manifest.

    Attributes:
        keys: The keys that each of its objects has.
        name: What it is called.
        lacks: What a manifest needs and it does not hold.
    """

    keys: frozenset[str]
    name: str
    lacks: str


_FORMATS = (
    _OtherFormat(frozenset({"images", "annotations"}), "COCO annotations", "cameras and depths in metres"),
    _OtherFormat(frozenset({"images", "categories"}), "COCO annotations", "cameras and depths in metres"),
    _OtherFormat(frozenset({"frames", "camera_angle_x"}), "a transforms.json of NeRF", "depths"),
    _OtherFormat(frozenset({"frames", "fl_x"}), "a transforms.json of Nerfstudio", "depths"),
    _OtherFormat(frozenset({"shapes", "imagePath"}), "labels of LabelMe", "cameras and depths in metres"),
    _OtherFormat(frozenset({"conversations"}), "conversations as LLaVA is tuned on", "cameras and depths"),
    _OtherFormat(frozenset({"messages"}), "chats for fine-tuning", "cameras and depths"),
)


def check_format(path: Path) -> None:
    """Check that a file whose lines are faulty is a manifest at all.

    Raises:
        UserError: If it is of another format, or one JSON value on many lines. It says what the file is.
    """
    try:
        text = read_bounded(path, _LARGEST).decode("utf-8-sig")
    except (UserError, OSError, UnicodeDecodeError):
        return  # the faults of its lines say what is wrong
    lines = text.strip().splitlines()
    whole = _value(text)
    first = _value(lines[0]) if lines else None
    example = whole[0] if isinstance(whole, list) and whole else whole or first
    known = _format_of(example)
    if known:
        raise UserError(
            f"{path}: this is not a manifest: it holds {known.name}",
            f"it does not state {known.lacks} as a manifest does",
            _MANIFEST,
        )
    if isinstance(whole, list):
        raise UserError(f"{path}: this is one JSON list, not a manifest", remedy=f"{_one_a_line(path)}; {_MANIFEST}")
    if isinstance(whole, dict) and len(lines) > 1 and whole.keys() & set(KEYS):
        raise UserError(f"{path}: one JSON object is on {len(lines)} lines here", remedy="write it on one line")
    if isinstance(example, dict) and example and not any(map(_resembles_key, example)):
        named = ", ".join(shown(key, str) for key in list(example)[:_NAMED])
        raise UserError(f"{path}: this is not a manifest", f"it holds objects with the keys {named}", _MANIFEST)


def _resembles_key(key: str) -> bool:
    """Whether a key may be one of a manifest, misspelt or not."""
    return bool(get_close_matches(key[:_COMPARED], KEYS, n=1))


def _value(text: str) -> Any:
    """The value of a JSON text; None if it is none."""
    try:
        return parse_json(text)
    except ValueError:
        return None


def _format_of(example: Any) -> _OtherFormat | None:
    """The format that has such objects; None if none of them has."""
    if not isinstance(example, Mapping):
        return None
    return next((each for each in _FORMATS if each.keys <= example.keys()), None)


def _one_a_line(path: Path) -> str:
    return f"write each of its objects on a line of its own, as by: jq -c '.[]' {path.name} > {path.stem}.jsonl"
