"""Tests of ``toolkit.geometry.canonical``: analytic ramps, a slanted plane, and windows of awkward pictures."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from toolkit.data.frames.frame import Frame
from toolkit.errors import UserError
from toolkit.geometry import resample as resampling
from toolkit.geometry.camera import Camera
from toolkit.geometry.canonical import Canonicalisation, Canvas, Crop
from toolkit.geometry.resample import PADDING, coverage, resample, to_canonical
from toolkit.qa.canonical_view import View, canonicalise
from toolkit.utils.arrays import Array, Pixels

BARREL = (-0.2, 0.05, 0.001, -0.0015, 0.002)
SIZES = [
    (1242, 375),
    (300, 500),
    (1936, 1216),
    (640, 480),
    (1080, 1920),
    (3024, 4032),
    (1170, 2532),
    (720, 1280),
    (1600, 900),
    (1224, 1024),
    (961, 541),
    (101, 997),
    (333, 333),
    (27, 31),
    (28, 28),
    (1, 640),
    (2048, 1536),
    (1279, 719),
    (513, 385),
    (5184, 3456),
]
CANVASES = [Canvas(14), Canvas(28), Canvas(32), Canvas(), Canvas(square=448), Canvas(square=1000)]
TRAINING = Crop((1000, 1400), (700, 1200))


@dataclass(frozen=True)
class PictureInMemory:
    """A picture in memory."""

    pixels: Pixels
    name: str = "given"

    def read(self) -> Pixels:
        return self.pixels


@dataclass(frozen=True)
class LabelsInMemory:
    """Labels in memory."""

    pixels: Array
    depth_z: Array

    def read(self, camera: Camera) -> tuple[Array, Array]:
        return self.pixels, self.depth_z


def grid(camera: Camera) -> Array:
    """All pixels (height, width, 2) of a picture."""
    return np.stack(np.meshgrid(np.arange(camera.width), np.arange(camera.height)), axis=-1).astype(float)


def picture_of(camera: Camera, grey: Array) -> Pixels:
    return np.repeat(np.rint(grey).astype(np.uint8)[..., None], 3, axis=2)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("distortion", [(), BARREL])
@pytest.mark.parametrize("focal", [151.0, 210.0, 380.0, 400.0, 430.0, 900.0])
def test_a_ramp_keeps_its_grey_at_every_place(focal: float, distortion: tuple[float, ...]) -> None:
    """Shrinking and enlarging, with fx and fy apart; a half-pixel slip would move the mean by 0.1 or more."""
    camera = Camera(400.0, 330.0, 118.0, 93.0, 230, 200, distortion)
    picture = np.zeros((200, 230, 3), np.uint8)
    picture[..., 0], picture[..., 1] = 10 + grid(camera)[..., 0], 20 + grid(camera)[..., 1]
    target = Canonicalisation(focal=focal).window(camera, None)
    pixels, mask = resample(picture, camera, target), coverage(camera, target)
    source = camera.project(target.rays(grid(target)))
    inner = mask & camera.contains(source, margin=3)
    error = (pixels[..., :2] - (source + np.array([10, 20])))[inner]
    assert inner.mean() > 0.8
    assert np.abs(error).max() < 0.6
    assert np.abs(error.mean(axis=0)).max() < 0.06


def test_both_focal_lengths_become_the_canonical_one() -> None:
    camera = Camera(500.0, 250.0, 99.5, 49.5, 200, 100)
    target = Canonicalisation(focal=1000).window(camera, None)
    assert target == Camera(1000.0, 1000.0, 199.5, 199.5, 400, 400)
    distorted = Camera(500.0, 250.0, 99.5, 49.5, 200, 100, BARREL)
    assert Canonicalisation(focal=1000).window(distorted, None) == target


def test_a_picture_that_is_canonical_already_is_not_touched() -> None:
    camera = Camera(300.0, 300.0, 63.5, 47.5, 128, 96)
    noise = rng().integers(0, 256, (96, 128, 3), dtype=np.uint8)
    target = Canonicalisation(focal=300, canvas=Canvas(32)).window(camera, None)
    pixels, mask = resample(noise, camera, target), coverage(camera, target)
    np.testing.assert_array_equal(pixels, noise)
    assert mask.all()


def test_shrinking_averages_the_area() -> None:
    camera = Camera(1000.0, 1000.0, 299.5, 199.5, 600, 400)
    checks = (grid(camera).sum(axis=-1) % 2) * 255
    for focal in (100.0, 90.0):
        target = Canonicalisation(focal=focal).window(camera, None)
        pixels = resample(picture_of(camera, checks), camera, target)
        assert np.abs(pixels[2:-2, 2:-2].astype(int) - 127.5).max() <= 6
    pixels = resample(picture_of(camera, checks), camera, Canonicalisation(focal=100).window(camera, None))
    assert pixels.std() < 1
    line = np.zeros((400, 600))
    line[:, 305] = 200  # a line of one pixel becomes a tenth as bright, wherever it lies
    pixels = resample(picture_of(camera, line), camera, Canonicalisation(focal=100).window(camera, None))
    np.testing.assert_allclose(pixels[20, :, 0].astype(int).sum(), 20, atol=1)


def test_shrinking_whole_blocks_gives_their_means() -> None:
    camera = Camera(200.0, 400.0, 79.5, 79.5, 160, 160)
    noise = rng().integers(0, 256, (160, 160, 3), dtype=np.uint8)
    pixels = resample(noise, camera, Canonicalisation(focal=100).window(camera, None))
    assert pixels.shape == (40, 80, 3)
    means = noise.reshape(40, 4, 80, 2, 3).mean(axis=(1, 3))
    assert np.abs(pixels - means).max() <= 1


@pytest.mark.parametrize("distortion", [(), BARREL])
@pytest.mark.parametrize("focal", [120.0, 650.0])
def test_strips_make_no_seam(monkeypatch: pytest.MonkeyPatch, focal: float, distortion: tuple[float, ...]) -> None:
    camera = Camera(400.0, 330.0, 148.0, 103.0, 300, 210, distortion)
    noise = rng().integers(0, 256, (210, 300, 3), dtype=np.uint8)
    target = Canonicalisation(focal=focal, canvas=Canvas(28)).window(camera, None)
    whole, mask = resample(noise, camera, target), coverage(camera, target)
    for strip in (1, 5000):
        monkeypatch.setattr(resampling, "_STRIP_PIXELS", strip)
        pixels, same = resample(noise, camera, target), coverage(camera, target)
        np.testing.assert_array_equal(pixels, whole)
        np.testing.assert_array_equal(same, mask)


def test_padding_is_grey_and_masked() -> None:
    camera = Camera(100.0, 100.0, 24.5, 19.5, 50, 40)
    target = Canonicalisation(focal=100, canvas=Canvas(32)).window(camera, None)
    assert (target.width, target.height) == (64, 64)
    pixels, mask = resample(np.full((40, 50, 3), 255, np.uint8), camera, target), coverage(camera, target)
    expected = np.zeros((64, 64), bool)
    expected[:40, :50] = True
    np.testing.assert_array_equal(mask, expected)
    assert (pixels[expected] == 255).all() and (pixels[~expected] == PADDING).all()


def test_the_mask_of_a_distorted_picture_is_where_it_is_covered() -> None:
    # Pincushion: the edges of the canonical picture lie outside the original.
    camera = Camera(100.0, 100.0, 49.5, 39.5, 100, 80, (0.4, 0.0, 0.0, 0.0, 0.0))
    target = Canonicalisation(focal=100).window(camera, None)
    pixels, mask = resample(np.full((80, 100, 3), 255, np.uint8), camera, target), coverage(camera, target)
    assert not mask[0, 0] and mask[40, 50] and not mask[40, 0]
    assert (pixels[~mask] == PADDING).all() and (pixels[mask] == 255).all()


def test_a_folding_distortion_shows_no_second_copy() -> None:
    """Beyond r = 1 this polynomial comes back into the picture: those places are padding, and labels there go."""
    camera = Camera(60.0, 60.0, 49.5, 39.5, 100, 80, (-1 / 3, 0.0, 0.0, 0.0, 0.0))
    target = Canonicalisation(focal=60, canvas=Canvas(square=200)).window(camera, None)
    mask = coverage(camera, target)
    radius = np.linalg.norm(target.rays(grid(target))[..., :2], axis=-1)
    assert mask[radius < 0.6].all() and not mask[radius >= 1].any()
    frame = Frame(
        PictureInMemory(np.zeros((80, 100, 3), np.uint8)),
        camera,
        LabelsInMemory(np.array([[49.5, 39.5], [0, 0]]), np.ones(2)),
    )
    assert canonicalise(frame, target).points.tolist() == [[target.cx, target.cy]]


@pytest.mark.parametrize("canvas", CANVASES)
@pytest.mark.parametrize("size", SIZES)
def test_every_window_fits_the_canvas(size: tuple[int, int], canvas: Canvas) -> None:
    width, height = size
    camera = Camera.from_intrinsics(
        [1.1 * max(size), 1.2 * max(size), 0.48 * (width - 1), 0.53 * (height - 1), width, height]
    )
    shape = Canonicalisation(focal=1000, canvas=canvas, crop=TRAINING)
    whole = shape.whole(camera)
    for seed in range(5):
        window = shape.window(camera, rng(seed))
        assert (window.fx, window.fy, window.distortion) == (1000, 1000, ())
        for side, full, (low, high), start in [
            (window.width, whole.width, TRAINING.width, whole.cx - window.cx),
            (window.height, whole.height, TRAINING.height, whole.cy - window.cy),
        ]:
            start = round(start, 6)
            assert start == int(start) >= 0
            if canvas.square:
                assert side == canvas.square
            else:
                assert side % canvas.multiple == 0 and side > 0
                most = high if full > high else full + canvas.multiple - 1
                assert side <= max(most, canvas.multiple)
                assert side > min(low, full) - canvas.multiple
            assert start + side <= full or start == 0
    uncropped = Canonicalisation(focal=1000, canvas=canvas).window(camera, None)
    if not canvas.square:
        assert 0 <= uncropped.width - whole.width < canvas.multiple
        assert 0 <= uncropped.height - whole.height < canvas.multiple


def test_crops_spread_over_their_range_and_over_the_picture() -> None:
    camera = Camera(1000.0, 1000.0, 1499.5, 999.5, 3000, 2000)
    shape = Canonicalisation(focal=1000, canvas=Canvas(), crop=TRAINING)
    windows = [shape.window(camera, rng(seed)) for seed in range(300)]
    widths, heights = [w.width for w in windows], [w.height for w in windows]
    assert 1000 <= min(widths) < 1020 and 1380 < max(widths) <= 1400
    assert 700 <= min(heights) < 720 and 1180 < max(heights) <= 1200
    left, top = [camera.cx - w.cx for w in windows], [camera.cy - w.cy for w in windows]
    assert 0 <= min(left) < 100 and 0 <= min(top) < 100
    assert max(x + w.width for x, w in zip(left, windows, strict=True)) > 2900


def test_crops_are_fitted_downwards_and_whole_pictures_upwards() -> None:
    camera = Camera(1000.0, 1000.0, 999.5, 749.5, 2000, 1500)
    cropped = Canonicalisation(focal=1000, canvas=Canvas(32), crop=Crop((1000, 1000), (700, 700))).window(camera, rng())
    assert (cropped.width, cropped.height) == (992, 672)
    whole = Canonicalisation(focal=1000, canvas=Canvas(32)).window(camera, None)
    assert (whole.width, whole.height) == (2016, 1504)


def test_the_same_generator_gives_the_same_window() -> None:
    camera = Camera(1100.0, 1000.0, 1499.5, 999.5, 3000, 2000)
    shape = Canonicalisation(focal=900, canvas=Canvas(28), crop=TRAINING)
    assert shape.window(camera, rng(4)) == shape.window(camera, rng(4))
    assert len({shape.window(camera, rng(seed)) for seed in range(20)}) == 20
    assert shape.window(camera, None) == shape.window(camera, None)


@settings(max_examples=60)
@given(
    share=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    focal=st.sampled_from([300.0, 1000.0, 1111.0]),
    seed=st.none() | st.integers(0, 1000),
    canvas=st.sampled_from([Canvas(28), Canvas(square=224)]),
)
def test_the_window_shows_what_must_be_kept(
    share: tuple[float, float], focal: float, seed: int | None, canvas: Canvas
) -> None:
    camera = Camera(800.0, 900.0, 319.5, 239.5, 640, 480)
    keep = np.array(share) * (640, 480) - 0.5
    shape = Canonicalisation(focal=focal, canvas=canvas, crop=Crop((200, 300), (150, 400)))
    window = shape.window(camera, None if seed is None else rng(seed), [keep])
    # Rounding the canonical size may leave out half a pixel of the edge.
    assert window.contains(to_canonical(camera, window, keep[None]), margin=-0.5).all()


def test_the_corner_pixels_can_be_kept_when_shrinking() -> None:
    camera = Camera(800.0, 800.0, 319.5, 239.5, 640, 480)
    shape = Canonicalisation(focal=400, canvas=Canvas(square=64))
    for keep in ([0.0, 0.0], [639.0, 479.0]):
        window = shape.window(camera, rng(), [keep])
        assert window.contains(to_canonical(camera, window, np.array([keep]))).all()


def test_points_too_far_apart_are_an_error() -> None:
    camera = Camera(1000.0, 1000.0, 319.5, 239.5, 640, 480)
    with pytest.raises(UserError, match=r"500 px apart .* takes 224 px") as caught:
        Canonicalisation(focal=1000, canvas=Canvas(square=224)).window(camera, None, [[50, 100], [550, 100]])
    assert "closer together" in caught.value.remedy


@pytest.mark.parametrize("canvas", [Canvas(28), Canvas(square=224)])
@pytest.mark.parametrize("keep", [[700.0, 100.0], [100.0, -3.0], [float("nan"), 3.0]])
def test_points_that_the_canonical_picture_does_not_hold_are_an_error(keep: list[float], canvas: Canvas) -> None:
    camera = Camera(1000.0, 1000.0, 319.5, 239.5, 640, 480)
    with pytest.raises(UserError, match="no place in the canonical picture"):
        Canonicalisation(focal=1000, canvas=canvas).window(camera, None, [keep])


def test_a_focal_length_in_millimetres_is_an_error() -> None:
    camera = Camera(4.2, 4.2, 319.5, 239.5, 640, 480)
    with pytest.raises(UserError, match="would become 152381 x 114286") as caught:
        Canonicalisation(focal=1000).window(camera, None)
    assert "not millimetres" in caught.value.remedy and "implausible" in caught.value.cause
    with pytest.raises(UserError, match="would become 0 x 0"):
        Canonicalisation(focal=1).window(Camera(1e6, 1e6, 319.5, 239.5, 640, 480), None)


def test_a_picture_of_another_size_is_an_error() -> None:
    camera = Camera(100.0, 100.0, 31.5, 23.5, 64, 48)
    frame = Frame(PictureInMemory(np.zeros((24, 32, 3), np.uint8)), camera)
    with pytest.raises(UserError, match="given: the picture is 32 x 24 px, its intrinsics are for 64 x 48") as caught:
        canonicalise(frame, camera)
    assert "scale with the width" in caught.value.remedy


def test_labels_move_along_and_those_outside_go() -> None:
    camera = Camera(100.0, 50.0, 31.5, 23.5, 64, 48)
    labels = LabelsInMemory(np.array([[0.0, 0.0], [10.0, 20.0], [63.0, 47.0]]), np.array([1.0, 2.0, 3.0]))
    frame = Frame(PictureInMemory(np.zeros((48, 64, 3), np.uint8)), camera, labels)
    whole = Canonicalisation(focal=100).window(camera, None)
    view = canonicalise(frame, whole)
    assert view.points.tolist() == [[0.0, 0.5], [10.0, 40.5], [63.0, 94.5]]
    assert view.depth_z.tolist() == [1.0, 2.0, 3.0]
    view = canonicalise(frame, whole.window(5, 5, 40, 50))
    assert view.points.tolist() == [[5.0, 35.5]] and view.depth_z.tolist() == [2.0]
    unlabelled = canonicalise(frame, whole, labelled=False)
    assert unlabelled.points.shape == (0, 2) and unlabelled.depth_z.shape == (0,)
    assert canonicalise(Frame(frame.picture, camera), whole).points.shape == (0, 2)


NORMAL, OFFSET = np.array([0.35, -0.25, 0.9]), 3.0  # the plane n . X = d [m]
BLOB = 0.035  # standard deviation of the painted blob [m]


def on_plane(camera: Camera, pixels: ArrayLike) -> Array:
    """Points (..., 3) of the plane at pixels (..., 2)."""
    rays = camera.rays(pixels)
    return rays * (OFFSET / (rays @ NORMAL))[..., None]


def plane_frame(camera: Camera, blobs: Array) -> Frame:
    """The slanted plane, grey, with a bright blob painted at each of ``blobs`` (N, 3)."""
    xyz = on_plane(camera, grid(camera))
    away = cKDTree(blobs).query(xyz)[0]
    grey = 40 + 200 * np.exp(-0.5 * (away / BLOB) ** 2)
    labels = LabelsInMemory(grid(camera).reshape(-1, 2), xyz[..., 2].ravel())
    return Frame(PictureInMemory(picture_of(camera, grey)), camera, labels)


def centroid(view: View, near: Array) -> Array:
    """Centre of brightness (2,) within the blob's reach about ``near`` (2,)."""
    reach = round(4 * BLOB * view.camera.fx / 2.5)
    left, top = np.rint(near).astype(int) - reach
    patch = np.maximum(view.pixels[top : top + 2 * reach + 1, left : left + 2 * reach + 1, 0].astype(float) - 45, 0)
    v, u = np.mgrid[: patch.shape[0], : patch.shape[1]]
    return np.array([left + (u * patch).sum() / patch.sum(), top + (v * patch).sum() / patch.sum()])


