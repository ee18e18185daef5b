"""Tests of ``toolkit.data.frames.plain_head``: what it takes for plain, Pillow opens, and finds the same size."""

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from toolkit.data.frames.frame import ImageFile
from toolkit.data.frames.plain_head import plain_size
from toolkit.errors import UserError

WIDTH, HEIGHT = 64, 48
PIXELS = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
PICTURE = Image.fromarray(PIXELS)
EXIF = Image.Exif()
EXIF[274] = 6

PLAIN: dict[str, Callable[[Path], object]] = {
    "pillow.png": lambda path: PICTURE.save(path),
    "density.png": lambda path: PICTURE.save(path, dpi=(72, 72)),
    "grey.png": lambda path: PICTURE.convert("L").save(path),
    "clear.png": lambda path: PICTURE.convert("RGBA").save(path),
    "opencv.png": lambda path: cv2.imwrite(str(path), PIXELS),
    "deep.png": lambda path: cv2.imwrite(str(path), PIXELS.astype(np.uint16) * 257),
    "pillow.jpg": lambda path: PICTURE.save(path),
    "UPPER.JPG": lambda path: PICTURE.save(path),
    "grey.jpeg": lambda path: PICTURE.convert("L").save(path),
    "progressive.jpg": lambda path: PICTURE.save(path, progressive=True, optimize=True),
    "opencv.jpg": lambda path: cv2.imwrite(str(path), PIXELS),
    "comment.jpg": lambda path: PICTURE.save(path, comment="a wall"),
    "restarts.jpg": lambda path: cv2.imwrite(str(path), PIXELS, [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]),
}

NOT_PLAIN: dict[str, Callable[[Path], object]] = {
    "turned.png": lambda path: PICTURE.save(path, exif=EXIF),
    "turned.jpg": lambda path: PICTURE.save(path, exif=EXIF),
    "xmp.jpg": lambda path: PICTURE.save(path, xmp=b"<x:xmpmeta/>"),
    "palette.png": lambda path: PICTURE.convert("P").save(path),
    "four_colors.jpg": lambda path: PICTURE.convert("CMYK").save(path),
    "text.png": lambda path: path.write_text("no picture"),
    "empty.png": lambda path: path.touch(),
    "missing.png": lambda path: None,
    "folder.png": lambda path: path.mkdir(),
    "pipe.png": os.mkfifo,
    "other.gif": lambda path: PICTURE.save(path),
    "raw.dng": lambda path: PICTURE.save(path, format="PNG"),
    "large.png": lambda path: Image.new("1", (32_767, 1)).save(path),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_pictures(tmp_path: Path, name: str) -> None:
    PLAIN[name](tmp_path / name)
    assert plain_size(str(tmp_path / name)) == (WIDTH, HEIGHT)
    assert ImageFile(tmp_path / name).stored_size() == (WIDTH, HEIGHT, 1)


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_unusual_files_are_left_to_pillow(tmp_path: Path, name: str) -> None:
    NOT_PLAIN[name](tmp_path / name)
    assert plain_size(str(tmp_path / name)) is None


def test_names_that_no_file_can_have() -> None:
    assert plain_size("a\0b.png") is None


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The first bytes of plain pictures."""
    folder = tmp_path_factory.mktemp("heads")
    for name, write in PLAIN.items():
        write(folder / name)
    return {name: (folder / name).read_bytes()[:900] for name in PLAIN}


def check_damaged(path: Path, head: bytes) -> None:
    """Check that Pillow opens a file with this head if it seems plain, and finds the same size."""
    path.write_bytes(head)
    size = plain_size(str(path))
    try:
        found = ImageFile(path).stored_size()
    except UserError:
        assert size is None
        return
    assert size is None or (*size, 1) == found


@pytest.mark.parametrize("name", ["density.png", "pillow.jpg"])
def test_every_single_byte_may_be_damaged(tmp_path: Path, heads: dict[str, bytes], name: str) -> None:
    head = heads[name][: 700 if name.endswith(".jpg") else 120]
    for place in range(len(head)):
        for other in (head[place] ^ 16, 0xFF):
            check_damaged(tmp_path / name, head[:place] + bytes([other]) + head[place + 1 :])


@given(
    name=st.sampled_from(list(PLAIN)),
    changes=st.lists(
        st.tuples(
            st.integers(0, 899) | st.integers(0, 60),
            st.integers(0, 2),
            st.binary(max_size=4) | st.sampled_from([b"\xff", b"\xe1", b"IDAT", b"\xff\xc0"]),
        ),
        max_size=2,
    ),
    cut=st.integers(0, 900) | st.just(900),
)
def test_damaged_heads_that_seem_plain_are_opened_by_pillow(
    tmp_path_factory: pytest.TempPathFactory,
    heads: dict[str, bytes],
    name: str,
    changes: list[tuple[int, int, bytes]],
    cut: int,
) -> None:
    head = heads[name]
    for place, removed, added in changes:
        head = head[:place] + added + head[place + removed :]
    check_damaged(tmp_path_factory.getbasetemp() / f"damaged_{name}", head[:cut])
