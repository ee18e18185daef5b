"""Answers on a terminal, and in a pipe."""

import io
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.answers import CAMERA, NUMBER, UNREAD
from toolkit.cli.options import console
from toolkit.cli.render import camera_to_text, print_answer, print_answers
from toolkit.geometry.camera import Camera
from toolkit.geometry.plausibility import CameraSource
from toolkit.inference.answer import Answer
from toolkit.inference.camera_source import KnownCamera
from toolkit.modeling.confidence.consistency import ConsistencyCheck
from toolkit.modeling.predictor import Ending
from toolkit.qa.parsing.answer import Motion
from toolkit.utils import progress

RAW = replace(
    UNREAD, task="", prompt="what is this", points={}, text="A table, [bold]about[/bold] 2 m away.\nAnd a chair."
)
LONG = "nothing is known of the camera: a horizontal field of view of 60 degrees is assumed"

Show = Callable[..., tuple[str, str]]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    """Show an answer on a terminal of some columns, or without any in two pipes: stdout, stderr."""

    def call(answer: Answer, columns: int | None = None) -> tuple[str, str]:
        kind = io.StringIO if columns is None else Terminal
        out, err = kind(), kind()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        for name, value in {"COLUMNS": str(columns or 80), "TERM": "xterm", "NO_COLOR": "1"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(progress.err, "_width", None)  # what was imported under another COLUMNS keeps its width
        print_answer(answer, console())
        return out.getvalue(), err.getvalue()

    return call


def test_a_pipe_gets_the_answer_alone_and_unwrapped(show: Show) -> None:
    out, err = show(NUMBER)
    assert out == "2.42 m\n"
    assert err.splitlines() == [
        "  between  2.10 to 2.90 m (90%, by its own account)",
        "  asked    metric_depth: How far is the point marked by the red dot from the camera, in meters?",
        "  point    red at (1620, 2240.5), from --point",
        "  camera   65.0° wide, focal length 3164 px; 4032 x 3024 px; from EXIF FocalLengthIn35mmFilm",
        "  model    runs/all_tasks",
    ]
    assert show(RAW)[0] == RAW.text + "\n"
    assert show(UNREAD)[0] == "the answer cannot be read: 'I cannot tell.'\n"


def plain(text: str) -> list[str]:
    """The lines of a terminal without weight and colour."""
    return [
        line.rstrip() for line in text.replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "").split("\n")
    ]


def test_a_terminal_shows_the_answer_in_a_frame(show: Show) -> None:
    out, err = show(replace(NUMBER, warnings=(LONG,)), 80)
    assert plain(out)[1:5] == [
        "│                                              │",
        "│   2.42 m                                     │",
        "│   2.10 to 2.90 m (90%, by its own account)   │",
        "│                                              │",
    ]
    lines = plain(err)
    assert lines[:2] == [
        "  asked    metric_depth: How far is the point marked by the red dot from the",
        "           camera, in meters?",
    ]
    assert lines[-3:] == [
        "warning: nothing is known of the camera: a horizontal field of view of 60",
        "         degrees is assumed",
        "",
    ]


@pytest.mark.parametrize("columns", [30, 40, 80, 200])
def test_nothing_is_wider_than_the_terminal_and_no_word_is_cut(show: Show, columns: int) -> None:
    for answer in (NUMBER, UNREAD, RAW, replace(NUMBER, warnings=(LONG,))):
        out, err = show(answer, columns)
        lines = [*plain(out), *plain(err)]
        assert max(map(len, lines)) <= columns
        words = " ".join(lines).replace("│", " ").split()
        assert {"camera", "point"} <= set(words) or answer is RAW
        assert set(answer.text.split()) <= set(words)


def test_what_cannot_be_read_is_shown_as_said(show: Show) -> None:
    out, _ = show(UNREAD, 80)
    assert "the answer cannot be read" in out and "it says: I cannot tell." in out
    assert "it says nothing" in show(replace(UNREAD, text=" \n"), 80)[0]
    assert "(no words)" in show(replace(RAW, text=""), 80)[0]


