"""Tests of the HDF5 reader: on files that h5py writes as MATLAB does, on damaged files, and on foreign ones."""

import struct
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolkit.data.convert.readers import hdf5
from toolkit.data.convert.readers.hdf5 import open_hdf5
from toolkit.errors import UserError

TWO_ROWS = np.arange(6.0).reshape(2, 3)


@pytest.fixture
def h5py() -> Any:
    return pytest.importorskip("h5py", reason="the extra `hdf5` is not installed")


@pytest.fixture
def matlab_file(h5py: Any, tmp_path: Path) -> Path:
    """What MATLAB's files are like: a user block, arrays in chunks and in one piece, and a cell array of texts."""
    path = tmp_path / "matlab.mat"
    with h5py.File(path, "w", userblock_size=512, libver="earliest") as file:
        values = np.arange(-15, 15, dtype=np.int16).reshape(5, 6)
        file.create_dataset("shuffled", data=values, chunks=(2, 4), compression=6, shuffle=True)
        file.create_dataset("many", data=np.arange(80, dtype=np.uint8)[:, None], chunks=(1, 1), compression=6)
        file["whole"] = np.array([0.5, 1.5, 2.5])
        file["big_endian"] = np.arange(3, dtype=">u4")
        put_texts(h5py, file, ["attic", "Küche"])
    return path


def put_texts(h5py: Any, file: Any, texts: list[str], dtype: str = "<u2") -> None:
    """A cell array "texts"; a char array is a column of UTF-16 here."""
    words = [np.frombuffer(text.encode("utf-16-le"), "<u2").astype(dtype)[:, None] for text in texts]
    cells = [file.create_dataset(f"#refs#/{number}", data=word).ref for number, word in enumerate(words)]
    file.create_dataset("texts", data=np.array([cells], dtype=h5py.ref_dtype), dtype=h5py.ref_dtype)


def test_numbers_are_read_row_by_row(matlab_file: Path) -> None:
    file = open_hdf5(matlab_file)
    for index in (3, 0, 4):
        np.testing.assert_array_equal(file.array("shuffled").row(index), np.arange(-15, -9) + 6 * index)
    assert [file.array("many").row(index).tolist() for index in range(80)] == [[index] for index in range(80)]
    assert file.array("whole").row(2) == 2.5
    assert [file.array("big_endian").row(index) for index in range(3)] == [0, 1, 2]
    assert file.array("shuffled").dtype == np.int16
    assert file.array("many").shape == (80, 1)


@pytest.mark.parametrize("user_block", [0, 512, 1024])
@pytest.mark.parametrize("chunk", [None, (2, 3, 4), (4, 3, 4), (1, 5, 7), (4, 5, 7)])
@pytest.mark.parametrize("most_bytes", [hdf5._MOST_BYTES, 500])
def test_arrays_of_all_shapes_of_chunks_are_read(
    h5py: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    user_block: int,
    chunk: tuple[int, ...] | None,
    most_bytes: int,
) -> None:
    monkeypatch.setattr(hdf5, "_MOST_BYTES", most_bytes)  # 500 bytes are three rows
    values = np.random.default_rng(1).normal(size=(4, 5, 7)).astype(np.float32)
    with h5py.File(tmp_path / "file.mat", "w", userblock_size=user_block) as file:
        file.create_dataset("values", data=values, chunks=chunk, compression=1 if chunk else None)
    if chunk == (4, 5, 7) and most_bytes == 500:
        with pytest.raises(UserError, match="a chunk of 'values' has 560 bytes, more than 500"):
            open_hdf5(tmp_path / "file.mat").array("values")
        return
    found = open_hdf5(tmp_path / "file.mat").array("values")
    for index in (3, 0, 2):
        np.testing.assert_array_equal(found.row(index), values[index])
        assert found.row(index).base.nbytes <= most_bytes


