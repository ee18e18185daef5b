"""Tests of ``toolkit.data.audit.audit`` as a whole: synthetic rooms written to a manifest, with one fault at a time."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.support.paths import REAL
from toolkit.cli.main import app
from toolkit.data.audit.audit import CHECKS, Finding, audit
from toolkit.data.synthetic.rooms import Rooms, RoomSettings
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse

pytestmark = pytest.mark.slow

Row = dict[str, Any]
VIEWS = 4
SETTINGS = RoomSettings(rooms=6, views=VIEWS, width=(120, 120), height=(90, 90))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Lines of 24 views of rooms, their files on disk, paths absolute."""
    folder, rooms, lines = tmp_path_factory.mktemp("rooms"), Rooms(SETTINGS), []
    for index in range(len(rooms)):
        frame = rooms.frame(index)
        camera = frame.camera
        assert frame.labels is not None and frame.world_from_camera is not None
        depth_z = frame.labels.read(camera)[1].reshape(camera.height, camera.width)
        Image.fromarray(frame.picture.read()).save(folder / f"{index}.png")
        cv2.imwrite(str(folder / f"{index}-depth.png"), np.rint(depth_z * 1000).astype(np.uint16))
        lines.append(
            {
                "image": str(folder / f"{index}.png"),
                "intrinsics": [camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height],
                "depth_map": str(folder / f"{index}-depth.png"),
                "depth_scale": 0.001,
                "depth_type": "z",
                "world_from_camera": frame.world_from_camera.tolist(),
                "sequence": frame.sequence,
            }
        )
    return lines


def write(folder: Path, rows: list[Row]) -> Path:
    path = folder / "m.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def found(path: Path, check: str, **keywords: Any) -> Finding:
    report = audit(path, checks=["depth type", check], **keywords)
    (finding,) = [each for each in report.findings if each.check == check]
    return finding


def with_depth(rows: list[Row], folder: Path, change: Callable[[np.ndarray, Camera], np.ndarray]) -> list[Row]:
    """Rows whose stored depth (h, w) is changed."""
    changed = []
    for index, row in enumerate(rows):
        stored = cv2.imread(row["depth_map"], cv2.IMREAD_UNCHANGED).astype(np.float64)
        path = str(folder / f"changed-{index}.png")
        cv2.imwrite(path, np.rint(change(stored, Camera.from_intrinsics(row["intrinsics"]))).astype(np.uint16))
        changed.append({**row, "depth_map": path})
    return changed


def lengths(camera: Camera) -> np.ndarray:
    rows, columns = np.indices((camera.height, camera.width), dtype=np.float64)
    return np.linalg.norm(camera.rays(np.stack([columns, rows], axis=-1)), axis=-1)


def without(rows: list[Row], *keys: str) -> list[Row]:
    return [{key: value for key, value in row.items() if key not in keys} for row in rows]


def test_sound_rooms_raise_no_alarm(rows: list[Row], tmp_path: Path) -> None:
    report = audit(write(tmp_path, rows))
    assert {finding.check for finding in report.findings} == {"lines", "depth type", *CHECKS}
    alarms = [finding for finding in report.findings if finding.verdict in ("fault", "suspect")]
    assert not alarms
    assert sum(finding.verdict == "ok" for finding in report.findings) >= 10
    assert report.cells() == []


@pytest.mark.parametrize("declared", ["z", "euclidean", None])
@pytest.mark.parametrize("true", ["z", "euclidean"])
def test_the_depth_type_is_found(rows: list[Row], tmp_path: Path, true: str, declared: str | None) -> None:
    if true == "euclidean":
        rows = with_depth(rows, tmp_path, lambda stored, camera: stored * lengths(camera))
    rows = [{**row, "depth_type": declared} for row in rows]
    finding = found(write(tmp_path, rows), "depth type")
    assert finding.numbers["found"] == true
    assert finding.verdict == ("ok" if declared == true else "fault" if declared else "suspect")
    if declared != true:
        assert f'"depth_type": "{true}"' in finding.remedy
        assert finding.worst
    assert finding.numbers[f"frames for {true}"] == len(rows)


