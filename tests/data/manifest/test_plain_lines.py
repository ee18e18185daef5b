"""Tests of ``toolkit.data.manifest.plain_lines``: what it takes for sound, the full check finds sound and the same."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.data.manifest.test_manifest import HEIGHT, WIDTH, Row, mapped, pose, sound
from toolkit.data.frames.frame import DepthType
from toolkit.data.manifest import build_index as building
from toolkit.data.manifest import plain_lines
from toolkit.data.manifest.index import ManifestIndex
from toolkit.data.manifest.parse_line import ManifestLine
from toolkit.data.manifest.plain_lines import LineFacts, PlainLines, parse_lines
from toolkit.errors import UserError

TURN = [[0, -1, 0, 1.5], [1, 0, 0, 0], [0, 0, 1, -2], [0, 0, 0, 1]]

PLAIN: list[Row] = [
    sound(),
    sound(depth_map=None, distortion=None, world_from_camera=None, sequence=None, depth_scale=None),
    sound(sequence="a\u2028b", license='"\\', attribution="\u00e9"),
    sound(world_from_camera=TURN),
    sound(distortion=[0.1, 0, 0, 0.01, 0]),
    sound(distortion=[]),
    sound(pixel_coords=[[-0.5, -0.5], [WIDTH - 0.5, HEIGHT - 0.5], [0, 0]], depth=[1e-3, 1, 9999]),
    sound(image="turned3.png"),
    sound(image="./a.png"),
    sound(image="a.jpg"),
    sound(pixel_coords=[[0, 0], [1.5, 1]]),
    mapped(depth_scale=1),
    mapped(image="turned3.png"),
    mapped(pixel_coords=[[100, 100]], depth=[]),
]
"""Lines that must be taken for sound."""

UNUSUAL: list[Row] = [
    sound(**change)
    for change in (
        {"image": ...},
        {"image": ""},
        {"image": 3},
        {"image": "missing.png"},
        {"image": "a.png\0"},
        {"image": "turned6.png"},
        {"image": "words.png"},
        {"intrinsics": ...},
        {"intrinsics": [10, 11, 3.5, 2.5, WIDTH]},
        {"intrinsics": [10, 11, 3.5, 2.5, WIDTH, HEIGHT, 1]},
        {"intrinsics": [10, 11, 3.5, 2.5, WIDTH, "6"]},
        {"intrinsics": [10, 11, 3.5, 2.5, WIDTH, True]},
        {"intrinsics": [10, None, 3.5, 2.5, WIDTH, HEIGHT]},
        {"intrinsics": [10, 11, 3.5, 2.5, WIDTH + 1, HEIGHT]},
        {"intrinsics": [1e5, 11, 3.5, 2.5, WIDTH, HEIGHT]},
        {"intrinsics": [10, 11, 9, 2.5, WIDTH, HEIGHT]},
        {"intrinsics": [10, 11, 3.5, 2.5, WIDTH + 0.5, HEIGHT]},
        {"intrinsics": {"fx": 10}},
        {"pixel_coords": ...},
        {"pixel_coords": []},
        {"pixel_coords": [[1, 2]]},
        {"pixel_coords": [[1, 2], [7.5]]},
        {"pixel_coords": [[1, 2], [7.5, 5, 1]]},
        {"pixel_coords": [[1, 2], None]},
        {"pixel_coords": [[1, 2], [None, 2]]},
        {"pixel_coords": [[1, 2], [7.6, 5]]},
        {"pixel_coords": [[1, 2], [1, -0.6]]},
        {"pixel_coords": [[1, 2], [1, float("nan")]]},
        {"pixel_coords": [[1, 2], [True, 1]]},
        {"pixel_coords": [1, 2]},
        {"depth": ...},
        {"depth": [1]},
        {"depth": [1, 0]},
        {"depth": [1, -1]},
        {"depth": [1, float("inf")]},
        {"depth": [1, 10_000]},
        {"depth": [1, 1e9]},
        {"depth": [1, None]},
        {"depth": [1, False]},
        {"depth": [1, "2"]},
        {"depth": 2},
        {"depth": [1, 10**400]},
        {"depth_type": ...},
        {"depth_type": None},
        {"depth_type": "Z"},
        {"depth_type": 1},
        {"depth_map": "missing.png", "depth_scale": 1},
        {"depth_map": "d.png"},
        {"depth_map": "d.png", "depth_scale": 0},
        {"depth_map": "d.png", "depth_scale": float("inf")},
        {"depth_map": "d.png", "depth_scale": "1"},
        {"depth_map": "d.png", "depth_scale": 10},
        {"depth_map": "d.png", "depth_scale": 5000},
        {"depth_map": "d.npy", "depth_scale": 1e300},
        {"pixel_coords": [[0.2, 0.3], [0.5, 0.5]]},
        {"pixel_coords": [[0, 0], [1, 1]]},
        {"image": "turned3.png", "world_from_camera": pose()},
        {"depth_map": "", "depth_scale": 1},
        {"distortion": [0.1, 0, 0]},
        {"distortion": [0.1, 0, 0, 0, None]},
        {"world_from_camera": pose()[:3]},
        {"world_from_camera": [[2, 0, 0, 0], *pose()[1:]]},
        {"world_from_camera": [[-1, 0, 0, 0], *pose()[1:]]},
        {"world_from_camera": [[1.00047, 0, 0, 0], *pose()[1:]]},
        {"world_from_camera": [[1e200, 1e200, 0, 0], *pose()[1:]]},
        {"world_from_camera": [[1, 0, 0, float("inf")], *pose()[1:]]},
        {"world_from_camera": [[1, 0, 0, None], *pose()[1:]]},
        {"world_from_camera": [None, *pose()[1:]]},
        {"world_from_camera": [*pose()[:3], [0, 0, 0, 1.00001]]},
        {"world_from_camera": []},
        {"sequence": 7},
        {"sequence": "\ud800"},
        {"license": ["CC0"]},
        {"license": "{CC0}"},
        {"colour": "red"},
        {"IMAGE": "a.png"},
    )
]
"""Lines that are faulty, or sound but so unusual that the full check must judge them."""

TEXTS = [
    "[]",
    "3",
    "null",
    "{}",
    "{",
    "}",
    "{}{}",
    "{} {}",
    "\u00a0{}",
    '{"image": "a.png", "image": "b.png"}',
    '{"sequence": {"image": "a.png"}}',
    json.dumps(sound()) * 2,
    json.dumps(sound()) + "\0",
    json.dumps(sound()) + "\0x",
    json.dumps(sound()) + ",",
    json.dumps(sound()) + "null",
    json.dumps(sound()) + " null " + json.dumps(sound()),
    json.dumps(sound()) + "null}",
    json.dumps(sound())[:-1] + ",}",
    "[" + json.dumps(sound()) + "]",
    json.dumps(sound())[:40],
    json.dumps(sound())[40:],
    json.dumps(sound()).replace("10,", "010,"),
    json.dumps(sound()).replace("10,", "+10,"),
    json.dumps(sound()).replace("10,", "10.,"),
    json.dumps(sound()).replace("10,", ".1e2,"),
    json.dumps(sound()).replace("10,", "1_0,"),
    json.dumps(sound()).replace("10,", "0xA,"),
    json.dumps(sound()).replace("a.png", "a\t.png"),
    json.dumps(sound()).replace("a.png", "\\x61.png"),
    json.dumps(sound()).replace('"', "'"),
    json.dumps(sound()) + " // a wall",
    json.dumps(sound(depth=[1, float("inf")])).replace("Infinity", "Inf"),
    '{"depth": ' + "[" * 3000 + "]" * 3000 + "}",
]
"""Lines that are no JSON objects, or two, or objects in odd writing."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures, sound and not, and a depth map."""
    here = tmp_path_factory.mktemp("plain")
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    picture.save(here / "a.png")
    picture.save(here / "a.jpg")
    exif = Image.Exif()
    for orientation in (3, 6):
        exif[274] = orientation
        picture.save(here / f"turned{orientation}.png", exif=exif)
    (here / "words.png").write_text("no picture")
    cv2.imwrite(str(here / "d.png"), np.full((HEIGHT, WIDTH), 1500, np.uint16))
    np.save(here / "d.npy", np.full((HEIGHT, WIDTH), 0.5))
    return here


