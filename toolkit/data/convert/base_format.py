"""Bringing public data sets in: ``toolkit data convert FORMAT SOURCE DEST``. What a format is.

A format is one small module in ``toolkit/data/convert/formats``; its file name is its name on the command line. It has

- ``ABOUT``, what users are told of the set (:class:`About`);
- ``items(source, options)``, which lists the pictures without reading them (:class:`Listing`);
- ``convert(item, desk)``, which makes the manifest line of one picture (:class:`Row`), raises UserError where the
  set is faulty, and Skipped where it is sound but holds nothing to learn from.

``convert`` runs in worker processes and depends on its item and on ``desk.options`` alone; what many pictures share
(tables, calibration) is read by functions under ``functools.lru_cache``, for neighbours in the listing are converted
one after the other. All reading goes through ``toolkit.data.convert.readers.read_files``, which turns damaged files
into UserErrors. Shared parts: ``desk`` (paths, seeded draws), ``reading``, ``tables`` (Feather, Parquet), ``labels``,
``lidar``, ``range_image``, ``rolling_shutter``, ``depth_png``, ``colmap``, ``poses``. Conventions: see
``toolkit.geometry.camera``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from toolkit.data.frames.frame import DepthFile, SparseDepth
from toolkit.errors import UserError, did_you_mean
from toolkit.geometry.camera import Camera
from toolkit.utils.arrays import Array

Images = Literal["reference", "link", "copy"]


_DIGITS = {"pixels": 3, "depth": 4, "pose": 9}  # decimals kept: 0.001 px, 0.1 mm, nm


@dataclass(frozen=True)
class About:
    """What users are told of a set.

    Attributes:
        title: Its full name.
        home: Where it is downloaded.
        license: Its licence, short; it goes into every line.
        attribution: Whom to name; it goes into every line.
        depth_type: What its depths are, or where that is said.
        layout: The folders and files that are expected in SOURCE.
        splits: What ``--split`` may name; () where the set has none, or where they stand in its files.
        cameras: What ``--camera`` may name; likewise.
    """

    title: str
    home: str
    license: str
    attribution: str
    depth_type: str
    layout: str
    splits: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options:
    """What the user chooses; the output depends on nothing else.

    Attributes:
        points: Labels a picture, where depth is sampled.
        seed: Of the sampling.
        edge_margin: How far labels keep from jumps of depth [px]; 0 keeps those at edges too.
        images: Whether the manifest names the set's own files, links to them in DEST, or copies.
        splits: Splits to convert; () for all.
        cameras: Cameras to convert; () for the format's choice.
        license: Replaces the set's.
        attribution: Replaces the set's.
    """

    points: int = 100
    seed: int = 0
    edge_margin: int = 0
    images: Images = "reference"
    splits: tuple[str, ...] = ()
    cameras: tuple[str, ...] = ()
    license: str = ""
    attribution: str = ""


@dataclass(frozen=True)
class Item:
    """One picture that is to be converted; formats add what they need to find its parts.

    Attributes:
        name: Unique in the set, and the same on every machine: messages name it and the sampling is seeded with it.
    """

    name: str


@dataclass(frozen=True)
class Listing:
    """What SOURCE holds.

    Attributes:
        items: In an order that is the same everywhere: sort what the file system lists.
        faults: What is missing or damaged already here: each counts as one picture that was not converted.
    """

    items: Sequence[Item]
    faults: Sequence[UserError] = ()


@dataclass(frozen=True)
class Row:
    """The manifest line of one picture.

    Attributes:
        image: As ``Desk.picture`` or ``Desk.write`` name it.
        camera: True of the picture as stored.
        labels: Sampled points, or a depth map whose path ``Desk.refer`` or ``Desk.write`` gave.
        world_from_camera: Its pose (4, 4), where the set has one.
        sequence: The recording; poses compare within one sequence only.
    """

    image: str
    camera: Camera
    labels: SparseDepth | DepthFile
    world_from_camera: Array | None = None
    sequence: str = ""

    def to_json(self) -> dict[str, Any]:
        """The line without licence and attribution; what is unknown is left out."""
        row: dict[str, Any] = {"image": self.image, "intrinsics": [_plain(each) for each in self.camera.intrinsics]}
        if self.camera.distortion:
            row["distortion"] = [float(each) for each in self.camera.distortion]
        row |= _sparse(self.labels) if isinstance(self.labels, SparseDepth) else _dense(self.labels)
        if self.world_from_camera is not None:
            row["world_from_camera"] = np.round(self.world_from_camera, _DIGITS["pose"]).tolist()
        if self.sequence:
            row["sequence"] = self.sequence
        return row


def _plain(number: float) -> int | float:
    """Whole numbers without a decimal point."""
    return int(number) if float(number).is_integer() else float(number)


def _sparse(labels: SparseDepth) -> dict[str, Any]:
    return {
        "pixel_coords": np.round(labels.pixels, _DIGITS["pixels"]).tolist(),
        "depth": np.round(labels.depth, _DIGITS["depth"]).tolist(),
        "depth_type": labels.depth_type,
    }


def _dense(labels: DepthFile) -> dict[str, Any]:
    return {"depth_map": labels.path.as_posix(), "depth_scale": labels.scale, "depth_type": labels.depth_type}


class Skipped(Exception):
    """A sound picture without anything to learn from, such as one that the LiDAR does not see; it is counted."""


def not_this_set(source: Path, about: About, missing: str) -> UserError:
    """SOURCE lacks what the set cannot be without: the message says what is expected, and where to get it."""
    layout = about.layout.strip("\n").replace("\n", "\n           ")
    return UserError(
        f"{source}: this is not {about.title} as downloaded",
        cause=f"there is no {missing}",
        remedy=f"give the folder that holds\n           {layout}\n           from {about.home}",
    )


def chosen(given: Sequence[str], known: Sequence[str], what: str, source: Path) -> list[str]:
    """The splits or cameras to convert, in the order of ``known``: those given, or all.

    Raises:
        UserError: If one of them is not there.
    """
    for name in given:
        if name not in known:
            raise UserError(f"{source}: there is no {what} {name!r}", remedy=did_you_mean(name, known))
    return [name for name in known if not given or name in given]
