"""Where a user says that points are: in pixels or in per cent of the picture, on the command line or in a file."""

import csv
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.errors import UserError, raise_all

_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|[-+]?(?:nan|inf|infinity)) *(%?)", re.IGNORECASE)


_REMEDY = "write U,V in pixels (320,240) or in per cent of the picture (50%,40%)"


_TABLE = "write one U,V a line, or a first line that names the columns u and v"


@dataclass(frozen=True)
class Place:
    """A place in a picture.

    Attributes:
        u: To the right [px of the upright picture], or in per cent of its width.
        v: Down [px], or in per cent of its height.
        percent: Whether u and v are in per cent: 0 is the left or upper border, 100 the right or lower one.
    """

    u: float
    v: float
    percent: bool = False

    def pixel(self, width: int, height: int) -> tuple[float, float]:
        """(u, v) [px] in a picture of that size; per cent always lie in it, pixels may lie outside."""
        if not self.percent:
            return self.u, self.v
        u, v = (share / 100 * size - 0.5 for share, size in ((self.u, width), (self.v, height)))
        return min(max(u, 0.0), width - 1.0), min(max(v, 0.0), height - 1.0)


def parse_points(given: Sequence[str]) -> dict[str, Place]:
    """Places by name, in lower case, from words like ``red=320,240`` or ``red=50%,40%``.

    Raises:
        UserError: If words are malformed or names come twice; all faults together.
    """
    points: dict[str, Place] = {}
    faults = []
    for word in given:
        try:
            name, place = _named_place(word)
        except UserError as error:
            faults.append(error)
            continue
        if name in points:
            faults.append(UserError(f"--point {name} is given twice", remedy="give each point a colour of its own"))
        points[name] = place
    if len(faults) == 1:
        raise faults[0]
    raise_all("--point", faults)
    return points


def parse_points_file(path: Path) -> list[Place]:
    """Places from a file, in its order.

    By the file's ending: ``.npy`` holds an array (N, 2) [px], ``.json`` a list of [u, v] [px]; any other is
    text with one ``u,v`` a line, in pixels or per cent, separated by commas or blanks. Empty lines and those
    that begin with "#" are left out. Where the first line names the columns, those called u and v are taken
    and others left; without one, there must be two columns.

    Raises:
        UserError: If it cannot be read, or holds no place.
        UserErrors: If places are malformed; all of them.
    """
    try:
        rows = {".npy": _array_rows, ".json": _json_rows}.get(path.suffix.lower(), _text_rows)(path)
        places, faults = _read_rows(path, rows)
    except OSError as error:
        raise UserError(f"{path}: cannot be read", cause=error.strerror or str(error)) from None
    raise_all(str(path), faults)
    if not places:
        raise UserError(f"{path}: there is no point in it", remedy=_TABLE)
    return places


Row = tuple[str, tuple[str, str] | UserError]
"""Where a row stands ("line 3"), and its two cells, or what is wrong with it."""


def _read_rows(path: Path, rows: Iterator[Row]) -> tuple[list[Place], list[UserError]]:
    places, faults = [], []
    for where, cells in rows:
        try:
            if isinstance(cells, UserError):
                raise cells
            places.append(_place(*cells))
        except UserError as error:
            faults.append(UserError(f"{path}, {where}: {error.problem}", error.cause, error.remedy))
    return places, faults


def _named_place(word: str) -> tuple[str, Place]:
    name, _, where = (part.strip() for part in word.partition("="))
    cells = [cell.strip() for cell in where.split(",")]
    if not re.fullmatch(r"\w+", name) or len(cells) != 2 or not all(_NUMBER.fullmatch(cell) for cell in cells):
        raise UserError(
            f"--point {word}: this is not NAME=U,V",
            remedy="write it like --point red=320,240 in pixels, or red=50%,40% of the picture",
        )
    try:
        return name.lower(), _place(*cells)
    except UserError as error:
        raise UserError(f"--point {word}: {error.problem}", error.cause, error.remedy) from None


