"""Tests of what converters share: sampling, LiDAR, 16-bit depth, poses, COLMAP, reading."""

import tracemalloc
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.convert_scenes import BOXES, FORWARD, from_world, pose, sweep, true_depth
from tests.support.hostile_files import NO_FILES, Write
from toolkit.data.convert.base_format import ConvertOptions
from toolkit.data.convert.readers import arrow, colmap, depth_png, frame_streams
from toolkit.data.convert.readers import pose_files as poses
from toolkit.data.convert.readers import read_files as reading
from toolkit.data.convert.shared import label_selection as labels
from toolkit.data.convert.shared.lidar import project as lidar
from toolkit.data.convert.shared.workspace import Workspace
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera

SIZE = (160, 120)
LENS = Camera(150, 150, 79.5, 59.5, *SIZE)


@given(st.integers(0, 400), st.integers(1, 200), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_sampling_takes_as_many_as_there_are_each_once(found: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels, depth = rng.uniform(-0.5, (159.5, 119.5), (found, 2)), rng.uniform(0.5, 80, found)
    depth[::7] = np.nan
    kept = labels.select_labels(pixels, depth, SIZE, count, 0, np.random.default_rng(seed))
    assert len(kept) == len(set(kept.tolist())) == min(count, int(np.isfinite(depth).sum()))
    assert np.isfinite(depth[kept]).all()
    assert np.array_equal(kept, labels.select_labels(pixels, depth, SIZE, count, 0, np.random.default_rng(seed)))


def test_sampling_spreads_over_picture_and_depth() -> None:
    rng = np.random.default_rng(1)
    crowd, few = rng.uniform((0, 100), (159, 119), (5000, 2)), rng.uniform((0, 0), (159, 99), (100, 2))
    pixels = np.concatenate([crowd, few])
    depth = np.concatenate([rng.uniform(2, 3, 5000), rng.uniform(10, 80, 100)])
    kept = labels.select_labels(pixels, depth, SIZE, 100, 0, rng)
    assert np.sum(kept >= 5000) > 60  # by chance alone, 2


def test_labels_keep_away_from_edges() -> None:
    rows, columns = np.mgrid[:120, :160]
    pixels = np.stack([columns.ravel(), rows.ravel()], axis=-1).astype(float)
    depth = np.where(pixels[:, 0] < 80, 2.0, 3.0)
    near = labels.near_edge(pixels, depth, SIZE, 5)
    np.testing.assert_array_equal(near, (pixels[:, 0] >= 75) & (pixels[:, 0] <= 84))
    kept = labels.select_labels(pixels, depth, SIZE, 10**6, 5, np.random.default_rng(0))
    np.testing.assert_array_equal(kept, np.flatnonzero(~near))
    slanted = 2 + pixels[:, 0] * 0.01
    assert not labels.near_edge(pixels, slanted, SIZE, 5).any()


@pytest.mark.parametrize("step", [0.25, 0.6])
def test_points_seen_through_nearer_surfaces_are_removed(step: float) -> None:
    world_from_camera, world_from_lidar = pose(z=1.5) @ FORWARD, pose(0.0, 0.3, 2.2)
    xyz = lidar.lidar_in_camera(
        lidar.camera_from_lidar(world_from_camera, world_from_lidar), sweep(world_from_lidar, step)
    )
    pixels, depth_z = lidar.project_points(LENS, xyz)
    hidden = np.abs(depth_z - true_depth(LENS, world_from_camera, pixels)) > 1e-3
    found = lidar.find_hidden(pixels, depth_z, LENS, lidar.Scanner(step, step))
    assert hidden.sum() > 30
    assert np.mean(found[hidden]) > 0.9
    assert np.mean(found[~hidden]) < 0.02


def test_ground_at_a_slant_is_not_hidden() -> None:
    """Rows of ground 4 to 60 m away, as a scanner of half a degree sees them; nothing stands on it."""
    rows, columns = np.meshgrid(np.arange(62.0, 119, 1.3), np.arange(0, 159, 1.3), indexing="ij")
    pixels = np.stack([columns.ravel(), rows.ravel()], axis=-1)
    depth_z = 1.5 * LENS.fy / (pixels[:, 1] - LENS.cy)
    assert not lidar.find_hidden(pixels, depth_z, LENS, lidar.Scanner(0.5, 0.5)).any()


def test_the_vehicle_moves_between_sweep_and_picture() -> None:
    """A point of the wall 25 m ahead; the sweep is taken at x = 0, the picture at x = 3 m, 10 degrees to the left."""
    world_from_lidar, world_from_camera = pose(0.0, 0.0, 2.0), pose(3.0, 0.0, 1.5, yaw=10) @ FORWARD
    point = np.array([[BOXES[1][0][0], 1.0, 2.0]])
    seen = lidar.lidar_in_camera(
        lidar.camera_from_lidar(world_from_camera, world_from_lidar), from_world(world_from_lidar, point)
    )
    c, s = np.cos(np.radians(10)), np.sin(np.radians(10))
    np.testing.assert_allclose(seen, [[22 * s - 1 * c, -0.5, 22 * c + 1 * s]], atol=1e-12)


def test_points_that_are_not_numbers_are_left_out() -> None:
    points = np.array([[1.0, 2, 3, 0.5], [np.nan, 2, 3, 0.5], [np.inf, 0, 0, 0.5]])
    np.testing.assert_array_equal(lidar.lidar_in_camera(np.eye(4), points), [[1, 2, 3]])


@given(st.integers(0, 65535))
def test_rotated_bits_are_undone(millimetres: int) -> None:
    stored = np.array([[millimetres << 3 & 0xFFFF | millimetres >> 13]], dtype=np.uint16)
    assert depth_png.undo_rotation(stored)[0, 0] == millimetres


def test_depth_is_coded_and_read_back(tmp_path: Path) -> None:
    depth = np.array([[0.5, np.nan, -1.0], [7.1234, 65.0, np.inf]])
    path = tmp_path / "depth.png"
    path.write_bytes(depth_png.encode_depth_png(depth, 0.001))
    stored = depth_png.read_depth_png(path)
    expected = [[0.5, np.nan, np.nan], [7.123, 65.0, np.nan]]
    np.testing.assert_allclose(depth_png.to_metres(stored, 0.001), expected)
    pixels, metres = depth_png.labelled_pixels(depth_png.to_metres(stored, 0.001))
    assert pixels.tolist() == [[0, 0], [0, 1], [1, 1]]
    assert metres.tolist() == pytest.approx([0.5, 7.123, 65.0])


def test_a_smaller_depth_map_labels_the_middle_of_what_it_measured() -> None:
    pixels, depth = depth_png.labelled_pixels(np.array([[1.0, np.nan], [0.0, 4.0]]), (8, 6))
    assert pixels.tolist() == [[1.5, 1.0], [5.5, 4.0]]
    assert depth.tolist() == [1.0, 4.0]


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "b/../../a.png"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.png").touch()
    workspace = Workspace(tmp_path / "set", tmp_path / "out", ConvertOptions(images="copy"))
    with pytest.raises(UserError, match="leads out of"):
        workspace.write(name, b"")
    with pytest.raises(UserError, match="leads out of"):
        workspace.reference_file(workspace.source / name)


@pytest.mark.parametrize("damage", ["missing", "cut", "8 bits", "text"])
def test_depth_that_cannot_be_read_is_told(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "depth.png"
    if damage == "cut":
        noise = np.random.default_rng(0).uniform(1, 60, (50, 50))
        path.write_bytes(depth_png.encode_depth_png(noise, 0.001)[:-300])
    elif damage == "8 bits":
        cv2.imwrite(str(path), np.zeros((4, 4), dtype=np.uint8))
    elif damage == "text":
        path.write_text("no depth")
    with pytest.raises(UserError, match=r"depth\.png"):
        depth_png.read_depth_png(path)


def test_quaternions_and_axes() -> None:
    turn = poses.from_quaternion((np.sqrt(0.5), 0, 0, np.sqrt(0.5)), (1, 2, 3))  # 90 degrees about z
    np.testing.assert_allclose(turn @ [1, 0, 0, 1], [1, 3, 3, 1], atol=1e-12)
    with pytest.raises(UserError, match="length 1"):
        poses.from_quaternion((1, 1, 0, 0), (0, 0, 0))
    looking_up = poses.world_from_gl(np.eye(4))
    np.testing.assert_allclose(looking_up @ [0, 0, 1, 0], [0, 0, -1, 0])  # OpenGL looks along -z


def test_a_projection_is_split() -> None:
    k, offset = np.array([[700.0, 0, 600], [0, 710, 180], [0, 0, 1]]), np.array([-0.4, 0.01, 0.005])
    split, camera_from_rig = poses.split_projection(k @ np.c_[np.eye(3), offset])
    np.testing.assert_allclose(split, k)
    np.testing.assert_allclose(camera_from_rig[:3, 3], offset)


def test_colmap_models_are_read(tmp_path: Path) -> None:
    (tmp_path / "cameras.txt").write_text(
        "# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n"
        "1 PINHOLE 160 120 150 151 80 60\n2 SIMPLE_RADIAL 160 120 150 80 60 -0.1\n"
        "3 OPENCV 160 120 150 151 80 60 0.1 0.02 0.003 0.004\n"
    )
    (tmp_path / "images.txt").write_text(
        "# two lines an image\n7 1 0 0 0 1 2 3 1 b c.jpg\n\n8 0 1 0 0 0 0 5 2 a.jpg\n10 10 -1 20 20 5\n"
    )
    cameras = colmap.read_cameras(tmp_path / "cameras.txt")
    assert cameras[1] == Camera(150, 151, 79.5, 59.5, 160, 120)
    assert cameras[2].distortion == (-0.1, 0, 0, 0, 0)
    assert cameras[3].distortion == (0.1, 0.02, 0.003, 0.004, 0)
    first, second = colmap.read_images(tmp_path / "images.txt")
    assert (first.name, first.camera_id, second.name, second.camera_id) == ("a.jpg", 2, "b c.jpg", 1)
    np.testing.assert_allclose(second.world_from_camera[:3, 3], [-1, -2, -3])
    np.testing.assert_allclose(first.world_from_camera[:3, 3], [0, 0, 5], atol=1e-12)  # turned over about x


@pytest.mark.parametrize(
    ("file", "text"),
    [("cameras.txt", "1 FISHEYE 1 1 1"), ("cameras.txt", "1 PINHOLE 160 120 150"), ("images.txt", "1 2 3\n\n")],
)
def test_colmap_models_that_cannot_be_read_are_told(tmp_path: Path, file: str, text: str) -> None:
    path = tmp_path / file
    path.write_text(text)
    with pytest.raises(UserError, match=file):
        colmap.read_cameras(path) if file == "cameras.txt" else colmap.read_images(path)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_pictures_cut_short_are_found(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8))
    assert reading.check_picture(path) == (120, 90)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UserError, match="cannot be read"):
        reading.check_picture(path)


def test_what_stands_under_a_key() -> None:
    assert reading.need({"a": {"b": 3}}, "a.b", Path("x.json"), int) == 3
    with pytest.raises(UserError, match=r"x.json: 'a.c' is missing"):
        reading.need({"a": {"b": 3}}, "a.c", Path("x.json"))
    with pytest.raises(UserError, match="not list"):
        reading.need({"a": 3}, "a", Path("x.json"), list)


def test_a_parquet_file_of_equal_values_is_counted_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, many = tmp_path / "a.parquet", 100_000
    cells = [[0.0] * 10] + [[]] * (many - 1)
    pq.write_table(pa.table({"number": np.zeros(many, np.int64), "list": cells, "few": [None] * many}), path)
    monkeypatch.setattr(arrow, "_MOST_VALUES", many - 1)
    with pytest.raises(UserError, match=f"it states {many} values, and at most {many - 1} are read at once"):
        arrow.read_parquet(path, ["number"])
    assert arrow.ParquetRows(path, ["number", "list"]).row(0)["list"].tolist() == [0.0] * 10
    monkeypatch.setattr(arrow, "_MOST_VALUES", 0)
    with pytest.raises(UserError, match="values, and at most 0 are read at once"):
        arrow.ParquetRows(path, ["number"]).row(0)


@pytest.mark.parametrize("packed", [False, True], ids=["one stream", "frames"])
def test_a_depth_stream_that_inflates_to_gigabytes_is_read_in_parts(tmp_path: Path, packed: bool) -> None:
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(64)) + deflate.flush()
    (tmp_path / "depth.bin").write_bytes((len(bomb).to_bytes(4, "little") if packed else b"") + bomb)
    stream = frame_streams.open_depth_stream(tmp_path / "depth.bin")
    tracemalloc.start()
    if packed:
        with pytest.raises(UserError, match="cannot be read"):
            stream.frame(0)
    else:
        assert np.isnan(stream.frame(50)).all()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 48 << 20