def test_two_types_in_one_manifest_are_told_apart(rows: list[Row], tmp_path: Path) -> None:
    wrong = with_depth(rows[:8], tmp_path, lambda stored, camera: stored * lengths(camera))
    finding = found(write(tmp_path, [*wrong, *rows[8:]]), "depth type")
    assert (finding.verdict, finding.numbers["found"]) == ("fault", "mixed")
    assert {worst.line for worst in finding.worst} <= set(range(1, 9))


def test_depth_that_was_converted_twice_is_neither(rows: list[Row], tmp_path: Path) -> None:
    rows = with_depth(rows, tmp_path, lambda stored, camera: stored / lengths(camera))
    finding = found(write(tmp_path, rows), "depth type")
    assert finding.verdict == "fault"
    assert finding.numbers["found"] == "z-depth divided by the length of the ray"


def inverted(rows: list[Row], folder: Path, offset: float = 0.0) -> list[Row]:
    """Rows whose files hold 1 / depth [1/m], or that with an offset, as models of relative depth give it."""
    changed = []
    for index, row in enumerate(rows):
        stored = cv2.imread(row["depth_map"], cv2.IMREAD_UNCHANGED).astype(np.float32)
        path = str(folder / f"inverse-{index}.npy")
        np.save(path, 1000 / stored + np.float32(offset))
        changed.append({**row, "depth_map": path, "depth_scale": 1.0})
    return changed


@pytest.mark.parametrize(("count", "offset"), [(24, 0.2), (4, 0.0)])
def test_inverse_depth_is_named_and_nothing_else_is_blamed(
    rows: list[Row], tmp_path: Path, count: int, offset: float
) -> None:
    report = audit(write(tmp_path, inverted(rows[:count], tmp_path, offset)))
    (fault,) = [finding for finding in report.findings if finding.verdict in ("fault", "suspect")]
    assert (fault.check, fault.verdict) == ("inverse depth", "fault")
    assert "1 / the stored number" in fault.remedy and fault.worst
    assert {finding.check for finding in report.findings} == {"lines", "inverse depth", "intrinsics", "duplicates"}


def test_inverse_sparse_labels_are_named(rows: list[Row], tmp_path: Path) -> None:
    changed = sparse(rows, 300, centre=False)
    changed = [{**row, "depth": (1 / np.array(row["depth"])).tolist()} for row in changed]
    assert found(write(tmp_path, changed), "inverse depth").verdict == "fault"
    assert found(write(tmp_path, sparse(rows, 300, centre=False)), "inverse depth").verdict == "ok"


@pytest.mark.parametrize("orientation", [4, 6])
def test_labels_of_turned_pictures_fit_them(rows: list[Row], tmp_path: Path, orientation: int) -> None:
    exif, turned = Image.Exif(), []
    exif[274] = orientation
    for index, row in enumerate(rows):
        with Image.open(row["image"]) as picture:
            picture.save(tmp_path / f"{index}.png", exif=exif)
        turned.append({**row, "image": str(tmp_path / f"{index}.png")})
    path = write(tmp_path, without(turned, "world_from_camera"))
    assert found(path, "alignment").verdict == "ok"


