"""Tests of ``toolkit.inference.cloud.depth_map``: planes, steps, files, and differences by hand."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from toolkit.data.frames.frame import DepthFile, DepthType, Frame, ImageFile, Labels, SparseDepth
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.inference.cloud.adaptive_grid import AskDepths, Grid, survey
from toolkit.inference.cloud.depth_map import (
    DepthMap,
    dense_map,
    depth_errors,
    labelled_map,
    nearest_pixels,
    png_names,
    save_depth_png,
    sparse_map,
)
from toolkit.qa.metrics import RelativeAccuracy
from toolkit.utils.arrays import Array

CAMERA = Camera(50.0, 55.0, 31.0, 25.5, 65, 49)
SIZE = (CAMERA.width, CAMERA.height)
PIXELS = np.stack(np.meshgrid(np.arange(65.0), np.arange(49.0)), axis=-1)
FLOOR = np.array([0.1, 0.8, 0.3])  # n of a plane n . X = 1
NAN = np.nan


def plane(pixels: Array) -> Array:
    """depth_z [m] of the plane FLOOR . X = 1, by hand."""
    u, v = pixels[..., 0], pixels[..., 1]
    return 1 / (FLOOR[0] * (u - 31.0) / 50 + FLOOR[1] * (v - 25.5) / 55 + FLOOR[2] + 0.5)


def frame_with(labels: Labels | None) -> Frame:
    return Frame(ImageFile(Path("none.png")), CAMERA, labels)


def test_a_plane_is_filled_exactly() -> None:
    found = survey(SIZE, Grid(columns=4, levels=0), plane)
    dense = dense_map(found, "z", CAMERA, ratio=100)
    assert dense.depth_type == "z"
    np.testing.assert_allclose(dense.depth, plane(PIXELS), rtol=1e-12)
    assert np.ptp(plane(PIXELS)) > 1, "a plane so flat that z would do, too"


def test_a_plane_is_filled_exactly_from_distances() -> None:
    found = survey(SIZE, Grid(columns=4, levels=0), lambda pixels: CAMERA.distance_from_z(pixels, plane(pixels)))
    np.testing.assert_allclose(dense_map(found, "euclidean", CAMERA, 100).depth, plane(PIXELS), rtol=1e-12)


@settings(deadline=None, max_examples=50)
@given(
    angle=st.floats(0, 2 * np.pi),
    offset=st.floats(-15, 15),
    columns=st.integers(2, 9),
    levels=st.integers(0, 4),
    seed=st.integers(0, 99),
)
def test_no_point_floats_between_foreground_and_background(
    angle: float, offset: float, columns: int, levels: int, seed: int
) -> None:
    def ask(pixels: Array) -> Array:
        side = (pixels - (32, 24)) @ (np.cos(angle), np.sin(angle)) < offset
        return np.where(side, 2.0, 5.0)

    found = survey(SIZE, Grid(columns, levels, questions=100 + seed), ask)
    dense = dense_map(found, "z", CAMERA, 1.25).depth
    np.testing.assert_allclose(dense, np.where(dense < 3, 2.0, 5.0), rtol=1e-12)


def test_slanted_planes_do_not_mix_at_their_edge() -> None:
    def ask(pixels: Array) -> Array:
        return np.where(pixels[:, 0] < 20.5, 1.0 + pixels[:, 0] / 100, 5.0 + pixels[:, 1] / 100)

    dense = dense_map(survey(SIZE, Grid(columns=9, levels=1), ask), "z", CAMERA, 1.25).depth
    near, far = dense < 3, dense > 3
    assert near.sum() + far.sum() == dense.size
    assert 1.0 <= dense[near].min() <= dense[near].max() <= 1.2 + 1e-9 and dense[far].min() >= 5.0
    # Cells are 8 px, and 4 px at the edge: nowhere else is the depth that of the wrong side.
    assert near[:, :18].all() and far[:, 23:].all()


def test_a_pixel_takes_its_nearest_corner_where_corners_differ() -> None:
    found = survey((12, 12), Grid(columns=2, levels=0), lambda pixels: np.array([1.0, 9.0, NAN, 3.0]))
    dense = dense_map(found, "z", Camera(5.0, 5.0, 5.5, 5.5, 12, 12), 1.25).depth
    np.testing.assert_array_equal(dense, np.kron([[1.0, 9.0], [NAN, 3.0]], np.ones((6, 6))))


def test_inside_a_cell_the_inverse_is_bilinear() -> None:
    found = survey((3, 3), Grid(columns=2, levels=0), lambda pixels: np.array([1.0, 2.0, 1.0, 4.0]))
    dense = dense_map(found, "z", Camera(5.0, 5.0, 1.0, 1.0, 3, 3), 5).depth
    # 1 / z at the corners: 1, 0.5 above; 1, 0.25 below.
    inverse = [[1, 0.75, 0.5], [1, 0.6875, 0.375], [1, 0.625, 0.25]]
    np.testing.assert_allclose(1 / dense, inverse, rtol=1e-12)


def test_there_is_no_depth_in_the_margin() -> None:
    dense = dense_map(survey(SIZE, Grid(columns=5, margin=3), plane), "z", CAMERA, 1.25).depth
    outside = np.ones(SIZE[::-1], bool)
    outside[3:-3, 3:-3] = False
    np.testing.assert_array_equal(np.isnan(dense), outside)


def test_asked_pixels_keep_their_answers() -> None:
    # The first cell is split, and asks about the edges that its neighbours own, whose corners agree.
    answers = {(0, 0): 9.0, (16, 8): 2.25, (8, 16): NAN}

    def ask(pixels: Array) -> Array:
        return np.array([answers.get((int(u), int(v)), 2.0) for u, v in pixels])

    camera = Camera(50.0, 50.0, 32.0, 32.0, 65, 65)
    dense = dense_map(survey((65, 65), Grid(columns=5, levels=1), ask), "z", camera, 1.25).depth
    assert (dense[8, 16], dense[7, 16], dense[8, 17], dense[16, 8]) == (2.25, 2.0, 2.0, 2.0)


def test_a_sparse_map_has_depth_at_the_nearest_pixels_alone() -> None:
    sparse = sparse_map([[0.4, 0.5], [2.5, 1.0], [3.5, -0.5]], [1.0, 2.0, 3.0], "euclidean", (4, 2))
    assert sparse.depth_type == "euclidean"
    np.testing.assert_array_equal(sparse.depth, [[NAN, NAN, NAN, 3.0], [1.0, NAN, NAN, 2.0]])


def test_halves_go_to_different_pixels() -> None:
    u, v = nearest_pixels([[0.5, 0.5], [1.5, 1.5], [-0.5, 2.49]], (4, 4))
    assert u.tolist() == [1, 2, 0] and v.tolist() == [1, 2, 2]


def test_labels_become_a_map_of_depth_z() -> None:
    pixels = np.array([[3.0, 4.0], [60.0, 40.0]])
    labelled = labelled_map(frame_with(SparseDepth(pixels, np.array([2.0, 3.0]), "euclidean")))
    assert labelled.depth_type == "z" and np.isfinite(labelled.depth).sum() == 2
    ray = np.array([(60 - 31) / 50, (40 - 25.5) / 55, 1])
    assert labelled.depth[40, 60] == pytest.approx(3 / np.linalg.norm(ray))
    with pytest.raises(UserError, match="has no depth"):
        labelled_map(frame_with(None))


def test_maps_are_converted_to_the_other_kind_and_back() -> None:
    given_ = DepthMap(plane(PIXELS), "z")
    distance = given_.converted(CAMERA, "euclidean")
    ray = np.array([(60 - 31) / 50, (40 - 25.5) / 55, 1])
    assert distance.depth[40, 60] == pytest.approx(given_.depth[40, 60] * np.linalg.norm(ray))
    assert given_.converted(CAMERA, "z") is given_
    np.testing.assert_allclose(distance.converted(CAMERA, "z").depth, given_.depth, rtol=1e-12)
    with pytest.raises(UserError, match="65 x 49, and the camera is that of a 130 x 98 picture"):
        given_.converted(CAMERA.resized(130, 98), "z")


@pytest.mark.parametrize("kind", ["z", "euclidean"])
def test_a_depth_map_is_read_back_from_its_png(tmp_path: Path, kind: DepthType) -> None:
    depth = plane(PIXELS)
    depth[5:9, 3:20] = NAN
    path = png_names(tmp_path / "out.ply", kind)[0]
    assert save_depth_png(DepthMap(depth, kind), path) == 0
    pixels, depth_z = DepthFile(path, 0.001, kind).read(CAMERA)
    read = sparse_map(pixels, depth_z, "z", SIZE).converted(CAMERA, kind).depth
    np.testing.assert_allclose(read, depth, rtol=0, atol=0.000501)


def test_depths_that_16_bits_cannot_hold_are_left_out_and_counted(tmp_path: Path) -> None:
    depth = np.array([[0.001, 65.534, 65.5346], [65.535, 70.0, 1e6], [NAN, 0.0004, 2.0006], [0.0006, 2.00049, 3.0]])
    assert save_depth_png(DepthMap(depth, "z"), tmp_path / "a.png") == 5
    stored = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16
    assert stored.tolist() == [[1, 65534, 0], [0, 0, 0], [0, 0, 2001], [1, 2000, 3000]]


@pytest.mark.parametrize(("kind", "word"), [("z", "depth_z"), ("euclidean", "distance")])
def test_the_kind_of_depth_stands_in_the_name_and_in_the_file(tmp_path: Path, kind: DepthType, word: str) -> None:
    millimetres, colors = png_names(tmp_path / "a.b.ply", kind)
    assert (millimetres.name, colors.name) == (f"a.b_{word}_mm.png", f"a.b_{word}.png")
    save_depth_png(DepthMap(np.ones((2, 3)), kind), millimetres)
    with Image.open(millimetres) as image:
        assert image.info["depth_type"] == kind and image.info["depth_scale"] == "0.001"
        assert word in image.info["Description"] and "millimetres" in image.info["Description"]


def test_maps_are_compared_where_both_have_a_depth() -> None:
    first = DepthMap(np.array([[1.0, 2.2, 3.0, NAN, 5.0]]), "z")
    reference = DepthMap(np.array([[1.0, 2.0, 2.0, 4.0, NAN]]), "z")
    found = depth_errors(first, reference)
    assert (found.pixels, found.delta1) == (3, pytest.approx(2 / 3))
    assert found.abs_rel == pytest.approx((0 + 0.1 + 0.5) / 3) and found.median_ratio == pytest.approx(1.1)


def test_maps_are_compared_as_answers_are_scored() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 9, (6, 7))
    answer = truth * rng.uniform(0.6, 1.5, truth.shape)
    found = depth_errors(DepthMap(answer, "z"), DepthMap(truth, "z"))
    metric = RelativeAccuracy()
    scores = metric.summarise([metric.score(t, a) for t, a in zip(truth.flat, answer.flat, strict=True)])
    assert (found.delta1, found.abs_rel) == (pytest.approx(scores["delta1"]), pytest.approx(scores["abs_rel"]))


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (DepthMap(np.ones((2, 4)), "z"), "4 x 2 and 3 x 2"),
        (DepthMap(np.ones((2, 3)), "euclidean"), "distance cannot be compared with depth_z"),
        (DepthMap(np.full((2, 3), NAN), "z"), "cannot be compared"),
    ],
)
def test_maps_that_cannot_be_compared_are_errors(first: DepthMap, words: str) -> None:
    with pytest.raises(UserError, match=words):
        depth_errors(first, DepthMap(np.ones((2, 3)), "z"))


def test_refining_makes_a_round_object_rounder() -> None:
    def ask(pixels: Array) -> Array:
        return np.where(np.linalg.norm(pixels - (32, 24), axis=-1) < 14.3, 2.0, 5.0)

    truth = DepthMap(ask(PIXELS), "z")
    shares = [depth_errors(_dense(ask, levels), truth).delta1 for levels in range(4)]
    assert shares == sorted(shares) and shares[0] < 0.97 and shares[-1] == 1


def _dense(ask: AskDepths, levels: int) -> DepthMap:
    return dense_map(survey(SIZE, Grid(columns=9, levels=levels), ask), "z", CAMERA, 1.25)
