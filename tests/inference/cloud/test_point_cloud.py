"""Point clouds: against OpenCV, by hand, and by reading the files as their specification says."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.support.ply import read_ply
from toolkit.data.frames.frame import DepthFile, DepthType, Frame, ImageFile, SparseDepth
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.inference.cloud.depth_map import DepthMap, labelled_map, save_depth_png
from toolkit.inference.cloud.point_cloud import PointCloud, cloud_at, cloud_of_labels, cloud_of_map
from toolkit.utils.arrays import Array

PLAIN = Camera(50.0, 55.0, 31.0, 25.5, 65, 49)
BARREL = Camera(500.0, 520.0, 321.5, 238.25, 640, 480, (-0.21, 0.06, 0.0013, -0.0021, 0.004))


def picture(camera: Camera) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (camera.height, camera.width, 3), dtype=np.uint8)


def points_on_a_plane() -> Array:
    """Points (N, 3) with 0.2 x - 0.5 y + z = 4, in view of BARREL."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-1.6, 1.6, 300), rng.uniform(-1.2, 1.2, 300)
    return np.stack([x, y, 4 - 0.2 * x + 0.5 * y], axis=-1)


@pytest.mark.parametrize("kind", ["z", "euclidean"])
def test_a_plane_seen_through_a_lens_is_a_plane(kind: DepthType) -> None:
    xyz = points_on_a_plane()
    pixels, _ = cv2.projectPoints(xyz, np.zeros(3), np.zeros(3), BARREL.matrix, np.array(BARREL.distortion))
    assert BARREL.contains(pixels).all()
    depth = xyz[:, 2] if kind == "z" else np.linalg.norm(xyz, axis=-1)
    cloud = cloud_at(pixels[:, 0], depth, kind, BARREL, picture(BARREL))
    assert cloud.dropped == 0
    np.testing.assert_allclose(cloud.xyz @ (0.2, -0.5, 1), 4, rtol=0, atol=1e-6)
    np.testing.assert_allclose(cloud.xyz, xyz, rtol=0, atol=1e-6)


def test_points_by_hand() -> None:
    cloud = cloud_at([[31, 25.5], [56, 25.5], [31, 36.5]], [2.0, 4.0, 5.0], "z", PLAIN, picture(PLAIN))
    np.testing.assert_allclose(cloud.xyz, [[0, 0, 2], [2, 0, 4], [0, 1, 5]], atol=1e-12)
    cloud = cloud_at([[61, 25.5]], [5.0], "euclidean", Camera(40.0, 55.0, 31.0, 25.5, 65, 49), picture(PLAIN))
    np.testing.assert_allclose(cloud.xyz, [[3, 0, 4]], atol=1e-12)


def test_points_have_the_colour_of_the_nearest_pixel() -> None:
    shown = picture(PLAIN)
    cloud = cloud_at([[3.4, 7.6], [64.5, 48.5], [-0.5, 0.5]], [1.0, 1.0, 1.0], "z", PLAIN, shown)
    np.testing.assert_array_equal(cloud.rgb, [shown[8, 3], shown[48, 64], shown[1, 0]])
    assert cloud.rgb.dtype == np.uint8


def test_pixels_without_depth_are_dropped_and_counted() -> None:
    shown = picture(PLAIN)
    pixels = [[0, 0], [1, 0], [2, 0], [3, 0], [4, 0]]
    cloud = cloud_at(pixels, [np.nan, 2.0, 0.0, -1.0, np.inf], "z", PLAIN, shown)
    assert cloud.dropped == 4 and len(cloud.xyz) == 1
    np.testing.assert_array_equal(cloud.rgb, [shown[0, 1]])


def test_pixels_beyond_the_lens_are_dropped_and_counted() -> None:
    fisheye = Camera(300.0, 300.0, 319.5, 239.5, 640, 480, (-0.4, 0.0, 0.0, 0.0, 0.0))
    # r (1 - 0.4 r^2) is largest at r^2 = 1 / 1.2, where it is 0.6086: no ray arrives beyond 182.6 px.
    cloud = cloud_at([[319.5 + 180, 239.5], [319.5 + 185, 239.5]], [1.0, 1.0], "z", fisheye, picture(fisheye))
    assert (len(cloud.xyz), cloud.dropped) == (1, 1)


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(UserError, match="the picture is 65 x 49, and the camera is that of a 640 x 480 picture"):
        cloud_at([[0, 0]], [1.0], "z", BARREL, picture(PLAIN))


