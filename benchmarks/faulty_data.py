"""Manifests with known faults, for ``benchmarks/audit.py``."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse
from toolkit.utils.arrays import Array, Pixels


@dataclass(frozen=True, eq=False)
class Item:
    """One manifest line in memory. Pictures and depth maps are written again only if they change.

    Attributes:
        row: The line, with absolute paths.
        picture: The new pixels (h, w, 3); None if the picture does not change.
        depth: The new depth map (h, w) in stored units; None if it does not change.
    """

    row: dict[str, object]
    picture: Pixels | None = None
    depth: Array | None = None

    @property
    def dense(self) -> bool:
        """Whether the labels are a depth map."""
        return "depth_map" in self.row

    @property
    def camera(self) -> Camera:
        """The camera of the picture."""
        return Camera.from_intrinsics(self.row["intrinsics"])

    @property
    def pose(self) -> Array:
        """The pose of the camera, world_from_camera (4, 4)."""
        return np.array(self.row["world_from_camera"])

    def pixels(self) -> Pixels:
        """The picture (h, w, 3)."""
        return self.picture if self.picture is not None else np.asarray(Image.open(self.row["image"]).convert("RGB"))

    def stored(self) -> Array:
        """The labels in stored units: a depth map (h, w), or a list (N,)."""
        if not self.dense:
            return np.array(self.row["depth"])
        if self.depth is not None:
            return self.depth
        return cv2.imread(str(self.row["depth_map"]), cv2.IMREAD_UNCHANGED).astype(np.float64)

    def places(self) -> Array:
        """The pixel coordinates of the labels (h, w, 2) or (N, 2)."""
        if not self.dense:
            return np.array(self.row["pixel_coords"], dtype=np.float64)
        rows, columns = np.indices((self.camera.height, self.camera.width), dtype=np.float64)
        return np.stack([columns, rows], axis=-1)

    def lengths(self) -> Array:
        """The lengths of the labels' rays at a z-depth of 1 (h, w) or (N,)."""
        return np.linalg.norm(self.camera.rays(self.places()), axis=-1)

    def with_row(self, **changes: object) -> "Item":
        """A copy with other keys in its line."""
        return replace(self, row={**self.row, **changes})

    def with_stored(self, values: Array) -> "Item":
        """A copy with other labels, in stored units: a depth map (h, w), or a list (N,)."""
        return replace(self, depth=values) if self.dense else self.with_row(depth=values.tolist())

    def with_scale(self, factor: float) -> "Item":
        """A copy with all depths multiplied by a factor."""
        if self.dense:
            return self.with_row(depth_scale=self.row["depth_scale"] * factor)
        return self.with_stored(self.stored() * factor)


Items = list[Item]
Change = Callable[[Items, np.random.Generator], Items]


@dataclass(frozen=True)
class Fault:
    """A fault that is put into frames.

    Attributes:
        name: The name of the fault in the tables.
        change: The function that puts the fault into frames.
        checks: The checks that may find the fault.
        dense: Whether the fault needs depth maps.
        posed: Whether the fault needs poses.
        found: Numbers or words that the finding must have; {} if any alarm will do.
    """

    name: str
    change: Change
    checks: tuple[str, ...]
    dense: bool = False
    posed: bool = False
    found: dict[str, str] = field(default_factory=dict)


def each(change: Callable[[Item], Item]) -> Change:
    """The change that is made to every frame."""
    return lambda items, rng: [change(item) for item in items]


def euclidean(item: Item, power: int = 1) -> Item:
    """Depth multiplied by a power of the ray's length. The ``depth_type`` of the line stays the same."""
    return item.with_stored(item.stored() * item.lengths() ** power)


def undeclared(item: Item) -> Item:
    """A line without ``depth_type``."""
    return replace(item, row={key: value for key, value in item.row.items() if key != "depth_type"})


