"""Clouds of a picture: from questions to a model that knows the scene, and from a depth map on disk."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.support.ply import read_ply
from toolkit.data.frames.frame import DepthFile
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.canonical import Canonicalisation, Canvas
from toolkit.inference.asker import Asker
from toolkit.inference.cloud import build_cloud
from toolkit.inference.cloud.adaptive_grid import Grid
from toolkit.inference.cloud.build_cloud import SceneLengths, SurveyProgress, cloud_from_depth, cloud_from_model
from toolkit.inference.known_length import Scale
from toolkit.inference.scene import open_scene
from toolkit.modeling.predictor import Reply
from toolkit.qa.marker import Marker
from toolkit.qa.sample import Presenter, Sample
from toolkit.qa.tasks.registry import get_task
from toolkit.utils.system_errors import OutputError

CAMERA = Camera(200.0, 210.0, 118.0, 92.0, 240, 180, (-0.1, 0.02, 0.001, 0, 0))
FAR, NEAR = 4.0, 2.0


def depth_z(pixels: np.ndarray) -> np.ndarray:
    """A wall at 4 m, and before it a board at 2 m that covers a square of the original picture."""
    on_board = (np.abs(pixels - (120, 90)) <= 40).all(axis=-1)
    return np.where(on_board, NEAR, FAR)


class Knowing:
    """Knows the scene; cannot tell in the top left corner."""

    name = "knowing"
    notes = ()

    def __init__(self) -> None:
        self.asked: list[np.ndarray] = []

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        return [Reply(self._say(sample)) for sample in samples]

    def _say(self, sample: Sample) -> str:
        (point,), (view,) = sample.query.points, sample.query.views
        pixel = view.frame.camera.project(view.camera.rays(point.pixel))
        self.asked.append(pixel)
        if (pixel < 30).all():
            return "I cannot tell"
        z = float(depth_z(pixel))
        if sample.task == "principal_axis_distance":
            return f"{z:.4f} m"
        return f"{z * np.linalg.norm(view.camera.rays(point.pixel)):.4f} m"


def asker(task: str, size: int = 96) -> Asker:
    presenter = Presenter(Canonicalisation(focal=100, canvas=Canvas(square=size)), Marker("dot", 3))
    return Asker(Knowing(), presenter, {task: get_task(task)})


def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (180, 240, 3), dtype=np.uint8)


def depth_file(folder: Path) -> DepthFile:
    v, u = np.mgrid[0:180, 0:240]
    path = folder / "depth.png"
    cv2.imwrite(str(path), (depth_z(np.stack([u, v], axis=-1)) * 1000).astype(np.uint16))
    return DepthFile(path, 0.001, "z")


@pytest.mark.parametrize("task", ["metric_depth", "principal_axis_distance"])
def test_the_cloud_is_the_scene(task: str, tmp_path: Path) -> None:
    model = asker(task)  # windows of 96 px, of a picture of 120 x 86 px at the canonical focal length
    told: list[int] = []
    made = cloud_from_model(
        model,
        picture(),
        Grid(12, 2),
        CAMERA,
        depth_file(tmp_path),
        SurveyProgress(told.append, lambda done: told.append(-done)),
    )
    z = made.points.xyz[:, 2]
    assert np.minimum(abs(z - FAR), abs(z - NEAR)).max() < 1e-3
    assert (z < 3).sum() > 50 and (z > 3).sum() > 50
    assert sum(told) == 0 and told[0] == 12 * 9  # all announced questions were answered
    assert made.questions == len(model.predictor.asked) > 12 * 9  # type: ignore[attr-defined]
    assert made.points.dropped > 0  # the corner that could not be told
    assert made.depth_errors is not None
    assert (made.depth_errors.delta1, round(made.depth_errors.median_ratio, 3)) == (1.0, 1.0)


def test_marks_are_never_asked_for_where_they_cannot_be_drawn() -> None:
    model = asker("metric_depth")
    cloud_from_model(model, picture(), Grid(12, 0), CAMERA)
    reach = model.presenter.marker.reach * 2.1
    for u, v in model.predictor.asked:  # type: ignore[attr-defined]
        assert reach - 1 <= u <= 239 - reach + 1 and reach - 1 <= v <= 179 - reach + 1


def test_cloud_and_depth_maps_are_written(tmp_path: Path) -> None:
    made = cloud_from_model(asker("metric_depth"), picture(), Grid(12, 2), CAMERA)
    saved = made.save(tmp_path / "out.ply")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["out.ply", "out_depth_z.png", "out_depth_z_mm.png"]
    _, vertices = read_ply(tmp_path / "out.ply")
    assert len(vertices) == len(made.points.xyz)
    dense = cv2.imread(str(tmp_path / "out_depth_z_mm.png"), cv2.IMREAD_UNCHANGED)
    known = dense[dense > 0]
    assert np.minimum(abs(known - 4000.0), abs(known - 2000.0)).max() <= 2  # nothing floats between the two
    assert "no depth could be read" in saved.splitlines()[3]


def test_a_depth_map_makes_a_cloud_to_compare_with(tmp_path: Path) -> None:
    file = depth_file(tmp_path)
    Image.fromarray(picture()).save(tmp_path / "photo.png")
    made = cloud_from_depth(tmp_path / "photo.png", file, CAMERA, every=4)
    assert len(made.points.xyz) == 60 * 45
    assert set(np.round(made.points.xyz[:, 2], 6)) == {NEAR, FAR}
    assert made.questions == 0


def test_the_depth_map_of_a_turned_picture_turns_too(tmp_path: Path) -> None:
    file, exif = depth_file(tmp_path), Image.Exif()
    exif[274] = 6
    Image.fromarray(picture()).save(tmp_path / "photo.png", exif=exif)
    turned = cloud_from_depth(tmp_path / "photo.png", file, CAMERA.turned(6)).points.xyz
    Image.fromarray(picture()).save(tmp_path / "photo.png")
    plain = cloud_from_depth(tmp_path / "photo.png", file, CAMERA).points.xyz
    expected = np.stack([-plain[:, 1], plain[:, 0], plain[:, 2]], axis=-1)  # x right becomes y down
    sort = [np.lexsort(each.round(4).T) for each in (turned, expected)]
    np.testing.assert_allclose(turned[sort[0]], expected[sort[1]], atol=1e-3)


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_a_depth_map_whose_turn_no_size_shows_is_refused(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(picture()).save(tmp_path / "photo.png", exif=exif)
    with pytest.raises(UserError, match="not known whether this depth map is upright") as caught:
        cloud_from_depth(tmp_path / "photo.png", depth_file(tmp_path), CAMERA)
    assert "without this tag" in caught.value.remedy


def test_a_depth_map_that_shares_no_pixel_loses_no_answer(tmp_path: Path) -> None:
    sparse = np.zeros((180, 240), np.uint16)
    sparse[1, 1] = 2000
    cv2.imwrite(str(tmp_path / "sparse.png"), sparse)
    against = DepthFile(tmp_path / "sparse.png", 0.001, "z")
    made = cloud_from_model(asker("metric_depth"), picture(), Grid(12, 0), CAMERA, against)
    assert made.depth_errors is None and len(made.points.xyz)
    assert any("sparse.png is not compared with" in warning for warning in made.warnings)


@pytest.mark.parametrize("size", [(240, 180), (241, 181), (239, 179), (97, 133)])
def test_points_in_the_text_need_no_more_room_than_there_is(size: tuple[int, int]) -> None:
    model = asker("metric_depth")
    model = replace(model, presenter=replace(model.presenter, reference="text"))
    cloud_from_model(model, cv2.resize(picture(), size), Grid(12, 0), Camera.from_fov(*size, 60))
    asked = np.array(model.predictor.asked)  # type: ignore[attr-defined]
    assert asked.min() < 4 and (asked.max(axis=0) > np.array(size) - 5).all()


@pytest.mark.parametrize("reference", ["marker", "text"])
@pytest.mark.parametrize("distortion", [(-0.3, 0.1, 0, 0, 0), (-0.15, 0, 0, 0, 0), (0.2, 0, 0, 0, 0)])
def test_what_a_lens_bends_out_of_the_picture_is_not_asked(distortion: tuple[float, ...], reference: str) -> None:
    camera = Camera(150.0, 150.0, 119.5, 89.5, 240, 180, distortion)
    model = asker("metric_depth")
    model = replace(model, presenter=replace(model.presenter, reference=reference))
    made = cloud_from_model(model, picture(), Grid(12, 0), camera)
    asked = np.array(model.predictor.asked)  # type: ignore[attr-defined]
    assert made.questions == len(asked)
    bent = distortion[0] < 0  # outwards: the corners of the picture leave the canonical one
    assert (made.questions < 12 * 9) == bent
    canonical = model.presenter.canonicalisation
    everywhere = np.stack(np.meshgrid(np.arange(0, 240, 13), np.arange(0, 180, 13)), axis=-1).reshape(-1, 2)
    held = canonical.holds(camera, everywhere)
    for pixel, shown in zip(everywhere, held, strict=True):  # what can be asked by itself, and nothing else
        if shown:
            canonical.tiles(camera, [pixel])
            continue
        with pytest.raises(UserError, match="no place"):
            canonical.tiles(camera, [pixel])
    assert canonical.holds(camera, asked).all()
    assert any("the lens bends them out" in warning for warning in made.warnings) == bent


def test_a_model_that_heeds_no_points_is_told() -> None:
    camera = Camera.from_fov(240, 180, 60)
    told = cloud_from_model(model := asker("metric_depth"), picture(), Grid(12, 0), camera).warnings
    blind = replace(model, presenter=replace(model.presenter, reference="none"))
    more = cloud_from_model(blind, picture(), Grid(12, 0), camera).warnings
    (warning,) = set(more) - set(told)
    assert "not trained to be told which point is meant" in warning


def test_what_is_to_be_known_of_a_server_is_told() -> None:
    model = asker("metric_depth")
    model.predictor.notes = ("it may answer otherwise",)  # type: ignore[attr-defined]
    (answer,) = model.ask_many(picture(), "how far is it", [[120, 90]], camera=CAMERA)
    one = model.ask(picture(), "how far is the red point", points={"red": (120, 90)}, camera=CAMERA)
    made = cloud_from_model(model, picture(), Grid(4, 0), CAMERA)
    assert all("it may answer otherwise" in said.warnings for said in (answer, one, made))


def test_a_model_that_knows_no_depth_is_refused() -> None:
    with pytest.raises(UserError, match="not trained to say how far") as caught:
        cloud_from_model(asker("relative_depth"), picture(), Grid(12, 0), CAMERA)
    assert "relative_depth" in caught.value.cause


def test_a_known_distance_fixes_the_scale_of_the_cloud(tmp_path: Path) -> None:
    scene = open_scene(picture(), CAMERA, {"red": (190.0, 40.0)})
    true = float(CAMERA.distance_from_z((190, 40), FAR))
    grid, reference = Grid(8, 0), depth_file(tmp_path)
    own = cloud_from_model(asker("metric_depth"), scene, grid, against=reference)
    made = cloud_from_model(
        asker("metric_depth"), scene, grid, None, reference, lengths=SceneLengths({"red": 2 * true})
    )
    np.testing.assert_allclose(made.points.xyz, 2 * own.points.xyz, rtol=1e-4)
    np.testing.assert_allclose(made.dense.depth, 2 * own.dense.depth, rtol=1e-4)
    assert own.scale is None
    assert made.scale is not None and made.scale.factor == pytest.approx(2, rel=1e-4)
    assert made.depth_errors is not None and made.depth_errors.median_ratio == pytest.approx(2, rel=1e-3)
    given = cloud_from_model(asker("metric_depth"), scene, grid, lengths=SceneLengths(Scale(3.0, 2.9, 3.1, "given")))
    np.testing.assert_allclose(given.points.xyz, 3 * own.points.xyz, rtol=1e-9)


class OnFloor(Knowing):
    """Knows a floor 0.75 m below the camera, and a wall behind it."""

    def _say(self, sample: Sample) -> str:
        (point,), (view,) = sample.query.points, sample.query.views
        ray = view.camera.rays(point.pixel)
        z = min(FAR, 0.75 / ray[1] if ray[1] > 0 else FAR)
        return f"{z * np.linalg.norm(ray):.4f} m"


def test_a_known_height_of_the_camera_fixes_the_scale_of_the_cloud() -> None:
    model = replace(asker("metric_depth"), predictor=OnFloor())
    made = cloud_from_model(model, picture(), Grid(24, 0), CAMERA, lengths=SceneLengths(camera_height=1.5))
    assert made.scale is not None and made.scale.factor == pytest.approx(2, rel=0.02)
    assert made.points.xyz[:, 1].max() == pytest.approx(1.5, rel=0.03)
    assert "the camera's height is 1.5 m, the model says 0.75" in made.scale.origin
    scene = open_scene(picture(), CAMERA, {"red": (120.0, 20.0)})
    both = SceneLengths({"red": 2 * float(CAMERA.distance_from_z((120, 20), FAR))}, camera_height=1.5)
    assert len(cloud_from_model(model, scene, Grid(24, 0), lengths=both).scale.known) == 2  # type: ignore[union-attr]


def test_a_camera_without_a_floor_has_no_height_above_it() -> None:
    with pytest.raises(UserError, match="there is no floor below the camera"):
        cloud_from_model(asker("metric_depth"), picture(), Grid(8, 0), CAMERA, lengths=SceneLengths(camera_height=1.5))
    with pytest.raises(UserError, match="not a positive length"):
        cloud_from_model(asker("metric_depth"), picture(), Grid(8, 0), CAMERA, lengths=SceneLengths(camera_height=-1))


def test_a_cloud_is_not_left_without_its_depth_maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = cloud_from_depth(picture(), depth_file(tmp_path), CAMERA)

    def full(*_: object) -> None:
        raise OutputError("the disk is full")

    (tmp_path / "out").mkdir()
    monkeypatch.setattr(build_cloud, "save_depth_picture", full)
    with pytest.raises(OutputError):
        made.save(tmp_path / "out" / "a.ply")
    assert not list((tmp_path / "out").iterdir())
