"""Reading PLY files independently of the toolkit."""

from pathlib import Path

import numpy as np

PLY_TYPES = {
    "char": "i1",
    "uchar": "u1",
    "short": "<i2",
    "ushort": "<u2",
    "int": "<i4",
    "float": "<f4",
    "double": "<f8",
}


def read_ply(path: Path) -> tuple[list[str], np.ndarray]:
    """Header lines and vertices of a PLY file, by its specification (Turk 1994)."""
    header, _, body = path.read_bytes().partition(b"end_header\n")
    lines = header.decode("ascii").splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    (element,) = [line.split() for line in lines if line.startswith("element")]
    assert element[1] == "vertex"
    properties = [line.split()[1:] for line in lines if line.startswith("property")]
    kind = np.dtype([(name, PLY_TYPES[type_]) for type_, name in properties])
    assert len(body) == int(element[2]) * kind.itemsize
    return lines, np.frombuffer(body, kind)
