"""Depth maps, as PNG, TIFF and NumPy files."""

import re
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from benchmarks.fuzz_parts.case import Case, Kind
from benchmarks.fuzz_parts.kinds.pictures import mutate_png
from benchmarks.fuzz_parts.kinds.sound import slope, write_recipe
from benchmarks.fuzz_parts.mutations import mutate_bytes, repeatedly

_FILES = ("d.png", "float.tif", "float.npy", "half.npy", "whole.npy")
_VERTEX = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])
_FARTHEST = 1e5  # metres

_HEADERS = (
    *("(200000, 200000)", "(36, 48, 1)", "(-36, -48)", "(36,)", "()", "(36L, 48L)", "(0, 48)", "((36, 48))"),
    *("[36, 48]", "(" * 500, "(1" + "0" * 5000 + ", 1)", "{'a': 1}", "None"),
)
_TYPES = ("<f8", ">f8", "|O", "<c16", "<U8", "|b1", "<i8", "|V8", "<M8[s]", "<f99", "[('a', '<f8')]", "<f2", "|S4")
_VALUES = (np.nan, np.inf, -np.inf, 1e300, -1e300, 1e38, -1.0, 0.0, 1e-300, 65535.0)


def _prepare() -> None:
    write_recipe()
    Image.fromarray((slope() * 1000).astype(np.uint16)).save("d.png")
    Image.fromarray(slope().astype(np.float32)).save("float.tif")
    np.save("float.npy", slope())
    np.save("half.npy", slope().astype(np.float16))
    np.save("whole.npy", (slope() * 1000).astype(np.int32))


def _mutate_npy(content: bytes, rng: Random) -> bytes:
    """A .npy file with another header, of the same length where that is possible, or with extreme values."""
    if rng.random() < 0.3:
        size = rng.choice([8, 16, 800])
        at = rng.randrange(128, len(content) - size, 8)
        return content[:at] + np.full(size // 8, rng.choice(_VALUES)).tobytes() + content[at + size :]
    length = int.from_bytes(content[8:10], "little")
    header = content[10 : 10 + length].decode("latin-1")
    if rng.random() < 0.6:
        header = re.sub(r"\([^)]*\)", rng.choice(_HEADERS), header)
    else:
        header = re.sub(r"'[<|>][a-z]\d'", repr(rng.choice(_TYPES)), header)
    encoded = header.rstrip().ljust(length - 1).encode("latin-1") + b"\n"
    return content[:8] + min(len(encoded), 65535).to_bytes(2, "little") + encoded + content[10 + length :]


def _scale(name: str) -> str:
    """The metres per unit of a depth map."""
    return "0.001" if name in ("d.png", "whole.npy") else "1"


def _commands(name: str) -> tuple[tuple[str, ...], ...]:
    cloud = ("cloud", "0.png", "-o", "cloud.ply", "--focal", "40", "--depth-scale", _scale(name), "--depth-type")
    return (
        (*cloud, "z", "--depth", name),
        (*cloud, "euclidean", "--depth", name),
        (*cloud, "z", "--against", name, "--model", "tiny", "--columns", "2", "--levels", "0"),
        ("data", "validate", "manifest.jsonl"),
        ("data", "stats", "manifest.jsonl", "--json"),
        ("data", "audit", "manifest.jsonl", "--frames", "2", "--json"),
    )


def _draw(sound: Path, rng: Random) -> Case:
    name = rng.choice(_FILES)
    special = {".png": mutate_png, ".npy": _mutate_npy}.get(Path(name).suffix, mutate_bytes)
    change = special if rng.random() < 0.5 else mutate_bytes
    content = repeatedly(change, (sound / name).read_bytes(), rng)
    manifest = (sound / "manifest.jsonl").read_text()
    manifest = manifest.replace("depth.png", name).replace('"depth_scale": 0.001', f'"depth_scale": {_scale(name)}')
    words = rng.choice(_commands(name))
    files = {name: content}
    return Case(words, {**files, "manifest.jsonl": manifest.encode()} if words[0] == "data" else files)


def _judge(case: Case, folder: Path) -> str:
    """Say which point of a written cloud cannot be true."""
    if case.command != "cloud":
        return ""
    _, _, body = (folder / "cloud.ply").read_bytes().partition(b"end_header\n")
    xyz = np.frombuffer(body, _VERTEX)["xyz"]
    if not np.isfinite(xyz).all() or np.abs(xyz).max(initial=0) > _FARTHEST:
        return f"a point of the cloud at {np.abs(xyz).max():g} m"
    return ""


KIND = Kind("depth_files", _prepare, _draw, (*_commands(_FILES[0]), *(_commands(name)[1] for name in _FILES)), _judge)