@pytest.mark.parametrize("ending", [ending for ending in Ending if ending is not Ending.COMPLETE])
def test_an_answer_that_is_not_read_says_why(show: Show, ending: Ending) -> None:
    unread = replace(UNREAD, ending=ending)
    assert show(unread)[0] == f"the answer cannot be read ({ending.why_unread}): 'I cannot tell.'\n"
    framed = " ".join(show(unread, 200)[0].replace("│", " ").split())
    assert ending.why_unread in framed and "it says: I cannot tell." in framed


def test_a_table_says_why_its_answers_are_not_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress.err, "_width", 200)
    cut = replace(UNREAD, ending=Ending.CUT)
    print_answers([NUMBER, UNREAD, cut, cut])
    err = capsys.readouterr().err
    assert "3 of 4 answers cannot be read" in err and f"2 of 4: {Ending.CUT.why_unread}" in err


def test_what_a_terminal_would_obey_is_not_passed_on(show: Show) -> None:
    evil = "\x1b]0;title\x07\x1b[2Jgone"
    for answer in (replace(RAW, text=evil), replace(UNREAD, text=evil), replace(RAW, prompt=evil, warnings=(evil,))):
        out, err = show(answer, 80)
        assert "\x1b]0" not in out + err and "\x07" not in out + err and "\x1b[2J" not in out + err


def test_the_interval_of_a_motion_is_one_of_the_distance(show: Show) -> None:
    moved = replace(NUMBER, value=Motion(0.5, 12.0, (1, 0, 0)), said="0.50 m, 12.0 deg", unit="", points={})
    two = replace(moved, cameras=[NUMBER.cameras[0], KnownCamera(CAMERA, CameraSource.FOV)])
    out, err = show(two, 80)
    assert "distance moved: 2.10 to 2.90 m" in out
    assert "camera 1" in err and "camera 2" in err


def test_an_assumed_camera_is_in_the_interval(show: Show) -> None:
    assumed = replace(NUMBER, cameras=[KnownCamera(CAMERA, CameraSource.ASSUMED, scale=(0.6, 1.4))])
    out, err = show(assumed, 80)
    assert "by its own account, with any usual camera" in out
    assert "4032 x 3024 px; assumed" in err


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (
            ConsistencyCheck("metric_depth", {"red": 2.0}, 2.4, True, "2.40 m"),
            "agrees: metric_depth says red 2.00 m, which makes 2",
        ),
        (
            ConsistencyCheck("metric_depth", {"red": 6.0}, 7.0, False, "7.00 m"),
            "disagrees: metric_depth says red 6.00 m",
        ),
        (
            ConsistencyCheck("metric_depth", {"red": 6.0}, 7.0, None, "7.00 m"),
            "cannot be told: metric_depth says red 6.00 m",
        ),
        (ConsistencyCheck("metric_depth", {"red": None}, None, None), "the answers about depth cannot be read"),
    ],
)
def test_checks_are_shown(show: Show, check: ConsistencyCheck, words: str) -> None:
    assert words in show(replace(NUMBER, check=check))[1]


def test_cameras_in_words() -> None:
    skew = Camera(100, 110, 59.5, 44.5, 120, 90, (0.1, 0, 0, 0, 0))
    assert camera_to_text(KnownCamera(skew, CameraSource.FILE, Path("a.json"))).plain == (
        "61.9° wide, focal length 100 x 110 px, distortion undone; 120 x 90 px; from a.json"
    )


def test_many_answers_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    choice = replace(NUMBER, value="red", said="red", unit="", interval=None)
    print_answers([replace(NUMBER, warnings=(LONG,)), UNREAD, choice])
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "u,v,value,low,high,unit",
        "1620,2240.5,2.42,2.1,2.9,m",
        "1620,2240.5,,,,m",
        "1620,2240.5,red,,,",
    ]
    assert "warning: 1 of 3 answers cannot be read; their values are empty" in err
    assert f"warning: {LONG}" in err
