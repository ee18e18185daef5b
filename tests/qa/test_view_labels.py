"""Labels of a View: a depth map that is read point by point gives the same as all its pixels at once."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from toolkit.data.frames.frame import DepthFile, DepthType, Frame, ImageArray, ImageFile
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.canonical import Canonicalisation, Canvas, Crop
from toolkit.geometry.resample import to_canonical
from toolkit.qa.canonical_view import canonicalise
from toolkit.qa.view_labels import GridLabels, PointLabels

CAMERA = Camera(90.0, 80.0, 47.2, 36.9, 100, 70)


def depth_file(folder: Path, depth_type: DepthType = "z") -> DepthFile:
    """A depth map with holes, saturated pixels and values of every size."""
    stored = np.random.default_rng(0).integers(1, 60000, (70, 100), dtype=np.uint16)
    stored[np.random.default_rng(1).random(stored.shape) < 0.4] = 0
    stored[3:9, 5:50] = 65535
    cv2.imwrite(str(folder / "depth.png"), stored)
    return DepthFile(folder / "depth.png", 0.001, depth_type)


@pytest.mark.parametrize("depth_type", ["z", "euclidean"])
@pytest.mark.parametrize("margin", [0.0, 0.5, 3.0, 11.0])
def test_a_grid_gives_the_same_labels_in_the_same_order(tmp_path: Path, depth_type: DepthType, margin: float) -> None:
    file = depth_file(tmp_path, depth_type)
    shape = Canonicalisation(focal=130, canvas=Canvas(14), crop=Crop((70, 120), (60, 90)))
    for seed in range(6):
        window = shape.window(CAMERA, np.random.default_rng(seed))
        pixels, depth_z = file.read(CAMERA)
        moved = to_canonical(CAMERA, window, pixels)
        every = PointLabels(moved, depth_z, window).inside(margin)
        grid = GridLabels(file.grid(CAMERA), CAMERA, window).inside(margin)
        assert len(grid) == len(every) > 0
        np.testing.assert_array_equal(grid.points, every.points)
        np.testing.assert_array_equal(grid.depth_z, every.depth_z)
        numbers = np.array([0, len(every) - 1, 7])
        for ours, expected in zip(grid.take(numbers), every.take(numbers), strict=True):
            np.testing.assert_array_equal(ours, expected)


def test_no_label_inside_a_wide_margin(tmp_path: Path) -> None:
    labels = GridLabels(depth_file(tmp_path).grid(CAMERA), CAMERA, CAMERA.window(0, 0, 100, 70))
    assert len(labels.inside(50.0)) == 0
    assert labels.inside(50.0).points.shape == (0, 2)


@pytest.mark.parametrize(("distortion", "kind"), [((), GridLabels), ((0.1, 0, 0, 0, 0), PointLabels)])
def test_a_lens_that_bends_takes_the_points_one_by_one(
    tmp_path: Path, distortion: tuple[float, ...], kind: type
) -> None:
    camera = Camera(90.0, 80.0, 47.2, 36.9, 100, 70, distortion)
    frame = Frame(ImageArray(np.zeros((70, 100, 3), np.uint8)), camera, depth_file(tmp_path))
    view = canonicalise(frame, Canonicalisation(focal=130).window(camera, None))
    assert isinstance(view.labels, kind)
    assert len(view.points) == len(view.depth_z) > 1000
    assert view.camera.contains(view.points).all()


def test_without_labels_there_are_none() -> None:
    frame = Frame(ImageArray(np.zeros((70, 100, 3), np.uint8)), CAMERA)
    view = canonicalise(frame, CAMERA.window(0, 0, 100, 70))
    assert view.labels is None
    assert view.points.shape == (0, 2)
    assert view.depth_z.shape == (0,)


def test_a_jpeg_decoded_smaller_shows_the_same_view(tmp_path: Path) -> None:
    coarse = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (1203, 905), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(tmp_path / "a.jpg"), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 98])
    for distortion in ((), (0.05, 0, 0, 0, 0)):
        camera = Camera(1000.0, 990.0, 611.0, 449.0, 1203, 905, distortion)
        window = Canonicalisation(focal=180, canvas=Canvas(14)).window(camera, None)
        reduced = canonicalise(Frame(ImageFile(tmp_path / "a.jpg"), camera), window)
        whole = canonicalise(Frame(ImageArray(ImageFile(tmp_path / "a.jpg").read()), camera), window)
        shown = reduced.mask
        difference = reduced.pixels[shown].astype(float) - whole.pixels[shown]
        assert np.abs(difference).mean() < 0.7
        assert abs(difference.mean()) < 0.2


def test_a_reduced_jpeg_of_another_size_is_an_error(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.jpg"), np.zeros((90, 120, 3), np.uint8))
    camera = Camera(1000.0, 1000.0, 79.5, 44.5, 160, 90)
    with pytest.raises(UserError, match="120 x 90 px, its intrinsics are for 160 x 90"):
        canonicalise(Frame(ImageFile(tmp_path / "a.jpg"), camera), Canonicalisation(focal=200).window(camera, None))
