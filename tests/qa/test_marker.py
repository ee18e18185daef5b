"""Tests of ``toolkit.qa.marker``: what is painted, what is not, and whether marks are found again."""

import io
from typing import get_args

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from toolkit.errors import UserError
from toolkit.qa.marker import Marker, Shape, find_marks
from toolkit.qa.query import Point
from toolkit.utils.arrays import Pixels
from toolkit.utils.colors import COLORS

ALL: tuple[Shape, ...] = get_args(Shape)
SHAPES: tuple[Shape, ...] = tuple(shape for shape in ALL if shape != "thin_arrow")
"""The shapes that can be seen on every background. A thin arrow has no outline."""
HUED = [color for color in COLORS if color != "white"]
SIZES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16]
MARKERS = [Marker(shape, size, outline) for shape in ALL for size in SIZES for outline in (0, 1, 2)]
GREY = 128


def point(name: str, u: float, v: float) -> Point:
    return Point(name, np.array([u, v]), np.nan, np.nan, np.full(3, np.nan))


def plain(value: int = GREY, height: int = 60, width: int = 80) -> Pixels:
    return np.full((height, width, 3), value, np.uint8)


def noise(height: int = 60, width: int = 80) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


BACKGROUNDS = {"black": plain(0), "white": plain(255), "grey": plain(), "noise": noise()}


def painted(marked: Pixels, before: Pixels) -> set[tuple[int, int]]:
    """The pixels (u, v) that were changed."""
    return {(int(u), int(v)) for v, u in np.argwhere((marked != before).any(axis=-1))}


def filled(marked: Pixels, color: str) -> set[tuple[int, int]]:
    return {(int(u), int(v)) for v, u in np.argwhere((marked == COLORS[color]).all(axis=-1))}


