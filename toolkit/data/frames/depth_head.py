"""Reads the size of depth maps from their first bytes, so that a small file that states an enormous size does no harm.

Formats: PNG, ISO/IEC 15948, section 11.2.2; TIFF 6.0, section 2, and BigTIFF (Adobe and libtiff, "The BigTIFF File
Format"); OpenEXR, "OpenEXR File Layout"; Netpbm, "pgm"; PFM (Debevec, "PFM Portable FloatMap Image Format"). Pillow
knows the size of all others.
"""

import io
import re
import struct
from collections.abc import Iterator

from PIL import Image

from toolkit.data.frames.image_file import DAMAGED, without_guard
from toolkit.utils.bounded_file import MOST_PIXELS

EXR = b"v/1\x01"
"""The first bytes of an OpenEXR file."""

_PNG = b"\x89PNG\r\n\x1a\n"
_TIFFS = {b"II*\0": ("<", 4), b"MM\0*": (">", 4), b"II+\0": ("<", 8), b"MM\0+": (">", 8)}
"""The byte order of a TIFF, and how many bytes an offset in it has, by its first bytes."""

_NETPBM = re.compile(rb"P[1-6fF](?:\s|#[^\n]*\n)+(\d{1,10})(?:\s|#[^\n]*\n)+(\d{1,10})\s")
_HEAD = 65_536  # bytes in which the size in a Netpbm or OpenEXR file lies
_WIDTH, _HEIGHT, _CHANNELS, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 277, 322, 323  # tags (TIFF 6.0, sections 8 and 15)
_TAGS = frozenset({_WIDTH, _HEIGHT, _CHANNELS, _TILE_WIDTH, _TILE_HEIGHT})
_INTEGERS = {3: "H", 4: "I"}  # the types that these tags have, as ``struct`` names them (TIFF 6.0, section 8)
_MOST_TAGS = 4096  # a TIFF has about 20
_MOST_CHANNELS = 4


def stored_size(content: bytes) -> tuple[int, int] | None:
    """The width and height [px] that a picture file states.

    If the file is made of enormous tiles, it is the width and height of a tile.

    Args:
        content: The bytes of the whole file.

    Returns:
        The size; None if the file is of no known kind, or its header is damaged.
    """
    if content.startswith(_PNG):
        return struct.unpack(">II", content[16:24]) if len(content) >= 24 else None
    if content[:4] in _TIFFS:
        return _tiff_size(content)
    if content.startswith(EXR):
        return _exr_size(content[:_HEAD])
    netpbm = _NETPBM.match(content[:_HEAD])
    return (int(netpbm[1]), int(netpbm[2])) if netpbm else _size_by_pillow(content)


def _tiff_size(content: bytes) -> tuple[int, int] | None:
    """The size in the first directory of a TIFF, which alone is decoded; None if it is stated in an unusual way."""
    try:
        found = list(_tags(content, *_TIFFS[content[:4]]))
        tags = dict(found)
        tile = tags.get(_TILE_WIDTH, 0), tags.get(_TILE_HEIGHT, 0)
        picture = tags[_WIDTH], tags[_HEIGHT]
    except (struct.error, KeyError):
        return None
    if len(tags) < len(found) or tags.get(_CHANNELS, 1) > _MOST_CHANNELS:
        return None  # which of two values for one tag counts, depends on the program
    return picture if tile[0] * tile[1] <= MOST_PIXELS else tile


def _tags(content: bytes, order: str, wide: int) -> Iterator[tuple[int, int]]:
    """The tags of the first directory of a TIFF that say how large the picture is, and their numbers.

    Args:
        content: The bytes of the file.
        order: The byte order, as ``struct`` names it.
        wide: How many bytes an offset has: 4, or 8 in BigTIFF.

    Raises:
        struct.error: If the file is cut short.
        KeyError: If a number has an unusual type.
    """
    offset, number = f"{order}{'IQ'[wide // 8]}", f"{order}{'HQ'[wide // 8]}"
    (place,) = struct.unpack_from(offset, content, wide)
    (count,) = struct.unpack_from(number, content, place)
    place += struct.calcsize(number)
    for start in range(place, place + min(count, _MOST_TAGS) * (4 + 2 * wide), 4 + 2 * wide):
        tag, kind = struct.unpack_from(f"{order}HH", content, start)
        if tag in _TAGS:
            yield tag, struct.unpack_from(f"{order}{_INTEGERS[kind]}", content, start + 4 + wide)[0]


def _exr_size(head: bytes) -> tuple[int, int] | None:
    """The size of the data window, which is one of the attributes: name, type, size and value of each."""
    place = 8  # behind the magic number and the version
    try:
        while head[place]:
            name, kind, rest = head[place:].split(b"\0", 2)
            (length,) = struct.unpack_from("<i", rest)
            if (name, kind, length) == (b"dataWindow", b"box2i", 16):
                left, top, right, bottom = struct.unpack_from("<4i", rest, 4)
                return right - left + 1, bottom - top + 1
            place += len(name) + len(kind) + 6 + max(length, 0)
    except (IndexError, ValueError, struct.error):
        return None
    return None


def _size_by_pillow(content: bytes) -> tuple[int, int] | None:
    try:
        with without_guard(), Image.open(io.BytesIO(content)) as image:
            return image.size
    except DAMAGED:
        return None
