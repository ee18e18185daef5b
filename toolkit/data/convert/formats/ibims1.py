"""iBims-1: 100 indoor photographs with depth from a laser scanner, one MATLAB file each.

Source: Koch et al. 2018, "Evaluation of CNN-based Single-Image Depth Estimation Methods", and its development kit.
The depths are z-depth: planes of the scenes are planar only when they are read so.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.data.convert.base_format import About, Item, Listing, Options, Row, not_this_set
from toolkit.data.convert.readers.depth_png import labelled
from toolkit.data.convert.readers.read_files import read_lines, reading
from toolkit.data.convert.shared.workspace import Desk
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

ABOUT = About(
    title="iBims-1",
    home="https://mediatum.ub.tum.de/1455541 (ibims1_core_mat.zip)",
    license="CC BY-NC-SA 4.0",
    attribution="iBims-1, Koch et al. 2018, Technical University of Munich",
    depth_type="z",
    layout="""
imagelist.txt
NAME.mat       with data.rgb, .depth, .calib, .mask_invalid, .mask_transp
""",
)


_FIELDS = ("rgb", "depth", "calib", "mask_invalid", "mask_transp")


_LIST = "imagelist.txt"


_AGAIN = "get this file again, or leave it out with --skip-bad"


@dataclass(frozen=True)
class Photograph(Item):
    """One picture.

    Attributes:
        path: Its .mat file.
    """

    path: Path


def items(source: Path, options: Options) -> Listing:
    """The pictures that imagelist.txt names; without it, all .mat files."""
    if (source / _LIST).is_file():
        names = sorted(line.strip() for line in read_lines(source / _LIST))
    else:
        names = sorted(path.stem for path in source.glob("*.mat"))
    if not names:
        raise not_this_set(source, ABOUT, f"{_LIST} or .mat file")
    return Listing([Photograph(name, source / f"{name}.mat") for name in names])


def convert(item: Photograph, desk: Desk) -> Row:
    """The line of one picture; it is written to DEST as PNG."""
    data = _read(item.path)
    depth = np.array(data["depth"], dtype=np.float64)
    height, width = depth.shape
    k = _upright(data["calib"])
    camera = Camera.from_intrinsics([k[0, 0], k[1, 1], k[0, 2], k[1, 2], width, height])
    for mask in ("mask_invalid", "mask_transp"):  # 0 where depth is missing, or of what is behind glass
        depth[data[mask] == 0] = np.nan
    labels = desk.sparse(item, camera, labelled(depth), "z")
    return Row(desk.write_picture(f"images/{item.name}.png", data["rgb"]), camera, labels)


def _read(path: Path) -> dict[str, Any]:
    from zlib import error as ZlibError

    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    with reading(path, MatReadError, ValueError, TypeError, KeyError, NotImplementedError, ZlibError):
        data = loadmat(path, simplify_cells=True, variable_names=["data"])["data"]
    missing = [name for name in _FIELDS if name not in data]
    if missing:
        raise UserError(f"{path}: {', '.join(missing)} is missing", "it is no file of ibims1_core_mat.zip", _AGAIN)
    sides = np.shape(data["depth"])
    expected = [(*sides, 3), sides, (3, 3), sides, sides]
    shapes = [np.shape(data[name]) for name in _FIELDS]
    if len(sides) != 2 or shapes != expected:
        fields = ", ".join(f"{name} {shape}" for name, shape in zip(_FIELDS, shapes, strict=True))
        raise UserError(f"{path}: the sizes do not fit together: {fields}", remedy=_AGAIN)
    return dict(data)


def _upright(k: Array) -> Array:
    """K (3, 3) with the principal point in its last column; MATLAB's convention has it in the last row."""
    k = np.asarray(k, dtype=np.float64)
    return k.T if k[0, 2] == 0 and k[2, 0] != 0 else k
