"""Tests of ``toolkit.data.manifest.manifest``: sound lines, and every fault by file, line, key and remedy."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import cv2
import numpy as np
import pytest
from PIL import Image

from toolkit.data.frames.frame import DepthFile, DepthType, SparseDepth
from toolkit.data.manifest.manifest import load_manifest
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse, transform

WIDTH, HEIGHT = 8, 6
DEPTH_TYPES: tuple[DepthType, ...] = get_args(DepthType)
Row = dict[str, Any]


def sound(**changes: Any) -> Row:
    """A sound line; a change to ... leaves the key out."""
    row = {
        "image": "a.png",
        "intrinsics": [10, 11, 3.5, 2.5, WIDTH, HEIGHT],
        "pixel_coords": [[1, 2], [7.5, 5]],
        "depth": [2, 3.5],
        "depth_type": "z",
        **changes,
    }
    return {key: value for key, value in row.items() if value is not ...}


def mapped(**changes: Any) -> Row:
    return sound(**{"pixel_coords": ..., "depth": ..., "depth_map": "d.png", "depth_scale": 0.001, **changes})


def pose(x: float = 0.0) -> list[list[float]]:
    return [[1, 0, 0, x], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with pictures, sound and not, and a depth map."""
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    picture.save(tmp_path / "a.png")
    exif = Image.Exif()
    for orientation in range(1, 9):
        exif[274] = orientation
        picture.save(tmp_path / f"turned{orientation}.png", exif=exif)
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) * 2 // 3])
    (tmp_path / "head.png").write_bytes(whole[:20])
    (tmp_path / "words.png").write_text("no picture")
    cv2.imwrite(str(tmp_path / "d.png"), np.full((HEIGHT, WIDTH), 1500, np.uint16))
    cv2.imwrite(str(tmp_path / "D.PNG"), np.full((HEIGHT, WIDTH), 1500, np.uint16))
    np.save(tmp_path / "a.npy", np.full((HEIGHT, WIDTH), 0.5))
    cv2.imwrite(str(tmp_path / "small.png"), np.full((HEIGHT, 3), 1500, np.uint16))
    return tmp_path


def written(folder: Path, *rows: Row | str) -> Path:
    path = folder / "m.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return path


def test_a_sound_line_becomes_a_frame(folder: Path) -> None:
    row = sound(world_from_camera=pose(2), sequence="walk", license="CC0-1.0", distortion=[0.1, 0, 0, 0.01, 0])
    manifest = load_manifest(written(folder, row))
    frame = manifest.frame(0)
    assert len(manifest) == 1 and manifest.path == folder / "m.jsonl"
    assert frame.name == str(folder / "a.png") and frame.picture.read().shape == (HEIGHT, WIDTH, 3)
    assert frame.camera == Camera(10.0, 11.0, 3.5, 2.5, WIDTH, HEIGHT, (0.1, 0.0, 0.0, 0.01, 0.0))
    assert isinstance(frame.labels, SparseDepth) and frame.labels.depth_type == "z"
    assert frame.labels.pixels.tolist() == [[1, 2], [7.5, 5]] and frame.labels.depth.tolist() == [2, 3.5]
    assert frame.world_from_camera is not None and frame.world_from_camera.tolist() == pose(2)
    assert (frame.sequence, frame.license) == ("walk", "CC0-1.0")


def test_optional_keys_may_be_left_out_or_null(folder: Path) -> None:
    empty = dict.fromkeys(["depth_map", "depth_scale", "distortion", "world_from_camera", "sequence", "license"])
    for row in (sound(), sound(**empty), sound(distortion=[0] * 5)):
        frame = load_manifest(written(folder, row)).frame(0)
        assert (frame.world_from_camera, frame.sequence, frame.license) == (None, "", "")
        assert frame.camera.distortion == ()


def test_a_depth_map_is_a_label(folder: Path) -> None:
    for row in (mapped(), mapped(pixel_coords=[[1, 1]], depth=[9.0])):
        frame = load_manifest(written(folder, row), decode=True).frame(0)
        assert frame.labels == DepthFile(folder / "d.png", 0.001, "z")
        assert frame.labels.read(frame.camera)[1].tolist() == [1.5] * (WIDTH * HEIGHT)


