"""What a format is: the module that turns one public data set into manifest lines.

The command is ``toolkit data convert FORMAT SOURCE DEST``. A format is one small module in
``toolkit/data/convert/formats``; the name of its file is its name on the command line. The module has

- ``INFO``, what users are told about the data set (:class:`DatasetInfo`);
- ``items(source, options)``, which lists the pictures without reading them (:class:`DatasetListing`);
- ``convert(item, workspace)``, which makes the manifest line of one picture (:class:`ManifestRow`). It raises
  UserError where the data set is faulty, and Skipped where a picture is sound but holds nothing to learn from.

``convert`` runs in worker processes, and its result depends only on its item and on ``workspace.options``. What many
pictures share (tables, calibration) is read by functions under ``readers.read_once``, because neighbours in the
listing are converted one after the other.

What a format can use (``workspace`` is an instance of ``shared.workspace.Workspace``: paths, labels, seeded draws):

- ``readers.read_files``: text, JSON, NumPy, MATLAB and binary files. All reading goes through its ``reading``, which
  turns damaged files into UserErrors.
- ``readers.hdf5``: HDF5 files, which MATLAB 7.3 writes too; it needs h5py, the extra ``hdf5``.
- ``readers.arrow`` (Feather, Parquet), ``readers.camera_matrix``, ``readers.colmap``, ``readers.thin_prism``,
  ``readers.depth_png``, ``readers.pose_files``, ``readers.frame_streams``.
- ``shared.native_depth_map``, ``shared.splits``, ``shared.nearest_moment``, ``shared.label_selection``, and
  ``shared.lidar`` (``project``, ``range_image``, ``rolling_shutter``).

Conventions: see ``toolkit.geometry.camera``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from toolkit.data.frames.frame import DepthFile, SparseDepth
from toolkit.errors import UserError, did_you_mean
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

ImageMode = Literal["reference", "link", "copy"]
"""How the manifest gets its pictures: it names the data set's own files, links to them, or copies of them."""

_DECIMALS = {"pixels": 3, "depth": 4, "pose": 9}  # kept in a manifest: 0.001 px, 0.1 mm, 1 nm
_Part = TypeVar("_Part")


