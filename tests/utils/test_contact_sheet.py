"""Tests of ``toolkit.utils.contact_sheet``: where pictures and words go."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from toolkit.utils.contact_sheet import Cell, draw_sheet, save_png, save_sheet, side_by_side

RED, BLUE = (250, 0, 0), (0, 0, 250)


def patch(color: tuple[int, int, int], height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), color, np.uint8)


def cell(*images: np.ndarray, title: str = "one", question: str = "how far?") -> Cell:
    return Cell(title, images or (patch(RED, 20, 40),), question, "2.00 m", "0.png")


def of(sheet: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return (sheet == color).all(axis=-1)


def test_cells_fill_lines_of_columns() -> None:
    sheet = np.asarray(draw_sheet([cell() for _ in range(5)], columns=2, width=100))
    assert sheet.shape[1] == 2 * (100 + 24)
    assert of(sheet, RED).sum() == 5 * 100 * 50
    assert of(sheet, RED)[:, 124:].sum() == 2 * 100 * 50
    one = np.asarray(draw_sheet([cell()], columns=4, width=100))
    assert one.shape[1] == 124 and sheet.shape[0] == 3 * one.shape[0]


def test_two_pictures_share_a_cell() -> None:
    sheet = np.asarray(draw_sheet([cell(patch(RED, 20, 40), patch(BLUE, 40, 40))], width=106))
    assert of(sheet, RED).sum() == 50 * 25 and of(sheet, BLUE).sum() == 50 * 50
    assert np.argwhere(of(sheet, RED))[0][0] == np.argwhere(of(sheet, BLUE))[0][0]


def test_a_marked_pixel_stays_sharp_when_enlarged() -> None:
    small = patch(RED, 10, 10)
    small[5, 5] = BLUE
    sheet = np.asarray(draw_sheet([cell(small)], width=100))
    assert of(sheet, RED).sum() == 99 * 100 and of(sheet, BLUE).sum() == 100


def test_long_questions_are_wrapped_within_their_cell() -> None:
    short, long = (
        np.asarray(draw_sheet([cell(question=words)], width=200)) for words in ("far?", "how far is it? " * 20)
    )
    assert long.shape[0] > short.shape[0] + 80
    assert (long[:, -12:] == 255).all() and (long[-12:] == 255).all()


def test_side_by_side_pads_with_white() -> None:
    pair = side_by_side([patch(RED, 4, 5), patch(BLUE, 7, 3)])
    assert pair.shape == (7, 5 + 6 + 3, 3)
    assert (pair[:4, :5] == RED).all() and (pair[:, 11:] == BLUE).all()
    assert (pair[4:, :5] == 255).all() and (pair[:, 5:11] == 255).all()
    assert side_by_side([patch(RED, 4, 5)]).shape == (4, 5, 3)


@pytest.mark.parametrize("name", ["a.png", "deep/a.png"])
def test_pictures_are_saved_without_loss(tmp_path: Path, name: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    save_png(pixels, tmp_path / name, "ask")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / name)), pixels)
    save_sheet([cell()], tmp_path / name, "ask", columns=1, width=100)
    with Image.open(tmp_path / name) as sheet:
        assert sheet.format == "PNG" and sheet.width == 124