def test_rows_that_share_chunks_are_read_together_and_no_others(h5py: Any, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.mat", "w") as file:
        for name in ("pictures", "depths"):
            file.create_dataset(name, data=np.arange(12.0).reshape(6, 2), chunks=(3, 2), compression=1)
    hdf5._read_rows.cache_clear()
    arrays = [open_hdf5(tmp_path / "file.mat").array(name) for name in ("pictures", "depths")]
    for index, array in product(range(6), arrays):
        assert array.row(index).tolist() == [2 * index, 2 * index + 1]
        assert array.row(index).base.shape == (3, 2)
    assert hdf5._read_rows.cache_info().misses == 4


def test_references_to_texts_are_followed(matlab_file: Path) -> None:
    assert open_hdf5(matlab_file).texts("texts") == ["attic", "Küche"]


def test_what_is_not_there_is_named(matlab_file: Path) -> None:
    with pytest.raises(UserError, match="'rawDepths' is missing") as caught:
        open_hdf5(matlab_file).array("rawDepths")
    assert str(matlab_file) in caught.value.problem
    with pytest.raises(UserError, match="'scenes' is missing"):
        open_hdf5(matlab_file).texts("scenes")
    with pytest.raises(UserError, match="there is no such file"):
        open_hdf5(matlab_file.parent / "none.mat")


@pytest.mark.parametrize(
    ("size", "cause"), [(0, "signature"), (100, "signature"), (600, "truncated"), (-9, "truncated")]
)
def test_a_file_cut_short_is_a_fault(matlab_file: Path, size: int, cause: str) -> None:
    matlab_file.write_bytes(matlab_file.read_bytes()[:size])
    with pytest.raises(UserError, match="the file cannot be read") as caught:
        open_hdf5(matlab_file)
    assert str(matlab_file) in caught.value.problem
    assert cause in caught.value.cause


def test_another_kind_of_file_is_a_fault(h5py: Any, tmp_path: Path) -> None:
    path = tmp_path / "v5.mat"
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(2000))
    with pytest.raises(UserError, match="the file cannot be read") as caught:
        open_hdf5(path)
    assert "signature" in caught.value.cause


def test_damage_anywhere_is_a_fault_or_does_no_harm(matlab_file: Path, tmp_path: Path) -> None:
    whole = np.frombuffer(matlab_file.read_bytes(), np.uint8)
    rng = np.random.default_rng(0)
    messages = []
    for number in range(150):
        broken = whole.copy()
        at = rng.integers(512, len(whole) - 16)
        broken[at : at + 16] = rng.integers(0, 256, 16)
        path = tmp_path / f"{number}.mat"
        path.write_bytes(broken.tobytes())
        try:
            for name in ("shuffled", "many", "whole", "big_endian"):
                open_hdf5(path).array(name).row(0)
            open_hdf5(path).texts("texts")
        except UserError as fault:
            messages.append((str(path), str(fault)))
    assert 10 < len(messages) < 150
    assert all(path in message for path, message in messages)


@pytest.mark.parametrize("chunk", [None, (1, 7)])
def test_a_damaged_size_does_not_ask_for_the_memory_it_names(
    h5py: Any, tmp_path: Path, chunk: tuple[int, int] | None
) -> None:
    path = tmp_path / "file.mat"
    with h5py.File(path, "w") as file:
        file.create_dataset("values", data=np.ones((13, 7)), chunks=chunk)
    size, damaged = struct.pack("<2Q", 13, 7), struct.pack("<2Q", 1 << 40, 7)
    assert size * 2 in path.read_bytes(), "the size, and the largest size that it may grow to"
    path.write_bytes(path.read_bytes().replace(size * 2, damaged * 2))
    with pytest.raises(UserError, match=r"were never written|likely file corruption"):  # newer HDF5 finds it itself
        open_hdf5(path).array("values")


