"""Tests of the ScanNet++ converter: tiny iPhone recordings in all the forms that they come in."""

import json
import shutil
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pyarrow
import pytest
from scipy.spatial.transform import Rotation

from tests.support.convert_scenes import FORWARD, converted, depth_map, grey, label_errors, pose
from toolkit.data.convert.convert import convert
from toolkit.data.convert.parallel.job import ConvertJob
from toolkit.data.convert.readers.frame_streams import open_depth_stream
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse
from toolkit.utils.arrays import Array

pytestmark = pytest.mark.slow

LENS = Camera(1000, 1002, 511.25, 385.5, 1024, 768)
BENT = Camera(1000, 1002, 511.25, 385.5, 1024, 768, (0.05, -0.02, 0.001, -0.0005, 0.0))
EYES = [pose(12.0 + step, 1.0, 1.5, yaw=2 * step) @ FORWARD for step in range(3)]
REACH = 12.5  # m; beyond, the LiDAR measures nothing


def measured(camera: Camera, eye: Array) -> Array:
    """Millimetres (192, 256) at the centres of the LiDAR's pixels, 0 where nothing is measured."""
    small = camera.resized(256, 192)
    depth = depth_map(small, eye)
    return np.where(depth < REACH, np.rint(depth * 1000), 0).astype("<u2")


def deflated(data: bytes) -> bytes:
    squeeze = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return squeeze.compress(data) + squeeze.flush()


def depth_bin(frames: Sequence[Array], form: str) -> bytes:
    """depth.bin: LZ4 or deflate frame by frame, or one stream."""
    floats = [(frame / np.float32(1000)).astype("<f4").tobytes() for frame in frames]
    if form == "stream":
        return deflated(b"".join(floats))
    packed = (
        [pyarrow.Codec("lz4_raw").compress(frame.tobytes(), asbytes=True) for frame in frames]
        if form == "lz4"
        else [deflated(data) for data in floats]
    )
    return b"".join(len(data).to_bytes(4, "little") + data for data in packed)


def write_scene(root: Path, scene: str = "02455b3d20", form: str = "lz4", camera: Camera = LENS) -> Path:
    """Three frames, with pictures, depth.bin and ARKit's poses."""
    folder = root / "data" / scene / "iphone"
    for number in range(len(EYES)):
        grey(folder / "rgb" / f"frame_{number:06d}.jpg", camera, number)
    (folder / "depth.bin").write_bytes(depth_bin([measured(camera, eye) for eye in EYES], form))
    said = {
        f"frame_{number:06d}": {"intrinsic": camera.matrix.tolist(), "aligned_pose": eye.tolist(), "imu": {}}
        for number, eye in enumerate(EYES)
    }
    (folder / "pose_intrinsic_imu.json").write_text(json.dumps(said))
    return folder


def write_colmap(folder: Path, numbers: Sequence[int], prefix: str = "") -> None:
    """COLMAP's model of some frames, with the lens's distortion."""
    model = folder / "colmap"
    model.mkdir()
    numbers_of = [BENT.fx, BENT.fy, BENT.cx + 0.5, BENT.cy + 0.5, *BENT.distortion[:4]]
    (model / "cameras.txt").write_text(f"1 OPENCV {BENT.width} {BENT.height} {' '.join(map(str, numbers_of))}\n")
    lines = []
    for number in numbers:
        camera_from_world = inverse(EYES[number])
        x, y, z, w = Rotation.from_matrix(camera_from_world[:3, :3]).as_quat()
        row = " ".join(f"{value:.12g}" for value in (w, x, y, z, *camera_from_world[:3, 3]))
        lines += [f"{number + 1} {row} 1 {prefix}frame_{number:06d}.jpg", ""]
    (model / "images.txt").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("form", ["lz4", "deflate", "stream"])
def test_every_label_is_true_to_a_millimetre(tmp_path: Path, form: str) -> None:
    write_scene(tmp_path / "set", form=form)
    frames = converted("scannetpp", tmp_path / "set", tmp_path / "out", points=5000)
    assert len(frames) == 3
    for frame, eye in zip(frames, EYES, strict=True):
        assert frame.labels is not None
        pixels, depth_z = frame.labels.read(frame.camera)
        assert len(pixels) == 5000
        assert depth_z.max() < REACH
        assert label_errors(frame, eye).max() < 1e-3
        assert frame.camera == LENS
        np.testing.assert_allclose(frame.world_from_camera, eye, atol=1e-8)
        assert frame.sequence == "02455b3d20"
        assert "non-commercial" in frame.license


