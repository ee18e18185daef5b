"""Tests of ``toolkit.data.frames.exif_turn``: which sizes show that numbers belong to the upright picture."""

import pytest

from toolkit.data.frames.exif_turn import UPRIGHT, ExifTurn
from toolkit.geometry.camera import Camera

STORED, UPRIGHT_SIZE, SQUARE = Camera(9, 9, 4, 3, 8, 6), Camera(9, 9, 3, 4, 6, 8), Camera(9, 9, 3, 3, 6, 6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_size_shows_which_picture_is_meant(orientation: int) -> None:
    assert ExifTurn.of(STORED, 8, 6, orientation) == ExifTurn(orientation, orientation)
    assert ExifTurn.of(UPRIGHT_SIZE, 8, 6, orientation) == (ExifTurn(orientation, 1) if orientation >= 5 else None)
    assert ExifTurn.of(SQUARE, 8, 6, orientation) is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_where_both_have_one_size_the_turn_is_guessed(orientation: int) -> None:
    assert ExifTurn(orientation, orientation).is_guessed(STORED) == (orientation in (2, 3, 4))
    assert ExifTurn(orientation, orientation).is_guessed(SQUARE) == (orientation != 1)
    assert not ExifTurn(orientation, 1).is_guessed(STORED) and not UPRIGHT.is_guessed(SQUARE)
