"""``--known`` on the command line: what is printed, and what is refused before a model is loaded."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.command import Run
from tests.support.paths import ROOT
from toolkit.inference.cloud.point_cloud import PointCloud

pytestmark = pytest.mark.slow

ROOM = ROOT / "docs" / "room.png"
ASK = ("ask", ROOM, "how far is the red point", "--point", "red=165,190", "--fov", 75, "--model", "tiny")
BLUE = ("--point", "blue=60,120")


def test_an_answer_says_its_factor_and_where_it_comes_from(run: Run) -> None:
    own = json.loads(run(*ASK, "--json")[1])
    code, out, err = run(*ASK, *BLUE, "--known", "blue=2.4m", "--json")
    assert code == 0, err
    answer = json.loads(out)
    (known,) = answer["scale"]["known"]
    assert known["points"] == ["blue"] and known["length"] == 2.4
    assert answer["scale"]["factor"] == pytest.approx(2.4 / known["answered"])
    assert answer["value"] == pytest.approx(own["value"] * 2.4 / known["answered"])
    assert answer["text"] == own["text"] and own["scale"] is None
    code, out, err = run(*ASK, *BLUE, "--known", "blue=7'10\"")
    assert (code, out.endswith(" m\n")) == (0, True)
    assert "scale    all lengths x " in err and "blue is 2.39 m, the model says" in err


def test_many_points_share_one_factor(run: Run) -> None:
    words = ("ask", ROOM, "how far is it", "--grid", "2x2", "--fov", 75, "--model", "tiny")
    own = json.loads(run(*words, "--json")[1])
    code, out, err = run(*words, "--json", *BLUE, "--known", "blue=2.4m")
    assert code == 0, err
    made = json.loads(out)
    for before, after in zip(own["answers"], made["answers"], strict=True):
        assert after["value"] == pytest.approx(before["value"] * made["scale"]["factor"])
    code, out, err = run(*words, *BLUE, "--known", "blue=24m")
    assert code == 0 and "scale    all lengths x " in err and "times as long as the model says" in err


def test_a_cloud_is_scaled(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[PointCloud] = []
    monkeypatch.setattr(PointCloud, "write_ply", lambda self, path: written.append(self))
    words = ("cloud", ROOM, "-o", tmp_path / "a.ply", "--fov", 75, "--model", "tiny", "--columns", 4, "--levels", 0)
    run(*words)
    code, _, err = run(*words, *BLUE, "--known", "blue=2.4m")
    assert code == 0, err
    assert "scale    all lengths x " in err
    ratio = np.linalg.norm(written[1].xyz, axis=1) / np.linalg.norm(written[0].xyz, axis=1)
    assert np.ptp(ratio) < 1e-9 and ratio[0] != 1


REFUSED = {
    "no unit": ((*ASK, *BLUE, "--known", "blue=2.4"), "'2.4' has no unit"),
    "unknown point": ((*ASK, *BLUE, "--known", "bleu=2.4m"), "did you mean blue"),
    "outside": ((*ASK, "--point", "blue=600,120", "--known", "blue=2.4m"), "lies outside"),
    "zero": ((*ASK, *BLUE, "--known", "blue=0 m"), "0 m is not a positive length"),
    "all at once": ((*ASK, *BLUE, "--known", "blue=-1m", "--known", "red=9 s"), "known lengths: 2 faults"),
    "unused point": (("ask", ROOM, "how far is it", "--grid", "2x2", *BLUE), "--point cannot be given with"),
    "cloud without": (("cloud", ROOM, "-o", "a.ply", *BLUE), "--point blue is not used"),
    "height": (("cloud", ROOM, "-o", "a.ply", "--camera-height", "tall"), "--camera-height: 'tall' is not a length"),
    "with a depth map": (
        ("cloud", ROOM, "-o", "a.ply", "--depth", "d.png", "--depth-type", "z", "--camera-height", "1.5m"),
        "--camera-height cannot be given with --depth",
    ),
}


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_known_is_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], said: str
) -> None:
    monkeypatch.setattr("toolkit.cli.ask.load_asker", lambda *_: pytest.fail("the model is loaded"))
    monkeypatch.setattr("toolkit.cli.cloud.load_asker", lambda *_: pytest.fail("the model is loaded"))
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert said in err