def test_colmap_chooses_the_frames_and_knows_the_lens(tmp_path: Path) -> None:
    folder = write_scene(tmp_path / "set", camera=BENT)
    write_colmap(folder, [0, 2], prefix="iphone/")
    outcome = convert(ConvertJob("scannetpp", tmp_path / "set", tmp_path / "out"))
    assert (outcome.pictures, outcome.skipped) == (2, {"COLMAP did not place it": 1})
    frames = converted("scannetpp", tmp_path / "set", tmp_path / "more", points=3000)
    for frame, eye in zip(frames, [EYES[0], EYES[2]], strict=True):
        assert frame.camera.distortion == BENT.distortion
        assert label_errors(frame, eye).max() < 1e-3
        np.testing.assert_allclose(frame.world_from_camera, eye, atol=1e-8)


def test_extracted_depth_is_read(tmp_path: Path) -> None:
    folder = write_scene(tmp_path / "set")
    (folder / "depth.bin").unlink()
    (folder / "depth").mkdir()
    for number, eye in enumerate(EYES):
        cv2.imwrite(str(folder / "depth" / f"frame_{number:06d}.png"), measured(LENS, eye))
    for frame, eye in zip(converted("scannetpp", tmp_path / "set", tmp_path / "out"), EYES, strict=True):
        assert label_errors(frame, eye).max() < 1e-3


