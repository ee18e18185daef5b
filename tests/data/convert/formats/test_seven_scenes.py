"""Tests of the 7-Scenes converter: tiny walks in the set's layout, the depth camera beside the colour camera."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.convert_scenes import FORWARD, converted, depth_map, grey, label_errors, pose
from toolkit.data.convert.base_format import ConvertOptions
from toolkit.data.convert.convert import convert
from toolkit.data.convert.formats import seven_scenes
from toolkit.data.convert.formats.seven_scenes import _COLOR_FROM_DEPTH
from toolkit.data.convert.parallel.job import ConvertJob
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse
from toolkit.utils.arrays import Array

COLOR, DEPTH = Camera(105, 105, 64, 48, 128, 96), Camera(117, 117, 64, 48, 128, 96)
EYES = [pose(4.0, -0.4, 1.5, yaw=2) @ FORWARD, pose(4.3, -0.3, 1.4, yaw=5) @ FORWARD]


@pytest.fixture(autouse=True)
def _small_cameras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seven_scenes, "_COLOR", COLOR)
    monkeypatch.setattr(seven_scenes, "_DEPTH", DEPTH)


def write_scene(root: Path, name: str = "chess", sequences: tuple[str, ...] = ("seq-01", "seq-02")) -> Path:
    """A scene that its depth camera sees from EYES; train is the first sequence, test the second."""
    scene = root / name
    for sequence in sequences:
        for number, eye in enumerate(EYES):
            stem = scene / sequence / f"frame-{number:06d}"
            grey(Path(f"{stem}.color.png"), COLOR)
            depth = depth_map(DEPTH, eye)
            stored = np.where(depth < 60, np.rint(depth * 1000), 65535).astype(np.uint16)
            stored[:, :4] = 0
            cv2.imwrite(f"{stem}.depth.png", stored)
            np.savetxt(f"{stem}.pose.txt", eye, fmt="%.9e", delimiter="\t")
    (scene / "TrainSplit.txt").write_text("sequence1\n")
    (scene / "TestSplit.txt").write_text("sequence2\n")
    return scene


def color_pose(eye: Array) -> Array:
    """world_from_camera of the colour camera."""
    return eye @ inverse(_COLOR_FROM_DEPTH)


def test_every_label_is_true_to_a_millimetre_in_the_colour_camera(tmp_path: Path) -> None:
    write_scene(tmp_path)
    frames = converted("seven_scenes", tmp_path / "chess", tmp_path / "out", points=3000, edge_margin=2)
    assert [frame.sequence for frame in frames] == ["chess/seq-01"] * 2 + ["chess/seq-02"] * 2
    for frame, eye in zip(frames, [*EYES, *EYES], strict=True):
        errors = label_errors(frame, color_pose(eye))
        assert len(errors) == 3000
        assert errors.max() < 1e-3
        np.testing.assert_allclose(frame.world_from_camera, color_pose(eye), atol=1e-7)
        assert frame.camera == COLOR
        assert "non-commercial" in frame.license


def test_what_a_nearer_thing_hides_from_the_colour_camera_gets_no_label(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside_pillar = pose(7.3, 0.35, 1.5) @ FORWARD  # its left edge is 0.7 m away, what is behind it more than 10 m
    monkeypatch.setitem(globals(), "EYES", [beside_pillar])
    write_scene(tmp_path)
    frame = converted("seven_scenes", tmp_path, tmp_path / "out", points=100_000, splits=("train",))[0]
    errors = label_errors(frame, color_pose(beside_pillar))
    assert len(errors) > 5000
    assert (errors > 1e-3).sum() <= 96  # the edge itself, at most one label a row; the strip is three wide


def test_the_published_cameras() -> None:
    np.testing.assert_allclose(_COLOR_FROM_DEPTH[:3, :3] @ _COLOR_FROM_DEPTH[:3, :3].T, np.eye(3), atol=1e-7)
    assert _COLOR_FROM_DEPTH[0, 3] == pytest.approx(-0.0256, abs=1e-4)


@pytest.mark.parametrize(("split", "sequence"), [("train", "chess/seq-01"), ("test", "chess/seq-02")])
def test_splits_are_those_of_the_sets_files(tmp_path: Path, split: str, sequence: str) -> None:
    write_scene(tmp_path)
    frames = converted("seven_scenes", tmp_path, tmp_path / "out", splits=(split,))
    assert {frame.sequence for frame in frames} == {sequence}


def test_a_sequence_that_is_still_packed_is_a_fault_that_says_how_to_unpack_it(tmp_path: Path) -> None:
    scene = write_scene(tmp_path, sequences=("seq-01",))
    (scene / "seq-02.zip").write_bytes(b"PK")
    (scene / "seq-03.zip").write_bytes(b"PK")
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("seven_scenes", tmp_path, tmp_path / "out"))
    assert f"unzip {scene / 'seq-02.zip'} -d {scene}" in str(caught.value)
    assert caught.value.problem.endswith("2 faults")
    assert convert(ConvertJob("seven_scenes", tmp_path, tmp_path / "out", skip_bad=True)).pictures == 2


def test_a_missing_split_and_a_missing_sequence_are_faults_and_other_scenes_are_converted(tmp_path: Path) -> None:
    (write_scene(tmp_path, "fire") / "TrainSplit.txt").unlink()
    write_scene(tmp_path, "office", sequences=("seq-02",))
    write_scene(tmp_path)
    job = ConvertJob("seven_scenes", tmp_path, tmp_path / "out", ConvertOptions(splits=("train",)))
    with pytest.raises(UserErrors) as caught:
        convert(job)
    assert f"{tmp_path / 'fire' / 'TrainSplit.txt'}: there is no such file" in str(caught.value)
    assert f"{tmp_path / 'office' / 'seq-01'}: there is no frame" in str(caught.value)
    assert "2 pictures are converted and kept" in caught.value.problem


@pytest.mark.parametrize("part", ["color.png", "depth.png", "pose.txt"])
def test_half_a_frame_is_a_fault(tmp_path: Path, part: str) -> None:
    path = write_scene(tmp_path) / "seq-01" / f"frame-000001.{part}"
    path.unlink()
    with pytest.raises(UserErrors, match="1 fault") as caught:
        convert(ConvertJob("seven_scenes", tmp_path, tmp_path / "out"))
    assert f"{path}: there is no such file" in str(caught.value)


@pytest.mark.parametrize(
    ("part", "size", "message"),
    [
        ("color.png", 500, "the picture cannot be read"),
        ("depth.png", 200, "the depth map cannot be read"),
        ("pose.txt", 100, "these are not 4 x 4 numbers"),
    ],
)
def test_files_cut_short_are_faults(tmp_path: Path, part: str, size: int, message: str) -> None:
    path = write_scene(tmp_path) / "seq-01" / f"frame-000001.{part}"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserErrors, match="1 fault") as caught:
        convert(ConvertJob("seven_scenes", tmp_path, tmp_path / "out"))
    assert f"{path}: {message}" in str(caught.value)


def test_a_resized_picture_and_another_set_are_refused(tmp_path: Path) -> None:
    scene = write_scene(tmp_path)
    grey(scene / "seq-01" / "frame-000000.color.png", Camera(50, 50, 32, 24, 64, 48))
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("seven_scenes", tmp_path, tmp_path / "out"))
    assert "it is 64 x 48, not 128 x 96" in str(caught.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="not 7-Scenes"):
        convert(ConvertJob("seven_scenes", tmp_path / "empty", tmp_path / "out"))
