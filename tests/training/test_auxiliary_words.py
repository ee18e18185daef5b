"""Auxiliary words: a letter for the distance at each patch, the name of the mark in it, and where a mark lies."""

from itertools import pairwise
from string import ascii_letters

import numpy as np
import pytest

from toolkit.data.synthetic.rooms import Rooms, RoomSettings
from toolkit.geometry.camera import Camera
from toolkit.geometry.canonical import Canonicalisation, Canvas
from toolkit.qa.canonical_view import View, canonicalise
from toolkit.qa.query import point_in
from toolkit.qa.sample import Hints
from toolkit.qa.view_labels import PointLabels
from toolkit.training.auxiliary_words import NEAREST, RATIO, distance_letter, patch_words, point_words

SIDE = 12
ALL = Hints(patches=1)


@pytest.fixture(scope="module")
def view() -> View:
    frame = Rooms(RoomSettings(rooms=1)).frame(0)
    return canonicalise(frame, Canonicalisation(focal=70, canvas=Canvas(square=96)).window(frame.camera, None))


@pytest.mark.parametrize(
    ("distance", "expected"), [(0.1, "a"), (0.5, "a"), (0.57, "b"), (11.9, "z"), (12.1, "A"), (1e6, "Z")]
)
def test_letter_of_a_distance(distance: float, expected: str) -> None:
    assert distance_letter(distance) == expected


def test_letters_are_even_steps_of_the_logarithm() -> None:
    firsts = [NEAREST * RATIO ** (k + 1e-6) for k in range(len(ascii_letters))]
    assert [distance_letter(first) for first in firsts] == list(ascii_letters)
    assert all(b / a == pytest.approx(24 ** (1 / 26)) for a, b in pairwise(firsts))


def test_each_patch_has_the_letter_of_the_distance_at_its_centre(view: View) -> None:
    words = np.array(patch_words(view, (), SIDE, ALL)).reshape(8, 8)
    seen = 0
    for row, column in np.ndindex(8, 8):
        centre = np.array([column, row]) * SIDE + (SIDE - 1) / 2
        near = np.abs(view.points - centre).max(axis=1) <= 0.75
        distances = view.camera.distance_from_z(view.points[near], view.depth_z[near])
        assert words[row, column] in ([distance_letter(distance) for distance in distances] or [""])
        seen += bool(near.any())
    assert seen == np.count_nonzero(words != "") > 30


def test_a_second_picture_has_distances_from_the_first_camera(view: View) -> None:
    moved = np.eye(4)
    moved[:3, :3] = [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]
    moved[:3, 3] = 0.5, -0.2, 1.5
    own, first = (np.array(patch_words(view, (), SIDE, ALL, motion)) for motion in (None, moved))
    assert ((own == "") == (first == "")).all()
    centres = np.array([[column, row] for row, column in np.ndindex(8, 8)]) * SIDE + (SIDE - 1) / 2
    for centre, word in zip(centres, first, strict=True):
        near = np.abs(view.points - centre).max(axis=1) <= 0.75
        pixels = np.column_stack([view.points[near], np.ones(near.sum())])
        places = pixels @ np.linalg.inv(view.camera.matrix).T * view.depth_z[near][:, None] @ moved[:3, :3].T
        assert word in ([distance_letter(float(np.linalg.norm(place + moved[:3, 3]))) for place in places] or [""])
    assert (own != first).mean() > 0.3


def test_padding_has_no_word(view: View) -> None:
    words = np.array(patch_words(view, (), SIDE, ALL)).reshape(8, 8)
    right, bottom = ((view.points.max(axis=0) + 1) // SIDE).astype(int)
    assert min(right, bottom) < 8
    assert (words[:, right + 1 :] == "").all()
    assert (words[bottom + 1 :] == "").all()


def test_a_mark_names_its_patch(view: View) -> None:
    red, blue = point_in(view, "red", (11, 12), 1.0), point_in(view, "blue", (12.4, 11.4), 1.0)
    plain, marked = patch_words(view, (), SIDE, ALL), patch_words(view, (red, blue), SIDE, ALL)
    changed = {index: word for index, (word, was) in enumerate(zip(marked, plain, strict=True)) if word != was}
    assert changed == {8: " red", 1: " blue"}


def test_sparse_labels_say_what_they_know() -> None:
    camera = Camera.from_focal(24, 24, 20)
    points = np.array([[5.5, 5.5], [15.0, 5.5], [17.0, 18.2]])
    frame = Rooms(RoomSettings(rooms=1)).frame(0)
    view = View(frame, np.zeros((24, 24, 3), np.uint8), camera, PointLabels(points, np.array([2.0, 2.0, 4.0]), camera))
    near, far = (distance_letter(float(camera.distance_from_z(points[k], view.depth_z[k]))) for k in (0, 2))
    assert patch_words(view, (), SIDE, ALL) == [near, "", "", far]


def test_a_share_of_the_letters_is_told_and_every_mark(view: View) -> None:
    red = point_in(view, "red", (11, 12), 1.0)
    whole = np.array(patch_words(view, (red,), SIDE, ALL))
    parts = np.array([patch_words(view, (red,), SIDE, Hints(0.25, seed=seed)) for seed in range(200)])
    told = parts != ""
    assert (parts[told] == np.broadcast_to(whole, parts.shape)[told]).all()
    share = told.mean(axis=0)[(whole != "") & (whole != " red")]
    assert share == pytest.approx(0.25, abs=0.12)
    assert share.mean() == pytest.approx(0.25, abs=0.02)
    assert told[:, whole == " red"].all()


@pytest.mark.parametrize(
    ("pixel", "expected"),
    [((0, 0), "00"), ((9.0, 9.2), "01"), ((95.4, 48), "95"), ((96, -1), "90"), ((47.4, 47.6), "45")],
)
def test_point_words_say_column_row_and_distance(view: View, pixel: tuple[float, float], expected: str) -> None:
    point = point_in(view, "red", pixel, 3.0)
    assert point_words(view, point) == (*expected, distance_letter(point.distance))