def write_video(path: Path, count: int) -> None:
    """Frame n has brightness 40 + 15 n."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 60, (LENS.width, LENS.height))  # type: ignore[attr-defined]
    for number in range(count):
        writer.write(np.full((LENS.height, LENS.width, 3), 40 + 15 * number, dtype=np.uint8))
    writer.release()


def long_recording(root: Path, name: str = "rgb.mkv") -> Path:
    """Twelve frames that stay in place, as a video."""
    folder = write_scene(root)
    shutil.rmtree(folder / "rgb")
    write_video(folder / name, 12)
    (folder / "depth.bin").write_bytes(depth_bin([measured(LENS, EYES[0])] * 12, "lz4"))
    said = {"intrinsic": LENS.matrix.tolist(), "aligned_pose": EYES[0].tolist()}
    (folder / "pose_intrinsic_imu.json").write_text(json.dumps({f"frame_{each:06d}": said for each in range(12)}))
    return folder


@pytest.mark.parametrize("name", ["rgb.mkv", "rgb.mp4"])
def test_every_tenth_frame_of_a_video_is_taken(tmp_path: Path, name: str) -> None:
    long_recording(tmp_path / "set", name)
    frames = converted("scannetpp", tmp_path / "set", tmp_path / "out")
    assert [Path(frame.name).name for frame in frames] == ["frame_000000.jpg", "frame_000010.jpg"]
    for frame, brightness in zip(frames, [40, 190], strict=True):
        assert abs(frame.picture.read().mean() - brightness) < 6
        assert label_errors(frame, EYES[0]).max() < 1e-3


def test_frames_of_a_video_that_colmap_placed_are_taken(tmp_path: Path) -> None:
    folder = long_recording(tmp_path / "set")
    write_colmap(folder, [1, 2])
    frames = converted("scannetpp", tmp_path / "set", tmp_path / "out")
    assert [float(frame.picture.read().mean()) for frame in frames] == pytest.approx([55, 70], abs=6)


def test_a_tape_can_go_back(tmp_path: Path) -> None:
    frames = [np.full((192, 256), 1000 + number, dtype="<u2") for number in range(4)]
    for form in ("lz4", "deflate", "stream"):
        (tmp_path / form).write_bytes(depth_bin(frames, form))
        tape = open_depth_stream(tmp_path / form)
        for number in (2, 3, 0, 0, 1):
            np.testing.assert_allclose(tape.frame(number), 1 + number / 1000, rtol=1e-6)
        with pytest.raises(UserError, match="ends before frame 4"):
            tape.frame(4)
        np.testing.assert_allclose(tape.frame(1), 1.001, rtol=1e-6)


def test_a_video_that_cannot_be_decoded_says_how_to_extract_it(tmp_path: Path) -> None:
    folder = long_recording(tmp_path / "set")
    (folder / "rgb.mkv").write_bytes(b"no video" * 100)
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("scannetpp", tmp_path / "set", tmp_path / "out"))
    assert f"{folder / 'rgb.mkv'}: the video cannot be read" in str(caught.value)
    assert "ffmpeg -i" in str(caught.value)


def test_a_scene_without_pictures_is_a_fault_and_the_others_are_converted(tmp_path: Path) -> None:
    write_scene(tmp_path / "set", "aaa")
    folder = write_scene(tmp_path / "set", "bbb")
    shutil.rmtree(folder / "rgb")
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("scannetpp", tmp_path / "set", tmp_path / "out"))
    assert f"{folder}: there is neither a picture" in str(caught.value)
    assert "ffmpeg -i" in str(caught.value)
    assert convert(ConvertJob("scannetpp", tmp_path / "set", tmp_path / "out", skip_bad=True)).pictures == 3


@pytest.mark.parametrize("form", ["lz4", "deflate", "stream"])
def test_depth_that_is_cut_short_costs_only_the_frames_that_it_lacks(tmp_path: Path, form: str) -> None:
    folder = write_scene(tmp_path / "set", form=form)
    path = folder / "depth.bin"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("scannetpp", tmp_path / "set", tmp_path / "out"))
    assert f"{path}: it ends before frame 2" in str(caught.value)
    assert convert(ConvertJob("scannetpp", tmp_path / "set", tmp_path / "out", skip_bad=True)).pictures == 2


def test_depth_that_is_damaged_is_a_fault_of_its_frame(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "set") / "depth.bin"
    data = bytearray(path.read_bytes())
    data[4:60] = b"\xff" * 56
    path.write_bytes(bytes(data))
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("scannetpp", tmp_path / "set", tmp_path / "out"))
    assert f"{path}: the file cannot be read" in str(caught.value)
    assert caught.value.problem.endswith("1 fault")
    assert convert(ConvertJob("scannetpp", tmp_path / "set", tmp_path / "out", skip_bad=True)).pictures == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda said: said.pop("frame_000001"), "'frame_000001' is missing"),
        (lambda said: said["frame_000001"].pop("aligned_pose"), "'aligned_pose' is missing"),
        (lambda said: said["frame_000001"].update(intrinsic=[1, 2, 3]), "cannot be read"),
        (lambda said: said["frame_000001"].update(aligned_pose=np.ones((4, 4)).tolist()), "frame_000001"),
    ],
)
def test_a_pose_that_is_missing_or_wrong_is_a_fault(tmp_path: Path, change: object, message: str) -> None:
    path = write_scene(tmp_path / "set") / "pose_intrinsic_imu.json"
    said = json.loads(path.read_text())
    change(said)  # type: ignore[operator]
    path.write_text(json.dumps(said))
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("scannetpp", tmp_path / "set", tmp_path / "out"))
    assert message in str(caught.value)
    assert convert(ConvertJob("scannetpp", tmp_path / "set", tmp_path / "out", skip_bad=True)).pictures == 2


@pytest.mark.parametrize("missing", ["depth.bin", "pose_intrinsic_imu.json"])
def test_a_missing_sensor_is_a_fault(tmp_path: Path, missing: str) -> None:
    path = write_scene(tmp_path / "set") / missing
    path.unlink()
    with pytest.raises(UserErrors) as caught:
        convert(ConvertJob("scannetpp", tmp_path / "set", tmp_path / "out"))
    assert f"{path}: there is no such file" in str(caught.value)


def test_a_split_is_what_its_list_says(tmp_path: Path) -> None:
    for scene in ("aaa", "bbb"):
        write_scene(tmp_path / "set", scene)
    (tmp_path / "set" / "splits").mkdir()
    (tmp_path / "set" / "splits" / "nvs_sem_train.txt").write_text("bbb\n")
    (tmp_path / "set" / "splits" / "nvs_sem_val.txt").write_text("zzz\n")
    frames = converted("scannetpp", tmp_path / "set", tmp_path / "out", splits=("nvs_sem_train",))
    assert {frame.sequence for frame in frames} == {"bbb"}
    with pytest.raises(UserErrors, match="the scene zzz is not there"):
        converted("scannetpp", tmp_path / "set", tmp_path / "val", splits=("nvs_sem_val",))
    with pytest.raises(UserError, match="there is no split 'nvs_sem_tain'") as caught:
        converted("scannetpp", tmp_path / "set", tmp_path / "typo", splits=("nvs_sem_tain",))
    assert "nvs_sem_train" in caught.value.remedy


def test_another_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(UserError, match="not ScanNet"):
        convert(ConvertJob("scannetpp", tmp_path, tmp_path / "out"))