def test_what_is_larger_than_memory_allows_is_refused(
    h5py: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(tmp_path / "file.mat", "w") as file:
        file["values"] = TWO_ROWS
        put_texts(h5py, file, ["one", "two", "three"])
    file = open_hdf5(tmp_path / "file.mat")
    monkeypatch.setattr(hdf5, "_LONGEST_TEXT", 4)
    with pytest.raises(UserError, match=r"a text of 'texts' is \(5, 1\) of uint16, not characters"):
        file.texts("texts")
    monkeypatch.setattr(hdf5, "_MOST_TEXTS", 2)
    with pytest.raises(UserError, match="'texts' holds 3 texts, more than 2"):
        file.texts("texts")
    monkeypatch.setattr(hdf5, "_MOST_BYTES", 23)
    with pytest.raises(UserError, match="a row of 'values' has 24 bytes, more than 23"):
        file.array("values")


def virtual(h5py: Any, file: Any) -> None:
    layout = h5py.VirtualLayout((2, 3), float)
    layout[:] = h5py.VirtualSource("other.mat", "values", (2, 3))
    file.create_virtual_dataset("values", layout)


FOREIGN: dict[str, Callable[[Any, Any], Any]] = {
    "is a link to another place": lambda h5py, file: file.update(values=h5py.ExternalLink("other.mat", "/values")),
    "'values' is a link": lambda h5py, file: file.update(values=h5py.SoftLink("/same"), same=TWO_ROWS),
    "'values' is a link to another": lambda h5py, file: file.update(
        values=h5py.SoftLink("/far"), far=h5py.ExternalLink("other.mat", "/values")
    ),
    "the values of 'values' lie in other files": virtual,
    "'values' lie in other files": lambda _, file: file.create_dataset(
        "values", (2, 3), float, external=[("other.bin", 0, 48)]
    ),
    "'values' is no array": lambda _, file: file.create_group("values"),
    "'values' is empty": lambda h5py, file: file.update(values=h5py.Empty("f8")),
    "'values' holds object, not numbers": lambda _, file: file.update(values=["one", "two"]),
    "'values' holds .*, not numbers": lambda _, file: file.update(values=np.zeros(2, "f8,f8")),
    "some values of 'values' were never written": lambda _, file: file.create_dataset("values", (2, 3), float),
    "some values of": lambda _, file: file.create_dataset("values", (2, 3), float, chunks=(1, 3)).__setitem__(0, 7),
}


@pytest.mark.parametrize("message", FOREIGN)
def test_nothing_but_the_files_own_numbers_is_read(h5py: Any, tmp_path: Path, message: str) -> None:
    (tmp_path / "other.bin").write_bytes(TWO_ROWS.tobytes())
    with h5py.File(tmp_path / "other.mat", "w") as file:
        file["values"] = TWO_ROWS
    with h5py.File(tmp_path / "file.mat", "w") as file:
        FOREIGN[message](h5py, file)
    with pytest.raises(UserError, match=message) as caught:
        open_hdf5(tmp_path / "file.mat").array("values")
    assert str(tmp_path / "file.mat") in caught.value.problem


FOREIGN_TEXTS: dict[str, Callable[[Any, Any], Any]] = {
    "'texts' holds float64, not references": lambda _, file: file.update(texts=TWO_ROWS),
    "the file cannot be read": lambda h5py, file: file.create_dataset(
        "texts", data=h5py.Reference(), dtype=h5py.ref_dtype
    ),
    "a text of 'texts' is no array": lambda h5py, file: file.create_dataset(
        "texts", data=file.create_group("g").ref, dtype=h5py.ref_dtype
    ),
    "a text of 'texts' is .* of uint64": lambda h5py, file: put_texts(h5py, file, ["attic"], "<u8"),
    "the values of a text of 'texts' lie in other files": lambda h5py, file: file.create_dataset(
        "texts",
        data=file.create_dataset("far", (3,), "<u2", external=[("other.bin", 0, 6)]).ref,
        dtype=h5py.ref_dtype,
    ),
}


@pytest.mark.parametrize("message", FOREIGN_TEXTS)
def test_what_is_no_cell_array_of_texts_is_refused(h5py: Any, tmp_path: Path, message: str) -> None:
    (tmp_path / "other.bin").write_bytes("far".encode("utf-16-le"))
    with h5py.File(tmp_path / "file.mat", "w") as file:
        FOREIGN_TEXTS[message](h5py, file)
    with pytest.raises(UserError, match=message) as caught:
        open_hdf5(tmp_path / "file.mat").texts("texts")
    assert str(tmp_path / "file.mat") in caught.value.problem


def test_a_text_that_is_not_utf_16_is_a_fault(h5py: Any, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.mat", "w") as file:
        text = file.create_dataset("half", data=np.array([0xD800], np.uint16))
        file.create_dataset("texts", data=text.ref, dtype=h5py.ref_dtype)
    with pytest.raises(UserError, match="the file cannot be read") as caught:
        open_hdf5(tmp_path / "file.mat").texts("texts")
    assert "UnicodeDecodeError" in caught.value.cause


def test_the_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "file.mat").touch()
    with pytest.raises(UserError, match=r"file\.mat: this file cannot be read yet") as caught:
        open_hdf5(tmp_path / "file.mat")
    assert "package h5py" in caught.value.cause
    assert caught.value.remedy == "pip install '3dqa-toolkit[hdf5]'"
