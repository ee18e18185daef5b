"""Lines of manifests."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.fuzz_parts.case import Case, Kind
from benchmarks.fuzz_parts.kinds.sound import write_recipe
from benchmarks.fuzz_parts.mutations import dump_json, mutate_bytes, mutate_json, mutate_text, repeatedly
from benchmarks.fuzz_parts.nonsense import numbers_in

_FILE = "manifest.jsonl"
_COMMANDS = (
    ("data", "validate", _FILE),
    ("data", "validate", _FILE),
    ("data", "stats", _FILE, "--json"),
    ("data", "stats", _FILE),
    ("data", "split", _FILE, "--output", "parts", "--share", "0.5"),
    ("data", "audit", _FILE, "--frames", "2", "--json"),
    ("data", "mix", "recipe.yaml", "--count", "2", "--json"),
    ("data", "preview", "recipe.yaml", "--count", "1"),
    ("eval", "-", "recipe.yaml", "--predictor", "constant", "--json", "--output", "out"),
)

_LARGEST: Mapping[str, float] = {
    "intrinsics": 1e6,
    "distortion": 1e4,
    "pixel_coords": 1e6,
    "depth": 1e5,
    "depth_scale": 1e3,
    "world_from_camera": 1e8,
}
_TEXTS = ("image", "depth_map", "license", "attribution")


def _draw(sound: Path, rng: Random) -> Case:
    lines = (sound / _FILE).read_text().splitlines()
    index = rng.randrange(len(lines))
    if rng.random() < 0.75:
        lines[index] = dump_json(repeatedly(mutate_json, json.loads(lines[index]), rng))
    else:
        lines[index] = repeatedly(mutate_text, lines[index], rng)
    content = ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")
    if rng.random() < 0.1:
        content = mutate_bytes(content, rng)
    return Case(rng.choice(_COMMANDS), {_FILE: content})


def _judge(case: Case, folder: Path) -> str:
    """Say which value of a line cannot be true, of a manifest that was found to be sound."""
    if case.command == "data audit":  # which names faulty lines, and goes on
        return ""
    for line in filter(None, map(str.strip, (folder / _FILE).read_text(encoding="utf-8-sig").split("\n"))):
        for key, value in json.loads(line).items():
            if wrong := _fault(key, value):
                return f"{wrong} is taken for sound"
    return ""


def _fault(key: str, value: Any) -> str:
    """What is wrong with a value of a line."""
    if value is None:
        return ""
    if key in _TEXTS and not isinstance(value, str):
        return f"`{key}`: {type(value).__name__}"
    if key == "sequence" and not isinstance(value, str | int):
        return f"`{key}`: {type(value).__name__}"
    for _, number in numbers_in(value) if key in _LARGEST else ():
        if not math.isfinite(number) or abs(number) > _LARGEST[key]:
            return f"`{key}`: {number:g}"
    return ""


KIND = Kind("manifests", write_recipe, _draw, _COMMANDS, _judge)
