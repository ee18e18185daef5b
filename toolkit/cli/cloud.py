"""``toolkit cloud``: a picture as a metric point cloud."""

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from toolkit.cli.ask import Focal, Fov, Intrinsics, Like, Model, camera_flags, load_asker, open_pictures
from toolkit.cli.options import Include
from toolkit.errors import UserError

if TYPE_CHECKING:
    from toolkit.data.frames.frame import DepthFile, DepthType
    from toolkit.inference.cloud.build_cloud import Cloud


def cloud(
    image: Annotated[Path, typer.Argument(help="The picture.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="PLY", help="The cloud; depth maps go beside it.")],
    model: Model = None,
    like: Like = None,
    intrinsics: Intrinsics = None,
    focal: Focal = None,
    fov: Fov = None,
    columns: Annotated[int, typer.Option(min=2, help="Points in each row of the first grid.")] = 32,
    levels: Annotated[int, typer.Option(min=0, help="How often cells in which the depth changes are split.")] = 2,
    questions: Annotated[int, typer.Option(min=4, help="The most points asked about.")] = 3000,
    ratio: Annotated[float, typer.Option(help="Depths that differ by this factor make a cell worth splitting.")] = 1.25,
    depth: Annotated[
        Path | None, typer.Option(help="Make the cloud of this depth map, and ask no model.", metavar="FILE")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Compare the answers with this depth map.", metavar="FILE")
    ] = None,
    depth_scale: Annotated[float, typer.Option(help="Metres a unit of the depth map.")] = 0.001,
    depth_type: Annotated[
        Literal["z", "euclidean"] | None, typer.Option(help="What the depth map holds; there is no default.")
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Take every n-th pixel of --depth in both directions.")] = 1,
    include: Include = None,
) -> None:
    """A metric point cloud of a picture, by asking a model on a grid, or from a depth map."""
    file = _depth_file(output, depth, against, (depth_scale, depth_type))
    from toolkit.inference.cloud.adaptive_grid import Grid
    from toolkit.inference.cloud.build_cloud import Watch, cloud_from_depth, cloud_from_model
    from toolkit.utils.files import make_folder
    from toolkit.utils.progress import bar

    camera = camera_flags(intrinsics, focal, fov)
    opened = open_pictures([image], camera)[0]
    make_folder(output.parent)
    if depth and file:
        made = cloud_from_depth(opened, file, camera, every)
    else:
        grid = Grid(columns, levels, ratio, questions)
        asker = load_asker(model, include, like)
        with bar("asking", 0) as progress:
            made = cloud_from_model(asker, opened, grid, camera, file, Watch(progress.extend, progress.advance))
    _show(made, output, against)


def _depth_file(
    output: Path, depth: Path | None, against: Path | None, stored: "tuple[float, DepthType | None]"
) -> "DepthFile | None":
    """The depth map that the cloud is made of, or compared with; what it holds is ``stored``: scale and kind."""
    from toolkit.data.frames.frame import DepthFile

    depth_scale, depth_type = stored
    if output.suffix.lower() != ".ply":
        raise UserError(f"{output}: only PLY is written", remedy="name it .ply")
    if depth and against:
        raise UserError("--depth and --against are given together", remedy="make two clouds, or compare one model's")
    if (depth or against) and depth_type is None:
        raise UserError(
            "--depth-type is missing",
            cause="depth along the principal axis and distance from the camera are not the same",
            remedy="pass --depth-type z or --depth-type euclidean",
        )
    if not (isfinite(depth_scale) and depth_scale > 0):
        raise UserError(
            f"--depth-scale {depth_scale:g} is not a positive number",
            remedy="give metres a unit: 0.001 for millimetres",
        )
    given = depth or against
    return DepthFile(given, depth_scale, depth_type) if given and depth_type else None


def _show(made: "Cloud", output: Path, against: Path | None) -> None:
    """Write a cloud, and say what it is and what it rests on."""
    from rich.text import Text

    from toolkit.cli.render import camera_words, show_lines, show_warnings

    for line in made.save(output):
        print(line)
    if made.comparison:
        found = made.comparison
        print(
            f"against {against} at {found.pixels} pixels: delta1 {found.delta1:.3f}, abs_rel {found.abs_rel:.3f}, "
            f"median ratio {found.median_ratio:.3f}"
        )
    lines = [("camera", camera_words(made.known))]
    if made.questions:
        lines.append(("asked", Text(f"{made.questions} questions")))
    show_lines(lines)
    show_warnings(made.warnings)