@dataclass(frozen=True)
class DatasetInfo:
    """What users are told about a data set.

    Attributes:
        title: The full name of the data set.
        home: The place where it is downloaded.
        license: The short name of its licence; it is written into every manifest line.
        attribution: The names to give credit to; they are written into every manifest line.
        depth_type: The kind of its depths, or where that is stated.
        layout: The folders and files that are expected in SOURCE.
        splits: The names that ``--split`` accepts; () where the data set has no splits, or lists them in its files.
        cameras: The names that ``--camera`` accepts; () where the data set has no choice, or lists them in its files.
        own: Whether users make it themselves, so that it is downloaded from nowhere.
    """

    title: str
    home: str
    license: str
    attribution: str
    depth_type: str
    layout: str
    splits: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    own: bool = False

    def to_text(self) -> str:
        """Where to get the data set, its terms, and the folders that are expected, for people."""
        lines = [
            self.title,
            f"  from         {self.home}",
            f"  licence      {self.license or 'yours to state: --license'}",
            f"  attribution  {self.attribution or 'yours to state: --attribution'}",
            f"  depth        {self.depth_type}",
            *([f"  --split      {', '.join(self.splits)}"] if self.splits else []),
            *([f"  --camera     {', '.join(self.cameras)}"] if self.cameras else []),
            "  SOURCE",
            *(f"    {line}" for line in self.layout.strip("\n").splitlines()),
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class ConvertOptions:
    """What the user chooses; the output depends on nothing else.

    Attributes:
        points: The number of labels of each picture whose depth is sampled.
        seed: The seed of the sampling.
        edge_margin: How far labels keep from jumps of depth [px]; 0 keeps labels at edges too.
        images: Whether the manifest names the data set's own files, links to them in DEST, or copies in DEST.
        splits: The splits to convert; () for all.
        cameras: The cameras to convert; () for those that the format chooses.
        license: The licence to write instead of the data set's own; "" for its own.
        attribution: The names to give credit to instead of the data set's own; "" for its own.
    """

    points: int = 100
    seed: int = 0
    edge_margin: int = 0
    images: ImageMode = "reference"
    splits: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    license: str = ""
    attribution: str = ""


@dataclass(frozen=True)
class DatasetItem:
    """One picture that is to be converted; formats add what they need to find its files.

    Attributes:
        name: A name that is unique in the data set and the same on every machine. Messages use it, and it seeds the
            sampling.
    """

    name: str


@dataclass(frozen=True)
class DatasetListing:
    """What SOURCE holds.

    Attributes:
        items: The pictures, in an order that is the same on every machine: sort what the file system lists.
        faults: What is missing or damaged already here; each fault counts as one picture that was not converted.
        skipped: The number of files that are passed over, by reason.
    """

    items: Sequence[DatasetItem]
    faults: Sequence[UserError] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ManifestRow:
    """The manifest line of one picture.

    Attributes:
        image: The path that ``Workspace.reference_picture``, ``Workspace.write`` or ``Workspace.write_picture`` gave.
        camera: The camera of the picture as stored.
        labels: Sampled points, or a depth map whose path ``Workspace.reference_file`` or ``Workspace.write`` gave.
        world_from_camera: The pose (4, 4) of the camera [m], where the data set has one.
        sequence: The recording that the picture belongs to; poses can be compared within one sequence only.
    """

    image: str
    camera: Camera
    labels: SparseDepth | DepthFile
    world_from_camera: Array | None = None
    sequence: str = ""

    def to_json(self) -> dict[str, Any]:
        """The line without licence and attribution; keys without a value are left out."""
        row: dict[str, Any] = {"image": self.image, "intrinsics": [_shorten(each) for each in self.camera.intrinsics]}
        if self.camera.distortion:
            row["distortion"] = [float(each) for each in self.camera.distortion]
        row |= _labels_to_json(self.labels)
        if self.world_from_camera is not None:
            row["world_from_camera"] = np.round(self.world_from_camera, _DECIMALS["pose"]).tolist()
        if self.sequence:
            row["sequence"] = self.sequence
        return row


def _shorten(number: float) -> int | float:
    """The number, without a decimal point if it is whole."""
    return int(number) if float(number).is_integer() else float(number)


def _labels_to_json(labels: SparseDepth | DepthFile) -> dict[str, Any]:
    if isinstance(labels, DepthFile):
        return {"depth_map": labels.path.as_posix(), "depth_scale": labels.scale, "depth_type": labels.depth_type}
    return {
        "pixel_coords": np.round(labels.pixels, _DECIMALS["pixels"]).tolist(),
        "depth": np.round(labels.depth, _DECIMALS["depth"]).tolist(),
        "depth_type": labels.depth_type,
    }


class Skipped(Exception):
    """A picture is sound but holds nothing to learn from, such as one that the LiDAR does not see; it is counted."""


def not_this_set(source: Path, info: DatasetInfo, missing: str) -> UserError:
    """The error for a SOURCE that lacks what the data set always has; it says what is expected and where to get it."""
    wrong = "this folder cannot be converted as it is" if info.own else f"this is not {info.title} as downloaded"
    home = "" if info.own else f"\nfrom {info.home}"
    return UserError(
        f"{source}: {wrong}",
        cause=f"there is no {missing}",
        remedy="give the folder that holds\n" + info.layout.strip("\n") + home,
    )


def select_names(given: Sequence[str], known: Sequence[str], what: str, source: Path) -> list[str]:
    """The splits or cameras to convert: those that were given, or all, in the order of ``known``.

    Args:
        given: The names that the user gave; empty for all.
        known: The names that there are.
        what: "split" or "camera", for the message.
        source: The data set, for the message.

    Raises:
        UserError: If a given name is not known.
    """
    for name in given:
        if name not in known:
            raise UserError(f"{source}: there is no {what} {name!r}", remedy=did_you_mean(name, known))
    return [name for name in known if not given or name in given]


def list_parts(
    parts: Iterable[_Part],
    list_part: Callable[[_Part], Iterable[DatasetItem]],
    faults: Sequence[UserError] = (),
) -> DatasetListing:
    """The pictures of all parts of a data set; a part that cannot be listed becomes one fault.

    Args:
        parts: The scenes, drives or logs of the data set, in order.
        list_part: Lists the pictures of one part, or raises a UserError.
        faults: The faults that were found before.
    """
    items: list[DatasetItem] = []
    found = list(faults)
    for part in parts:
        try:
            items.extend(list(list_part(part)))
        except UserError as fault:
            found.append(fault)
    return DatasetListing(items, found)
