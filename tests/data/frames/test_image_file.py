"""Picture files: sizes, orientations and plug-ins; what users are told of bad ones is in ``test_bad_questions``."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.support import picture_scenes as scenes
from toolkit.data.frames.image_file import (
    exif_of,
    open_image,
    orientation_of,
    read_rgb,
    rgb_pixels,
    turn_upright,
)
from toolkit.errors import UserError
from toolkit.utils.bounded_file import MOST_PIXELS


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


PLAIN = {
    "rgb.png": ("RGB", {}),
    "grey.png": ("L", {}),
    "rgb.jpg": ("RGB", {"quality": 90}),
    "full.jpg": ("RGB", {"quality": 95, "subsampling": 0}),
    "progressive.jpg": ("RGB", {"progressive": True}),
    "grey.jpg": ("L", {}),
    "cmyk.jpg": ("CMYK", {}),
    "alpha.png": ("RGBA", {}),
    "palette.png": ("P", {}),
    "bits.png": ("1", {}),
}


def soft_picture(width: int = 120, height: int = 90) -> Image.Image:
    """A picture of soft colours."""
    coarse = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("name", PLAIN)
def test_pixels_do_not_depend_on_the_decoder(name: str, tmp_path: Path) -> None:
    mode, settings = PLAIN[name]
    path = tmp_path / name
    soft_picture().convert(mode).save(path, **settings)
    with open_image(path) as image:
        expected = rgb_pixels(image, path)
    np.testing.assert_array_equal(read_rgb(path)[0], expected)


@pytest.mark.parametrize("name", ["rgb.png", "rgb.jpg"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_file_that_was_cut_off_is_an_error(name: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / name
    soft_picture().save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(UserError):
        read_rgb(path)


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("size", [(160, 96), (157, 93)])
def test_a_reduced_picture_is_the_mean_of_blocks(factor: int, size: tuple[int, int], tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    soft_picture(*size).save(path, quality=98, subsampling=0)
    reduced, done = read_rgb(path, factor)
    assert done == factor
    assert reduced.shape == (-(-size[1] // factor), -(-size[0] // factor), 3)
    whole = read_rgb(path)[0][: size[1] // factor * factor, : size[0] // factor * factor].astype(float)
    means = whole.reshape(size[1] // factor, factor, size[0] // factor, factor, 3).mean(axis=(1, 3))
    inner = reduced[: means.shape[0], : means.shape[1]]
    assert np.abs(inner - means).mean() < 1.0
    assert abs((inner - means).mean()) < 0.3


def test_only_a_jpeg_that_fills_its_last_pixels_is_reduced(tmp_path: Path) -> None:
    soft_picture(157, 93).save(tmp_path / "a.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    soft_picture(157, 93).save(tmp_path / "turned.jpg", exif=turned)
    soft_picture(160, 96).save(tmp_path / "even.jpg", exif=turned)
    assert read_rgb(tmp_path / "a.png", 2)[1] == 1
    assert read_rgb(tmp_path / "turned.jpg", 2)[1] == 1
    even, factor = read_rgb(tmp_path / "even.jpg", 2)
    assert (even.shape, factor) == ((80, 48, 3), 2)
    means = read_rgb(tmp_path / "even.jpg")[0].astype(float).reshape(80, 2, 48, 2, 3).mean(axis=(1, 3))
    assert np.abs(even - means).mean() < 2