def mixed(items: Items, rng: np.random.Generator) -> Items:
    """A third of the frames with Euclidean distances in place of z-depths."""
    chosen = set(rng.permutation(len(items))[: len(items) // 3].tolist())
    return [euclidean(item) if index in chosen else item for index, item in enumerate(items)]


def rotated_bits(item: Item) -> Item:
    """Millimetres rotated left by three bits, as SUN RGB-D stores them, with the scale for unrotated bits."""
    millimetres = item.stored().astype(np.uint16)
    rotated = (millimetres << 3) | (millimetres >> 13)
    return replace(item, depth=rotated.astype(np.float64)).with_row(depth_scale=1e-4)


def capped(items: Items, rng: np.random.Generator) -> Items:
    """Depths cut at one of their high quantiles."""
    values = np.concatenate([item.stored().ravel() for item in items])
    cap = np.quantile(values[values > 0], rng.uniform(0.85, 0.97))
    return [item.with_stored(np.minimum(item.stored(), np.floor(cap) if item.dense else cap)) for item in items]


def shifted(items: Items, rng: np.random.Generator) -> Items:
    """All labels moved by 3 to 6 % of the width in one direction."""
    angle, share = rng.uniform(0, 2 * np.pi), rng.uniform(0.03, 0.06)
    moved = []
    for item in items:
        camera = item.camera
        du, dv = np.rint(share * camera.width * np.array([np.cos(angle), np.sin(angle)])).astype(int)
        if item.dense:
            matrix = np.array([[1, 0, du], [0, 1, dv]], dtype=np.float32)
            size = (camera.width, camera.height)
            moved.append(item.with_stored(cv2.warpAffine(item.stored(), matrix, size, flags=cv2.INTER_NEAREST)))
        else:
            places = item.places() + np.array([du, dv])
            keep = camera.contains(places)
            row = item.with_row(pixel_coords=places[keep].tolist())
            moved.append(row.with_stored(item.stored()[keep]))
    return moved


def mirrored(item: Item) -> Item:
    """Labels mirrored left to right."""
    if item.dense:
        return item.with_stored(item.stored()[:, ::-1])
    places = item.places()
    places[:, 0] = item.camera.width - 1 - places[:, 0]
    return item.with_row(pixel_coords=places.tolist())


def exchanged(items: Items, order: Sequence[int]) -> Items:
    """Each line with the labels of another line."""
    keys = ("depth_map", "depth_scale", "pixel_coords", "depth")
    return [
        replace(item, row={**item.row, **{key: items[other].row[key] for key in keys if key in item.row}})
        for item, other in zip(items, order, strict=True)
    ]


def shuffled(items: Items, rng: np.random.Generator) -> Items:
    """Labels exchanged at random among the lines."""
    return exchanged(items, rng.permutation(len(items)).tolist())


def next_depth(items: Items, rng: np.random.Generator) -> Items:
    """Each line with the labels of the next line."""
    return exchanged(items, [*range(1, len(items)), 0])


def focal(factor: float, along: tuple[bool, bool] = (True, True)) -> Change:
    """Focal lengths multiplied by a factor, along x, y or both."""

    def change(item: Item) -> Item:
        fx, fy, *rest = item.row["intrinsics"]
        return item.with_row(intrinsics=[fx * factor if along[0] else fx, fy * factor if along[1] else fy, *rest])

    return each(change)


def centre(share: float) -> Change:
    """Principal points moved by a share of the width in a random direction."""

    def change(items: Items, rng: np.random.Generator) -> Items:
        angle = rng.uniform(0, 2 * np.pi)
        moved = []
        for item in items:
            fx, fy, cx, cy, width, height = item.row["intrinsics"]
            du, dv = share * width * np.cos(angle), share * width * np.sin(angle)
            moved.append(item.with_row(intrinsics=[fx, fy, cx + du, cy + dv, width, height]))
        return moved

    return change


def other_size(item: Item) -> Item:
    """The intrinsics of a picture of half the size."""
    *values, width, height = item.row["intrinsics"]
    return item.with_row(intrinsics=[*(value / 2 for value in values), width, height])


def posed(change: Callable[[Array], Array]) -> Change:
    """The change that is made to every pose (4, 4)."""
    return each(lambda item: item.with_row(world_from_camera=change(item.pose).tolist()))


def translated(factor: float) -> Change:
    """Translations of poses multiplied by a factor."""

    def change(pose: Array) -> Array:
        moved = pose.copy()
        moved[:3, 3] *= factor
        return moved

    return posed(change)


def jittered(items: Items, rng: np.random.Generator) -> Items:
    """Each pose wrong by about 20 cm and 10 degrees."""
    wrong = []
    for item in items:
        pose = item.pose
        pose[:3, :3] = pose[:3, :3] @ cv2.Rodrigues(rng.normal(0, np.radians(6), 3))[0]
        pose[:3, 3] += rng.normal(0, 0.12, 3)
        wrong.append(item.with_row(world_from_camera=pose.tolist()))
    return wrong


def next_pose(items: Items, rng: np.random.Generator) -> Items:
    """Each line with the pose of the next line of its sequence."""
    poses = [item.row["world_from_camera"] for item in items]
    later = [index + 1 if index + 1 < len(items) else index for index in range(len(items))]
    same = [items[index].row["sequence"] == items[other].row["sequence"] for index, other in enumerate(later)]
    return [
        item.with_row(world_from_camera=poses[other if together else index])
        for index, (item, other, together) in enumerate(zip(items, later, same, strict=True))
    ]


def wrong_quaternion(pose: Array) -> Array:
    """The rotation that comes out if a quaternion (x, y, z, w) is read as (w, x, y, z)."""
    x, y, z, w = Rotation.from_matrix(pose[:3, :3]).as_quat()
    turned = pose.copy()
    turned[:3, :3] = Rotation.from_quat([y, z, w, x]).as_matrix()
    return turned


def copied(items: Items, rng: np.random.Generator, factor: float = 1.0) -> Items:
    """Compressed, brighter or darker copies of two pictures in place of the last two, with depth times ``factor``."""
    copies = []
    for index in rng.permutation(len(items))[:2]:
        item = items[index]
        pixels = np.clip(item.pixels() * rng.uniform(0.8, 1.2) + rng.uniform(-10, 10), 0, 255).astype(np.uint8)
        _, code = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 75])
        copies.append(replace(item, picture=cv2.imdecode(code, 1)[..., ::-1]).with_scale(factor))
    return [*items[:-2], *copies]


