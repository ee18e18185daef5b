"""Turning values into what JSON can hold and into JSON, and reading JSON that others wrote."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from toolkit.errors import UserError
from toolkit.foreign_text import json_escaped
from toolkit.utils.bounded_file import MOST_TEXT, read_bounded

_SHOWN = 80  # characters of a value in a message
_LARGEST = 1 << 28  # bytes of a JSON file of a model


def to_json(value: Any) -> Any:
    """A value as JSON can hold it: dataclasses become objects, NaN and infinity become null."""
    if is_dataclass(value) and not isinstance(value, type):
        return to_json(asdict(value))
    if isinstance(value, Mapping):
        return {key: to_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def dump_json(value: Any, indent: int | None = None) -> str:
    """JSON that keeps accents readable, and escapes all characters that a terminal would obey or hide."""
    return json_escaped(json.dumps(value, indent=indent, ensure_ascii=False))


def parse_json(text: str) -> Any:
    """The value that a JSON text from outside holds.

    Raises:
        ValueError: If the text is not JSON, is nested too deeply, or holds a number of thousands of digits.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise ValueError("it has too many brackets inside one another") from None
    except ValueError:  # the only other fault of json.loads (Python manual, sys.set_int_max_str_digits)
        raise ValueError("a number in it has thousands of digits") from None


def from_json(text: str | bytes) -> Any:
    """Like ``parse_json``, for text or its bytes in UTF-8, with an error for the user.

    Raises:
        UserError: If it is not JSON, or nests too deeply, or holds a number with too many digits.
    """
    try:
        return parse_json(text.decode("utf-8-sig") if isinstance(text, bytes) else text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}" if error.lineno > 1 else f"column {error.colno}"
        raise UserError(f"malformed JSON at {place}: {error.msg}") from None
    except UnicodeDecodeError:
        raise UserError("it is not UTF-8 text") from None
    except ValueError as error:
        raise UserError(f"malformed JSON: {error}") from None


def parse_object(text: str) -> dict[str, Any]:
    """The object that a JSON text holds.

    Raises:
        ValueError: If the text is not JSON (see ``parse_json``), or holds anything but an object.
    """
    value = parse_json(text)
    if not isinstance(value, dict):
        raise ValueError(f"it holds {_kind(value)} where an object, {{...}}, is expected")
    return value


def read_object(path: Path, remedy: str) -> dict[str, Any]:
    """The object that a JSON file holds.

    Args:
        path: The file.
        remedy: What the user can do if the file is damaged.

    Raises:
        FileNotFoundError: If there is no such file.
        UserError: If it cannot be read, or does not hold a JSON object.
    """
    try:
        return parse_object(read_bounded(path, _LARGEST).decode("utf-8"))
    except UserError as fault:
        raise UserError(fault.problem, fault.cause, remedy or fault.remedy) from None
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise UserError(f"{path}: this file cannot be read", error.strerror or str(error), remedy) from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: this is not JSON", "it is not UTF-8 text", remedy) from None
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: this is not JSON", str(error), remedy) from None
    except ValueError as error:
        raise UserError(f"{path}: this cannot be used", str(error), remedy) from None


def read_json_file(path: Path, most: int = MOST_TEXT) -> Any:
    """The content of a JSON file from outside.

    Args:
        path: The file.
        most: The greatest size that it may have [bytes].

    Raises:
        OSError: If it is missing or cannot be read.
        UserError: If it is no regular file, or larger, or not JSON.
    """
    content = read_bounded(path, most)
    try:
        return from_json(content)
    except UserError as fault:
        raise UserError(f"{path}: this is not valid JSON", fault.problem) from None


def shown(value: Any, write: Callable[[Any], str] = repr) -> str:
    """A value from outside as a message shows it: cut after some characters.

    Args:
        value: The value.
        write: How it is written: as in Python, or by ``json.dumps`` as in the user's file.
    """
    try:
        text = write(value)
    except (TypeError, ValueError, RecursionError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _kind(value: object) -> str:
    """What a JSON value is, in words."""
    kinds = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return kinds.get(type(value), "null")
