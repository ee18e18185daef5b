"""How users write points: in pixels or in per cent of the picture, on the command line or in a file."""

import csv
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.errors import UserError, UserErrors, raise_all
from toolkit.utils.array_file import read_array
from toolkit.utils.bounded_file import MOST_TEXT, read_bounded
from toolkit.utils.json import read_json_file, shown

_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?(?:nan|inf|infinity)) *(%?)", re.IGNORECASE)
_POINT_REMEDY = "write U,V in pixels (320,240) or in per cent of the picture (50%,40%)"
_TABLE_REMEDY = "write one U,V a line, or a first line that names the columns u and v"


@dataclass(frozen=True)
class Place:
    """A place in a picture.

    Attributes:
        u: The place from left to right [px of the upright picture], or in per cent of its width.
        v: The place from top to bottom [px of the upright picture], or in per cent of its height.
        percent: Whether u and v are in per cent. 0 is the left or upper border, 100 the right or lower border.
    """

    u: float
    v: float
    percent: bool = False

    def pixel(self, width: int, height: int) -> tuple[float, float]:
        """The pixel (u, v) of this place in a picture of this size [px]. Per cent always lie in the picture."""
        if not self.percent:
            return self.u, self.v
        u, v = (share / 100 * size - 0.5 for share, size in ((self.u, width), (self.v, height)))
        return min(max(u, 0.0), width - 1.0), min(max(v, 0.0), height - 1.0)


def parse_points(given: Sequence[str]) -> dict[str, Place]:
    """Parse words like ``red=320,240`` or ``red=50%,40%``.

    Returns:
        The places, by their names in lower case.

    Raises:
        UserError: If words are malformed or a name comes twice. It holds all faults.
    """
    points: dict[str, Place] = {}
    faults = []
    for word in given:
        try:
            name, place = _parse_named_place(word)
        except UserError as error:
            faults.append(error)
            continue
        if name in points:
            faults.append(UserError(f"--point {name} is given twice", remedy="give each point a colour of its own"))
        points[name] = place
    if faults:
        raise faults[0] if len(faults) == 1 else UserErrors("--point", faults)
    return points


def parse_points_file(path: Path) -> list[Place]:
    """Read places from a file, in the order of the file.

    The end of the name says what the file holds. ``.npy`` is an array (N, 2) [px], and ``.json`` a list of [u, v] [px].
    Any other file is text with one ``u,v`` in each line, in pixels or per cent, separated by a comma or blanks. Empty
    lines and lines that begin with "#" are left out. If the first line names the columns, the columns u and v are used.
    Otherwise, there must be exactly two columns.

    Raises:
        UserError: If the file cannot be read, or holds no place.
        UserErrors: If places are malformed. It holds all faults.
    """
    try:
        rows = {".npy": _array_rows, ".json": _json_rows}.get(path.suffix.lower(), _text_rows)(path)
        places, faults = _read_rows(path, rows)
    except OSError as error:
        raise UserError(f"{path}: cannot be read", cause=error.strerror or str(error)) from None
    raise_all(str(path), faults)
    if not places:
        raise UserError(f"{path}: there is no point in it", remedy=_TABLE_REMEDY)
    return places


_PointRow = tuple[str, tuple[str, str] | UserError]
"""The place of a row in its file, such as "line 3", and its cells for u and v, or what is wrong with it."""


def _read_rows(path: Path, rows: Iterator[_PointRow]) -> tuple[list[Place], list[UserError]]:
    """Parse all rows of a file. The errors of malformed rows are returned, too."""
    places, faults = [], []
    for where, cells in rows:
        try:
            if isinstance(cells, UserError):
                raise cells
            places.append(_parse_place(*cells))
        except UserError as error:
            faults.append(UserError(f"{path}, {where}: {error.problem}", error.cause, error.remedy))
    return places, faults


def _parse_named_place(word: str) -> tuple[str, Place]:
    """Parse a word like ``red=320,240`` into the name in lower case and the place."""
    name, _, where = (part.strip() for part in word.partition("="))
    cells = [cell.strip() for cell in where.split(",")]
    if not re.fullmatch(r"\w+", name) or len(cells) != 2 or not all(_NUMBER.fullmatch(cell) for cell in cells):
        raise UserError(
            f"--point {word}: this is not NAME=U,V",
            remedy="write it like --point red=320,240 in pixels, or red=50%,40% of the picture",
        )
    try:
        return name.lower(), _parse_place(*cells)
    except UserError as error:
        raise UserError(f"--point {word}: {error.problem}", error.cause, error.remedy) from None