def test_depthlms_format_needs_only_the_depth_type(folder: Path) -> None:
    path = written(folder, sound(depth_type=...), sound(depth_type=..., depth=[1, 2]))
    for depth_type in DEPTH_TYPES:
        for frame in load_manifest(path, depth_type).frames:
            assert isinstance(frame.labels, SparseDepth) and frame.labels.depth_type == depth_type
    labels = load_manifest(written(folder, sound()), "euclidean").frame(0).labels
    assert isinstance(labels, SparseDepth)
    assert labels.depth_type == "z", "what the line says goes before what the caller says"


def test_blank_lines_windows_ends_and_odd_characters_are_no_faults(folder: Path) -> None:
    text = json.dumps(sound(sequence="a\u2028b\u0085c"), ensure_ascii=False)
    (folder / "m.jsonl").write_bytes(b"\xef\xbb\xbf" + f"{text}\r\n\n  \n{text}".encode())
    manifest = load_manifest(folder / "m.jsonl")
    assert [frame.sequence for frame in manifest.frames] == ["a\u2028b\u0085c"] * 2


def test_partners_share_a_sequence_and_have_poses(folder: Path) -> None:
    rows = [
        sound(sequence="a", world_from_camera=pose()),
        sound(sequence="b", world_from_camera=pose()),
        sound(sequence="a", world_from_camera=pose(1)),
        sound(sequence="a"),
        sound(world_from_camera=pose()),
        sound(world_from_camera=pose()),
        sound(sequence="a", world_from_camera=pose(2)),
        sound(sequence=None, world_from_camera=pose()),
    ]
    manifest = load_manifest(written(folder, *rows))
    assert [list(manifest.partners(index)) for index in range(8)] == [[2, 6], [], [0, 6], [], [], [], [0, 2], []]


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_intrinsics_of_the_stored_size_turn_with_the_picture(folder: Path, orientation: int) -> None:
    stored = sound(image=f"turned{orientation}.png")
    frame = load_manifest(written(folder, stored)).frame(0)
    u, v = {5: (2, 1), 6: (3, 1), 7: (3, 6), 8: (2, 6)}[orientation]  # where (1, 2) of 8 x 6 goes
    assert frame.labels.read(frame.camera)[0][0].tolist() == [u, v]  # type: ignore[union-attr]
    np.testing.assert_array_equal(
        frame.picture.read()[v, u], load_manifest(written(folder, sound())).frame(0).picture.read()[2, 1]
    )
    assert (frame.camera.fx, frame.camera.fy, frame.camera.width, frame.camera.height) == (11, 10, HEIGHT, WIDTH)
    upright = sound(
        image=f"turned{orientation}.png", intrinsics=[11, 10, 2.5, 3.5, HEIGHT, WIDTH], pixel_coords=[[1, 2], [0, 7]]
    )
    frame = load_manifest(written(folder, upright)).frame(0)
    assert frame.camera.intrinsics == [11, 10, 2.5, 3.5, HEIGHT, WIDTH]
    assert frame.labels.read(frame.camera)[0].tolist() == [[1, 2], [0, 7]]  # type: ignore[union-attr]


