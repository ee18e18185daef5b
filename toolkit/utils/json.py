"""Turning values into what JSON can hold, and reading JSON that may come from anywhere."""

import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from toolkit.errors import UserError

_LARGEST = 1 << 28  # bytes of a JSON file that is read whole


def to_json(value: Any) -> Any:
    """A value as JSON can hold it: dataclasses become objects, NaN and infinity become null."""
    if is_dataclass(value) and not isinstance(value, type):
        return to_json(asdict(value))
    if isinstance(value, Mapping):
        return {key: to_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def parse_json(text: str) -> Any:
    """The value that a JSON text holds.

    Raises:
        ValueError: If the text is not JSON, is nested too deeply, or holds a number of thousands of digits.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError:
        raise ValueError("a number in it has thousands of digits") from None


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
        if path.stat().st_size > _LARGEST:
            raise UserError(f"{path}: this file is too large to be read", f"it has over {_LARGEST:,} bytes", remedy)
        return parse_object(path.read_text(encoding="utf-8"))
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


def _kind(value: object) -> str:
    """What a JSON value is, in words."""
    kinds = {list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return kinds.get(type(value), "null")
