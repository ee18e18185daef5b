"""Depth maps that claim to be enormous, or are no files; those that are whole: see ``test_frame``."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.hostile_files import NO_FILES, Write, exr, npy, npy_header, png, tiff
from toolkit.data.frames.depth_head import stored_size
from toolkit.data.frames.stored_depth import decode_depth, read_stored_depth
from toolkit.errors import UserError

SIZE = (8, 6)
WIDTH, HEIGHT, CHANNELS, TILE_WIDTH, TILE_HEIGHT = 256, 257, 277, 322, 323

HUGE = {
    "png": png(30_000, 30_000),
    "tiff": tiff([(WIDTH, 30_000), (HEIGHT, 30_000)]),
    "big-endian tiff": tiff([(WIDTH, 30_000), (HEIGHT, 30_000)], ">"),
    "bigtiff": tiff([(WIDTH, 30_000), (HEIGHT, 30_000)], big=True),
    "big-endian bigtiff": tiff([(WIDTH, 30_000), (HEIGHT, 30_000)], ">", big=True),
    "pgm": b"P5\n# a comment\n30000 30000\n65535\n",
    "pfm": b"Pf\n30000 30000\n-1.0\n",
    "exr": exr(30_000, 30_000),
    "bmp": b"BM"
    + struct.pack("<IHHI", 90, 0, 0, 54)
    + struct.pack("<IiiHHIIiiII", 40, 30_000, 30_000, 1, 24, *[0] * 6),
}


@pytest.fixture
def nothing_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test fail if OpenCV is given a file."""

    def refuse(*_: object) -> None:
        raise AssertionError("it was decoded before its size was known")

    monkeypatch.setattr(cv2, "imdecode", refuse)


@pytest.mark.usefixtures("nothing_is_decoded")
@pytest.mark.parametrize("content", HUGE.values(), ids=HUGE)
def test_a_size_is_compared_before_anything_is_decoded(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    assert stored_size(content) == (30_000, 30_000)
    with pytest.raises(UserError, match="the depth map is 30000 x 30000, its picture 8 x 6"):
        read_stored_depth(tmp_path / "a.png", SIZE)
    with pytest.raises(UserError, match="cannot be read") as caught:
        decode_depth(tmp_path / "a.png", content)
    assert "30000 x 30000 px, which are too many" in caught.value.cause


@pytest.mark.usefixtures("nothing_is_decoded")
@pytest.mark.parametrize(
    "content",
    [
        tiff([(WIDTH, 8), (HEIGHT, 6), (TILE_WIDTH, 2**31), (TILE_HEIGHT, 2**31)]),
        tiff([(WIDTH, 8), (HEIGHT, 6), (WIDTH, 30_000)]),
        tiff([(WIDTH, 8), (HEIGHT, 6)], kind=9),
        tiff([(WIDTH, 8), (HEIGHT, 6), (CHANNELS, 60_000)]),
        tiff([(WIDTH, 8)]),
        tiff([])[:9],
        b"II*\0" + b"\xff" * 8,
        b"\x89PNG\r\n\x1a\n\0IEND",
        b"P5\n" + b"9" * 5000,
        b"v/1\x01\x02\0\0\0name\0kind\0\xff\xff\xff\xff",
        b"random words",
    ],
    ids=lambda content: repr(content)[:40],
)
def test_headers_that_say_two_things_or_nothing_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tiff").write_bytes(content)
    with pytest.raises(UserError, match="the depth map"):
        read_stored_depth(tmp_path / "a.tiff", SIZE)


@pytest.mark.parametrize("ending", ["png", "tiff", "pgm", "webp"])
def test_the_size_of_what_opencv_writes_is_known(ending: str) -> None:
    pixels = np.zeros((6, 8, 3), np.uint8) if ending == "webp" else np.zeros((6, 8), np.uint16)
    assert stored_size(cv2.imencode(f".{ending}", pixels)[1].tobytes()) == SIZE


def test_a_numpy_array_of_another_size_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(npy(npy_header("(30000, 30000)", "'|V0'")))
    with pytest.raises(UserError, match="cannot be read"):
        read_stored_depth(tmp_path / "a.npy", SIZE)
    np.save(tmp_path / "b.npy", np.zeros((8, 6)))
    with pytest.raises(UserError, match="the depth map is 6 x 8, its picture 8 x 6"):
        read_stored_depth(tmp_path / "b.npy", SIZE)
    assert read_stored_depth(tmp_path / "b.npy", SIZE, turned=True).shape == (8, 6)


def test_a_file_that_is_far_too_long_for_its_picture_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(UserError, match="the file is too large") as caught:
        read_stored_depth(tmp_path / "a.png", SIZE)
    assert "may have 64 MiB" in caught.value.cause


@pytest.mark.parametrize("ending", ["png", "npy"])
@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES)
def test_depth_maps_are_regular_files(tmp_path: Path, ending: str, make: Write) -> None:
    make(tmp_path / f"a.{ending}")
    with pytest.raises(UserError, match=r"this is a |only regular files"):
        read_stored_depth(tmp_path / f"a.{ending}", SIZE)