def lab(color: tuple[int, int, int]) -> np.ndarray:
    return cv2.cvtColor(np.array([[color]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]


def jpeg(pixels: Pixels, quality: int = 85) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


@pytest.mark.parametrize("marker", MARKERS, ids=lambda m: f"{m.shape}-{m.size}-{m.outline}")
def test_a_mark_leaves_the_meant_pixel_and_stays_within_its_reach(marker: Marker) -> None:
    before = noise()
    for color in COLORS:
        for u, v in [(40, 30), (0, 0), (79, 59), (3, 57), (1, 30)]:
            marked = marker.draw(before, [point(color, u, v)])
            changed = painted(marked, before)
            assert changed and (u, v) not in changed
            assert all(max(abs(x - u), abs(y - v)) <= marker.reach for x, y in changed)
            assert filled(marked, color), "the colour itself shows"


@pytest.mark.parametrize("size", SIZES)
def test_the_arrow_ends_one_pixel_left_of_the_meant_pixel(size: int) -> None:
    for color in COLORS:
        fill = filled(Marker("arrow", size).draw(plain(), [point(color, 40, 30)]), color)
        assert {p for p in fill if p[0] == 39} == {(39, 30)} and max(u for u, _ in fill) == 39
        assert min(u for u, _ in fill) == 40 - size
        outline = painted(Marker("arrow", size).draw(plain(), [point(color, 40, 30)]), plain())
        assert max(u for u, _ in outline) == 39


@pytest.mark.parametrize("u", [0, 1, 3, 5])
def test_the_arrow_turns_where_it_does_not_fit(u: int) -> None:
    fill = filled(Marker("arrow", 5).draw(plain(), [point("red", u, 30)]), "red")
    assert {p for p in fill if p[0] <= u + 1} == {(u + 1, 30)}
    assert max(x for x, _ in fill) == u + 5
    assert min(x for x, _ in filled(Marker("arrow", 5).draw(plain(), [point("red", 6, 30)]), "red")) == 1


def test_a_small_arrow_by_hand() -> None:
    marked = Marker("arrow", 5, 1).draw(plain(height=9, width=11), [point("red", 8, 4)])
    red, white = (marked == COLORS["red"]).all(-1), (marked == 255).all(-1)
    assert ["".join("#" if red[v, u] else "o" if white[v, u] else "." for u in range(11)) for v in range(9)] == [
        "...........",
        "....ooo....",
        "..ooo#oo...",
        "..o####o...",
        "..o#####...",
        "..o####o...",
        "..ooo#oo...",
        "....ooo....",
        "...........",
    ]


NINE = {(-1, 0), (-2, 0), (-3, 0), (-4, 0), (-5, 0), (-2, 1), (-2, -1), (-3, 2), (-3, -2)}


@pytest.mark.parametrize("outline", [0, 1, 4])
def test_a_thin_arrow_is_nine_pixels_of_the_published_models(outline: int) -> None:
    marker = Marker("thin_arrow", 5, outline, ("red",))
    before = noise()
    assert {(u - 40, v - 30) for u, v in painted(marker.draw(before, [point("red", 40, 30)]), before)} == NINE
    assert filled(marker.draw(before, [point("red", 40, 30)]), "red") >= {(40 + u, 30 + v) for u, v in NINE}
    turned = painted(marker.draw(before, [point("red", 4, 30)]), before)
    assert {(u - 4, v - 30) for u, v in turned} == {(-u, v) for u, v in NINE}
    assert (marker.reach, marker.noun) == (5, "arrow")


@settings(max_examples=50)
@given(u=st.floats(-0.5, 19.5), v=st.floats(-0.5, 11.5), size=st.integers(1, 7), shape=st.sampled_from(ALL))
def test_marks_near_and_over_the_border_are_drawn(u: float, v: float, size: int, shape: Shape) -> None:
    before = noise(12, 20)
    marked = Marker(shape, size).draw(before, [point("cyan", u, v)])
    column, row = int(np.clip(np.rint(u), 0, 19)), int(np.clip(np.rint(v), 0, 11))
    np.testing.assert_array_equal(marked[row, column], before[row, column])
    assert (marked != before).any()


@pytest.mark.parametrize("place", [(-1.01, 5.0), (20.01, 5.0), (5.0, 12.2), (5.0, -40.0), (float("nan"), 3.0)])
def test_a_point_outside_the_picture_is_an_error(place: tuple[float, float]) -> None:
    with pytest.raises(UserError, match=r"the red point .* outside the 20 x 12 picture"):
        Marker().draw(noise(12, 20), [point("red", *place)])


def test_the_given_picture_is_not_changed() -> None:
    before = noise()
    copy = before.copy()
    Marker().draw(before, [point("red", 20, 20), point("blue", 40, 20)])
    np.testing.assert_array_equal(before, copy)
    marked = Marker().draw(before, [])
    assert marked is not before and (marked == before).all()


def test_no_mark_covers_another_points_pixel() -> None:
    before = noise()
    for shape in ALL:
        marked = Marker(shape, 8).draw(before, [point("red", 40, 30), point("blue", 44, 30), point("green", 37, 31)])
        for u, v in [(40, 30), (44, 30), (37, 31)]:
            np.testing.assert_array_equal(marked[v, u], before[v, u])


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_colours_can_be_told_apart_on_every_background(shape: Shape, background: str) -> None:
    before = BACKGROUNDS[background]
    for color in COLORS:
        for compressed in (False, True):
            marked = Marker(shape, 8).draw(before, [point(color, 40, 30)])
            u, v = np.array(sorted(filled(Marker(shape, 8).draw(plain(), [point(color, 40, 30)]), color))).T
            seen = jpeg(marked, 90) if compressed else marked
            mean = cv2.cvtColor(seen.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[v, u].mean(axis=0)
            assert min(COLORS, key=lambda name: float(np.linalg.norm(lab(COLORS[name]) - mean))) == color


@pytest.mark.parametrize("color", COLORS)
def test_a_mark_contrasts_with_every_background(color: str) -> None:
    before = plain()
    marked = Marker("dot", 5).draw(before, [point(color, 40, 30)])
    others = painted(marked, before) - filled(marked, color)
    edge = {tuple(marked[v, u].tolist()) for u, v in others}
    assert edge in ({(0, 0, 0)}, {(255, 255, 255)})
    fill, outline = lab(COLORS[color]), lab(edge.pop())
    assert abs(fill[0] - outline[0]) > 35, "fill and outline differ in lightness, whatever lies behind"
    for grey in range(0, 256, 5):
        behind = lab((grey, grey, grey))
        assert max(np.linalg.norm(fill - behind), np.linalg.norm(outline - behind)) > 40


def test_named_colours_lie_far_apart() -> None:
    names = list(COLORS)
    for index, one in enumerate(names):
        for other in names[:index]:
            assert np.linalg.norm(lab(COLORS[one]) - lab(COLORS[other])) > 30, (one, other)


def test_unknown_names_are_errors_with_a_hint() -> None:
    with pytest.raises(UserError, match="unknown marker shape 'arow'") as caught:
        Marker("arow")  # type: ignore[arg-type]
    assert "did you mean arrow" in caught.value.remedy
    with pytest.raises(UserError, match="unknown marker colour 'purpel'") as caught:
        Marker(colors=("red", "purpel"))
    assert "red" in caught.value.remedy
    for make in (lambda: Marker(colors=("red", "gren")), lambda: find_marks(plain(), "gren")):
        with pytest.raises(UserError, match="unknown marker colour 'gren'") as caught:
            make()
        assert "did you mean green" in caught.value.remedy
    with pytest.raises(UserError, match="unknown marker colour 'A'"):
        Marker().draw(plain(), [point("A", 10, 10)])
    with pytest.raises(UserError, match="size 0"):
        Marker(size=0)
    with pytest.raises(UserError, match="outline of -1"):
        Marker(outline=-1)


def photo() -> Pixels:
    """A smooth, unsaturated picture, 240 x 320."""
    v, u = np.mgrid[:240, :320]
    return np.stack([90 + u / 4, 100 + v / 4, 140 - u / 8 + v / 8], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("color", HUED)
@pytest.mark.parametrize("size", [5, 6, 7, 8, 9, 11])
def test_drawn_marks_are_found(shape: Shape, color: str, size: int) -> None:
    for u, v in [(160, 120), (37, 201)]:
        marked = Marker(shape, size).draw(photo(), [point(color, u, v)])
        found = find_marks(marked, color)
        assert found.shape == (1, 2)
        assert np.linalg.norm(found[0] - (u, v)) <= (size if shape == "arrow" else 1.5)
        for other in HUED:
            assert other == color or len(find_marks(marked, other)) == 0


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("color", HUED)
def test_a_filled_circle_is_found(color: str, compressed: bool) -> None:
    for radius in (4, 6, 9):
        picture = photo()
        cv2.circle(picture, (211, 77), radius, COLORS[color], thickness=-1)
        found = find_marks(jpeg(picture) if compressed else picture, color)
        assert len(found) == 1
        assert np.linalg.norm(found[0] - (211, 77)) < 1.5


def test_several_marks_are_several() -> None:
    picture = photo()
    for place in [(40, 40), (200, 60), (100, 200)]:
        cv2.circle(picture, place, 6, COLORS["red"], thickness=-1)
    found = find_marks(picture, "red")
    np.testing.assert_allclose(found[np.argsort(found[:, 0])], [[40, 40], [100, 200], [200, 60]], atol=0.5)
    assert len(find_marks(photo(), "red")) == 0


def test_large_thin_and_tiny_areas_are_no_marks() -> None:
    picture = photo()
    picture[100:200, 50:150] = COLORS["red"]  # a wall
    picture[210:225, 160:300] = COLORS["red"]  # a kerb, wide and low
    picture[10:150, 290:300] = COLORS["red"]  # a post, high and narrow
    picture[20, 10:34] = COLORS["red"]  # a short straight line could be one
    cv2.line(picture, (180, 60), (202, 82), COLORS["red"])  # a slanted one covers little of its box
    picture[60, 310:312] = COLORS["red"]  # a speck
    np.testing.assert_allclose(find_marks(picture, "red"), [[21.5, 20]])
    cv2.circle(picture, (250, 120), 6, COLORS["red"], thickness=-1)
    assert find_marks(picture, "red").tolist() == [[21.5, 20], [250, 120]]


def test_white_marks_are_not_looked_for() -> None:
    with pytest.raises(UserError, match="white") as caught:
        find_marks(plain(), "white")
    assert "--point white=U,V" in caught.value.remedy
