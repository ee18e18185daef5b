"""``toolkit cloud``: make a metric point cloud of a picture."""

from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from toolkit.cli.ask import (
    Focal,
    Fov,
    Intrinsics,
    Model,
    PointOption,
    camera_flags,
    known_lengths,
    load_asker,
)
from toolkit.cli.options import Device, Dtype, Force, Include, Known, Like, Quantize, Trust, say
from toolkit.errors import UserError
from toolkit.foreign_text import one_line
from toolkit.modeling.placement import AUTO, Placement

if TYPE_CHECKING:
    from toolkit.data.frames.frame import DepthFile, DepthType
    from toolkit.inference.cloud.build_cloud import CloudResult, SceneLengths
    from toolkit.inference.scene import Scene


def cloud(
    image: Annotated[Path, typer.Argument(help="The picture.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PLY", help="The file for the cloud; depth maps go beside it.")
    ],
    model: Model = None,
    like: Like = None,
    intrinsics: Intrinsics = None,
    focal: Focal = None,
    fov: Fov = None,
    point: PointOption = None,
    known: Known = None,
    camera_height: Annotated[
        str | None,
        typer.Option(metavar="LENGTH", help="The camera's height above the floor that is seen: 1.5m; fixes the scale."),
    ] = None,
    columns: Annotated[int, typer.Option(min=2, help="Number of points in each row of the first grid.")] = 32,
    levels: Annotated[
        int, typer.Option(min=0, help="How many times cells in which the depth changes are split into four.")
    ] = 2,
    questions: Annotated[int, typer.Option(min=4, help="The largest number of points to ask about.")] = 3000,
    ratio: Annotated[
        float, typer.Option(help="Split a cell if the depths at its corners differ by this factor.")
    ] = 1.25,
    depth: Annotated[
        Path | None, typer.Option(help="Make the cloud from this depth map, and ask no model.", metavar="FILE")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Compare the answers with this depth map.", metavar="FILE")
    ] = None,
    depth_scale: Annotated[float, typer.Option(help="Metres per unit of the depth map.")] = 0.001,
    depth_type: Annotated[
        Literal["z", "euclidean"] | None, typer.Option(help="The kind of depth in the map; there is no default.")
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Take every n-th pixel of --depth in both directions.")] = 1,
    device: Device = AUTO,
    dtype: Dtype = AUTO,
    quantize: Quantize = None,
    include: Include = None,
    trust: Trust = False,
    force: Force = False,
) -> None:
    """Make a metric point cloud of a picture, by asking a model on a grid, or from a depth map."""
    file = _depth_file(output, depth, against, (depth_scale, depth_type))
    placement = Placement(device, dtype, quantize)
    if depth:
        _refuse_with_depth({"--point": point, "--known": known, "--camera-height": camera_height})
        placement.check_unused("no model, but --depth")
    from toolkit.inference.cloud.adaptive_grid import Grid
    from toolkit.inference.cloud.build_cloud import (
        SurveyProgress,
        check_cloud_files,
        cloud_from_depth,
        cloud_from_model,
    )
    from toolkit.inference.point_syntax import parse_points
    from toolkit.inference.scene import open_scene
    from toolkit.utils.files import make_folder
    from toolkit.utils.progress import bar

    scene = open_scene(image, camera_flags(intrinsics, focal, fov), parse_points(point or []))
    check_cloud_files(output, force, [image, *([file.path] if file else [])])
    lengths = _scene_lengths(scene, known, camera_height)
    make_folder(output.parent)
    if depth and file:
        made = cloud_from_depth(scene, file, every=every)
    else:
        grid = Grid(columns, levels, ratio, questions)
        asker = load_asker(model, include, like, trust, placement)
        with bar("asking", 0) as progress:
            told = SurveyProgress(progress.extend, progress.advance)
            made = cloud_from_model(asker, scene, grid, None, file, told, lengths)
    _save_and_print(made, output, against, force)


def _scene_lengths(scene: "Scene", known: list[str] | None, camera_height: str | None) -> "SceneLengths":
    """What the user knows about lengths in a picture.

    Raises:
        UserError: If a length is malformed, or its points cannot be found, or a point belongs to no length.
    """
    from toolkit.inference.cloud.build_cloud import SceneLengths
    from toolkit.inference.known_syntax import names_in, parse_length

    lengths = known_lengths(known, scene)
    unused = [name for name in scene.points if name not in names_in(lengths)]
    if unused:
        raise UserError(
            f"--point {unused[0]} is not used",
            cause="a cloud needs points for known lengths alone",
            remedy=f"say what is known of it, such as --known {unused[0]}=2.4m, or leave it out",
        )
    return SceneLengths(lengths, None if camera_height is None else parse_length("--camera-height", camera_height))


def _refuse_with_depth(given: Mapping[str, object]) -> None:
    """Refuse what fixes the scale of a model's answers if no model is asked: values by the names of their options."""
    for name, value in given.items():
        if value:
            raise UserError(
                f"{name} cannot be given with --depth",
                cause="the depth map is taken as it is, and no model is asked",
                remedy="leave it out, or give --depth-scale",
            )


def _depth_file(
    output: Path, depth: Path | None, against: Path | None, stored: "tuple[float, DepthType | None]"
) -> "DepthFile | None":
    """The depth map from which the cloud is made, or with which it is compared; None if neither is given.

    Args:
        output: The file for the cloud.
        depth: The depth map from which the cloud is made.
        against: The depth map with which the answers are compared.
        stored: The metres per unit of the depth map, and its kind of depth.

    Raises:
        UserError: If the options contradict each other, or one is missing.
    """
    from toolkit.data.frames.frame import DepthFile

    depth_scale, depth_type = stored
    if output.suffix.lower() != ".ply":
        raise UserError(f"{output}: only PLY is written", remedy="name it .ply")
    if depth and against:
        raise UserError(
            "--depth and --against are given together",
            remedy="make two clouds, or leave out --depth to compare a model's answers",
        )
    if (depth or against) and depth_type is None:
        raise UserError(
            "--depth-type is missing",
            cause="depth along the principal axis and distance from the camera are not the same",
            remedy="pass --depth-type z or --depth-type euclidean",
        )
    if not (isfinite(depth_scale) and depth_scale > 0):
        raise UserError(
            f"--depth-scale {depth_scale:g} is not a positive number",
            remedy="give the metres per unit: 0.001 for millimetres",
        )
    given = depth or against
    return DepthFile(given, depth_scale, depth_type) if given and depth_type else None


def _save_and_print(made: "CloudResult", output: Path, against: Path | None, force: bool) -> None:
    """Save a cloud, and print what was written and what it is based on."""
    from rich.text import Text

    from toolkit.cli.render import camera_to_text, print_lines, print_warnings, scale_line
    from toolkit.utils.interruption import deferred

    with deferred():  # three files: all or none
        written = made.save(output, force)
    say(written)
    if made.depth_errors:
        errors = made.depth_errors
        say(
            f"against {one_line(against)} at {errors.pixels} pixels: delta1 {errors.delta1:.3f}, "
            f"abs_rel {errors.abs_rel:.3f}, median ratio {errors.median_ratio:.3f}"
        )
    lines = [*scale_line(made.scale), ("camera", camera_to_text(made.known))]
    if made.questions:
        lines.append(("asked", Text(f"{made.questions} questions")))
    print_lines(lines)
    print_warnings(made.warnings)