def _parse_place(u: str, v: str) -> Place:
    """Parse the two numbers of a place, each in pixels or with a per-cent sign."""
    found = [_NUMBER.fullmatch(cell.strip()) for cell in (u, v)]
    if found[0] is None or found[1] is None:
        raise UserError(f"{u},{v} are not two numbers", remedy=_POINT_REMEDY)
    numbers = [float(match[1]) for match in found if match]
    percents = [bool(match[2]) for match in found if match]
    if not all(math.isfinite(number) for number in numbers):
        raise UserError(f"{u},{v} are not finite numbers", remedy=_POINT_REMEDY)
    if percents[0] != percents[1]:
        raise UserError(f"{u},{v}: one is in per cent, and the other is not", remedy="give both in the same way")
    if percents[0] and not all(0 <= number <= 100 for number in numbers):
        raise UserError(f"{u},{v} lies outside the picture", remedy="give 0 % to 100 % of its width and height")
    if min(numbers) < -0.5:
        raise UserError(
            f"{u},{v} lies outside the picture",
            cause="pixels count from 0 at the left and the upper border",
            remedy=_POINT_REMEDY,
        )
    return Place(numbers[0], numbers[1], percents[0])


def _text_rows(path: Path) -> Iterator[_PointRow]:
    """Yield the rows of a text file."""
    try:
        lines = read_bounded(path, MOST_TEXT).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{path}: this is not UTF-8 text", remedy="text, .json or .npy holds points") from None
    columns: tuple[int, int] | None = None
    first = True
    for number, line in enumerate(lines, start=1):
        cells = _split_cells(line)
        if not cells:
            continue
        if first and _is_header(cells):
            columns = _find_columns(path, number, cells)
        else:
            yield f"line {number}", _pick_cells(cells, columns)
        first = False


def _split_cells(line: str) -> list[str]:
    """Split a line of a text file into cells; an empty line or a comment has none."""
    if not line.strip() or line.lstrip().startswith("#"):
        return []
    cells = next(csv.reader([line])) if "," in line else line.split()
    return [cell.strip() for cell in cells]


def _is_header(cells: Sequence[str]) -> bool:
    """Whether the cells of a first line are the names of columns."""
    return not any(_NUMBER.fullmatch(cell) for cell in cells[:2]) and all(re.match(r"[^\W\d]", cell) for cell in cells)


def _find_columns(path: Path, number: int, cells: Sequence[str]) -> tuple[int, int]:
    """The indices of the columns u and v in a first line that names the columns."""
    names = [cell.lower() for cell in cells]
    if names.count("u") != 1 or names.count("v") != 1:
        raise UserError(
            f"{path}, line {number}: the columns {', '.join(cells)} are not named u and v", remedy=_TABLE_REMEDY
        )
    return names.index("u"), names.index("v")


def _pick_cells(cells: Sequence[str], columns: tuple[int, int] | None) -> tuple[str, str] | UserError:
    """The cells for u and v: those of the named columns, or both cells if the columns have no names."""
    if columns is None and len(cells) == 2:
        return cells[0], cells[1]
    if columns is not None and max(columns) < len(cells):
        return cells[columns[0]], cells[columns[1]]
    return UserError(f"{len(cells)} column{'s' if len(cells) != 1 else ''}, not u and v", remedy=_TABLE_REMEDY)


def _json_rows(path: Path) -> Iterator[_PointRow]:
    """Yield the rows of a JSON file."""
    content = read_json_file(path)
    if not isinstance(content, list):
        raise UserError(f"{path}: this is no list of [u, v]", remedy="write [[320, 240], [10, 20]]")
    for number, item in enumerate(content, start=1):
        yield f"item {number}", _json_cells(item)


def _json_cells(item: Any) -> tuple[str, str] | UserError:
    """The cells for u and v of one item of a JSON file."""
    if isinstance(item, list) and len(item) == 2 and all(type(each) in (int, float) for each in item):
        return repr(item[0]), repr(item[1])
    return UserError(f"{shown(item, json.dumps)} is not [u, v]", remedy="give two numbers, in pixels")


def _array_rows(path: Path) -> Iterator[_PointRow]:
    """Yield the rows of a NumPy file."""
    array = read_array(path)
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iuf":
        raise UserError(
            f"{path}: the array is {array.shape} {array.dtype}, not (N, 2) numbers",
            remedy="save (u, v) in pixels, one a row",
        )
    for number, (u, v) in enumerate(array.tolist()):
        yield f"row {number}", (repr(u), repr(v))
