"""Tests of ``toolkit.utils.system_errors``: errors of the operating system in plain words, whoever raises them."""

import errno
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models

from toolkit.utils.files import append_lines, write_bytes
from toolkit.utils.system_errors import OutputError, file_error, system_error, writing

LARGEST = 4096  # bytes of a file in these tests


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may be larger than ``LARGEST``, which every library meets as it meets a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def by_tokenizers(path: Path) -> None:
    Tokenizer(models.WordLevel({f"word {number}": number for number in range(LARGEST)}, "word 0")).save(str(path))


WRITERS: dict[str, Callable[[Path], None]] = {
    "safetensors": lambda path: save_file({"weight": torch.zeros(LARGEST)}, path),
    "torch": lambda path: torch.save({"state": torch.zeros(LARGEST)}, path),
    "tokenizers": by_tokenizers,
    "python": lambda path: append_lines(path, ["x" * 2 * LARGEST]),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.usefixtures("small_files")
def test_whatever_writes_is_told_in_the_same_words(tmp_path: Path, name: str) -> None:
    path = tmp_path / "file"
    with pytest.raises(OutputError, match="cannot be written") as caught, writing(path):
        WRITERS[name](path)
    assert str(path) in caught.value.problem
    assert "ulimit -f" in str(caught.value)


@pytest.mark.usefixtures("small_files")
def test_the_old_file_stays_where_the_new_one_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"old")
    with pytest.raises(OutputError, match="File too large"):
        write_bytes(path, bytes(2 * LARGEST))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("number", "attempt", "remedy"),
    [
        (errno.ENOSPC, "written", "make room"),
        (errno.EDQUOT, "written", "quota"),
        (errno.EROFS, "written", "another place"),
        (errno.EACCES, "written", "permissions"),
        (errno.EACCES, "read", "you may read it"),
        (errno.EMFILE, "read", "ulimit -n"),
        (errno.EMFILE, "written", "ulimit -n"),
        (errno.EIO, "read", "check the disk"),
        (errno.ENAMETOOLONG, "written", "shorter name"),
    ],
)
def test_each_kind_has_its_remedy(number: int, attempt: str, remedy: str) -> None:
    found = system_error("a.png", OSError(number, "said"), attempt)  # type: ignore[arg-type]
    assert found is not None
    assert remedy in found.remedy
    assert isinstance(found, OutputError) == (attempt == "written")


def test_faults_of_the_program_stay_what_they_are(tmp_path: Path) -> None:
    @contextmanager
    def raised(error: Exception) -> Iterator[None]:
        with pytest.raises(type(error)) as caught:
            yield
        assert caught.value is error

    for error in (ValueError("shape (28)"), RuntimeError("CUDA error"), OSError(errno.EINVAL, "invalid")):
        with raised(error), writing(tmp_path):
            raise error


def test_an_error_of_an_unknown_kind_still_has_words() -> None:
    found = file_error("a.png", OSError("strange"), "read")
    assert str(found) == "a.png: cannot be read\n  because: strange\n  try:     check the path"
