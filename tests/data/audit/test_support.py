"""Tests of the parts of ``toolkit.data.audit`` on answers computed by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from toolkit.data.audit.audited_frame import StoredValues, read_audited_frame
from toolkit.data.audit.checks import duplicates
from toolkit.data.audit.checks.intrinsics import oddity
from toolkit.data.audit.checks.poses import MISTAKES
from toolkit.data.audit.checks.sky import sky_mask
from toolkit.data.audit.read_frames import sample_runs
from toolkit.data.audit.support.edges import REACH, DenseOutline
from toolkit.data.audit.support.focal_from_planes import PlanePairs, _cosines
from toolkit.data.audit.support.significance import sign_test, tail
from toolkit.data.frames.frame import Frame, SparseDepth
from toolkit.data.synthetic.raycast import pose_from_angles
from toolkit.data.synthetic.rooms import Rooms, RoomSettings
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.pose import inverse
from toolkit.utils.arrays import Pixels

CAMERA = Camera(100.0, 100.0, 79.5, 59.5, 160, 120)


class Still:
    """A picture in memory."""

    name = "still"

    def __init__(self, pixels: Pixels) -> None:
        self.pixels = pixels

    def read(self) -> Pixels:
        return self.pixels


def test_ten_of_ten_is_once_in_512() -> None:
    assert sign_test(10, 0) == pytest.approx(2 / 2**10)
    assert sign_test(0, 0) == sign_test(4, 4) == 1.0
    assert sign_test(3, 9) == sign_test(9, 3)


def test_tails() -> None:
    assert tail(2, 2, 0.5) == pytest.approx(0.25)
    assert tail(0, 5, 0.1) == 1.0


def test_a_focal_length_too_long_makes_a_square_corner_oblique() -> None:
    # Two walls at 45 degrees on either side, seen with a focal length that is 1.5 times too long.
    one, two = (np.array([[sign / 1.5, 0.0, 1.0]]) / np.hypot(1 / 1.5, 1) for sign in (-1, 1))
    pairs = PlanePairs(one, two, np.zeros(1), np.ones((1, 2)))
    given, mended = _cosines(pairs, np.array([[1.0, 0, 0], [1.5, 0, 0]]))[0]
    assert given == pytest.approx((1 - 1 / 2.25) / (1 + 1 / 2.25))
    assert mended == pytest.approx(0, abs=1e-12)


def test_a_principal_point_off_by_a_tenth_makes_a_square_corner_oblique() -> None:
    # Walls x + z = 1 and -x + z = 1, seen with cx too small by a tenth of the width; the width is twice fx.
    width_over_focal, share = 2.0, 0.1
    true = [np.array([sign, 0.0, 1.0]) for sign in (1, -1)]
    seen = [np.array([n[0], 0, n[2] - n[0] * width_over_focal * share]) for n in true]
    unit = [(n / np.linalg.norm(n))[None] for n in seen]
    pairs = PlanePairs(unit[0], unit[1], np.zeros(1), np.full((1, 2), width_over_focal))
    assert _cosines(pairs, np.array([[1.0, share, 0.0]]))[0, 0] == pytest.approx(0, abs=1e-12)
    assert abs(_cosines(pairs, np.array([[1.0, 0.0, 0.0]]))[0, 0]) > 0.01


def test_a_pile_at_the_top_is_counted() -> None:
    stored = StoredValues.of(np.array([100.0] * 30 + [98, 98, 99, 99, 50]))
    assert (stored.top.value, stored.top.at, stored.top.near, stored.top.steps) == (100, 30, 4, 2)
    assert stored.top.pile == 15
    assert (stored.bottom.value, stored.bottom.at, stored.bottom.near) == (50, 1, 0)


@pytest.mark.parametrize(("values", "common"), [([8, 24, 80], 8), ([5, 10, 35], 5), ([3, 4], 1), ([1.5, 3], 0)])
def test_a_common_step_of_integers(values: list[float], common: int) -> None:
    assert StoredValues.of(np.array(values, dtype=float)).common == common


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fy": 110.0}, "fx is 0.909 times fy"),
        ({"cx": 39.5, "cy": 29.5}, "as in a picture of 80 x 60"),
        ({"cx": 20.0}, "37% of the picture off its middle"),
        ({"cx": 59.5, "cy": 79.5, "height": 100}, "if cx and cy are exchanged"),
    ],
)
def test_odd_cameras_are_named(changes: dict[str, float], words: str) -> None:
    assert oddity(CAMERA)[0] < 0.1
    much, said = oddity(replace(CAMERA, **changes))
    assert much > 1 and words in said


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_undone_by_its_remedy(name: str) -> None:
    right = pose_from_angles(40, -20, 10, np.array([1.0, -1.5, 2.0]))
    flip = np.diag([1.0, -1, -1, 1])
    left = np.diag([1.0, -1, 1, 1])
    body_from_camera = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])
    transposed = right.copy()
    transposed[:3, :3] = right[:3, :3].T
    wrong = {
        "inverted": inverse(right),
        "in OpenGL's axes": right @ flip,
        "inverted and in OpenGL's axes": inverse(right @ flip),
        "of a body with x forward, z up": right @ inverse(body_from_camera),
        "left-handed": left @ right @ left,
        "with transposed rotations": transposed,
    }
    x, y, z, w = Rotation.from_matrix(right[:3, :3]).as_quat()
    for order, entries in (("first", (w, x, y, z)), ("last", (y, z, w, x))):
        misread = right.copy()
        misread[:3, :3] = Rotation.from_quat(entries).as_matrix()
        wrong[f"with w {order} in the quaternions"] = misread
    np.testing.assert_allclose(MISTAKES[name][0](wrong[name]), right, atol=1e-12)


def test_edges_are_found_at_their_shift() -> None:
    rng = np.random.default_rng(0)
    bends = (rng.random((80, 100)) > 0.95).astype(float)
    edges = np.roll(bends, (-3, 5), axis=(0, 1))
    surface = DenseOutline(bends).against(edges - edges.mean())
    row, column = np.unravel_index(surface.argmax(), surface.shape)
    assert (column - REACH, row - REACH) == (5, -3)
    mirrored = DenseOutline(bends[:, ::-1]).against(bends - bends.mean(), (1,))
    assert np.unravel_index(mirrored.argmax(), mirrored.shape) == (REACH, REACH)


def test_labels_are_sampled_where_the_small_picture_is() -> None:
    pixels = np.zeros((240, 640, 3), dtype=np.uint8)
    camera = Camera(500.0, 500.0, 319.5, 119.5, 640, 240)
    places = np.array([[0.0, 0.0], [639.0, 239.0], [319.0, 99.0]])
    frame = Frame(Still(pixels), camera, SparseDepth(places, np.array([2.0, 3.0, 4.0]), "euclidean"))
    audited = read_audited_frame(1, frame, "euclidean", np.random.default_rng(0))
    assert audited.picture.shape == (120, 320, 3)
    assert audited.cells.tolist() == [[0, 0], [319, 119], [159, 49]]
    assert audited.depth_z[2] == pytest.approx(4 / np.linalg.norm([-0.5 / 500, -20.5 / 500, 1]))
    assert audited.grid[49, 159] == audited.depth_z[2]
    assert not audited.dense


def test_sky_is_bright_blue_and_joined_to_the_upper_border() -> None:
    pixels = np.full((120, 160, 3), (90, 110, 70), dtype=np.uint8)
    pixels[:50] = (150, 180, 230)
    pixels[80:100, 40:80] = (150, 180, 230)  # a pond
    frame = Frame(Still(pixels), CAMERA, SparseDepth(np.array([[1.0, 1.0]]), np.ones(1), "z"))
    mask = sky_mask(read_audited_frame(1, frame, "z", np.random.default_rng(0)))
    assert mask[:45].all()
    assert not mask[55:].any()


def test_a_picture_is_alike_itself_brighter_and_unlike_another() -> None:
    rooms = Rooms(RoomSettings(rooms=2, views=2))
    rng = np.random.default_rng(0)
    frames = []
    for index in (0, 1, 2):
        frame = rooms.frame(index)
        assert frame.labels is not None
        pixels, depth_z = frame.labels.read(frame.camera)
        sparse = SparseDepth(pixels[::50], depth_z[::50], "z")
        frames.append(Frame(Still(frame.picture.read()), frame.camera, sparse))
    brighter = np.clip(frames[0].picture.read() * 1.1 + 5, 0, 255).astype(np.uint8)
    copy = Frame(Still(brighter), frames[0].camera, frames[0].labels)
    audited = [read_audited_frame(line, frame, "z", rng) for line, frame in enumerate([*frames, copy])]
    (finding,) = duplicates.check(audited, rng)
    assert finding.verdict == "suspect"
    assert [worst.line for worst in finding.worst] == [3]
    assert "as line 0" in finding.worst[0].note


@pytest.mark.parametrize(("total", "wanted"), [(10, 20), (1000, 50), (1001, 50), (7, 7), (9, 8)])
def test_a_sample_is_of_the_size_wanted_and_in_order(total: int, wanted: int) -> None:
    drawn = sample_runs(total, wanted, np.random.default_rng(0))
    assert len(drawn) == min(total, wanted)
    assert drawn == sorted(set(drawn))
    assert all(0 <= index < total for index in drawn)


def test_labels_that_are_not_on_disk_are_an_error() -> None:
    with pytest.raises(UserError, match="no labels"):
        read_audited_frame(1, Rooms(RoomSettings(rooms=1)).frame(0), None, np.random.default_rng(0))