def fully_checked(folder: Path, text: str, depth_type: DepthType | None) -> LineFacts | None:
    """What the full check finds in a line; None if it has faults."""
    line = ManifestLine("m.jsonl, line 1", folder, depth_type)
    frame = line.frame(text, decode=False)
    assert (frame is None) == bool(line.faults)
    return None if frame is None else LineFacts.of(line, frame)


def plainly_checked(folder: Path, texts: Sequence[str], depth_type: DepthType | None = None) -> list[LineFacts | None]:
    return list(PlainLines(folder, depth_type).facts(parse_lines(texts)))


@pytest.mark.parametrize("row", PLAIN)
def test_sound_lines_are_known(folder: Path, row: Row) -> None:
    text = json.dumps(row)
    (facts,) = plainly_checked(folder, [text])
    assert facts is not None and facts == fully_checked(folder, text, None)


def test_lines_without_a_depth_type_are_known_if_the_caller_states_it(folder: Path) -> None:
    text = json.dumps(sound(depth_type=...))
    assert plainly_checked(folder, [text], "z") == [fully_checked(folder, text, "z")] != [None]
    assert plainly_checked(folder, [text]) == [None]


@pytest.mark.parametrize("text", [*map(json.dumps, UNUSUAL), *TEXTS])
def test_unusual_lines_are_left_to_the_full_check(folder: Path, text: str) -> None:
    """They stay so among others, and the others stay known."""
    other = json.dumps(sound(sequence="other"))
    assert plainly_checked(folder, [text]) == [None]
    among = plainly_checked(folder, [other] * 20 + [text] + [other] * 20)
    assert among[20] is None and among[0] is not None and among[-1] is not None