@pytest.mark.parametrize("focal", [250.0, 420.0, 800.0])
@pytest.mark.parametrize("distortion", [(), BARREL, (0.15, -0.02, -0.002, 0.001, 0.0)])
def test_a_plane_stays_a_plane_and_its_texture_stays_on_it(focal: float, distortion: tuple[float, ...]) -> None:
    camera = Camera(420.0, 385.0, 253.0, 188.0, 512, 384, distortion)
    painted = on_plane(camera, np.stack(np.meshgrid(np.arange(60, 500, 75), np.arange(50, 380, 70)), -1).reshape(-1, 2))
    frame = plane_frame(camera, painted)
    crop = Crop((round(focal * 0.6), round(focal * 0.9)), (round(focal * 0.5), round(focal * 0.7)))
    shape = Canonicalisation(focal=focal, canvas=Canvas(14), crop=crop)
    seen = 0
    for seed in range(4):
        view = canonicalise(frame, shape.window(camera, rng(seed)))
        xyz = view.camera.unproject(view.points, view.depth_z)
        assert len(xyz) > 1000
        assert np.abs(xyz @ NORMAL / OFFSET - 1).max() < 1e-3
        places = view.camera.project(painted)
        for place in places[view.camera.contains(places, margin=0.08 * focal)]:
            assert np.linalg.norm(centroid(view, place) - place) < 0.3
            seen += 1
    assert seen >= 10


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("square", [96, 448])
def test_tiles_show_every_point_where_it_can_be_marked(size: tuple[int, int], square: int) -> None:
    camera = Camera.from_focal(*size, 0.8 * max(size))
    canonicalisation = Canonicalisation(focal=300, canvas=Canvas(square=square))
    points = rng().uniform((-0.5, -0.5), (size[0] - 0.5, size[1] - 0.5), (200, 2))
    tiles = canonicalisation.tiles(camera, points)
    assert sorted(np.concatenate([indices for _, indices in tiles]).tolist()) == list(range(200))
    whole = canonicalisation.whole(camera)
    for tile, indices in tiles:
        assert (tile.width, tile.height) == (square, square)
        places = to_canonical(camera, tile, points[indices])
        assert (places >= -1).all() and (places <= square).all()
        for axis, (full, at) in enumerate(((whole.width, whole.cx - tile.cx), (whole.height, whole.cy - tile.cy))):
            # An eighth of the window lies between a point and its border, unless the picture ends there.
            room = square / 8 - 1
            assert (places[:, axis] >= room).all() or at <= 0
            assert (places[:, axis] <= square - 1 - room).all() or at + square >= full