def test_a_depth_stream_that_states_an_enormous_frame_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "depth.bin").write_bytes((4).to_bytes(4, "little") + bytes(4) + b"\xff" * 8)
    with pytest.raises(UserError, match="a frame of 4294967295 bytes is impossible"):
        frame_streams.open_depth_stream(tmp_path / "depth.bin").frame(1)


def test_a_matlab_variable_that_states_an_enormous_shape_is_not_read(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"depth": np.zeros((3, 4))})
    content = bytearray((tmp_path / "a.mat").read_bytes())
    place = content.index(np.array([3, 4], "<i4").tobytes())
    content[place : place + 8] = np.array([200_000, 200_000], "<i4").tobytes()
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(UserError, match="which is too large"):
        reading.read_matlab(tmp_path / "a.mat", "depth")


@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES)
@pytest.mark.parametrize(
    "read",
    [
        reading.read_json,
        reading.read_lines,
        reading.read_arrays,
        reading.read_matlab,
        reading.check_picture,
        depth_png.read_depth_png,
        frame_streams.open_depth_stream,
        partial(reading.read_binary_rows, dtype="<f4", columns=4),
        partial(arrow.read_feather, columns=["a"]),
        partial(arrow.read_parquet, columns=["a"]),
    ],
)
def test_readers_take_regular_files_alone(tmp_path: Path, make: Write, read: Callable[[Path], object]) -> None:
    make(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"a\.png"):
        read(tmp_path / "a.png")
