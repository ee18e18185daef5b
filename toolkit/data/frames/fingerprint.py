"""Fingerprints of pictures: short texts that are the same for the same picture under any name, without decoding it."""

import hashlib

from toolkit.data.frames.frame import Frame, ImageFile, Picture

_ENDS = 65_536  # bytes at either end of a file that go into the hash
_LENGTH = 32  # hexadecimal digits of a fingerprint


def picture_id(frame: Frame) -> str:
    """The fingerprint of a Frame's picture."""
    return fingerprint(frame.picture)


def fingerprint(picture: Picture) -> str:
    """The fingerprint of a picture.

    For a file, it is a hash of its length, its first and its last 64 KiB: copies under other names have the same
    fingerprint, and a million files take minutes. For a rendered picture, it is a hash of the scene's name.
    """
    if not isinstance(picture, ImageFile):
        return hashlib.sha256(picture.name.encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]
    with picture.path.open("rb") as file:
        digest = hashlib.sha256(file.read(_ENDS))
        length = file.seek(0, 2)
        file.seek(max(_ENDS, length - _ENDS))
        digest.update(file.read() + length.to_bytes(8, "little"))
    return digest.hexdigest()[:_LENGTH]
