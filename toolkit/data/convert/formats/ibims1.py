"""iBims-1: 100 indoor photographs with depth from a laser scanner, each in one MATLAB file.

Source: Koch et al. 2018, "Evaluation of CNN-based Single-Image Depth Estimation Methods", and its development kit.
The depths are z-depth: planes of the scenes are planar only when they are read so.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.data.convert.base_format import (
    ConvertOptions,
    DatasetInfo,
    DatasetItem,
    DatasetListing,
    ManifestRow,
    not_this_set,
)
from toolkit.data.convert.readers.camera_matrix import camera_from_matrix
from toolkit.data.convert.readers.depth_png import labelled_pixels
from toolkit.data.convert.readers.read_files import read_lines, read_matlab, reading
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.errors import UserError
from toolkit.utils.arrays import Array

INFO = DatasetInfo(
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
class IbimsPicture(DatasetItem):
    """One picture.

    Attributes:
        path: The .mat file that holds it.
    """

    path: Path


def items(source: Path, options: ConvertOptions) -> DatasetListing:
    """The pictures that imagelist.txt names; without it, all .mat files."""
    if (source / _LIST).is_file():
        names = sorted(line.strip() for line in read_lines(source / _LIST))
    else:
        names = sorted(path.stem for path in source.glob("*.mat"))
    if not names:
        raise not_this_set(source, INFO, f"{_LIST} or .mat file")
    return DatasetListing([IbimsPicture(name, source / f"{name}.mat") for name in names])


def convert(item: IbimsPicture, workspace: Workspace) -> ManifestRow:
    """The manifest line of one picture; the picture is written to DEST as PNG."""
    data = _read_fields(item.path)
    depth = np.array(data["depth"], dtype=np.float64)
    height, width = depth.shape
    camera = camera_from_matrix(_undo_transposition(data["calib"]), (width, height))
    for mask in ("mask_invalid", "mask_transp"):  # 0 where depth is missing, or is that of something behind glass
        depth[data[mask] == 0] = np.nan
    labels = workspace.sample_labels(item, camera, labelled_pixels(depth), "z")
    return ManifestRow(workspace.write_picture(f"images/{item.name}.png", data["rgb"]), camera, labels)


def _read_fields(path: Path) -> dict[str, Any]:
    with reading(path, KeyError):
        data = read_matlab(path, "data", simplify=True)["data"]
    missing = [name for name in _FIELDS if name not in data]
    if missing:
        raise UserError(f"{path}: {', '.join(missing)} is missing", "it is not a file of ibims1_core_mat.zip", _AGAIN)
    sides = np.shape(data["depth"])
    expected = [(*sides, 3), sides, (3, 3), sides, sides]
    shapes = [np.shape(data[name]) for name in _FIELDS]
    if len(sides) != 2 or shapes != expected:
        fields = ", ".join(f"{name} {shape}" for name, shape in zip(_FIELDS, shapes, strict=True))
        raise UserError(f"{path}: the sizes do not fit together: {fields}", remedy=_AGAIN)
    return dict(data)


def _undo_transposition(k: Array) -> Array:
    """K (3, 3) [px] with the principal point in its last column; MATLAB's convention has it in the last row."""
    k = np.asarray(k, dtype=np.float64)
    return k.T if k[0, 2] == 0 and k[2, 0] != 0 else k
