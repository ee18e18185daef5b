"""A metric point cloud of one picture: from a grid of questions, or from a depth map on disk."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from toolkit.data.frames.frame import DepthFile, DepthType, ImageFile
from toolkit.errors import UserError
from toolkit.foreign_text import one_line
from toolkit.geometry.camera import Camera
from toolkit.geometry.floor import find_floor
from toolkit.inference.asker import Asker
from toolkit.inference.camera_source import CameraFlags, KnownCamera
from toolkit.inference.cloud.adaptive_grid import Grid, Survey, survey
from toolkit.inference.cloud.depth_image import save_depth_picture
from toolkit.inference.cloud.depth_map import (
    CLOUD,
    DepthErrors,
    DepthMap,
    dense_map,
    depth_errors,
    labelled_map,
    png_names,
    save_depth_png,
    sparse_map,
)
from toolkit.inference.cloud.point_cloud import PointCloud, cloud_at, cloud_of_labels
from toolkit.inference.known_length import NORMAL_TAIL, KnownInput, MeasuredLength, Scale, scale_from
from toolkit.inference.known_syntax import check_length
from toolkit.inference.open_picture import PictureInput
from toolkit.inference.points import no_points_warning
from toolkit.inference.scene import Scene, open_scene
from toolkit.qa.tasks.task import Task
from toolkit.utils.arrays import Array
from toolkit.utils.files import written_together
from toolkit.utils.overwrite import check_overwrite


@dataclass(frozen=True)
class SurveyProgress:
    """The functions that are called while a survey goes on, to show how far it is.

    Attributes:
        on_level: A function that is called with the number of questions that a level of the grid adds.
        on_answers: A function that is called with the number of questions that were answered.
    """

    on_level: Callable[[int], None] = lambda count: None
    on_answers: Callable[[int], None] = lambda done: None


@dataclass(frozen=True)
class CloudResult:
    """A picture as a point cloud and a depth map.

    Attributes:
        points: The points with their colours.
        dense: The depth map. From questions, it is filled between the pixels asked for where the depth does not jump.
        questions: The number of pixels that were asked for; 0 if the depth comes from a file.
        depth_errors: The errors of the answers against a depth map of the same picture, if one was given.
        known: The camera, and where it comes from.
        warnings: What the user should know.
        inputs: The files that the cloud was made from.
        scale: The factor by which known lengths have changed the answers, if there are any.
    """

    points: PointCloud
    dense: DepthMap
    questions: int
    depth_errors: DepthErrors | None
    known: KnownCamera
    warnings: tuple[str, ...] = ()
    inputs: tuple[Path, ...] = ()
    scale: Scale | None = None

    def save(self, path: Path, force: bool = False) -> str:
        """Write the cloud as PLY, and beside it its depth map, in millimetres and in colours: all three or none.

        Args:
            path: The PLY file.
            force: Whether files of another origin may be written over, other than those that the cloud was made from.

        Returns:
            Lines that say what was written, and what could not be written.

        Raises:
            UserError: If a file may not be written over, or cannot be written.
        """
        check_cloud_files(path, force, self.inputs)
        millimetres, colors = png_names(path, self.dense.depth_type)
        with written_together():
            self.points.write_ply(path)
            lost = save_depth_png(self.dense, millimetres)
            save_depth_picture(self.dense, colors)
        lines = [
            f"wrote {one_line(path)}: {len(self.points.xyz)} points",
            *(f"wrote {one_line(each)}" for each in (millimetres, colors)),
        ]
        if self.points.dropped:
            lines.append(f"{self.points.dropped} pixels gave no point: no depth could be read for them")
        if lost:
            lines.append(
                f"{lost} pixels of {one_line(millimetres.name)} are 0: 16 bits of millimetres cannot hold their depth"
            )
        return "\n".join(lines)


def check_cloud_files(path: Path, force: bool = False, inputs: Sequence[Path] = ()) -> None:
    """Check that a cloud and its depth maps may be written.

    Args:
        path: The PLY file.
        force: Whether files of another origin may be written over.
        inputs: The files that the cloud is made from, which are never written over.

    Raises:
        UserError: If a file may not be written over.
    """
    check_overwrite([path, *png_names(path, "z")], CLOUD, force, inputs)


@dataclass(frozen=True)
class SceneLengths:
    """What the user knows about lengths in a scene.

    Attributes:
        known: Known lengths [m] by the names of points of the scene, or the Scale of another picture.
        camera_height: The height of the camera above the floor [m]; None if it is not known.
    """

    known: KnownInput = field(default_factory=dict)
    camera_height: float | None = None


def cloud_from_model(
    asker: Asker,
    image: PictureInput | Scene,
    grid: Grid,
    camera: CameraFlags | Camera | None = None,
    against: DepthFile | None = None,
    progress: SurveyProgress = SurveyProgress(),
    lengths: SceneLengths | None = None,
) -> CloudResult:
    """Make the cloud of a picture by asking a model how far its pixels are.

    Args:
        asker: The model.
        image: The picture.
        grid: The settings of the grid. Pixels that are too close to the border for a mark are never asked for, and
            neither are those that the lens bends out of the canonical picture.
        camera: What is known of the camera.
        against: A depth map of the same picture, with which the answers are compared at the pixels asked for.
        progress: The functions that are called while questions are asked.
        lengths: What is known of lengths in the picture. All depths are multiplied by the factor that follows.

    Raises:
        UserError: If the picture, the camera or a known length cannot be used, the model knows no task that gives a
            depth, none of its answers can be read, or there is no floor below a camera of known height.
    """
    scene = open_scene(image, camera)
    asker.check_focal(scene)
    (frame,), (known,) = scene.frames, scene.cameras
    task = depth_task(asker)
    # This file is read before the questions, so that an error in it does not appear only after hours of asking.
    reference = None if against is None else labelled_map(replace(frame, labels=_turned(against, scene)))
    scale_of = _ask_lengths(asker, scene, lengths or SceneLengths())
    found, asked = _ask_on_grid(asker, scene, task, grid, progress)
    kind: DepthType = "z" if task.gives == "depth_z" else "euclidean"
    scale = scale_of(cloud_at(found.pixels, found.depth, kind, known.camera, frame.picture.read()))
    if scale is not None:
        found = replace(found, depth=found.depth * scale.factor)
    points = cloud_at(found.pixels, found.depth, kind, known.camera, frame.picture.read())
    dense = dense_map(found, kind, known.camera, grid.ratio)
    errors: DepthErrors | None = None
    notes: list[str] = []
    if reference is not None and against is not None:
        answered = sparse_map(found.pixels, found.depth, kind, scene.size).converted(known.camera, "z")
        if ((answered.depth > 0) & (reference.depth > 0)).any():
            errors = depth_errors(answered, reference)
        else:
            notes.append(f"{against.path} is not compared with: it has no depth at any pixel with an answer")
    if bent := len(found.pixels) - asked:
        notes.append(f"{bent} points were not asked: the lens bends them out of the picture that the model is shown")
    notes += scale.warnings if scale else ()
    warnings = (*scene.warnings, *notes, *no_points_warning(asker.presenter), *asker.caveat(task))
    return CloudResult(points, dense, asked, errors, known, warnings, _files(scene, against), scale)


def _ask_lengths(asker: Asker, scene: Scene, lengths: SceneLengths) -> Callable[[PointCloud], Scale | None]:
    """Ask about known lengths before the long survey, and return the function that finds the Scale after it.

    Args:
        asker: The model.
        scene: The picture and its points.
        lengths: What is known of lengths in the picture.

    Returns:
        A function of the cloud of the model's own answers. It returns None if nothing is known.
    """
    if isinstance(lengths.known, Scale):
        given = lengths.known
        return lambda points: given
    height = lengths.camera_height
    if height is not None:
        check_length("the camera's height", height)
    measured = asker.measure_lengths(scene, lengths.known) if lengths.known else []

    def find(points: PointCloud) -> Scale | None:
        heights = [] if height is None else [_measure_height(points, height)]
        return scale_from([*measured, *heights]) if measured or heights else None

    return find


def _measure_height(points: PointCloud, height: float) -> MeasuredLength:
    """The camera's known height [m], and its height above the floor in the cloud of the model's own answers.

    Neighbouring answers err alike, so that many of them are not more exact than one: the interval is that of one point,
    from the root mean square of the distances of points from the floor.
    """
    floor = find_floor(points.xyz, np.random.default_rng(0))
    if floor is None:
        raise UserError(
            "--camera-height cannot be used: there is no floor below the camera in the model's answers",
            cause="too few points lie on one level plane with nothing below it",
            remedy="give a known length instead: --point blue=U,V --known blue=2.4m",
        )
    margin = math.exp(NORMAL_TAIL * floor.spread)
    return MeasuredLength((), height, floor.height, (floor.height / margin, floor.height * margin), "floor")


def _ask_on_grid(asker: Asker, scene: Scene, task: Task, grid: Grid, progress: SurveyProgress) -> tuple[Survey, int]:
    """The survey of a picture, and the number of its pixels that the model was asked for.

    Raises:
        UserError: If no pixel can be asked for, or no answer can be read.
    """
    (frame,), camera = scene.frames, scene.cameras[0].camera
    asked = 0

    def ask(pixels: Array) -> Array:
        nonlocal asked
        held = asker.presenter.canonicalisation.holds(camera, pixels)
        asked += int(held.sum())
        progress.on_level(int(held.sum()))
        answers = asker.ask_many(scene, "", pixels[held], task=task.name, progress=progress.on_answers)
        depths = np.full(len(pixels), np.nan)
        depths[held] = [np.nan if answer.value is None else answer.value for answer in answers]
        return depths

    found = survey(scene.size, replace(grid, margin=max(grid.margin, _margin(asker, camera))), ask)
    if not asked:
        raise UserError(
            f"{frame.name}: there is nothing to ask about",
            cause="the lens bends all points of the grid out of the picture that the model is shown",
            remedy="check the distortion, or ask on a finer grid",
        )
    if np.isnan(found.depth).all():
        raise UserError(
            f"{frame.name}: none of {asked} answers can be read as a depth",
            cause="the model has not learnt enough, or is none of this toolkit's",
            remedy='look at what it says: toolkit ask PICTURE "how far is it" --grid 4x3 --json',
        )
    return found, asked


def cloud_from_depth(
    image: PictureInput | Scene, depth: DepthFile, camera: CameraFlags | Camera | None = None, every: int = 1
) -> CloudResult:
    """Make the cloud of a picture from a depth map on disk.

    Args:
        image: The picture.
        depth: The depth map, which has the size of the picture.
        camera: What is known of the camera.
        every: Only every ``every``-th pixel in both directions becomes a point.

    Raises:
        UserError: If the picture, the camera or the depth map cannot be used.
    """
    scene = open_scene(image, camera)
    frame = replace(scene.frames[0], labels=_turned(depth, scene))
    dense = labelled_map(frame)
    if np.isnan(dense.depth).all():
        raise UserError(
            f"{depth.path}: there is no depth in this depth map",
            cause="all its values are 0, negative, not numbers, or the largest that 16 bits hold",
            remedy="check that it is the right file, and --depth-scale",
        )
    points = cloud_of_labels(frame, every)
    return CloudResult(points, dense, 0, None, scene.cameras[0], scene.warnings, _files(scene, depth))


def _files(scene: Scene, depth: DepthFile | None) -> tuple[Path, ...]:
    """The files that a cloud is made from."""
    pictures = [frame.picture.path for frame in scene.frames if isinstance(frame.picture, ImageFile)]
    return (*pictures, *([depth.path] if depth else []))


def _turned(depth: DepthFile, scene: Scene) -> DepthFile:
    """The depth map of a Scene's first picture, which turns with the picture if its size shows that it must.

    Raises:
        UserError: If its size does not show that.
    """
    width, height = scene.size
    if scene.orientation != 1 and (scene.orientation < 5 or width == height):
        raise UserError(
            f"{depth.path}: it is not known whether this depth map is upright",
            cause=f"the picture has the EXIF orientation {scene.orientation}, which leaves its size as it is",
            remedy="store the picture and the depth map upright, without this tag",
        )
    return replace(depth, orientation=scene.orientation)


def _margin(asker: Asker, camera: Camera) -> int:
    """The width of the border of the original picture in which no whole mark can be drawn [px]."""
    focal = asker.presenter.canonicalisation.focal
    return math.ceil(asker.presenter.clearance * max(camera.fx, camera.fy) / focal)


def depth_task(asker: Asker) -> Task:
    """The task of the model whose answers are depths; one with Euclidean distances comes before one with depth_z.

    Raises:
        UserError: If the model knows no such task.
    """
    found = sorted((task for task in asker.tasks.values() if task.gives), key=lambda task: task.gives != "distance")
    if not found:
        raise UserError(
            "this model was not trained to say how far a point is",
            cause=f"it was trained on {', '.join(sorted(asker.tasks))}",
            remedy="train one whose recipe has tasks.metric_depth or tasks.principal_axis_distance",
        )
    return found[0]
