"""Reads Feather and Parquet files: whatever is missing, cut short or unexpected becomes a UserError with its path."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from toolkit.data.convert.readers.read_files import reading
from toolkit.errors import UserError
from toolkit.utils.bounded_file import open_bounded

if TYPE_CHECKING:
    from pyarrow.parquet import RowGroupMetaData

ArrowColumns = dict[str, NDArray[Any]]
"""The columns (N,) of a table by name."""

_MOST_VALUES = 100_000_000  # that are read at once; a LiDAR sweep has a million
_BUFFER = 1 << 20  # bytes read at a time, where a file is read row by row


def read_feather(path: Path, columns: Sequence[str]) -> ArrowColumns:
    """Some columns of a Feather file.

    Raises:
        UserError: If it is missing or damaged, or lacks a column.
    """
    from pyarrow import ArrowException, feather

    with reading(path, ArrowException, MemoryError):
        open_bounded(path).close()
        table = feather.read_table(path, memory_map=False)
    _check_columns(path, table.column_names, columns)
    return {name: table[name].to_numpy() for name in columns}


def read_parquet(path: Path, columns: Sequence[str]) -> ArrowColumns:
    """Some columns of a Parquet file; lists become arrays, and null becomes None.

    Raises:
        UserError: If it is missing or damaged, or lacks a column.
    """
    from pyarrow import ArrowException, parquet

    check_parquet(path, columns)
    with reading(path, ArrowException, MemoryError), parquet.ParquetFile(path) as file:
        groups = range(file.num_row_groups)
        _check_count(path, sum(_count_values(file.metadata.row_group(group), columns) for group in groups))
        table = file.read(list(columns))
    return {name: table[name].to_numpy() for name in columns}


def check_parquet(path: Path, columns: Sequence[str]) -> int:
    """Check a Parquet file by reading its end, which a file that is cut short lacks.

    Returns:
        The number of its rows.

    Raises:
        UserError: If it is missing or cut short, or lacks a column.
    """
    from pyarrow import ArrowException, parquet

    with reading(path, ArrowException, MemoryError), parquet.ParquetFile(path) as file:
        names, count = file.schema_arrow.names, int(file.metadata.num_rows)
    _check_columns(path, names, columns)
    return count


class ParquetRows:
    """The rows of a Parquet file, read one at a time because all together may be larger than memory.

    Ask for rows in order: each is then read once. Going backward begins again.

    Args:
        path: The file.
        columns: The names of the columns to read.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path, self._columns = path, list(columns)
        self._rows: Iterator[dict[str, Any]] | None = None
        self._next = 0

    def row(self, number: int) -> dict[str, Any]:
        """The values of one row by column; lists become arrays, and null becomes None.

        Args:
            number: The number of the row; the first is 0.

        Raises:
            UserError: If the file is missing or damaged, or lacks a column.
        """
        from pyarrow import ArrowException

        try:
            with reading(self._path, ArrowException, MemoryError, StopIteration):
                return self._read(number)
        except UserError:
            self._rows = None
            raise

    def _read(self, number: int) -> dict[str, Any]:
        if self._rows is None or number < self._next:
            self._rows = self._from_group_of(number)
        while self._next < number:
            next(self._rows)
            self._next += 1
        self._next += 1
        return next(self._rows)

    def _from_group_of(self, number: int) -> Iterator[dict[str, Any]]:
        """The rows from the beginning of the row group that holds the row of a number."""
        from pyarrow import parquet

        check_parquet(self._path, self._columns)
        file = parquet.ParquetFile(self._path, buffer_size=_BUFFER, pre_buffer=False)
        group, self._next = 0, 0
        while group < file.num_row_groups and number >= self._next + file.metadata.row_group(group).num_rows:
            self._next += file.metadata.row_group(group).num_rows
            group += 1
        for each in map(file.metadata.row_group, range(group, file.num_row_groups)):
            _check_count(self._path, _count_values(each, self._columns) // max(each.num_rows, 1))
        batches = file.iter_batches(1, range(group, file.num_row_groups), self._columns)
        return ({name: batch[name].to_numpy(zero_copy_only=False)[0] for name in self._columns} for batch in batches)


def _count_values(group: "RowGroupMetaData", columns: Sequence[str]) -> int:
    """The number of values that some columns of a row group of a Parquet file state."""
    found = (group.column(number) for number in range(group.num_columns))
    return sum(each.num_values for each in found if each.path_in_schema.partition(".")[0] in columns)


def _check_count(path: Path, count: int) -> None:
    """Raise a UserError if so many values cannot be read at once: equal ones take no place in a file."""
    if count > _MOST_VALUES:
        raise UserError(
            f"{path}: it states {count} values, and at most {_MOST_VALUES} are read at once",
            remedy="get this file again",
        )


def _check_columns(path: Path, there: Sequence[str], wanted: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in there]
    if missing:
        raise UserError(
            f"{path}: there is no column {', '.join(missing)}",
            cause="this toolkit does not know this version of the data set, or this is another file",
            remedy="get this file again; if that does not help, update the toolkit",
        )
