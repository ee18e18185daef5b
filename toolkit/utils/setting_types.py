"""The types of settings from outside, with the bounds beyond which a value is a slip and no choice.

Numbers are finite, and true and false are no numbers, though Python takes them for 1 and 0.
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

_LONGEST_PATH = 4096  # characters, as on Linux


def _check_number(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("this is to be a number, not true or false")
    return value


def _check_path(path: Path) -> Path:
    text = str(path)
    if len(text) > _LONGEST_PATH:
        raise ValueError(f"no path has {len(text)} characters")
    if "\0" in text:
        raise ValueError("no path holds the character NUL")
    if text.startswith("~"):
        raise ValueError("there is no user of this name, whose home folder ~ would stand for")
    return path


NUMBER = BeforeValidator(_check_number)
"""Marks a setting as a number."""

Share = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False), NUMBER]
"""A weight relative to other weights. One a million times as large leaves nothing to the others."""

Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), NUMBER]
"""A part of a whole, or the whole."""

ProperFraction = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False), NUMBER]
"""A part of a whole, but not the whole."""

Count = Annotated[int, Field(ge=1, le=10**9), NUMBER]
"""A number of things that are counted and not kept."""

MemoryCount = Annotated[int, Field(ge=1, le=65_536), NUMBER]
"""A number of things that are in memory at one time, such as the samples of a batch."""

Tokens = Annotated[int, Field(ge=1, le=1_000_000), NUMBER]
"""A number of tokens. No model reads more at one time."""

Seed = Annotated[int, Field(ge=0, lt=2**32), NUMBER]
"""The seed of a random generator."""

Rate = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False), NUMBER]
"""How far one step of training goes. Above 1, no network learns anything."""

Scale = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False), NUMBER]
"""A factor or a norm."""

FocalLength = Annotated[float, Field(gt=0, le=100_000, allow_inf_nan=False), NUMBER]
"""A focal length [px]. A longer one sees less than a degree of the longest picture that is made canonical."""

MAX_SIDE = 16_384
"""The longest side of a canonical picture [px]. A longer one means that the intrinsics are implausible."""

Side = Annotated[int, Field(ge=1, le=MAX_SIDE), NUMBER]
"""The length of a side of a picture [px]."""

Whole = Annotated[int, NUMBER]
"""A whole number, whose bounds are checked elsewhere."""

Real = Annotated[float, Field(allow_inf_nan=False), NUMBER]
"""A number, whose bounds are checked elsewhere."""

PlainPath = Annotated[Path, AfterValidator(_check_path)]
"""The path of a file or a folder, which need not exist."""

Line = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A word or a few words on one line."""