def test_ply_files_are_what_the_specification_says(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cloud = PointCloud(rng.normal(0, 9, (100, 3)), rng.integers(0, 256, (100, 3), dtype=np.uint8))
    cloud.write_ply(tmp_path / "deep" / "out.ply")
    lines, vertices = read_ply(tmp_path / "deep" / "out.ply")
    assert [line for line in lines if line.startswith("property")] == [
        *(f"property float {name}" for name in "xyz"),
        *(f"property uchar {name}" for name in ("red", "green", "blue")),
    ]
    np.testing.assert_array_equal(np.stack([vertices[name] for name in "xyz"], -1), cloud.xyz.astype(np.float32))
    np.testing.assert_array_equal(np.stack([vertices[name] for name in ("red", "green", "blue")], -1), cloud.rgb)
    mark, comment = [line for line in lines if line.startswith("comment")]
    assert mark == "comment written by toolkit cloud"
    assert "metres" in comment and "y down" in comment


def test_an_empty_cloud_is_not_written(tmp_path: Path) -> None:
    cloud = cloud_at([[0, 0], [1, 1]], [np.nan, np.nan], "z", PLAIN, picture(PLAIN))
    with pytest.raises(UserError, match="has no point") as caught:
        cloud.write_ply(tmp_path / "out.ply")
    assert "of 2 pixels" in caught.value.cause and not (tmp_path / "out.ply").exists()


def frame_on_disk(folder: Path, kind: DepthType) -> tuple[Frame, DepthMap]:
    """A Frame with a depth map of whole millimetres, a hole in it."""
    depth = np.random.default_rng(1).integers(1000, 9000, (49, 65)) / 1000
    depth[10:20, 30:40] = np.nan
    save_depth_png(DepthMap(depth, kind), folder / "depth.png")
    Image.fromarray(picture(PLAIN)).save(folder / "a.png")
    labels = DepthFile(folder / "depth.png", 0.001, kind)
    return Frame(ImageFile(folder / "a.png"), PLAIN, labels), DepthMap(depth, kind)


@pytest.mark.parametrize("kind", ["z", "euclidean"])
@pytest.mark.parametrize("every", [1, 4])
def test_a_depth_map_on_disk_is_the_same_cloud(tmp_path: Path, kind: DepthType, every: int) -> None:
    frame, depth_map = frame_on_disk(tmp_path, kind)
    cloud = cloud_of_labels(frame, every)
    expected = cloud_of_map(depth_map, PLAIN, picture(PLAIN), every)
    np.testing.assert_allclose(cloud.xyz, expected.xyz, rtol=1e-12)
    np.testing.assert_array_equal(cloud.rgb, expected.rgb)
    holes = 100 if every == 1 else 4  # rows 10 to 19 and columns 30 to 39: the multiples of 4 are 12, 16; 32, 36
    assert expected.dropped == holes and len(cloud.xyz) == len(range(0, 49, every)) * len(range(0, 65, every)) - holes
    again = cloud_of_map(labelled_map(frame), PLAIN, picture(PLAIN), every)
    np.testing.assert_allclose(again.xyz, cloud.xyz, rtol=1e-12)


def test_labelled_pixels_are_a_cloud_too(tmp_path: Path) -> None:
    frame, _ = frame_on_disk(tmp_path, "z")
    sparse = Frame(frame.picture, PLAIN, SparseDepth(np.array([[31.0, 25.5]]), np.array([2.0]), "z"))
    np.testing.assert_allclose(cloud_of_labels(sparse).xyz, [[0, 0, 2]], atol=1e-12)
    with pytest.raises(UserError, match="has no depth"):
        cloud_of_labels(Frame(frame.picture, PLAIN))


def test_a_map_of_another_size_is_refused() -> None:
    with pytest.raises(UserError, match="the depth map is 4 x 3"):
        cloud_of_map(DepthMap(np.ones((3, 4)), "z"), PLAIN, picture(PLAIN))
