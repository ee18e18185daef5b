"""Draws labels into their pictures, so that people see at once whether depth edges and picture edges agree."""

from itertools import islice
from math import ceil
from pathlib import Path

import cv2
import numpy as np

from toolkit.data.frames.frame import Frame
from toolkit.data.manifest.parse_line import ManifestLine
from toolkit.errors import UserError
from toolkit.utils.arrays import Array, Pixels
from toolkit.utils.contact_sheet import save_png

SHEET = "overlay.png"
_COUNT, _WIDTH, _COLUMNS = 6, 960, 2  # pictures on a sheet, their width [px], pictures in a row
_MOST = 20_000  # labels that are drawn into one picture
_STRIP = 26  # the height of the line of text above a picture [px]


def save_overlay(manifest: Path, pictures: int, count: int = _COUNT) -> Path:
    """Write a sheet of pictures with their labels beside a manifest.

    Args:
        manifest: The manifest.
        pictures: The number of pictures in the manifest.
        count: The number of pictures on the sheet; they are taken at even distances from the manifest.

    Returns:
        The path of the sheet.
    """
    numbers = {round(number) for number in np.linspace(0, pictures - 1, min(count, pictures))}
    with manifest.open(encoding="utf-8") as file:
        lines = [line for number, line in enumerate(islice(file, pictures)) if number in numbers]
    frames = [_parse_frame(line, manifest) for line in lines]
    path = manifest.with_name(SHEET)
    save_png(_tile([draw_overlay(frame, _WIDTH) for frame in frames]), path, "data convert")
    return path


def draw_overlay(frame: Frame, width: int | None = None) -> Pixels:
    """The picture (H, W, 3) with its labels, coloured by the logarithm of their depth: red is near, blue is far.

    Args:
        frame: The picture and its labels.
        width: The width of the result [px]; None for the width of the picture.

    Raises:
        UserError: If the frame has no labels.
    """
    picture, camera = frame.picture.read(), frame.camera
    if frame.labels is None:
        raise UserError(f"{frame.name}: it has no labels")
    pixels, depth_z = frame.labels.read(camera)
    step = ceil(len(pixels) / _MOST)
    pixels, depth_z = pixels[::step], depth_z[::step]
    if width is not None:
        height = round(camera.height * width / camera.width)
        pixels = (pixels + 0.5) * (width / camera.width) - 0.5
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    drawn = np.array(picture)
    radius = 1 if len(pixels) > 1000 else 3
    for (u, v), color in zip(pixels, _depth_colors(depth_z), strict=True):
        cv2.circle(drawn, (round(u), round(v)), radius, color, -1, cv2.LINE_AA)
    words = f"{frame.name[-70:]}  {len(pixels)} labels, {depth_z.min():.2f} m (red) to {depth_z.max():.2f} m (blue)"
    strip = np.full((_STRIP, drawn.shape[1], 3), 255, dtype=np.uint8)
    cv2.putText(strip, words, (4, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (20, 20, 20), 1, cv2.LINE_AA)
    return np.concatenate([strip, drawn])


def _depth_colors(depth_z: Array) -> list[tuple[int, int, int]]:
    """The colour (RGB) of each depth (N,) [m]."""
    logs = np.log(depth_z)
    near = 1 - (logs - logs.min()) / max(float(np.ptp(logs)), 1e-9)
    turbo = cv2.applyColorMap((255 * (0.1 + 0.8 * near)).astype(np.uint8)[:, None], cv2.COLORMAP_TURBO)[:, 0]
    return [(int(red), int(green), int(blue)) for blue, green, red in turbo]


def _parse_frame(line: str, manifest: Path) -> Frame:
    read = ManifestLine(str(manifest), manifest.parent, None)
    frame = read.frame(line, decode=False)
    if frame is None:
        raise read.faults[0]
    return frame


def _tile(pictures: list[Pixels]) -> Pixels:
    """The pictures in rows and columns, on white."""
    columns = min(_COLUMNS, len(pictures))
    height = max(picture.shape[0] for picture in pictures)
    padded = [np.pad(each, ((0, height - each.shape[0]), (0, 0), (0, 0)), constant_values=255) for each in pictures]
    padded += [np.full_like(padded[0], 255)] * (-len(padded) % columns)
    rows = [np.concatenate(padded[start : start + columns], axis=1) for start in range(0, len(padded), columns)]
    return np.concatenate(rows)