@pytest.mark.parametrize("size", ["stored", "upright"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_labels_turn_with_the_picture(folder: Path, orientation: int, size: str) -> None:
    """Depth says how red each pixel is. Where no size shows which picture is meant, it is the stored one."""
    red = np.asarray(Image.open(folder / "a.png"))[..., 0].astype(np.uint16) + 1
    upright = size == "upright" and orientation >= 5
    intrinsics = [11, 10, 2.5, 3.5, HEIGHT, WIDTH] if upright else [10, 11, 3.5, 2.5, WIDTH, HEIGHT]
    cv2.imwrite(str(folder / "stored.png"), red)
    cv2.imwrite(str(folder / "upright.png"), load_turned(folder, orientation).astype(np.uint16) + 1)
    turned = {"image": f"turned{orientation}.png", "intrinsics": intrinsics}
    rows = [mapped(**turned, depth_map="stored.png")]
    rows += [mapped(**turned, depth_map="upright.png")] if orientation >= 5 else []
    if not upright:
        rows.append(sound(**turned, pixel_coords=[[7, 1], [2, 5]], depth=[red[1, 7] / 1000, red[5, 2] / 1000]))
    for frame in load_manifest(written(folder, *rows), decode=True).frames:
        pixels, depth_z = frame.labels.read(frame.camera)  # type: ignore[union-attr]
        u, v = pixels.astype(int).T
        np.testing.assert_allclose(depth_z * 1000 - 1, frame.picture.read()[v, u, 0], atol=1e-9)
        swapped = orientation >= 5
        assert (frame.camera.fx, frame.camera.width) == ((11, HEIGHT) if swapped else (10, WIDTH))


def load_turned(folder: Path, orientation: int) -> np.ndarray:
    """How red each pixel of the upright picture is, (h, w)."""
    return load_manifest(written(folder, sound(image=f"turned{orientation}.png"))).frame(0).picture.read()[..., 0]


def test_one_point_of_the_first_pixel_and_the_corner_pixels_are_labels(folder: Path) -> None:
    points = [[[0, 0]], [[1, 1]], [[0.5, 0.5]], [[0, 0], [1, 0], [0, 1], [1, 1]], [[0.5, 0.5], [0.5, 1.5]]]
    rows = [sound(pixel_coords=each, depth=[1] * len(each)) for each in points]
    assert len(load_manifest(written(folder, *rows))) == len(rows)


def test_the_pose_of_a_turned_picture_turns(folder: Path) -> None:
    row = sound(image="turned6.png", world_from_camera=pose(5))
    frame = load_manifest(written(folder, row)).frame(0)
    plain = load_manifest(written(folder, sound(world_from_camera=pose(5)))).frame(0)
    assert frame.world_from_camera is not None and plain.world_from_camera is not None
    world = transform(plain.world_from_camera, plain.camera.unproject([1.0, 2.0], 4.0))
    np.testing.assert_allclose(frame.camera.project(transform(inverse(frame.world_from_camera), world)), [3, 1])


SIZE = "[fx, fy, cx, cy, width, height]"
FAULTS: list[tuple[Row | str, str, str, str]] = [
    (sound(image="none.png"), "image", "there is no such picture", "relative to the manifest"),
    (sound(image=...), "image", "missing", "path"),
    (sound(image=3), "image", "3 is no path", "path"),
    (sound(image=""), "image", "is no path", "path"),
    (sound(image="words.png"), "image", "not a picture", "get it again"),
    (sound(image="head.png"), "image", "head.png", ""),
    (sound(intrinsics=...), "intrinsics", "missing", SIZE),
    (sound(intrinsics="10 10"), "intrinsics", "not a list", SIZE),
    (sound(intrinsics=[10, 11, 3.5, 2.5, WIDTH]), "intrinsics", "six finite numbers", SIZE),
    (sound(intrinsics=[10, "11", 3.5, 2.5, WIDTH, HEIGHT]), "intrinsics", '"11" is not a number', SIZE),
    (sound(intrinsics=[10, True, 3.5, 2.5, WIDTH, HEIGHT]), "intrinsics", "true is not a number", SIZE),
    (sound(intrinsics=[10, None, 3.5, 2.5, WIDTH, HEIGHT]), "intrinsics", "null is not a number", SIZE),
    (sound(intrinsics=[10, 10**400, 3.5, 2.5, WIDTH, HEIGHT]), "intrinsics", "more than 300 digits", SIZE),
    (sound(intrinsics=[0, 11, 3.5, 2.5, WIDTH, HEIGHT]), "intrinsics", "not positive", SIZE),
    (sound(intrinsics=[10, 11, 3.5, 2.5, 16, 12]), "intrinsics", "for 16 x 12 px, the picture is 8 x 6", "scale"),
    (sound(intrinsics=[10, 11, 3.5, 9, WIDTH, HEIGHT]), "intrinsics", "principal point", SIZE),
    (
        sound(image="turned6.png", intrinsics=[10, 10, 1, 1, 7, 7], pixel_coords=[[1, 1], [2, 2]]),
        "intrinsics",
        "the picture is 6 x 8",
        "scale",
    ),
    (sound(distortion=[0.1, 0.2]), "distortion", "five finite numbers", "[k1, k2, p1, p2, k3]"),
    (sound(distortion="12345"), "distortion", "not a list", "[k1, k2, p1, p2, k3]"),
    (sound(distortion=[0, 0, 0, 0, False]), "distortion", "false is not a number", "[k1, k2, p1, p2, k3]"),
    (sound(pixel_coords=..., depth=...), "pixel_coords", "no labels", "'depth_map' with 'depth_scale'"),
    (sound(pixel_coords=[], depth=[]), "pixel_coords", "not a list of pairs", "[u, v]"),
    (sound(pixel_coords=[[1, 2], [3]]), "pixel_coords", "not a pair", "[u, v]"),
    (sound(pixel_coords=[[1, 2], 3]), "pixel_coords", "3 is not a list", "[u, v]"),
    (sound(pixel_coords=[[1, 2], [3, "4"]]), "pixel_coords", '"4" is not a number', "[u, v]"),
    (sound(pixel_coords=[[1, 2], [3, 7]]), "pixel_coords", "1 of 2 lie outside the 8 x 6 picture", "u = column"),
    (sound(pixel_coords=[[1, 2], [-0.6, 1]]), "pixel_coords", "the first is number 1: (-0.6, 1)", "u = column"),
    (sound(pixel_coords=[[float("nan"), 2], [1, 1]]), "pixel_coords", "1 of 2 lie outside", "u = column"),
    (sound(pixel_coords=[[0.2, 0.3], [0.5, 0.5]]), "pixel_coords", "all 2 lie between 0 and 1", "by the width, 8"),
    (sound(pixel_coords=[[0, 0], [1, 0.999]]), "pixel_coords", "all 2 lie between 0 and 1", "by the height, 6"),
    (sound(depth=...), "depth", "missing", "leave out points without depth"),
    (sound(depth=[1]), "depth", "1 depths for 2 pixels", "one depth for each"),
    (sound(depth=[1, -2]), "depth", "1 of 2 are not positive numbers, the first is number 1: -2", "leave out"),
    (sound(depth=[0, 2]), "depth", "the first is number 0: 0", "leave out"),
    (sound(depth=[1, float("nan")]), "depth", "number 1: nan", "leave out"),
    (sound(depth=[1, float("inf")]), "depth", "number 1: inf", "leave out"),
    (sound(depth=[1, 10_000]), "depth", "1 of 2 are 10 km or more, the first is number 1: 10000", "give metres"),
    (sound(depth=[1, None]), "depth", "null is not a number", "leave out"),
    (sound(depth=[1, "2"]), "depth", '"2" is not a number', "leave out"),
    (sound(depth=[1, True]), "depth", "true is not a number", "leave out"),
    (sound(depth_type=...), "depth_type", "missing", "a flat wall seen head-on"),
    (sound(depth_type="euclidian"), "depth_type", "'euclidian' is neither", "did you mean euclidean"),
    (sound(depth_type=1), "depth_type", "1 is neither", "euclidean, z"),
    (sound(depth_type=["z"]), "depth_type", "['z'] is neither", ""),
    (mapped(depth_map="none.png"), "depth_map", "there is no such depth map", "relative to the manifest"),
    (mapped(depth_map=7), "depth_map", "7 is no path", "path"),
    (mapped(depth_scale=...), "depth_scale", "null is not a number", "0.001 for millimetres"),
    (mapped(depth_scale="0.001"), "depth_scale", '"0.001" is not a number', "0.001 for millimetres"),
    (mapped(depth_scale=True), "depth_scale", "true is not a number", "0.001 for millimetres"),
    (mapped(depth_scale=0), "depth_scale", "0 is not a positive number", "0.001 for millimetres"),
    (mapped(depth_scale=-1), "depth_scale", "-1 is not a positive number", "0.001 for millimetres"),
    (mapped(depth_scale=float("nan")), "depth_scale", "nan is not a positive number", "0.001 for millimetres"),
    (
        mapped(depth_scale=5000),
        "depth_scale",
        "5000 m long, and must be shorter than 10 m",
        "1/5000 = 0.0002 if a metre",
    ),
    (mapped(depth_scale=256), "depth_scale", "256 m long", "1/256 = 0.00390625 if a metre"),
    (mapped(depth_map="D.PNG", depth_scale=1000), "depth_scale", "1000 m long", "0.001 for millimetres"),
    (mapped(depth_map="a.npy", depth_scale=1e300), "depth_scale", "shorter than 10000 m", "metres per stored unit"),
    (mapped(depth_type=...), "depth_type", "missing", "a flat wall seen head-on"),
    (sound(world_from_camera=np.zeros((4, 4)).tolist()), "world_from_camera", "singular", "a rotation"),
    (sound(world_from_camera=(2 * np.eye(4)).tolist()), "world_from_camera", "not a rigid transform", "a rotation"),
    (sound(world_from_camera=np.eye(3).tolist()), "world_from_camera", "finite 4 x 4", "a rotation"),
    (sound(world_from_camera=pose(float("nan"))), "world_from_camera", "finite 4 x 4", "a rotation"),
    (sound(world_from_camera=[[1, 0], [0]]), "world_from_camera", "4 x 4", "a rotation"),
    (sound(world_from_camera=[1] * 16), "world_from_camera", "1 is not a list", "4 rows"),
    (sound(world_from_camera="eye"), "world_from_camera", "not a list", "4 rows"),
    (sound(world_from_camera=[["1", 0, 0, 0], *pose()[1:]]), "world_from_camera", '"1" is not a number', "4 rows"),
    (sound(image="turned5.png", world_from_camera=pose()), "world_from_camera", "mirroring EXIF", "upright"),
    (sound(world_from_camera=pose(1e300)), "world_from_camera", "the pose holds 1e+300", "a rotation"),
    (sound(world_from_camera=(1e300 * np.eye(4)).tolist()), "world_from_camera", "the pose holds 1e+300", "a rotation"),
    (sound(image="x" * 5000), "image", "5000 characters, and may have 4096", "name"),
    (sound(image="a\0b"), "image", "NUL", "path"),
    (sound(image="\ud800"), "image", "no Unicode text", "UTF-8"),
    (sound(image=["a.png"]), "image", "['a.png'] is no path", "path"),
    (sound(image=list(range(9999))), "image", "…", "path"),
    (mapped(depth_map="x" * 300), "depth_map", "no such depth map", "relative to the manifest"),
    (mapped(depth_scale=1e-300), "depth_scale", "1e-300 m long, and must be 1e-07 m at least", "0.001 for millimetres"),
    (sound(intrinsics=[10, 11, 3.5, 2.5, 1e9, 1e9]), "intrinsics", "too large", SIZE),
    (sound(intrinsics=[1e300, 11, 3.5, 2.5, WIDTH, HEIGHT]), "intrinsics", "are impossible", SIZE),
    (sound(intrinsics=[1e-300, 11, 3.5, 2.5, WIDTH, HEIGHT]), "intrinsics", "are impossible", SIZE),
    (sound(intrinsics=[0] * 9999), "intrinsics", "… are not six", SIZE),
    (sound(distortion=[1e9, 0, 0, 0, 0]), "distortion", "is impossible", "[k1, k2, p1, p2, k3]"),
    (sound(distortion=[1e5, 0, 0, 0, 0]), "distortion", "100% of the picture", "[k1, k2, p1, p2, k3]"),
    (sound(depth=[1, 1e-300]), "depth", "1 of 2 are shorter than 0.01 mm, the first is number 1: 1e-300", "metres"),
    (sound(depth=[1, 1e300]), "depth", "10 km or more", "metres"),
    (sound(depth=[1, [2]]), "depth", "[2] is not a number", "metres"),
    (sound(sequence=["a"]), "sequence", '["a"] is no text', "text"),
    (sound(sequence=True), "sequence", "true is no text", "text"),
    (sound(sequence=float("inf")), "sequence", "Infinity is no text", "text"),
    (sound(sequence="\ud800"), "sequence", "no Unicode text", "UTF-8"),
    (sound(license={"name": "MIT"}), "license", "is no text", "text"),
    (sound(attribution=3), "attribution", "3 is no text", "text"),
    (sound(license="x" * 20_000), "license", "20000 characters, and may have 10000", "name"),
    (json.dumps(sound()).replace("3.5", "9" * 6000, 1), "the whole line", "thousands of digits", "JSON"),
    ("[" * 100_000, "the whole line", "too many brackets", "JSON"),
    (sound(depht=3), "depht", "unknown", "did you mean depth"),
    (sound(image_path="a.png"), "image_path", "unknown", "did you mean image"),
    ('{"image": "a.png", "intrinsics": [1, 2', "the whole line", "malformed JSON at column 39", "one whole JSON"),
    ("[1, 2]", "the whole line", "not a JSON object", '{"image": …'),
    ('"a.png"', "the whole line", "not a JSON object", '{"image": …'),
]


@pytest.mark.parametrize(("row", "key", "problem", "remedy"), FAULTS, ids=lambda value: str(value)[:40])
def test_a_fault_names_file_line_key_and_remedy(
    folder: Path, row: Row | str, key: str, problem: str, remedy: str
) -> None:
    path = written(folder, sound(), "", row)
    with pytest.raises(UserErrors) as caught:
        load_manifest(path)
    faults = caught.value.faults
    assert len(faults) == 1, str(caught.value)
    assert faults[0].problem.startswith(f"{path}, line 3, {key}: ")
    assert problem in faults[0].problem
    assert faults[0].remedy and remedy in faults[0].remedy


def test_all_faults_of_all_lines_are_reported_together(folder: Path) -> None:
    wrong = sound(depth=[1, -1], depth_type="w", intrinsics=[10, 11, 3.5, 2.5, 4, 4], world_from_camera=3, colour="x")
    path = written(folder, wrong, sound(), sound(image="none.png", depth=[0, 1]), "{")
    with pytest.raises(UserErrors) as caught:
        load_manifest(path)
    named = {fault.problem.removeprefix(f"{path}, line ").split(":")[0] for fault in caught.value.faults}
    keys = ("colour", "intrinsics", "depth_type", "pixel_coords", "depth", "world_from_camera")
    assert named == {*(f"1, {key}" for key in keys), "3, image", "3, depth", "4, the whole line"}
    assert str(caught.value).startswith(f"{path}: 9 faults\n- {path}, line 1, ")


def test_thousands_of_unknown_keys_are_counted(folder: Path) -> None:
    with pytest.raises(UserErrors) as caught:
        load_manifest(written(folder, sound(**{f"key{number}": 1 for number in range(3000)})))
    assert len(caught.value.faults) == 6 and "2995 more keys are unknown" in caught.value.faults[-1].problem


def test_a_number_may_name_a_sequence(folder: Path) -> None:
    assert load_manifest(written(folder, sound(sequence=7))).frame(0).sequence == "7"


def test_a_line_of_many_megabytes_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.data.manifest.build_index.MOST_TEXT", 1 << 20)
    with pytest.raises(UserError, match="line 2: it is longer than 1 MiB"):
        load_manifest(written(folder, sound(), " " * (1 << 20)))


def test_line_numbers_count_blank_lines(folder: Path) -> None:
    with pytest.raises(UserErrors) as caught:
        load_manifest(written(folder, "", sound(), "", sound(depth=3)))
    assert [fault.problem.split(":")[0] for fault in caught.value.faults] == [f"{folder / 'm.jsonl'}, line 4, depth"]


@pytest.mark.parametrize(
    ("row", "key", "problem"),
    [
        (sound(image="cut.png"), "image", "cannot be read"),
        (mapped(depth_map="words.png"), "depth_map", "cannot be read"),
        (mapped(depth_map="small.png"), "depth_map", "the depth map is 3 x 6, its picture 8 x 6"),
    ],
)
def test_damaged_files_are_found_when_everything_is_decoded(folder: Path, row: Row, key: str, problem: str) -> None:
    path = written(folder, sound(), row)
    assert len(load_manifest(path)) == 2, "their headers are sound"
    with pytest.raises(UserErrors) as caught:
        load_manifest(path, decode=True)
    (fault,) = caught.value.faults
    assert fault.problem.startswith(f"{path}, line 2, {key}: ") and problem in fault.problem and fault.remedy


@pytest.mark.parametrize(
    ("write", "problem"),
    [
        (lambda path: None, "no such manifest"),
        (lambda path: path.mkdir(), "no such manifest"),
        (os.mkfifo, "no such manifest"),
        (lambda path: path.symlink_to("/dev/zero"), "no such manifest"),
        (lambda path: path.symlink_to(path), "no such manifest"),
        (lambda path: path.write_text(""), "the manifest is empty"),
        (lambda path: path.write_text("\n  \n"), "the manifest is empty"),
        (lambda path: path.write_bytes(b"\x89PNG\xff\xfe"), "not a manifest"),
    ],
)
def test_what_is_no_manifest_is_an_error(tmp_path: Path, write: Callable[[Path], object], problem: str) -> None:
    path = tmp_path / "m.jsonl"
    write(path)
    with pytest.raises(UserError, match=problem) as caught:
        load_manifest(path)
    assert str(path) in caught.value.problem and caught.value.remedy
