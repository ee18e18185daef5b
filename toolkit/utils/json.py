"""Turning values into what JSON can hold, and into JSON itself."""

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from math import isfinite
from typing import Any

from toolkit.foreign_text import json_escaped


def to_json(value: Any) -> Any:
    """A value as JSON can hold it: dataclasses become objects, NaN and infinity become null."""
    if is_dataclass(value) and not isinstance(value, type):
        return to_json(asdict(value))
    if isinstance(value, Mapping):
        return {key: to_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def dump_json(value: Any, indent: int | None = None) -> str:
    """JSON that keeps accents readable, and escapes all characters that a terminal would obey or hide."""
    return json_escaped(json.dumps(value, indent=indent, ensure_ascii=False))