def test_one_tile_is_the_window_of_the_whole_picture() -> None:
    camera = Camera.from_fov(640, 480, 60)
    canonicalisation = Canonicalisation(focal=500, canvas=Canvas(28))
    ((tile, indices),) = canonicalisation.tiles(camera, [[0, 0], [639, 479]])
    assert tile == canonicalisation.window(camera, None)
    assert indices.tolist() == [0, 1]


def test_a_tile_for_a_point_outside_is_refused() -> None:
    with pytest.raises(UserError, match="no place in the canonical picture"):
        Canonicalisation(focal=500, canvas=Canvas(28)).tiles(Camera.from_fov(640, 480, 60), [[700, 20]])


@pytest.mark.parametrize(("canvas", "size"), [(Canvas(square=96), (96, 60)), (Canvas(multiple=7), (160, 100))])
def test_focal_lengths_can_be_kept_for_comparison(canvas: Canvas, size: tuple[int, int]) -> None:
    keeping = Canonicalisation(focal=80, canvas=canvas, keep_focal=True)
    for focal in (70.0, 140.0):
        camera = Camera.from_focal(160, 100, focal)
        whole = keeping.whole(camera)
        assert (whole.width, whole.height) == size
        assert whole.fov == pytest.approx(camera.fov, rel=1e-12)
        assert whole.fx == pytest.approx(focal * size[0] / 160)
        assert np.allclose(
            to_canonical(camera, whole, np.array([[-0.5, -0.5], [159.5, 99.5]]))[:, 1], [-0.5, size[1] - 0.5]
        )