def test_an_inverse_scale_is_refused_with_the_remedy(rows: list[Row], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no line can be audited") as caught:
        audit(write(tmp_path, [{**row, "depth_scale": 1000} for row in rows]))
    assert "1/1000 = 0.001 if a metre has 1000 units" in caught.value.cause
    np.save(tmp_path / "whole.npy", cv2.imread(rows[0]["depth_map"], cv2.IMREAD_UNCHANGED).astype(np.int32))
    finding = found(write(tmp_path, [{**rows[0], "depth_map": "whole.npy", "depth_scale": 1000}, *rows[1:]]), "lines")
    assert finding.verdict == "fault" and "looks like stored units per metre" in finding.evidence


def sparse(rows: list[Row], count: int, centre: bool) -> list[Row]:
    """Rows with some labelled pixels instead of a map, near the centre or anywhere, without a depth type."""
    rng, changed = np.random.default_rng(0), []
    for row in rows:
        stored = cv2.imread(row["depth_map"], cv2.IMREAD_UNCHANGED)
        low, high = (0.45, 0.55) if centre else (0, 1)
        u = rng.integers(int(low * stored.shape[1]), int(high * stored.shape[1]), count)
        v = rng.integers(int(low * stored.shape[0]), int(high * stored.shape[0]), count)
        labels = {"pixel_coords": np.stack([u, v], 1).tolist(), "depth": (stored[v, u] * 0.001).tolist()}
        changed.append({**row, **labels})
    return without(changed, "depth_map", "depth_scale", "depth_type")


@pytest.mark.parametrize(("count", "centre"), [(100, True), (8, False)])
def test_labels_that_say_nothing_of_the_type_get_no_verdict(
    rows: list[Row], tmp_path: Path, count: int, centre: bool
) -> None:
    finding = found(write(tmp_path, sparse(rows, count, centre)), "depth type")
    assert (finding.verdict, finding.numbers["found"]) == ("cannot tell", "cannot tell")


def test_a_hundred_labels_a_picture_suffice(rows: list[Row], tmp_path: Path) -> None:
    assert found(write(tmp_path, sparse(rows, 100, False)), "depth type").numbers["found"] == "z"


def test_a_wrong_type_is_no_fault_of_the_focal_length(rows: list[Row], tmp_path: Path) -> None:
    """Other checks read depth as the planes say."""
    rows = with_depth(rows, tmp_path, lambda stored, camera: stored * lengths(camera))
    assert found(write(tmp_path, rows), "focal length").verdict == "ok"


@pytest.mark.parametrize("times", [0.8, 1.2])
def test_a_wrong_focal_length_is_measured(rows: list[Row], tmp_path: Path, times: float) -> None:
    for_all = [
        {**row, "intrinsics": [f * times for f in row["intrinsics"][:2]] + row["intrinsics"][2:]} for row in rows
    ]
    finding = found(write(tmp_path, for_all), "focal length")
    assert finding.verdict == "fault"
    assert float(finding.numbers["true / given focal length"]) * times == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("factor", "verdicts"),
    [(1000, {"fault"}), (0.001, {"fault"}), (5, {"fault", "suspect"}), (0.125, {"fault"}), (1.25, {"ok"})],
)
def test_units_that_were_confused(rows: list[Row], tmp_path: Path, factor: float, verdicts: set[str]) -> None:
    wrong = [{**row, "depth_scale": 0.001 * factor} for row in rows]
    finding = found(write(tmp_path, wrong), "scale")
    assert finding.verdict in verdicts
    if "fault" in verdicts:
        assert float(finding.numbers["likeliest factor"]) * factor == pytest.approx(1, rel=0.4)


def test_rotated_bits_are_known_by_their_step(rows: list[Row], tmp_path: Path) -> None:
    rows = with_depth(rows, tmp_path, lambda stored, camera: (stored * 8) % 65536 + stored // 8192)
    finding = found(write(tmp_path, [{**row, "depth_scale": 1e-4} for row in rows]), "scale")
    assert finding.verdict == "suspect"
    assert finding.numbers["stored values are multiples of"] == 8
    assert "rotated bits" in finding.remedy


def test_depth_and_poses_in_other_units(rows: list[Row], tmp_path: Path) -> None:
    wrong = [{**row, "depth_scale": 0.0008} for row in rows]
    finding = found(write(tmp_path, wrong), "scale against poses")
    assert finding.verdict == "fault"
    assert finding.numbers["factor"] == pytest.approx(1.25, rel=0.06)


def test_a_cap_is_found(rows: list[Row], tmp_path: Path) -> None:
    capped = with_depth(rows, tmp_path, lambda stored, camera: np.minimum(stored, 3000))
    finding = found(write(tmp_path, capped), "saturation")
    assert (finding.verdict, finding.numbers["greatest value [m]"]) == ("fault", 3.0)
    assert "3 m" in finding.remedy


MISPOSED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "inverted": inverse,
    "in OpenGL's axes": lambda pose: pose @ np.diag([1.0, -1, -1, 1]),
}


@pytest.mark.parametrize("name", MISPOSED)
def test_poses_in_the_wrong_frame_are_named(rows: list[Row], tmp_path: Path, name: str) -> None:
    wrong = [{**row, "world_from_camera": MISPOSED[name](np.array(row["world_from_camera"])).tolist()} for row in rows]
    finding = found(write(tmp_path, wrong), "poses")
    assert (finding.verdict, finding.numbers["best other reading"]) == ("fault", name)


def test_poses_that_stand_still_are_a_fault(rows: list[Row], tmp_path: Path) -> None:
    frozen = [{**row, "world_from_camera": rows[0]["world_from_camera"], "sequence": "one"} for row in rows]
    finding = found(write(tmp_path, frozen), "poses")
    assert finding.verdict == "fault"
    assert "exactly the pose" in finding.evidence


