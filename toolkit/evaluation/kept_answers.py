"""The files in which answers are kept as they come, so that an interrupted evaluation goes on."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import UserError
from toolkit.evaluation.sample_record import SampleRecord, parse_record
from toolkit.qa.tasks.task import Task
from toolkit.utils.files import append_lines, write_text


@dataclass(frozen=True)
class KeptAnswers:
    """The answers that one evaluation keeps. Each process that answers has a file of its own.

    Attributes:
        path: The file of the first process.
        header: The first line of each file, which tells evaluations apart.
        tasks: The tasks that are asked, by name.
    """

    path: Path
    header: str
    tasks: Mapping[str, Task]

    def unite(self) -> list[SampleRecord]:
        """Read what all processes of an interrupted evaluation kept, and keep it in the file of the first process.

        If a line of a file is damaged, such as the last one that is cut short, its question is asked again.

        Raises:
            UserError: If a file holds answers of another evaluation.
        """
        files = _files(self.path)
        found = {(record.task, record.index): record for file in files for record in self._read(file)}
        write_text(
            self.path, "".join(f"{line}\n" for line in (self.header, *(row.to_json_line() for row in found.values())))
        )
        for file in files:
            if file != self.path:
                file.unlink()
        return list(found.values())

    def add(self, rank: int, fresh: Sequence[SampleRecord]) -> None:
        """Write fresh answers of the process with this rank to the end of its file.

        Raises:
            UserError: If the file cannot be written.
        """
        own = self.path if rank == 0 else self.path.with_stem(f"{self.path.stem}-{rank}")
        lines = [] if own.exists() else [self.header]
        append_lines(own, (*lines, *(record.to_json_line() for record in fresh)))

    def _read(self, file: Path) -> list[SampleRecord]:
        # The last character may be cut short, as well as the last line.
        first, *lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
        if first != self.header and any(lines):
            raise UserError(
                f"{file}: another evaluation was interrupted here, and its answers are kept",
                cause="its questions, the way of asking or the model were others, or a file that it depends on has "
                "changed (model, manifest, task, template)",
                remedy="to begin anew, delete the file or choose another --output; to go on with it, give its command "
                "again, with all files as they were",
            )
        return list(_parse_whole_lines(lines, self.tasks))


def is_kept(path: Path) -> bool:
    """Whether a file is one of kept answers, of whatever evaluation.

    Args:
        path: The file of the first process.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.readline().startswith('{"evaluation": ')
    except OSError:
        return False


def forget_answers(path: Path) -> None:
    """Remove the files of a finished evaluation.

    Args:
        path: The file of the first process.
    """
    for file in _files(path):
        file.unlink()


def _files(path: Path) -> list[Path]:
    """The files of all processes that there are, that of the first one first."""
    others = sorted(path.parent.glob(f"{path.stem}-*{path.suffix}"))
    return [file for file in (path, *others) if file.is_file()]


def _parse_whole_lines(lines: Sequence[str], tasks: Mapping[str, Task]) -> Iterator[SampleRecord]:
    """The records of the lines that are whole."""
    for line in lines:
        with suppress(ValueError):
            yield parse_record(line, tasks)
