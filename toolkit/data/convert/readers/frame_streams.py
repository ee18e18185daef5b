"""Reads recordings of an iPhone frame by frame: the depth stream depth.bin, and videos.

Source: https://github.com/scannetpp/scannetpp, iphone/prepare_iphone_data.py. A depth frame is 192 x 256. depth.bin is
either one raw deflate stream of float32 metres, or holds for each frame its length in bytes (uint32, little-endian) and
that many bytes. These are an LZ4 block of uint16 millimetres, or a raw deflate stream of float32 metres.
"""

import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from toolkit.data.convert.readers.depth_png import MILLIMETRE, to_metres
from toolkit.data.convert.readers.read_files import reading
from toolkit.errors import UserError
from toolkit.utils.arrays import Array, Pixels
from toolkit.utils.bounded_file import LONGEST_SIDE, MOST_PIXELS, open_bounded

DEPTH_SHAPE = (192, 256)
"""The height and width of a depth frame [px]."""

_PIXELS = DEPTH_SHAPE[0] * DEPTH_SHAPE[1]
_LARGEST = 4 * _PIXELS + 1024  # bytes; a frame that does not compress is hardly longer than its pixels
_BLOCK = 1 << 20
_MOST_INFLATED = 16 << 20  # bytes that are held at once
_T = TypeVar("_T")


class FrameStream(Generic[_T]):
    """A recording that can only be read forward; ask for frames in order, because going back starts again."""

    def __init__(self, path: Path, play: Callable[[Path], Iterator[Callable[[], _T]]]) -> None:
        """Open the recording at ``path``; ``play`` yields its frames in order, each as a function that decodes it."""
        self.path = path
        self._play = play
        self._frames: Iterator[Callable[[], _T]] = iter(())
        self._next: int | None = None

    def frame(self, number: int) -> _T:
        """Decode one frame; the first has the number 0.

        Raises:
            UserError: If the file is damaged, or ends before this frame.
        """
        place, self._next = self._next, None  # stays None if anything goes wrong, so that the next call starts again
        if place is None or place > number:
            place, self._frames = 0, self._play(self.path)
        for passed, decode in enumerate(self._frames, place):
            if passed == number:
                found = decode()
                self._next = number + 1
                return found
        raise UserError(
            f"{self.path}: it ends before frame {number}",
            remedy="the download is incomplete: get this file again, or leave these frames out with --skip-bad",
        )


def open_depth_stream(path: Path) -> FrameStream[Array]:
    """The frames of a depth.bin: z-depth (192, 256) [m], NaN where nothing was measured.

    Raises:
        UserError: If it is missing.
    """
    with reading(path), open_bounded(path, None) as file:
        first = int.from_bytes(file.read(4), "little")
    return FrameStream(path, _play_frames if 0 < first <= _LARGEST else _play_one_stream)


def _play_frames(path: Path) -> Iterator[Callable[[], Array]]:
    with reading(path), open_bounded(path, None) as file:
        while len(head := file.read(4)) == 4:
            size = int.from_bytes(head, "little")
            if size > _LARGEST:
                raise UserError(f"{path}: a frame of {size} bytes is impossible", remedy="get this file again")
            data = file.read(size)
            if len(data) < size:
                return
            yield partial(_decode_frame, path, data)


def _decode_frame(path: Path, data: bytes) -> Array:
    import pyarrow

    try:
        # pyarrow brings LZ4, which Python does not.
        stored = pyarrow.Codec("lz4_raw").decompress(data, decompressed_size=2 * _PIXELS, asbytes=True)
    except OSError:
        with reading(path, zlib.error, ValueError):
            stored = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, 4 * _PIXELS + 1)
            return _depth_from_metres(np.frombuffer(stored, "<f4"))
    return to_metres(np.frombuffer(stored, "<u2").reshape(DEPTH_SHAPE), MILLIMETRE)


def _play_one_stream(path: Path) -> Iterator[Callable[[], Array]]:
    inflate, data = zlib.decompressobj(-zlib.MAX_WBITS), b""
    with reading(path, zlib.error), open_bounded(path, None) as file:
        while block := inflate.unconsumed_tail or file.read(_BLOCK):
            data += inflate.decompress(block, _MOST_INFLATED)
            whole = len(data) // (4 * _PIXELS)
            for number in range(whole):
                frame = data[number * 4 * _PIXELS : (number + 1) * 4 * _PIXELS]
                yield partial(_depth_from_metres, np.frombuffer(frame, "<f4"))
            data = data[whole * 4 * _PIXELS :]


def _depth_from_metres(stored: NDArray[np.float32]) -> Array:
    """Depth (192, 256) [m] of stored metres (N,), NaN where they are not finite and positive."""
    depth = stored.reshape(DEPTH_SHAPE).astype(np.float64)
    depth[~(np.isfinite(depth) & (depth > 0))] = np.nan
    return depth


def open_video_stream(path: Path) -> FrameStream[Pixels]:
    """The frames (H, W, 3) of a video, in BGR."""
    return FrameStream(path, _play_video)


def _play_video(path: Path) -> Iterator[Callable[[], Pixels]]:
    with reading(path):
        capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise UserError(
            f"{path}: the video cannot be read",
            cause="it is damaged, or this OpenCV has no decoder for it",
            remedy=f"get it again, or extract its frames: {extraction_command(path)}",
        )
    sides = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    if max(sides) > LONGEST_SIDE or sides[0] * sides[1] > MOST_PIXELS:
        raise UserError(f"{path}: a frame of {sides[0]:g} x {sides[1]:g} px is too large", remedy="get this file again")
    try:
        while capture.grab():
            yield partial(_decode_video_frame, path, capture)
    finally:
        capture.release()


def _decode_video_frame(path: Path, capture: cv2.VideoCapture) -> Pixels:
    ok, pixels = capture.retrieve()
    if not ok:
        raise UserError(f"{path}: a frame cannot be decoded", remedy=f"extract the frames: {extraction_command(path)}")
    return np.asarray(pixels, dtype=np.uint8)


def extraction_command(path: Path) -> str:
    """The command that extracts the frames of a video to a folder "rgb" beside it, numbered from 0."""
    folder = path.parent / "rgb"
    return f"mkdir {folder}; ffmpeg -i {path} -start_number 0 -q:v 1 {folder}/frame_%06d.jpg"