def test_no_poses_no_finding(rows: list[Row], tmp_path: Path) -> None:
    path = write(tmp_path, without(rows, "world_from_camera"))
    names = {finding.check for finding in audit(path, checks=["poses", "scale against poses"]).findings}
    assert not names & {"poses", "scale against poses"}


def test_shifted_labels_are_measured(rows: list[Row], tmp_path: Path) -> None:
    shifted = with_depth(rows, tmp_path, lambda stored, camera: np.roll(stored, 6, axis=1))
    finding = found(write(tmp_path, shifted), "alignment")
    assert finding.verdict == "fault"
    assert finding.numbers["shift u [widths]"] == pytest.approx(-6 / 120, abs=0.01)


def test_mirrored_labels_are_named(rows: list[Row], tmp_path: Path) -> None:
    mirrored = with_depth(rows, tmp_path, lambda stored, camera: stored[:, ::-1])
    finding = found(write(tmp_path, mirrored), "alignment")
    assert finding.verdict == "fault"
    assert "mirrored left to right" in finding.evidence


def test_a_copy_with_other_labels_is_a_fault(rows: list[Row], tmp_path: Path) -> None:
    copied = [*rows[:10], {**rows[3], "depth_scale": 0.0011}]
    finding = found(write(tmp_path, copied), "duplicates")
    assert (finding.verdict, finding.numbers["pairs of the same bytes"]) == ("fault", 1)
    assert finding.worst[0].line == 11
    assert found(write(tmp_path, copied), "lines").verdict == "suspect"


def test_faulty_lines_are_reported_and_passed_over(rows: list[Row], tmp_path: Path) -> None:
    path = write(tmp_path, [*rows[:6], {**rows[6], "image": "none.png"}, {**rows[7], "depth_scale": 0}])
    finding = found(path, "lines")
    assert (finding.verdict, finding.numbers["faulty lines"]) == ("fault", 2)
    assert [worst.line for worst in finding.worst] == [7, 8]


def test_a_manifest_without_a_sound_line_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no line can be audited"):
        audit(write(tmp_path, [{"image": "none.png"}]))


def test_a_sample_is_read_and_the_seed_settles_it(rows: list[Row], tmp_path: Path) -> None:
    path = write(tmp_path, rows)
    assert found(path, "lines", frames=10).numbers["lines read whole"] == 10
    first, again = (audit(path, 10, 3, ["scale", "alignment"]).to_json() for _ in range(2))
    assert first == again
    assert first != audit(path, 10, 4, ["scale", "alignment"]).to_json()


def test_the_command_prints_a_table_or_json_and_writes_a_sheet(rows: list[Row], tmp_path: Path) -> None:
    path = write(tmp_path, without(rows[:12], "depth_type"))
    arguments = ["data", "audit", str(path), "--frames", "8", "--output", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert "suspect" in result.stdout
    with Image.open(tmp_path / "out" / "m.png") as sheet:
        assert sheet.width > 900
    parsed = json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)
    assert parsed["schema"] == "toolkit.audit/1"
    assert parsed["verdicts"]["suspect"] >= 1
    (typed,) = [finding for finding in parsed["findings"] if finding["check"] == "depth type"]
    assert set(typed) == {"check", "verdict", "evidence", "remedy", "numbers", "worst"}
    assert typed["numbers"]["found"] == "z"


@pytest.mark.skipif(not (REAL / "ibims1").is_dir(), reason="iBims-1 is not beside the project")
@pytest.mark.parametrize("true", ["z", "euclidean"])
def test_ibims1_as_published_holds_z(tmp_path: Path, true: str) -> None:
    folder = REAL / "ibims1"
    rows = [json.loads(line) for line in (folder / "depthlm_format.jsonl").read_text().splitlines()]
    for row in rows:
        row["image"] = str(folder / row["image"])
        if true == "euclidean":
            rays = Camera.from_intrinsics(row["intrinsics"]).rays(row["pixel_coords"])
            row["depth"] = (np.array(row["depth"]) * np.linalg.norm(rays, axis=-1)).tolist()
    finding = found(write(tmp_path, rows), "depth type")
    assert finding.numbers["found"] == true
    assert float(finding.numbers["chance"]) < 1e-6
