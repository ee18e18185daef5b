"""Files that claim to be enormous, written by hand in a few bytes; and things that are no files."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

Write = Callable[[Path], object]


def png(width: int, height: int) -> bytes:
    """A 16-bit grey PNG that states a size, and holds one row of two pixels."""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + _chunk(b"IDAT", zlib.compress(bytes(5))) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tiff(tags: list[tuple[int, int]], order: str = "<", big: bool = False, kind: int = 4) -> bytes:
    """A TIFF whose only directory holds these tags with one number each.

    Args:
        tags: The numbers of the tags, and their values.
        order: The byte order, as ``struct`` names it.
        big: Whether it is a BigTIFF.
        kind: The type of the values; 4 for whole numbers of 32 bits.
    """
    mark = b"II" if order == "<" else b"MM"
    if big:
        head = mark + struct.pack(f"{order}HHHQ", 43, 8, 0, 16) + struct.pack(f"{order}Q", len(tags))
        return head + b"".join(struct.pack(f"{order}HHQII", tag, kind, 1, value, 0) for tag, value in tags) + bytes(8)
    head = mark + struct.pack(f"{order}HI", 42, 8) + struct.pack(f"{order}H", len(tags))
    return head + b"".join(struct.pack(f"{order}HHII", tag, kind, 1, value) for tag, value in tags) + bytes(4)


def exr(width: int, height: int) -> bytes:
    """The header of an OpenEXR file of this size."""
    window = b"dataWindow\0box2i\0" + struct.pack("<i4i", 16, 0, 0, width - 1, height - 1)
    return b"v/1\x01\x02\0\0\0" + b"compression\0compression\0" + struct.pack("<iB", 1, 0) + window + b"\0"


def npy(header: str, version: int = 1, body: bytes = bytes(96)) -> bytes:
    """A .npy file with any header."""
    text = header.encode()
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text + body


def npy_header(shape: str, dtype: str = "'<f8'", fortran: bool = False) -> str:
    """The text of a header that states a shape and a type."""
    return f"{{'descr': {dtype}, 'fortran_order': {fortran}, 'shape': {shape}, }}"


def array_bytes(array: np.ndarray) -> bytes:
    """The content of a .npy file that holds an array."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npz(path: Path, members: dict[str, bytes], stated: int | None = None) -> None:
    """Write an archive; ``stated`` is the size of the last member [bytes] that it claims, in place of the true one."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    if stated is not None:
        content = bytearray(path.read_bytes())
        struct.pack_into("<I", content, content.rindex(b"PK\x01\x02") + 24, stated)
        path.write_bytes(content)


NO_FILES: dict[str, Write] = {
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
}
"""Writers of what is no regular file, by the name that messages give it."""
