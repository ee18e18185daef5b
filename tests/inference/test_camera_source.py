"""Where a camera comes from: flags, a file beside the picture, EXIF tags in all orientations, or an assumption."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from toolkit.errors import UserError
from toolkit.inference.camera_source import CameraFlags, KnownCamera, camera_of
from toolkit.inference.open_picture import open_picture

WIDTH, HEIGHT = 400, 300
Base = ExifTags.Base


def photo(folder: Path, size: tuple[int, int] = (WIDTH, HEIGHT), orientation: int = 1, **tags: float) -> Path:
    """A JPEG with real EXIF tags."""
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    for name, value in tags.items():
        inner[Base[name]] = value
    path = folder / "photo.jpg"
    Image.fromarray(np.zeros((size[1], size[0], 3), np.uint8)).save(path, exif=exif)
    return path


def known(path: Path, flags: CameraFlags = CameraFlags()) -> KnownCamera:
    return camera_of(open_picture(path), flags)


def of_size(width: int, height: int, flags: CameraFlags) -> KnownCamera:
    return camera_of(open_picture(np.zeros((height, width, 3), np.uint8)), flags)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(400, 300), (300, 400)], ids=["landscape", "portrait"])
def test_the_35_mm_focal_length_in_all_orientations(tmp_path: Path, orientation: int, size: tuple[int, int]) -> None:
    path = photo(tmp_path, size, orientation, FocalLengthIn35mmFilm=28)
    found = known(path)
    upright = size if orientation < 5 else size[::-1]
    assert (found.camera.width, found.camera.height) == upright
    # The diagonal of 500 px corresponds to the 43.27 mm of film, and the focal length to 28 mm.
    assert found.camera.fx == found.camera.fy == pytest.approx(28 * 500 / math.hypot(36, 24))
    assert (found.camera.cx, found.camera.cy) == ((upright[0] - 1) / 2, (upright[1] - 1) / 2)
    assert found.source == "EXIF FocalLengthIn35mmFilm"
    assert found.warnings == ()


def test_sensor_tags_and_the_resize_since(tmp_path: Path) -> None:
    # 4 mm at 250 px per mm are 1000 px in the 4000 px picture, and 100 px in this one.
    tags = {"FocalLength": 4.0, "FocalPlaneXResolution": 250.0, "FocalPlaneResolutionUnit": 4}
    found = known(photo(tmp_path, ExifImageWidth=4000, ExifImageHeight=3000, **tags))
    assert found.camera.fx == pytest.approx(100)
    assert "FocalPlaneXResolution" in found.source


@pytest.mark.parametrize(("unit", "resolution"), [(2, 6350.0), (3, 2500.0), (4, 250.0), (5, 0.25)])
def test_units_of_sensor_resolution(tmp_path: Path, unit: int, resolution: float) -> None:
    tags = {"FocalLength": 4.0, "FocalPlaneXResolution": resolution, "FocalPlaneResolutionUnit": unit}
    found = known(photo(tmp_path, ExifImageWidth=WIDTH, ExifImageHeight=HEIGHT, **tags))
    assert found.camera.fx == pytest.approx(1000, rel=1e-4)


def test_a_resized_picture_keeps_its_field_of_view(tmp_path: Path) -> None:
    whole = known(photo(tmp_path, ExifImageWidth=400, ExifImageHeight=300, FocalLengthIn35mmFilm=28)).camera.fov
    small = known(photo(tmp_path, (200, 150), ExifImageWidth=400, ExifImageHeight=300, FocalLengthIn35mmFilm=28))
    assert small.camera.fov == pytest.approx(whole)


def test_a_picture_turned_by_a_program_is_not_taken_for_cropped(tmp_path: Path) -> None:
    found = known(photo(tmp_path, (300, 400), ExifImageWidth=400, ExifImageHeight=300, FocalLengthIn35mmFilm=28))
    assert found.source == "EXIF FocalLengthIn35mmFilm"


def test_a_cropped_picture_is_not_trusted(tmp_path: Path) -> None:
    found = known(photo(tmp_path, (300, 300), ExifImageWidth=400, ExifImageHeight=300, FocalLengthIn35mmFilm=28))
    assert found.source == "assumed"
    assert any("cropped since it was taken (400 x 300 px)" in warning for warning in found.warnings)


@pytest.mark.parametrize("zoom", [0.0, 1.0, 1.5, 3.0])
def test_digital_zoom_is_warned_of(tmp_path: Path, zoom: float) -> None:
    found = known(photo(tmp_path, FocalLengthIn35mmFilm=28, DigitalZoomRatio=zoom))
    assert found.camera.fx == pytest.approx(28 * 500 / math.hypot(36, 24))
    assert found.scale == (1, max(zoom, 1))
    assert [f"zoomed digitally {zoom:g} times" in warning for warning in found.warnings] == [True] * (zoom > 1)


def test_digital_zoom_is_warned_of_with_sensor_tags(tmp_path: Path) -> None:
    tags = {"FocalLength": 4.0, "FocalPlaneXResolution": 250.0, "FocalPlaneResolutionUnit": 4, "DigitalZoomRatio": 2.0}
    found = known(photo(tmp_path, ExifImageWidth=WIDTH, ExifImageHeight=HEIGHT, **tags))
    assert found.scale == (1, 2) and len(found.warnings) == 1


@pytest.mark.parametrize(
    ("size", "longer"),
    [
        ((400, 300), 1),
        ((600, 400), 1),
        ((1600, 900), 2000 / math.hypot(1600, 900)),  # the sensor has 1600 x 1200 px
        ((900, 1600), 2000 / math.hypot(1600, 900)),
        ((900, 900), 1500 / math.hypot(900, 900)),  # the sensor has 1200 x 900 px
        ((2000, 900), 2500 / math.hypot(2000, 900)),  # the sensor has 2000 x 1500 px
    ],
    ids=str,
)
@pytest.mark.parametrize("zoom", [1.0, 2.0])
def test_modes_that_cut_the_sensor_are_warned_of(
    tmp_path: Path, size: tuple[int, int], longer: float, zoom: float
) -> None:
    found = known(photo(tmp_path, size, FocalLengthIn35mmFilm=28, DigitalZoomRatio=zoom))
    assert found.scale == pytest.approx((1, longer * zoom))
    assert sum("neither 4:3 nor 3:2" in warning for warning in found.warnings) == (longer > 1)
    assert all(f"up to {longer * zoom:.3g} times as long" in warning for warning in found.warnings)


@pytest.mark.parametrize("value", ["1e308", "1e-308", "nan", "x", 0, 65535, (0, 0), (1, 0), (4294967295, 1)], ids=str)
@pytest.mark.parametrize("others", ["1e308", "1e-308", (0, 0), 5])
def test_tags_that_say_nothing_are_not_believed(tmp_path: Path, value: Any, others: Any) -> None:
    picture = photo(tmp_path)
    names = ("FocalLength", "FocalPlaneXResolution", "ExifImageWidth", "ExifImageHeight", "DigitalZoomRatio")
    tags = {Base[name]: _tag(others) for name in names} | {Base.FocalLengthIn35mmFilm: _tag(value)}
    found = camera_of(replace(open_picture(picture), tags=tags))
    assert 0.5 <= found.camera.fov[0] <= 170 and max(found.scale) <= 100 * 1.3


def _tag(value: Any) -> Any:
    return IFDRational(*value) if isinstance(value, tuple) else value


@pytest.mark.parametrize(
    "flags",
    [
        CameraFlags(fov=5e-324),
        CameraFlags(fov=179.99999),
        CameraFlags(focal=1e300),
        CameraFlags(focal=5e-324),
        CameraFlags((1e300, 1e300, 200, 150)),
    ],
    ids=str,
)
def test_cameras_that_cannot_be_are_refused(flags: CameraFlags) -> None:
    with pytest.raises(UserError) as caught:
        of_size(WIDTH, HEIGHT, flags)
    assert caught.value.remedy


@pytest.mark.parametrize("content", [" " * (1 << 20) + "{}", "[" * 100_000, "9" * 6000], ids=lambda text: text[:5])
def test_files_beside_that_are_bombs_are_errors(tmp_path: Path, content: str) -> None:
    path = photo(tmp_path)
    path.with_suffix(".json").write_text(content)
    with pytest.raises(UserError, match="there is no camera in it"):
        known(path)


@pytest.mark.parametrize("tags", [{}, {"FocalLengthIn35mmFilm": 0}, {"FocalLength": 4.0}], ids=str)
def test_without_tags_there_is_a_loud_warning(tmp_path: Path, tags: dict[str, float]) -> None:
    found = known(photo(tmp_path, **tags))
    assert found.source == "assumed"
    assert found.camera.fov[0] == pytest.approx(60)
    assert "nothing is known of the camera" in found.warnings[0]


def test_the_file_beside_wins_over_exif_and_flags_win_over_both(tmp_path: Path) -> None:
    path = photo(tmp_path, FocalLengthIn35mmFilm=28)
    beside = path.with_suffix(".json")
    beside.write_text(json.dumps({"intrinsics": [310, 320, 200, 150, WIDTH, HEIGHT], "distortion": [0.1, 0, 0, 0, 0]}))
    assert known(path).camera.intrinsics == [310, 320, 200, 150, WIDTH, HEIGHT]
    assert known(path).camera.distortion == (0.1, 0, 0, 0, 0)
    assert known(path, CameraFlags(focal=500)).source == "--focal"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "there is no camera in it"),
        ("{}", "there is no camera in it"),
        ("[1]", "there is no camera in it"),
        ('{"intrinsics": [1, 2, 3]}', "are not six"),
        ('{"intrinsics": [300, 300, 200, 150, 400, 300], "distorsion": [0, 0, 0, 0, 0]}', "the key 'distorsion'"),
        ('{"intrinsics": [300, 300, 200, 150, 400, 300], "model": "fisheye"}', "'fisheye' is not supported"),
        ('{"intrinsics": [300, 300, 100, 75, 200, 150]}', "for 200 x 150 px, the upright picture is 400 x 300"),
    ],
)
def test_a_faulty_file_beside_is_an_error(tmp_path: Path, content: str, message: str) -> None:
    path = photo(tmp_path)
    path.with_suffix(".json").write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        known(path)
    assert "photo.json" in caught.value.problem


def test_camera_of_a_field_of_view() -> None:
    found = of_size(200, 100, CameraFlags(fov=90))
    assert (found.camera.fx, found.camera.cx, found.camera.cy) == pytest.approx((100, 99.5, 49.5))
    assert (found.source, found.warnings) == ("--fov", ())


def test_a_focal_length_in_millimetres_is_suspected() -> None:
    # The diagonal is 5000 px, so 28 mm are 5000 * 28 / 43.27 = 3236 px.
    (warning,) = of_size(4000, 3000, CameraFlags(focal=28)).warnings
    assert "28 may be the 35 mm-equivalent" in warning and "--focal 3236" in warning


def test_intrinsics_of_another_size_are_suspected() -> None:
    (warning,) = of_size(400, 300, CameraFlags(focal=3236)).warnings
    assert "7.1 degrees" in warning and "of this very picture" in warning


def test_an_assumed_camera_says_how_far_off_it_may_be() -> None:
    found = of_size(200, 100, CameraFlags())
    # The ratios are tan(30) / tan(45) and tan(30) / tan(22.5).
    assert found.scale == pytest.approx((0.57735, 1.39385), abs=1e-5)
    assert of_size(200, 100, CameraFlags(fov=60)).scale == (1, 1)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (CameraFlags(focal=100, fov=60), "--focal and --fov are given together"),
        (CameraFlags(focal=-1), "not a positive number"),
        (CameraFlags(focal=float("nan")), "not a positive number"),
        (CameraFlags(fov=180), "between 0 and 180"),
        (CameraFlags(intrinsics=(100, 100, 500, 45)), "principal point"),
    ],
)
def test_wrong_cameras(flags: CameraFlags, message: str) -> None:
    with pytest.raises(UserError, match=message):
        of_size(WIDTH, HEIGHT, flags)
