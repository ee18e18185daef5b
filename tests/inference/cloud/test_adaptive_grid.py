"""Tests of ``toolkit.inference.cloud.adaptive_grid``: what is asked, how often, and where."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.errors import UserError, UserErrors
from toolkit.inference.cloud.adaptive_grid import AskDepths, Grid, Survey, depth_ratios, survey
from toolkit.utils.arrays import Array

NEAR, FAR = 2.0, 6.0
EDGE = 20.5  # px; between two pixels, inside the second of four cells of a picture 65 px wide


class Recorder:
    """Answers from a function of the pixels, and remembers what it was asked."""

    def __init__(self, depth: Callable[[Array], Array]) -> None:
        self.calls: list[Array] = []
        self._depth = depth

    def __call__(self, pixels: Array) -> Array:
        self.calls.append(pixels)
        return self._depth(pixels)

    @property
    def asked(self) -> list[tuple[float, ...]]:
        return [tuple(pixel) for call in self.calls for pixel in call.tolist()]


def wall(pixels: Array) -> Array:
    return np.full(len(pixels), NEAR)


def step(pixels: Array) -> Array:
    return np.where(pixels[:, 0] < EDGE, NEAR, FAR)


def noise(seed: int, unread: float) -> AskDepths:
    """Depths that jump from pixel to pixel; a share of them is not read."""

    def ask(pixels: Array) -> Array:
        shares = np.abs(np.sin(pixels @ (12.9898, 78.233) + seed) * 43758.5453) % 1
        return np.where(shares < unread, np.nan, 1 + 3 * shares)

    return ask


def cells(found: Survey) -> set[tuple[int, ...]]:
    return {tuple(leaf) for leaf in found.leaves.tolist()}


def refining(size: tuple[int, int], columns: int, levels: int) -> int:
    """Questions beyond the first grid, for a step at EDGE."""
    first = survey(size, Grid(columns, 0), step)
    return len(survey(size, Grid(columns, levels), step).depth) - len(first.depth)


def test_the_first_grid_reaches_the_border_in_square_cells() -> None:
    ask = Recorder(wall)
    found = survey((9, 5), Grid(columns=5, levels=3), ask)
    expected = [(u, v) for v in (0, 2, 4) for u in (0, 2, 4, 6, 8)]
    assert len(ask.calls) == 1 and ask.asked == expected
    assert found.pixels.tolist() == [list(pixel) for pixel in expected] and (found.depth == NEAR).all()
    assert cells(found) == {(u, v, u + 2, v + 2) for u in (0, 2, 4, 6) for v in (0, 2)}


def test_the_grid_keeps_its_margin() -> None:
    found = survey((15, 11), Grid(columns=5, margin=3), wall)
    assert sorted(set(found.pixels[:, 0])) == [3, 5, 7, 9, 11] and sorted(set(found.pixels[:, 1])) == [3, 5, 7]


def test_a_grid_has_no_more_columns_than_the_picture_pixels() -> None:
    found = survey((4, 2), Grid(columns=50), noise(0, 0.3))
    assert len(found.pixels) == 8 and len(found.leaves) == 3


def test_a_step_is_refined_along_its_edge_alone() -> None:
    ask = Recorder(step)
    found = survey((65, 65), Grid(columns=5, levels=3), ask)
    # n cells of a column are split at a level: their n + 1 horizontal edges gain one point, and each cell three more.
    assert [len(call) for call in ask.calls] == [25, 4 * 4 + 1, 4 * 8 + 1, 4 * 16 + 1]
    assert cells(found) == (
        {(u, v, u + 16, v + 16) for u in (0, 32, 48) for v in range(0, 64, 16)}
        | {(24, v, 32, v + 8) for v in range(0, 64, 8)}
        | {(16, v, 20, v + 4) for v in range(0, 64, 4)}
        | {(u, v, u + 2, v + 2) for u in (20, 22) for v in range(0, 64, 2)}
    )
    assert depth_ratios(found.corners(found.depth)).tolist().count(FAR / NEAR) == 32


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_questions_grow_with_the_edge_and_not_with_the_area(levels: int) -> None:
    usual = refining((65, 65), 5, levels)
    assert refining((257, 65), 17, levels) == usual
    # Twice the edge costs twice, less the row of points at which the halves meet.
    assert refining((65, 129), 5, levels) == 2 * usual - levels
    assert usual == sum(4 * 4 * 2**level + 1 for level in range(levels))


def test_the_largest_ratio_is_refined_first() -> None:
    def steps(pixels: Array) -> Array:
        return np.select([pixels[:, 0] < 4, pixels[:, 0] < 20], [1.0, 2.0], 5.0)

    # Four cells in a row: the first doubles, the third grows by 2.5; each takes five questions.
    first = survey((33, 9), Grid(columns=5, levels=1), steps)
    assert len(first.depth) == 10 + 5 + 5
    for budget in (15, 19):
        found = survey((33, 9), Grid(columns=5, levels=3, questions=budget), steps)
        assert len(found.depth) == 15
        assert cells(found) == {(0, 0, 8, 8), (8, 0, 16, 8), (24, 0, 32, 8)} | {
            (u, v, u + 4, v + 4) for u in (16, 20) for v in (0, 4)
        }


def test_unread_corners_are_change() -> None:
    def holes(pixels: Array) -> Array:
        return np.select([pixels[:, 0] <= 8, pixels[:, 0] >= 24], [np.nan, 10.0], NEAR)

    # The cells are: none read, one side read, a step, a wall. In this order of merit: second, third, first.
    def split(questions: int) -> list[int]:
        found = survey((33, 9), Grid(columns=5, levels=1, questions=questions), holes)
        return [u for u in (0, 8, 16, 24) if (u, 0, u + 8, 8) not in cells(found)]

    assert [split(questions) for questions in (10, 15, 19, 24)] == [[], [8], [8, 16], [0, 8, 16]]


@pytest.mark.parametrize("bad", [0.0, -1.0, np.inf, np.nan])
def test_impossible_answers_are_unread(bad: float) -> None:
    found = survey((9, 9), Grid(columns=2, levels=0), lambda pixels: np.array([bad, 1.0, 1.0, 1.0]))
    np.testing.assert_array_equal(found.depth, [np.nan, 1, 1, 1])
    assert depth_ratios(found.corners(found.depth)).tolist() == [np.inf]


def test_change_is_the_ratio_of_the_corners() -> None:
    corners = np.array([[[1.0, 2.0], [4.0, 3.0]], [[1.0, np.nan], [1.0, 1.0]], [[np.nan] * 2] * 2])
    np.testing.assert_array_equal(depth_ratios(corners), [4.0, np.inf, np.nan])


surveys = {
    "size": st.tuples(st.integers(10, 70), st.integers(10, 70)),
    "columns": st.integers(2, 9),
    "levels": st.integers(0, 5),
    "margin": st.integers(0, 4),
    "seed": st.integers(0, 1000),
    "unread": st.sampled_from([0.0, 0.2, 0.8, 1.1]),
    "extra": st.sampled_from([0, 1, 17, 100, 10_000]),
}


@settings(deadline=None)
@given(**surveys)
def test_every_survey_keeps_its_promises(
    size: tuple[int, int], columns: int, levels: int, margin: int, seed: int, unread: float, extra: int
) -> None:
    across, down = Grid(columns, margin=margin).line_positions(*size)
    grid = Grid(columns, levels, questions=len(across) * len(down) + extra, margin=margin)
    ask = Recorder(noise(seed, unread))
    found = survey(size, grid, ask)
    # Each pixel is asked at most once, within the margin, and at most as many as allowed, in one call a level.
    assert len(set(ask.asked)) == len(ask.asked) == len(found.depth) <= grid.questions
    assert sorted(ask.asked, key=lambda pixel: pixel[::-1]) == [tuple(pixel) for pixel in found.pixels.tolist()]
    assert 0 not in map(len, ask.calls) and len(ask.calls) <= 1 + levels
    low, high = found.pixels.min(axis=0), found.pixels.max(axis=0)
    assert (low == margin).all() and (high == np.array(size) - 1 - margin).all()
    np.testing.assert_array_equal(found.depth, noise(seed, unread)(found.pixels))
    # Each pixel within the margin lies in exactly one leaf, whose corners were asked.
    count = np.zeros(size[::-1], int)
    for (rows, columns_), (left, top, right, bottom) in zip(found.owned_pixels(), found.leaves, strict=True):
        count[rows, columns_] += 1
        assert left <= columns_.start and columns_.stop - 1 <= right and top <= rows.start and rows.stop - 1 <= bottom
        assert {(left, top), (right, top), (left, bottom), (right, bottom)} <= set(ask.asked)
    inside = np.zeros_like(count)
    inside[margin : size[1] - margin, margin : size[0] - margin] = 1
    np.testing.assert_array_equal(count, inside)
    # Asking again gives the same.
    again = survey(size, grid, noise(seed, unread))
    np.testing.assert_array_equal(again.pixels, found.pixels)
    np.testing.assert_array_equal(again.leaves, found.leaves)


def test_corners_are_those_of_the_leaf() -> None:
    found = survey((40, 30), Grid(columns=4, levels=2), noise(3, 0.1))
    depth = found.pixels @ (1.0, 100.0)
    left, top, right, bottom = found.leaves.T
    expected = [[left + 100 * top, right + 100 * top], [left + 100 * bottom, right + 100 * bottom]]
    np.testing.assert_array_equal(found.corners(depth), np.moveaxis(np.array(expected), -1, 0))


def test_settings_that_make_no_sense_are_refused_together() -> None:
    with pytest.raises(UserErrors) as caught:
        Grid(columns=1, levels=-1, ratio=1.0, margin=-2)
    assert len(caught.value.faults) == 4 and all(fault.remedy for fault in caught.value.faults)
    with pytest.raises(UserErrors):
        Grid(ratio=float("nan"))


@pytest.mark.parametrize(
    ("size", "grid", "words"),
    [
        ((9, 1), Grid(), "leaves nothing to ask about"),
        ((30, 20), Grid(margin=10), "a 30 x 20 picture with a margin of 10 px"),
        ((65, 65), Grid(columns=5, questions=24), "5 x 5 points takes 25 questions, not 24 at most"),
    ],
)
def test_pictures_that_cannot_be_asked_are_errors(size: tuple[int, int], grid: Grid, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        survey(size, grid, wall)
    assert caught.value.remedy


def test_a_missing_answer_is_a_bug_and_not_a_depth() -> None:
    with pytest.raises(ValueError, match="expected 4 answers"):
        survey((9, 9), Grid(columns=2), lambda pixels: np.ones(3))