def _place(u: str, v: str) -> Place:
    found = [_NUMBER.fullmatch(cell.strip()) for cell in (u, v)]
    if found[0] is None or found[1] is None:
        raise UserError(f"{u},{v} are not two numbers", remedy=_REMEDY)
    numbers = [float(match[1]) for match in found if match]
    percents = [bool(match[2]) for match in found if match]
    if not all(math.isfinite(number) for number in numbers):
        raise UserError(f"{u},{v} are not finite numbers", remedy=_REMEDY)
    if percents[0] != percents[1]:
        raise UserError(f"{u},{v}: one is in per cent, and the other is not", remedy="give both in the same way")
    if percents[0] and not all(0 <= number <= 100 for number in numbers):
        raise UserError(f"{u},{v} lies outside the picture", remedy="give 0 % to 100 % of its width and height")
    if min(numbers) < -0.5:
        raise UserError(
            f"{u},{v} lies outside the picture",
            cause="pixels count from 0 at the left and the upper border",
            remedy=_REMEDY,
        )
    return Place(numbers[0], numbers[1], percents[0])


def _text_rows(path: Path) -> Iterator[Row]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{path}: this is not UTF-8 text", remedy="text, .json or .npy holds points") from None
    columns: tuple[int, int] | None = None
    first = True
    for number, line in enumerate(lines, start=1):
        cells = _cells(line)
        if not cells:
            continue
        if first and _is_header(cells):
            columns = _columns(path, number, cells)
        else:
            yield f"line {number}", _chosen(cells, columns)
        first = False


def _cells(line: str) -> list[str]:
    if not line.strip() or line.lstrip().startswith("#"):
        return []
    cells = next(csv.reader([line])) if "," in line else line.split()
    return [cell.strip() for cell in cells]


def _is_header(cells: Sequence[str]) -> bool:
    return not any(_NUMBER.fullmatch(cell) for cell in cells[:2]) and all(re.match(r"[^\W\d]", cell) for cell in cells)


def _columns(path: Path, number: int, cells: Sequence[str]) -> tuple[int, int]:
    names = [cell.lower() for cell in cells]
    if names.count("u") != 1 or names.count("v") != 1:
        raise UserError(f"{path}, line {number}: the columns {', '.join(cells)} are not named u and v", remedy=_TABLE)
    return names.index("u"), names.index("v")


def _chosen(cells: Sequence[str], columns: tuple[int, int] | None) -> tuple[str, str] | UserError:
    if columns is None and len(cells) == 2:
        return cells[0], cells[1]
    if columns is not None and max(columns) < len(cells):
        return cells[columns[0]], cells[columns[1]]
    return UserError(f"{len(cells)} column{'s' if len(cells) != 1 else ''}, not u and v", remedy=_TABLE)


def _json_rows(path: Path) -> Iterator[Row]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise UserError(f"{path}: this is not valid JSON", cause=str(error)) from None
    if not isinstance(content, list):
        raise UserError(f"{path}: this is no list of [u, v]", remedy="write [[320, 240], [10, 20]]")
    for number, item in enumerate(content, start=1):
        yield f"item {number}", _json_cells(item)


def _json_cells(item: Any) -> tuple[str, str] | UserError:
    if isinstance(item, list) and len(item) == 2 and all(type(each) in (int, float) for each in item):
        return repr(item[0]), repr(item[1])
    return UserError(f"{json.dumps(item)} is not [u, v]", remedy="give two numbers, in pixels")


def _array_rows(path: Path) -> Iterator[Row]:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise UserError(f"{path}: this is no NumPy array", cause=str(error)) from None
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iuf":
        shape = f"{getattr(array, 'shape', '')} {getattr(array, 'dtype', '')}".strip()
        raise UserError(f"{path}: the array is {shape}, not (N, 2) numbers", remedy="save (u, v) in pixels, one a row")
    for number, (u, v) in enumerate(array.tolist()):
        yield f"row {number}", (repr(u), repr(v))