def sky_over(photographs: Sequence[Pixels]) -> Change:
    """A quarter of the frames with sky in their upper part, and with labels there as an interpolation makes them up."""

    def change(items: Items, rng: np.random.Generator) -> Items:
        chosen = set(rng.permutation(len(items))[: len(items) // 4].tolist())
        return [_with_sky(item, photographs, rng) if index in chosen else item for index, item in enumerate(items)]

    return change


def _with_sky(item: Item, photographs: Sequence[Pixels], rng: np.random.Generator) -> Item:
    pixels, camera = item.pixels().copy(), item.camera
    source = photographs[rng.integers(len(photographs))]
    rows = int(rng.uniform(0.2, 0.4) * camera.height)
    skyline = rows + (0.05 * camera.height * np.sin(np.arange(camera.width) / rng.uniform(5, 30))).astype(int)
    sky = cv2.resize(source, (camera.width, camera.height), interpolation=cv2.INTER_AREA)
    above = np.arange(camera.height)[:, None] < skyline
    pixels[above] = sky[above]
    coarse = rng.uniform(15, 60, (4, 5)).astype(np.float32)
    junk = cv2.resize(coarse, (camera.width, camera.height), interpolation=cv2.INTER_CUBIC)
    stored = item.stored().copy()
    if item.dense:
        stored[above] = np.clip(junk[above] / item.row["depth_scale"], 1, 65534)
    else:
        u, v = np.rint(item.places()).astype(int).T
        stored[above[v, u]] = junk[v, u][above[v, u]]
    return replace(item, picture=pixels).with_stored(stored)


SCALES = (1000.0, 0.001, 10.0, 8.0, 5.0, 1 / 0.3048, 2.0, 1.25, 0.5, 0.3048, 0.2, 0.125)
"""The factors by which depths must be multiplied to be right again."""


def faults(photographs: Sequence[Pixels]) -> list[Fault]:
    """All faults; ``photographs`` are pictures of skies, each (h, w, 3)."""
    kind, pose, edges, names = ("depth type",), ("poses",), ("alignment",), ("scale", "scale against poses")
    return [
        Fault("Euclidean, said to be z", each(euclidean), kind, found={"found": "euclidean"}),
        Fault("z, type not said", each(undeclared), kind, found={"found": "z"}),
        Fault("Euclidean, type not said", each(lambda i: undeclared(euclidean(i))), kind, found={"found": "euclidean"}),
        Fault(
            "z, said to be Euclidean",
            each(lambda item: item.with_row(depth_type="euclidean")),
            kind,
            found={"found": "z"},
        ),
        Fault("a third Euclidean", mixed, kind, found={"found": "mixed"}),
        Fault("converted to z twice", each(lambda item: euclidean(item, -1)), kind),
        Fault("converted to Euclidean twice", each(lambda item: euclidean(item, 2)), kind),
        *(Fault(f"scale: true / given {s:.4g}", each(lambda i, s=s: i.with_scale(1 / s)), names[:1]) for s in SCALES),
        Fault("scale 1.25 by rotated bits", each(rotated_bits), names[:1], dense=True),
        Fault("scale 1.25, with poses", each(lambda item: item.with_scale(0.8)), names[1:], dense=True, posed=True),
        Fault("translations in mm", translated(1000), names[1:], dense=True, posed=True),
        Fault("capped", capped, ("saturation",)),
        Fault("shifted by 3 to 6 %", shifted, edges),
        Fault("labels mirrored", each(mirrored), edges),
        Fault("labels of any other picture", shuffled, edges),
        Fault("labels of the next line", next_depth, edges),
        Fault("focal length 1.3 times", focal(1.3), ("focal length",)),
        Fault("focal length 1.15 times", focal(1.15), ("focal length",)),
        Fault("focal length 0.8 times", focal(0.8), ("focal length",)),
        Fault("principal point off by 12 % of the width", centre(0.12), ("focal length", "intrinsics")),
        Fault("principal point off by 25 %", centre(0.25), ("intrinsics",)),
        Fault("intrinsics of half the size", each(other_size), ("intrinsics",)),
        Fault("fy 1.1 times", focal(1.1, (False, True)), ("intrinsics",)),
        Fault("poses inverted", posed(inverse), pose, posed=True),
        Fault("poses in OpenGL's axes", posed(lambda p: p @ np.diag([1.0, -1, -1, 1])), pose, posed=True),
        Fault("quaternions exchanged", posed(wrong_quaternion), pose, posed=True),
        Fault("poses of the next line", next_pose, pose, posed=True),
        Fault("poses off by 20 cm, 10 degrees", jittered, pose, posed=True),
        Fault("two near-duplicates of 24", copied, ("duplicates",)),
        Fault(
            "the same, depth 10 % other",
            lambda items, rng: copied(items, rng, 1.1),
            ("duplicates",),
            found={"verdict": "fault"},
        ),
        Fault("sky with labels in a quarter", sky_over(photographs), ("sky",)),
    ]


def write(items: Items, folder: Path) -> Path:
    """Write a manifest. Pictures and depth maps that did not change stay where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for index, item in enumerate(items):
        row = dict(item.row)
        if item.picture is not None:
            row["image"] = str(folder / f"{index}.png")
            Image.fromarray(item.picture).save(row["image"], compress_level=1)
        if item.depth is not None:
            row["depth_map"] = str(folder / f"{index}-depth.png")
            stored = np.nan_to_num(np.rint(item.depth), nan=0).clip(0, 65534).astype(np.uint16)
            cv2.imwrite(row["depth_map"], stored, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        lines.append(json.dumps(row))
    path = folder / "manifest.jsonl"
    path.write_text("\n".join(lines))
    return path
