"""A metric point cloud of one picture: from a grid of questions, or from a depth map on disk."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from toolkit.data.frames.frame import DepthFile, DepthType, Frame
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.inference.asker import Asker, known_camera
from toolkit.inference.camera_source import CameraFlags, KnownCamera
from toolkit.inference.cloud.adaptive_grid import Grid, survey
from toolkit.inference.cloud.depth_image import save_depth_picture
from toolkit.inference.cloud.depth_map import (
    Comparison,
    DepthMap,
    compare,
    dense_map,
    labelled_map,
    png_names,
    save_depth_png,
    sparse_map,
)
from toolkit.inference.cloud.point_cloud import PointCloud, cloud_at, cloud_of_labels
from toolkit.inference.picture import Given, open_picture
from toolkit.inference.points import blindness
from toolkit.qa.task import Task
from toolkit.utils.arrays import Array


@dataclass(frozen=True)
class Watch:
    """Who is told how far a survey is.

    Attributes:
        level: Told how many questions each level of the grid adds.
        progress: Told how many were answered.
    """

    level: Callable[[int], None] = lambda count: None
    progress: Callable[[int], None] = lambda done: None


@dataclass(frozen=True)
class Cloud:
    """A picture in space.

    Attributes:
        points: Its points with colours.
        dense: Its depth map; from questions, it is filled between them where the depth does not jump.
        questions: How many pixels were asked about; 0 where the depth came from a file.
        comparison: How the answers differ from a depth map of the same picture, where one was given.
        known: The camera, and where it comes from.
        warnings: What the user should know.
    """

    points: PointCloud
    dense: DepthMap
    questions: int
    comparison: Comparison | None
    known: KnownCamera
    warnings: tuple[str, ...] = ()

    def save(self, path: Path) -> list[str]:
        """Write the cloud as PLY, and its depth map in millimetres and in colours beside it.

        Returns:
            What was written, and what could not be, a line each.
        """
        millimetres, colors = png_names(path, self.dense.depth_type)
        self.points.write_ply(path)
        lost = save_depth_png(self.dense, millimetres)
        save_depth_picture(self.dense, colors)
        said = [f"wrote {path}: {len(self.points.xyz)} points", f"wrote {millimetres}", f"wrote {colors}"]
        if self.points.dropped:
            said.append(f"{self.points.dropped} pixels gave no point: no depth could be read for them")
        if lost:
            said.append(f"{lost} pixels of {millimetres.name} are 0: 16 bits of millimetres cannot hold their depth")
        return said


def cloud_from_model(
    asker: Asker,
    image: Given,
    grid: Grid,
    camera: CameraFlags | Camera | None = None,
    against: DepthFile | None = None,
    watch: Watch = Watch(),
) -> Cloud:
    """The cloud of a picture, by asking a model how far its pixels are.

    Args:
        asker: The model.
        image: The picture.
        grid: Where it is asked. Pixels so near to the border that no mark can be drawn are left out by themselves, and
            those that a lens bends out of the canonical picture.
        camera: What is known of the camera.
        against: A depth map of the same picture to compare the answers with, at the pixels asked.
        watch: Told how far it is.

    Raises:
        UserError: If the picture or camera cannot be used, or the model knows no task that gives a depth.
    """
    opened = open_picture(image)
    known = known_camera(opened, camera)
    asker.check_focal(opened.picture.name, known)
    task = depth_task(asker)
    # Before the questions: a file that cannot be read is said at once, and not after hours of asking.
    reference = None if against is None else labelled_map(Frame(opened.picture, known.camera, against))
    kind: DepthType = "z" if task.gives == "depth_z" else "euclidean"
    settled = replace(grid, margin=max(grid.margin, _margin(asker, known.camera)))
    asked = 0

    def ask(pixels: Array) -> Array:
        nonlocal asked
        held = asker.presenter.canonicalisation.holds(known.camera, pixels)
        asked += int(held.sum())
        watch.level(int(held.sum()))
        answers = asker.ask_many(opened, "", pixels[held], camera=known.camera, task=task.name, progress=watch.progress)
        depths = np.full(len(pixels), np.nan)
        depths[held] = [np.nan if answer.value is None else answer.value for answer in answers]
        return depths

    found = survey(opened.size, settled, ask)
    if not asked:
        raise UserError(
            f"{opened.picture.name}: there is nothing to ask about",
            cause="the lens bends all points of the grid out of the picture that the model is shown",
            remedy="check the distortion, or ask on a finer grid",
        )
    if np.isnan(found.depth).all():
        raise UserError(
            f"{opened.picture.name}: none of {asked} answers can be read as a depth",
            cause="the model has not learnt enough, or is none of this toolkit's",
            remedy='look at what it says: toolkit ask PICTURE "how far is it" --grid 4x3 --json',
        )
    picture = opened.picture.read()
    points = cloud_at(found.pixels, found.depth, kind, known.camera, picture)
    dense = dense_map(found, kind, known.camera, grid.ratio)
    comparison: Comparison | None = None
    beside: tuple[str, ...] = ()
    if reference is not None and against is not None:
        answered = sparse_map(found.pixels, found.depth, kind, opened.size).converted(known.camera, "z")
        if ((answered.depth > 0) & (reference.depth > 0)).any():
            comparison = compare(answered, reference)
        else:
            beside = (f"{against.path} is not compared with: it has no depth at any pixel with an answer",)
    if bent := len(found.pixels) - asked:
        said = f"{bent} points were not asked: the lens bends them out of the picture that the model is shown"
        beside = (*beside, said)
    warnings = (*opened.warnings, *known.warnings, *beside, *blindness(asker.presenter), *asker.caveat(task))
    return Cloud(points, dense, asked, comparison, known, warnings)


def cloud_from_depth(
    image: Given, depth: DepthFile, camera: CameraFlags | Camera | None = None, every: int = 1
) -> Cloud:
    """The cloud of a picture with a depth map on disk.

    Args:
        image: The picture.
        depth: Its depth map, of the same size.
        camera: What is known of the camera.
        every: Only every ``every``-th pixel in both directions becomes a point.

    Raises:
        UserError: If the picture, the camera or the depth map cannot be used.
    """
    opened = open_picture(image)
    known = known_camera(opened, camera)
    frame = Frame(opened.picture, known.camera, depth)
    dense = labelled_map(frame)
    if np.isnan(dense.depth).all():
        raise UserError(
            f"{depth.path}: there is no depth in this depth map",
            cause="all its values are 0, negative, not numbers, or the largest that 16 bits hold",
            remedy="check that it is the right file, and --depth-scale",
        )
    return Cloud(cloud_of_labels(frame, every), dense, 0, None, known, (*opened.warnings, *known.warnings))


def _margin(asker: Asker, camera: Camera) -> int:
    """Pixels of the original picture in which no mark can be drawn whole."""
    focal = asker.presenter.canonicalisation.focal
    return math.ceil(asker.presenter.clearance * max(camera.fx, camera.fy) / focal)


def depth_task(asker: Asker) -> Task:
    """The task whose answers are depths, Euclidean ones before depth_z.

    Raises:
        UserError: If the model knows none.
    """
    found = sorted((task for task in asker.tasks.values() if task.gives), key=lambda task: task.gives != "distance")
    if not found:
        raise UserError(
            "this model was not trained to say how far a point is",
            cause=f"it was trained on {', '.join(sorted(asker.tasks))}",
            remedy="train one whose recipe has tasks.metric_depth or tasks.principal_axis_distance",
        )
    return found[0]
