from pathlib import Path

import numpy as np
import pytest

from tests.support.hostile_files import array_bytes, npy, npy_header, npz
from toolkit.errors import UserError
from toolkit.utils.array_file import ArrayFile, read_array, read_named_arrays


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.zeros((0, 2)),
        np.float32(3),
        np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", ">f8")]),
    ],
    ids=lambda array: str(array.shape),
)
def test_sound_arrays_are_read(tmp_path: Path, array: np.ndarray) -> None:
    (tmp_path / "a.npy").write_bytes(array_bytes(array))
    np.testing.assert_array_equal(read_array(tmp_path / "a.npy"), array)
    with ArrayFile(tmp_path / "a.npy") as found:
        assert (found.header.shape, found.header.dtype) == (array.shape, array.dtype)
    npz(tmp_path / "a.npz", {"one.npy": array_bytes(array), "two.npy": array_bytes(array)})
    both = read_named_arrays(tmp_path / "a.npz")
    assert list(both) == ["one", "two"] and np.array_equal(both["two"], array)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_headers_of_all_versions_are_read(tmp_path: Path, version: int) -> None:
    (tmp_path / "a.npy").write_bytes(npy(npy_header("(3, 4)"), version))
    assert read_array(tmp_path / "a.npy").shape == (3, 4)


def test_what_python_2_wrote_is_read_without_a_word(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    content = npy(npy_header("(3L, 4L)"), 1)
    (tmp_path / "a.npy").write_bytes(content)
    npz(tmp_path / "a.npz", {"a.npy": content})
    assert read_array(tmp_path / "a.npy").shape == (3, 4)
    assert read_named_arrays(tmp_path / "a.npz")["a"].shape == (3, 4)
    assert not recwarn.list


BAD_HEADERS = {
    "claims": npy_header("(200000, 200000)"),
    "one more": npy_header("(13,)"),
    "overflows": npy_header("(4611686018427387904, 8, 8)"),
    "nothing of much": npy_header("(0, 4611686018427387904, 4611686018427387904)"),
    "digits": npy_header(f"({'9' * 5000},)"),
    "brackets": "(" * 9000,
    "signs": "-" * 9000,
    "long": npy_header("(3, 4)") + " " * 20_000,
    "objects": npy_header("(3,)", "'|O'"),
    "objects inside": npy_header("(3,)", "[('a', '|O')]"),
    "no bytes": npy_header("(1000000000000,)", "'<U0'"),
    "dimensions": npy_header(f"({'1,' * 40})"),
    "negative": npy_header("(-1, 4)"),
    "truth": npy_header("(True, True)"),
    "fractions": npy_header("(1.5, 2)"),
    "no type": npy_header("(3,)", "'banana'"),
    "code": "__import__('os').abort()",
    "nothing": "",
}


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("header", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_headers_that_cannot_be_are_refused(tmp_path: Path, header: str, version: int) -> None:
    content = npy(header, version)
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.npy: this is no NumPy array") as caught:
        read_array(tmp_path / "a.npy")
    assert len(caught.value.cause) < 150
    npz(tmp_path / "a.npz", {"a.npy": content})
    with pytest.raises(UserError, match=r"a\.npz, a\.npy: this is no NumPy array"):
        read_named_arrays(tmp_path / "a.npz")


def test_an_archive_that_would_be_enormous_is_not_unpacked(tmp_path: Path) -> None:
    bomb = npy(npy_header("(536870912,)"), body=bytes(96))
    npz(tmp_path / "a.npz", {"a.npy": bomb}, stated=0xFFFF_FFF0)
    with pytest.raises(UserError, match="too large when it is unpacked") as caught:
        read_named_arrays(tmp_path / "a.npz")
    assert "4 GiB" in caught.value.cause


def test_an_archive_that_lies_about_its_size_is_damaged(tmp_path: Path) -> None:
    npz(tmp_path / "a.npz", {"a.npy": npy(npy_header("(100000000,)"))}, stated=900_000_000)
    with pytest.raises(UserError, match="this is no NumPy array") as caught:
        read_named_arrays(tmp_path / "a.npz")
    assert caught.value.cause == "it cannot be as large as it says"


def test_an_archive_of_many_arrays_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.utils.array_file._MOST_MEMBERS", 2)
    npz(tmp_path / "a.npz", {f"{number}.npy": b"" for number in range(3)})
    with pytest.raises(UserError, match="too large when it is unpacked"):
        read_named_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04" + bytes(60), b"\x80\x04."], ids=repr)
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UserError, match="this is no NumPy array"):
        read_named_arrays(tmp_path / "a.npz")
