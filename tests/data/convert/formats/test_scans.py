"""Tests of what the converters of driving sets share: tables, sweeps in time, range images, rolling shutters."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from tests.support.convert_scenes import FORWARD, pose
from toolkit.data.convert.readers.arrow import ParquetRows, check_parquet, read_feather, read_parquet
from toolkit.data.convert.shared.lidar.range_image import (
    move_by_pixel_pose,
    points_from_range_image,
    uniform_inclinations,
)
from toolkit.data.convert.shared.lidar.rolling_shutter import Shutter, points_at_exposure
from toolkit.data.convert.shared.nearest_moment import nearest_moment
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import transform


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Ten rows in groups of three; every third list is null."""
    path = tmp_path / "a.parquet"
    lists = [None if row % 3 == 0 else [float(row)] * row for row in range(10)]
    columns = {"number": range(10), "list": pa.array(lists, pa.list_(pa.float32())), "other": ["x"] * 10}
    parquet.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), path, row_group_size=3)
    return path


def test_rows_are_read_in_any_order(table: Path) -> None:
    rows = ParquetRows(table, ["number", "list"])
    for number in (4, 5, 9, 2, 0, 0, 7):
        found = rows.row(number)
        assert set(found) == {"number", "list"}
        assert found["number"] == number
        assert found["list"] is None if number % 3 == 0 else found["list"].tolist() == [number] * number


def test_going_forward_reads_a_file_once(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    genuine = parquet.ParquetFile.iter_batches
    monkeypatch.setattr(
        parquet.ParquetFile, "iter_batches", lambda *given, **named: opened.append(1) or genuine(*given, **named)
    )
    rows = ParquetRows(table, ["number"])
    assert [rows.row(number)["number"] for number in (1, 2, 6, 9)] == [1, 2, 6, 9]
    assert len(opened) == 1


def test_a_row_that_is_not_there_is_told_and_the_others_can_still_be_read(table: Path) -> None:
    rows = ParquetRows(table, ["number"])
    with pytest.raises(UserError, match=r"a\.parquet: the file cannot be read"):
        rows.row(10)
    assert rows.row(9)["number"] == 9


@pytest.mark.parametrize("damage", ["missing", "cut", "text", "column"])
@pytest.mark.parametrize("kind", ["parquet", "feather"])
def test_tables_that_cannot_be_read_are_told(tmp_path: Path, table: Path, damage: str, kind: str) -> None:
    path = tmp_path / f"b.{kind}"
    feather.write_feather(parquet.read_table(table), str(path)) if kind == "feather" else table.rename(path)
    read = read_feather if kind == "feather" else read_parquet
    assert read(path, ["number"])["number"].tolist() == list(range(10))
    if damage == "missing":
        path.unlink()
    elif damage != "column":
        path.write_bytes(path.read_bytes()[:-100] if damage == "cut" else b"no table")
    for reader in (read, check_parquet) if kind == "parquet" else (read,):
        with pytest.raises(UserError) as caught:
            reader(path, ["number", "missing"])
        assert caught.value.problem.startswith(f"{path}: ")
        assert ("no column missing" in caught.value.problem) == (damage == "column")
        assert caught.value.remedy


@pytest.mark.parametrize(
    ("moment", "index"), [(-40, 0), (49, 0), (51, 1), (100, 1), (149, 1), (151, 2), (240, 2), (251, None), (-51, None)]
)
def test_the_sweep_nearest_in_time(moment: int, index: int | None) -> None:
    assert nearest_moment([0, 100, 200], moment, 50) == index
    assert nearest_moment([], moment, 50) is None


def test_a_range_image_looks_along_the_vehicle_in_its_middle() -> None:
    """Four columns, from the left behind to the right behind; the LiDAR is mounted turned, and it does not matter."""
    ranges = np.array([[2.0, 0, -1, 0], [0, 0, 0, 4.0]])
    mount = pose(1.0, 0.0, 2.0, yaw=77)
    xyz, pixels = points_from_range_image(ranges, np.radians([30.0, 0.0]), mount)
    assert pixels.tolist() == [[0, 0], [1, 3]]
    level, slant = 2 * np.cos(np.radians(30)), np.sqrt(0.5)
    np.testing.assert_allclose(xyz[0], [1 - level * slant, level * slant, 3.0], atol=1e-12)
    np.testing.assert_allclose(xyz[1], [1 - 4 * slant, -4 * slant, 2.0], atol=1e-12)
    np.testing.assert_allclose(uniform_inclinations(-1.0, 1.0, 4), [-0.75, -0.25, 0.25, 0.75])


def test_each_pixel_has_a_pose() -> None:
    """Turned by yaw about z; rolled about x and then turned."""
    poses = [[0, 0, np.pi / 2, 5, 0, 0], [np.pi / 2, 0, np.pi / 2, 0, 0, 1], [0, np.pi / 2, 0, 0, 0, 0]]
    moved = move_by_pixel_pose(poses, np.array([[1.0, 0, 0], [0, 1.0, 0], [1.0, 0, 0]]))
    np.testing.assert_allclose(moved, [[5, 1, 0], [0, 0, 2], [0, 0, -1]], atol=1e-12)
    assert move_by_pixel_pose(np.zeros((0, 6)), np.zeros((0, 3))).shape == (0, 3)


LENS = Camera(100, 100, 49.5, 49.5, 100, 100)


def shutter(columns: bool = True, backward: bool = False, velocity: float = 10.0, turning: float = 0.0) -> Shutter:
    """From 20 ms before the pose to 20 ms after it."""
    return Shutter(-0.02, 0.04, columns, backward, np.array([velocity, 0, 0]), np.array([0, 0, turning]))


@pytest.mark.parametrize("columns", [True, False])
@pytest.mark.parametrize("backward", [True, False])
def test_lines_are_exposed_one_after_the_other(columns: bool, backward: bool) -> None:
    moments = shutter(columns, backward).moments(LENS, np.array([[-0.5, 49.5], [49.5, 99.5], [99.5, -0.5]]))
    rightward, downward = [-0.02, 0, 0.02], [0, 0.02, -0.02]
    expected = np.array(rightward if columns else downward) * (-1 if backward else 1)
    np.testing.assert_allclose(moments, expected, atol=1e-12)


@pytest.mark.parametrize("turning", [0.0, 0.5])
def test_points_are_seen_from_where_the_vehicle_is_when_they_are_exposed(turning: float) -> None:
    """What comes out agrees with a pose at its own moment; one point of the middle column stays as it is."""
    points = np.array([[10.0, 0, 0], [10, 4, 1], [10, -4, -1], [5, 2, 0], [-5, 0, 0], [10, 40, 0]])
    rolling = shutter(turning=turning)
    xyz = points_at_exposure(LENS, FORWARD, points, rolling)
    np.testing.assert_allclose(xyz[0], [0, 0, 10], atol=1e-9)
    for seen, point in zip(xyz, points[:4], strict=False):
        moment = rolling.moments(LENS, LENS.project(seen[None]))[0]
        then_from_now = np.linalg.inv(pose(10 * moment, yaw=float(np.degrees(turning * moment))))
        np.testing.assert_allclose(seen, transform(np.linalg.inv(FORWARD) @ then_from_now, point), atol=1e-6)
    assert len(xyz) == 4
    assert points_at_exposure(LENS, FORWARD, points[4:5], rolling).shape == (0, 3)
