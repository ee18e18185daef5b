"""Picture files: sizes, orientations and plug-ins; what users are told of bad ones is in ``test_bad_questions``."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.support import picture_scenes as scenes
from toolkit.data.frames.image_file import MOST_PIXELS, exif_of, open_image, orientation_of, rgb_pixels, turn_upright
from toolkit.errors import UserError


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_pillow_turns_them(orientation: int) -> None:
    image = scenes.picture()
    image.getexif()[274] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(turn_upright(scenes.blocks(), orientation), expected)
    np.testing.assert_array_equal(rgb_pixels(image, "it"), expected)


def test_pillows_guard_is_off_while_a_picture_is_open_and_back_afterwards(tmp_path: Path) -> None:
    guard = Image.MAX_IMAGE_PIXELS
    scenes.saved()(tmp_path / "a.png")
    with open_image(tmp_path / "a.png"):
        with open_image(tmp_path / "a.png"):
            assert Image.MAX_IMAGE_PIXELS is None
        assert Image.MAX_IMAGE_PIXELS is None
    assert guard == Image.MAX_IMAGE_PIXELS
    with pytest.raises(UserError), open_image(tmp_path / "none.png"):
        pass
    assert guard == Image.MAX_IMAGE_PIXELS


def test_as_many_pixels_as_are_stated(tmp_path: Path) -> None:
    scenes.blank(20000, MOST_PIXELS // 20000, "1")(tmp_path / "a.png")
    with open_image(tmp_path / "a.png") as image:
        assert image.width * image.height == MOST_PIXELS


def test_tags_of_a_picture_without_any(tmp_path: Path) -> None:
    scenes.saved()(tmp_path / "a.jpg")
    with open_image(tmp_path / "a.jpg") as image:
        assert exif_of(image) == {}
        assert orientation_of(image) == 1


def test_a_plug_in_is_loaded_for_the_pictures_that_need_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registered = []
    plug_in = types.ModuleType("pillow_heif")
    plug_in.register_heif_opener = lambda: registered.append(True)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pillow_heif", plug_in)
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))
    with pytest.raises(UserError, match="not a picture"), open_image(tmp_path / "a.jpg"):
        pass  # this plug-in reads nothing
    assert registered == [True]
    scenes.saved()(tmp_path / "b.jpg")
    with open_image(tmp_path / "b.jpg"):
        assert registered == [True]