CUT = Canonicalisation(focal=750, canvas=Canvas(multiple=16, fit="cut"))
PHOTO = Camera(750.0, 750.0, 428.0, 321.0, 857, 643)


def test_a_canvas_that_cuts_takes_whole_patches_from_the_left_upper_corner() -> None:
    window = CUT.window(PHOTO, None)
    assert (window.width, window.height) == (848, 640)
    assert (window.cx, window.cy) == (PHOTO.cx, PHOTO.cy)
    assert coverage(PHOTO, window).all()
    padded = Canonicalisation(focal=750, canvas=Canvas(multiple=16)).window(PHOTO, None)
    assert (padded.width, padded.height) == (864, 656)


def test_only_points_that_are_cut_off_see_another_window() -> None:
    inside = [(0, 0), (847, 639), (100, 300), (700, 20)]
    ((window, owned),) = CUT.tiles(PHOTO, inside)
    assert (window.width, window.height, window.cx) == (848, 640, PHOTO.cx) and owned.tolist() == [0, 1, 2, 3]
    (first, _), (second, cut_off) = CUT.tiles(PHOTO, [*inside, (856, 642)])
    assert first == window and cut_off.tolist() == [4]
    assert (second.width, second.height, second.cx, second.cy) == (848, 640, PHOTO.cx - 9, PHOTO.cy - 3)
    kept = CUT.window(PHOTO, None, [(100, 100), (856, 100)])
    assert (kept.cx, kept.cy) == (PHOTO.cx - 9, PHOTO.cy)


@given(width=st.integers(1, 300), height=st.integers(1, 300), u=st.floats(0, 1), v=st.floats(0, 1))
def test_every_pixel_is_shown_by_a_canvas_that_cuts(width: int, height: int, u: float, v: float) -> None:
    camera = Camera(750.0, 750.0, width / 2, height / 2, width, height)
    pixel = np.array([[u * (width - 1), v * (height - 1)]])
    ((window, _),) = CUT.tiles(camera, pixel)
    assert window.contains(to_canonical(camera, window, pixel)).all()
    assert window.width % 16 == window.height % 16 == 0
    assert window.width <= max(16, width) and window.height <= max(16, height)
