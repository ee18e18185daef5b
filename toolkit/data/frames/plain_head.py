"""Reads the size of plain PNG and JPEG files from their first bytes, in an eighth of the time that Pillow takes.

Only what Pillow surely opens is plain. Whatever is unusual in a file, or wrong with it, is left to
``toolkit.data.frames.image_file.open_image``, whose faults are told in words. Formats: PNG, ISO/IEC 15948, sections 5
and 11; JPEG, ITU-T T.81, annex B.
"""

import os
import stat
import zlib

from toolkit.utils.bounded_file import LONGEST_SIDE, MOST_PIXELS

_ENDINGS = (".png", ".jpg", ".jpeg")
_HEAD = 1024  # bytes in which all segments of a plain JPEG before its pixels lie
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)  # opening a named pipe must not wait for a writer

_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}  # by colour type
_PNG_KINDS = frozenset(
    bytes([depth, color, 0, 0, interlaced])
    for color, depths in _PNG_DEPTHS.items()
    for depth in depths
    for interlaced in (0, 1)
)
"""What may follow the size: bit depth, colour type, compression, filter and interlacing."""

_PNG_INERT = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9}  # chunks that say nothing of size or turn; their lengths
_PNG_HEADER_END = 33

_JPEG = b"\xff\xd8\xff"
_JFIF, _COMMENT, _QUANTISATION, _SCAN = b"\xff\xe0", b"\xff\xfe", b"\xff\xdb", b"\xff\xda"
_JPEG_SKIPPED = (b"\xff\xc4", b"\xff\xdd", _COMMENT)  # Huffman tables, the restart interval, comments
_JPEG_FRAMES = (b"\xff\xc0", b"\xff\xc1", b"\xff\xc2")  # baseline, extended sequential and progressive
_TABLE = 65  # bytes of a quantisation table of 8 bits


def plain_size(path: str) -> tuple[int, int] | None:
    """The stored width and height [px] of a plain picture file, which has no EXIF orientation.

    Returns:
        The size, or None if the file is not plain, or cannot be read.
    """
    if not path.lower().endswith(_ENDINGS):
        return None
    head = _head_of_file(path)
    size = _png_size(head) if head.startswith(_PNG) else _jpeg_size(head)
    if size is None or not 0 < size[0] * size[1] <= MOST_PIXELS or max(size) > LONGEST_SIDE:
        return None
    return size


def _head_of_file(path: str) -> bytes:
    """The first bytes of a regular file; none if it cannot be read."""
    try:
        file = os.open(path, _FLAGS)
    except (OSError, ValueError):
        return b""
    try:
        return os.read(file, _HEAD) if stat.S_ISREG(os.fstat(file).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(file)


def _png_size(head: bytes) -> tuple[int, int] | None:
    """The size in the head of a PNG whose pixels follow its header, with inert chunks between them at most."""
    if head[24:29] not in _PNG_KINDS or not _sum_fits(head, 8, 13):
        return None
    place = _PNG_HEADER_END
    while (kind := head[place + 4 : place + 8]) != b"IDAT":
        length = _number(head[place : place + 4])
        if _PNG_INERT.get(kind) != length or not _sum_fits(head, place, length):
            return None
        place += 12 + length
    return _number(head[16:20]), _number(head[20:24])


def _sum_fits(head: bytes, place: int, length: int) -> bool:
    """Whether the checksum of the PNG chunk at a place fits its ``length`` bytes."""
    end = place + 8 + length
    return len(head) >= end + 4 and zlib.crc32(head[place + 4 : end]) == _number(head[end : end + 4])


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    """The size in the head of a JPEG that holds no segment but those that are needed, JFIF and comments."""
    if not head.startswith(_JPEG):
        return None
    size, place = None, 2
    while True:
        marker, length = head[place : place + 2], _number(head[place + 2 : place + 4])
        body = head[place + 4 : place + 2 + length]
        if length < 2 or len(body) != length - 2:
            return None
        if marker == _SCAN:
            return size
        if marker in _JPEG_FRAMES and size is None and _is_plain_frame(body):
            size = _number(body[3:5]), _number(body[1:3])
        elif not _is_inert(marker, body):
            return None
        place += 2 + length


def _is_plain_frame(body: bytes) -> bool:
    """Whether the frame header of a JPEG states 8 bits, and one or three components."""
    return body[:1] == b"\x08" and len(body) in (9, 15) and body[5] == (len(body) - 6) // 3


def _is_inert(marker: bytes, body: bytes) -> bool:
    """Whether a segment of a JPEG says nothing of its size or turn, and is surely sound."""
    if marker == _QUANTISATION:
        return len(body) % _TABLE == 0 and max(body[::_TABLE], default=0) < 16
    return marker in _JPEG_SKIPPED or (marker == _JFIF and body.startswith(b"JFIF\0") and len(body) >= 14)


def _number(stored: bytes) -> int:
    return int.from_bytes(stored, "big")