def test_an_object_in_two_lines_beside_two_in_one_line(folder: Path) -> None:
    text = json.dumps(sound())
    assert plainly_checked(folder, [text + text, text[:40], text[40:]]) == [None] * 3
    assert plainly_checked(folder, [text + text, '{"sequence":', '{"image": "a.png"}}']) == [None] * 3


def test_lines_that_are_too_long_for_arrow(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain_lines, "_MOST_BYTES", 100)
    assert plainly_checked(folder, [json.dumps(sound())]) == [None]


numbers = st.sampled_from(
    [0, 1, -0.0, 0.25, 2.5, 256, 1e4, 5, 6, 7.5, 8, -0.5, 1e-320, 1e308, True, None, "1", float("nan")]
)
rows = st.builds(
    lambda base, changes: {**base, **changes},
    st.sampled_from(PLAIN),
    st.dictionaries(
        st.sampled_from([*sound(), "depth_map", "depth_scale", "distortion", "world_from_camera", "sequence", "x"]),
        st.one_of(
            numbers,
            st.lists(numbers, max_size=6),
            st.lists(st.lists(numbers, min_size=1, max_size=3), max_size=4),
            st.sampled_from(["a.png", "turned3.png", "turned6.png", "d.png", "d.npy", "z", "", "words.png", {}]),
        ),
        max_size=2,
    ),
)
edits = st.lists(
    st.tuples(
        st.integers(0, 300),
        st.integers(0, 3),
        st.sampled_from([*' ,:{}[]"\\\0\t10.e-', "{}", "null", "NaN", "null}", ""]),
    ),
    max_size=3,
)


def edited(row: Row, changes: list[tuple[int, int, str]]) -> str:
    text = json.dumps(row)
    for place, removed, added in changes:
        text = text[:place] + added + text[place + removed :]
    return text


@given(lines=st.lists(st.builds(edited, rows, edits), min_size=1, max_size=8), stated=st.sampled_from([None, "z"]))
def test_what_is_taken_for_sound_is_sound(folder: Path, lines: list[str], stated: Any) -> None:
    lines = [line for line in lines if line.strip()] or ["{}"]
    for facts, text in zip(plainly_checked(folder, lines, stated), lines, strict=True):
        assert facts is None or facts == fully_checked(folder, text, stated)


def built(path: Path, plain_from: int, decode: bool, patch: pytest.MonkeyPatch) -> ManifestIndex | str:
    """The index of a manifest, or the errors."""
    patch.setattr(building, "_PLAIN_FROM", plain_from)
    with path.open("rb") as file:
        try:
            return building.build_index(path, file, None, decode)
        except UserError as fault:
            return str(fault)


@pytest.mark.parametrize("decode", [False, True])
def test_the_index_and_all_messages_stay_the_same(folder: Path, decode: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_BATCH", 1000)
    good = [row for row in [*PLAIN, *UNUSUAL] if fully_checked(folder, json.dumps(row), None)]
    texts = [json.dumps(row) for row in good] * 2
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:100])
    damaged = [json.dumps(sound(image="cut.png")), json.dumps(mapped(depth_map="words.png"))]
    path = folder / "whole.jsonl"
    for lines, sound_ones in ((texts, True), (texts + damaged, not decode), (texts + TEXTS, False)):
        path.write_text("\n".join(["", *lines[:9], "  ", *lines[9:]]))
        plain, full = (built(path, count, decode, monkeypatch) for count in (1, 10**9))
        if sound_ones:
            assert isinstance(plain, ManifestIndex) and isinstance(full, ManifestIndex)
            assert plain.rows.tolist() == full.rows.tolist() and plain.names == full.names
            assert plain.posed.tolist() == full.posed.tolist() and len(plain.rows) == len(lines)
        else:
            assert isinstance(plain, str) and plain == full
