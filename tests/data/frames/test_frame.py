"""Tests of ``toolkit.data.frames.frame``: pictures and depth maps as they come from disk."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from toolkit.data.frames.frame import DepthFile, Frame, ImageFile, SparseDepth
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera

CAMERA = Camera(2.0, 2.0, 1.5, 1.0, 4, 3)
MILLIMETRES = np.array([[0, 1000, 2000, 2500], [500, 0, 65535, 1], [3, 4, 5, 0]], np.uint16)


def noise(height: int = 40, width: int = 60) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def depth_png(folder: Path, stored: np.ndarray = MILLIMETRES) -> Path:
    path = folder / "depth.png"
    cv2.imwrite(str(path), stored)
    return path


def test_a_picture_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(noise()).save(path)
    image = ImageFile(path)
    np.testing.assert_array_equal(image.read(), noise())
    assert image.stored_size() == (60, 40, 1)
    assert Frame(image, CAMERA).name == image.name == str(path)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_exif_orientation_is_applied_once(tmp_path: Path, orientation: int, suffix: str) -> None:
    # Stored quadrants 1 2 / 3 4, each of one grey; TIFF 6.0 says where each goes.
    upright = {
        1: [[1, 2], [3, 4]],
        2: [[2, 1], [4, 3]],
        3: [[4, 3], [2, 1]],
        4: [[3, 4], [1, 2]],
        5: [[1, 3], [2, 4]],
        6: [[3, 1], [4, 2]],
        7: [[4, 2], [3, 1]],
        8: [[2, 4], [1, 3]],
    }[orientation]
    stored = np.kron([[1, 2], [3, 4]], np.full((16, 32), 50)).astype(np.uint8)
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.repeat(stored[..., None], 3, axis=2)).save(path, exif=exif)
    pixels = ImageFile(path).read()
    height, width = pixels.shape[:2]
    assert (width, height) == ((64, 32) if orientation < 5 else (32, 64))
    seen = pixels[height // 4 :: height // 2, width // 4 :: width // 2, 0]
    np.testing.assert_allclose(seen, 50.0 * np.array(upright), atol=3)
    assert ImageFile(path).stored_size() == (64, 32, orientation)


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_that_does_not_exist_is_none(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(noise()).save(tmp_path / "a.png", exif=exif)
    assert ImageFile(tmp_path / "a.png").stored_size() == (60, 40, 1)
    np.testing.assert_array_equal(ImageFile(tmp_path / "a.png").read(), noise())


def grey(folder: Path) -> Path:
    Image.fromarray(noise()[..., 0]).save(folder / "a.png")
    return folder / "a.png"


def palette(folder: Path) -> Path:
    stored = Image.fromarray(noise()[..., 0], mode=None).convert("P")
    stored.putpalette([value for index in range(256) for value in (index, index, index)])
    stored.save(folder / "a.png")
    return folder / "a.png"


def alpha(folder: Path) -> Path:
    stored = np.dstack([np.repeat(noise()[..., :1], 3, axis=2), np.full((40, 60), 255, np.uint8)])
    Image.fromarray(stored).save(folder / "a.png")
    return folder / "a.png"


def cmyk(folder: Path) -> Path:
    Image.fromarray(np.repeat(noise()[..., :1], 3, axis=2)).convert("CMYK").save(folder / "a.tiff")
    return folder / "a.tiff"


def sixteen_bits(folder: Path) -> Path:
    cv2.imwrite(str(folder / "a.png"), noise()[..., 0].astype(np.uint16) * 257)
    return folder / "a.png"


def thirty_two_bits(folder: Path) -> Path:
    Image.fromarray(noise()[..., 0].astype(np.int32) * 257).save(folder / "a.tiff")
    return folder / "a.tiff"


@pytest.mark.parametrize("stored", [grey, palette, alpha, cmyk, sixteen_bits, thirty_two_bits])
def test_every_kind_of_grey_picture_is_read_as_rgb(tmp_path: Path, stored: Callable[[Path], Path]) -> None:
    pixels = ImageFile(stored(tmp_path)).read()
    assert pixels.shape == (40, 60, 3) and pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, np.repeat(noise()[..., :1], 3, axis=2))


def test_sixteen_bit_grey_is_not_clipped_to_white(tmp_path: Path) -> None:
    ramp = (np.arange(256) * 256 + 17).astype(np.uint16)[None].repeat(4, axis=0)
    cv2.imwrite(str(tmp_path / "a.png"), ramp)
    np.testing.assert_array_equal(ImageFile(tmp_path / "a.png").read()[0, :, 1], np.arange(256))


def missing(folder: Path) -> Path:
    return folder / "none.png"


def words(folder: Path) -> Path:
    (folder / "a.png").write_text("no picture")
    return folder / "a.png"


def empty(folder: Path) -> Path:
    (folder / "a.png").write_bytes(b"")
    return folder / "a.png"


def truncated_png(folder: Path) -> Path:
    Image.fromarray(noise()).save(folder / "a.png")
    return cut(folder / "a.png")


def truncated_jpeg(folder: Path) -> Path:
    Image.fromarray(noise()).save(folder / "a.jpg")
    return cut(folder / "a.jpg")


def floating(folder: Path) -> Path:
    Image.fromarray(np.zeros((4, 5), np.float32)).save(folder / "a.tiff")
    return folder / "a.tiff"


def cut(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    return path


@pytest.mark.parametrize(
    ("bad", "words_of_it"),
    [
        (missing, "there is no such picture"),
        (words, "not a picture that Pillow reads"),
        (empty, "not a picture that Pillow reads"),
        (truncated_png, "the picture cannot be read"),
        (truncated_jpeg, "the picture cannot be read"),
        (lambda folder: folder, "this is a folder"),
        (floating, "holds floating-point numbers"),
    ],
)
def test_bad_pictures_are_errors_that_name_them(tmp_path: Path, bad: Callable[[Path], Path], words_of_it: str) -> None:
    path = bad(tmp_path)
    with pytest.raises(UserError, match=words_of_it) as caught:
        ImageFile(path).read()
    assert str(path) in caught.value.problem and caught.value.remedy


@pytest.mark.parametrize("bad", [missing, words, empty])
def test_the_size_of_a_bad_picture_is_an_error(tmp_path: Path, bad: Callable[[Path], Path]) -> None:
    with pytest.raises(UserError):
        ImageFile(bad(tmp_path)).stored_size()


def test_the_size_is_read_without_the_pixels(tmp_path: Path) -> None:
    assert ImageFile(truncated_png(tmp_path)).stored_size() == (60, 40, 1)
    assert ImageFile(truncated_jpeg(tmp_path)).stored_size() == (60, 40, 1)


def test_a_png_in_millimetres_has_no_depth_where_it_is_zero(tmp_path: Path) -> None:
    pixels, depth_z = DepthFile(depth_png(tmp_path), 0.001, "z").read(CAMERA)
    read = {(int(u), int(v)): round(float(d), 9) for (u, v), d in zip(pixels, depth_z, strict=True)}
    assert read == {
        (1, 0): 1.0,
        (2, 0): 2.0,
        (3, 0): 2.5,
        (0, 1): 0.5,
        (3, 1): 0.001,
        (0, 2): 0.003,
        (1, 2): 0.004,
        (2, 2): 0.005,
    }


@pytest.mark.parametrize("suffix", ["npy", "tiff"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_have_no_depth_where_they_are_not_positive(tmp_path: Path, suffix: str, dtype: type) -> None:
    stored: np.ndarray = np.full((3, 4), np.nan, dtype)
    stored[0, 1], stored[2, 3], stored[1, 1], stored[1, 2], stored[1, 3] = 1.25, 4.5, -1.0, 0.0, np.inf
    path = tmp_path / f"depth.{suffix}"
    if suffix == "npy":
        np.save(path, stored)
    else:
        cv2.imwrite(str(path), stored)
    pixels, depth_z = DepthFile(path, 2.0, "z").read(CAMERA)
    assert pixels.tolist() == [[1, 0], [3, 2]] and depth_z.tolist() == [2.5, 9.0]


def test_euclidean_depth_becomes_z(tmp_path: Path) -> None:
    # cx, cy = 1.5, 1 and f = 2: pixel (3, 0) has the ray (0.75, -0.5, 1), of length sqrt(1.8125).
    pixels, depth_z = DepthFile(depth_png(tmp_path), 0.001, "euclidean").read(CAMERA)
    index = pixels.tolist().index([3, 0])
    assert depth_z[index] == pytest.approx(2.5 / 1.8125**0.5)
    sparse = SparseDepth(np.array([[3.0, 0.0]]), np.array([2.5]), "euclidean")
    assert sparse.read(CAMERA)[1] == pytest.approx([2.5 / 1.8125**0.5])
    sparse = SparseDepth(np.array([[3.0, 0.0]]), np.array([2.5]), "z")
    assert sparse.read(CAMERA)[0].tolist() == [[3, 0]] and sparse.read(CAMERA)[1].tolist() == [2.5]


def saved(array: np.ndarray) -> Callable[[Path], Path]:
    def save(folder: Path) -> Path:
        np.save(folder / "depth.npy", array, allow_pickle=True)
        return folder / "depth.npy"

    return save


def truncated_npy(folder: Path) -> Path:
    np.save(folder / "depth.npy", np.ones((3, 4)))
    return cut(folder / "depth.npy")


@pytest.mark.parametrize(
    ("bad", "problem", "cause"),
    [
        (missing, "there is no such depth map", ""),
        (lambda folder: depth_png(folder, MILLIMETRES[:, :3]), "the depth map is 3 x 3, its picture 4 x 3", ""),
        (lambda folder: depth_png(folder, MILLIMETRES.T.copy()), "the depth map is 3 x 4, its picture 4 x 3", ""),
        (lambda folder: depth_png(folder, noise(3, 4)), "cannot be read", "8 bits: a picture of the depth"),
        (lambda folder: cut(depth_png(folder)), "cannot be read", ""),
        (words, "cannot be read", "does not recognise"),
        (truncated_npy, "cannot be read", ""),
        (saved(np.ones((3, 4, 1))), "cannot be read", "not one channel"),
        (saved(np.ones((3, 4), bool)), "cannot be read", "holds bool"),
        (saved(np.ones((3, 4), complex)), "cannot be read", "holds complex"),
        (saved(np.full((3, 4), None)), "cannot be read", "pickle"),
    ],
)
def test_bad_depth_maps_are_errors_that_name_them(
    tmp_path: Path, bad: Callable[[Path], Path], problem: str, cause: str
) -> None:
    path = bad(tmp_path)
    with pytest.raises(UserError) as caught:
        DepthFile(path, 0.001, "z").read(CAMERA)
    assert problem in caught.value.problem and str(path) in caught.value.problem
    assert cause in caught.value.cause and caught.value.remedy


NPY_TYPES = ("<u2", ">u2", "i4", "i8", "u4", "f4", "f8")


@pytest.mark.parametrize(
    ("suffix", "dtype"), [("png", "<u2"), ("tif", "<u2"), ("tif", "f4"), *(("npy", each) for each in NPY_TYPES)]
)
def test_65535_is_unknown_in_every_type(tmp_path: Path, suffix: str, dtype: str) -> None:
    path, stored = tmp_path / f"depth.{suffix}", MILLIMETRES.astype(dtype)
    np.save(path, stored) if suffix == "npy" else cv2.imwrite(str(path), stored)
    depth_z = DepthFile(path, 0.001, "z").read(CAMERA)[1]
    assert sorted(depth_z.tolist()) == pytest.approx([0.001, 0.003, 0.004, 0.005, 0.5, 1, 2, 2.5])


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint32])
def test_the_largest_whole_number_is_unknown(tmp_path: Path, dtype: type) -> None:
    stored = MILLIMETRES.astype(np.int64)
    stored[1, 2] = np.iinfo(dtype).max
    np.save(tmp_path / "depth.npy", stored.astype(dtype))
    assert DepthFile(tmp_path / "depth.npy", 0.001, "z").read(CAMERA)[1].max() == 2.5


@pytest.mark.parametrize("scale", [10, 256, 1000, 5000])
@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
def test_whole_numbers_in_units_of_many_metres_are_refused(tmp_path: Path, scale: float, dtype: type) -> None:
    np.save(tmp_path / "depth.npy", MILLIMETRES.astype(dtype))
    with pytest.raises(UserError, match=f"one stored unit would be {scale} m long") as caught:
        DepthFile(tmp_path / "depth.npy", scale, "z").grid(CAMERA)
    assert f"1/{scale} = {1 / scale:g}" in caught.value.remedy and "depth.npy, depth_scale" in caught.value.problem


def test_depths_of_ten_kilometres_are_refused_when_they_are_looked_up(tmp_path: Path) -> None:
    stored = np.full((3, 4), 2.0, np.float32)
    stored[0, 0] = 1e10
    np.save(tmp_path / "depth.npy", stored)
    grid = DepthFile(tmp_path / "depth.npy", 1.0, "z").grid(CAMERA)
    assert grid.depth_z(CAMERA, np.array([[1, 0]])).tolist() == [2]
    with pytest.raises(UserError, match="10 km or more, such as 1e\\+10 m") as caught:
        grid.depth_z(CAMERA, grid.pixels)
    assert "store 0 where no depth is known" in caught.value.remedy
    with pytest.raises(UserError, match="10 km or more") as caught:
        DepthFile(depth_png(tmp_path, np.full((3, 4), 12_000, np.uint16)), 1.0, "z").read(CAMERA)
    assert "0.001 for millimetres" in caught.value.remedy


def test_shares_of_the_greatest_depth_may_have_a_long_unit(tmp_path: Path) -> None:
    np.save(tmp_path / "depth.npy", np.full((3, 4), 0.005, np.float32))
    assert DepthFile(tmp_path / "depth.npy", 1000, "z").read(CAMERA)[1] == pytest.approx(np.full(12, 5), rel=1e-6)


@pytest.mark.parametrize("number", [-3.0, 1e-300, 1e-9])
def test_maps_of_numbers_that_are_no_depths_are_refused(tmp_path: Path, number: float) -> None:
    np.save(tmp_path / "depth.npy", np.full((3, 4), number))
    with pytest.raises(UserError, match="no number in it is a depth, such as") as caught:
        DepthFile(tmp_path / "depth.npy", 1.0, "z").grid(CAMERA)
    assert "at least 0.01 mm" in caught.value.cause


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("number", [0.0, np.nan, np.inf, -np.inf, 65535.0])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_maps_without_any_depth_and_tiny_numbers_beside_depths(tmp_path: Path, number: float, dtype: type) -> None:
    with np.errstate(over="ignore"):
        stored = np.full((3, 4), number, dtype)
    np.save(tmp_path / "depth.npy", stored)
    assert not DepthFile(tmp_path / "depth.npy", 1.0, "z").grid(CAMERA).valid.any()
    stored[:2] = 1e-7, 2.0, 2.0, 2.0
    np.save(tmp_path / "depth.npy", stored)
    assert DepthFile(tmp_path / "depth.npy", 1.0, "z").read(CAMERA)[1].tolist() == [2.0] * 6


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("number", [np.longdouble(10) ** 400, np.float64(1e308), np.int64(2**62)], ids=str)
def test_numbers_that_overflow_are_errors_without_warnings(tmp_path: Path, number: np.generic) -> None:
    np.save(tmp_path / "depth.npy", np.full((3, 4), number))
    with pytest.raises(UserError, match="10 km or more"):
        DepthFile(tmp_path / "depth.npy", 9.0, "z").read(CAMERA)


@pytest.mark.parametrize("scale", [5e-324, 1e-300, 1e-8])
def test_units_shorter_than_any_are_refused(tmp_path: Path, scale: float) -> None:
    with pytest.raises(UserError, match=r"m long, and must be 1e-07 m at least"):
        DepthFile(depth_png(tmp_path, MILLIMETRES), scale, "z").grid(CAMERA)


def test_depth_maps_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    whole = depth_png(tmp_path, np.arange(12, dtype=np.uint16).reshape(3, 4) * 999).read_bytes()
    for name, content, cause in [
        ("cut.png", whole[:-9], "it is cut short"),
        ("a.exr", b"v/1\x01\x02\0\0\0", "EXR is not read"),
        ("empty.png", b"", "OpenCV does not recognise it"),
    ]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match="the depth map cannot be read") as caught:
            DepthFile(tmp_path / name, 0.001, "z").read(CAMERA)
        assert caught.value.cause == cause and "a float TIFF or a .npy array" in caught.value.remedy
