"""How points are written, on the command line and in files. All faults are reported together."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.any_json import ANY_JSON
from toolkit.errors import UserError, UserErrors
from toolkit.inference.point_syntax import Place, parse_points, parse_points_file


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ("red=320,240", Place(320, 240)),
        ("red=1.5,.25", Place(1.5, 0.25)),
        ("red=1e3,2", Place(1000, 2)),
        ("red=-0.5,0", Place(-0.5, 0)),
        ("red=50%,40%", Place(50, 40, percent=True)),
        (" Red = 50 % , 40.5% ", Place(50, 40.5, percent=True)),
    ],
)
def test_a_word_is_a_place(given: str, place: Place) -> None:
    assert parse_points([given]) == {"red": place}


def test_points_keep_their_order() -> None:
    assert list(parse_points(["red=320,240", "blue=1.5,2", "cyan=0%,0%"])) == ["red", "blue", "cyan"]
    assert parse_points([]) == {}


@pytest.mark.parametrize(
    "given",
    ["", "red", "red=", "red=1", "red=1,2,3", "red:1,2", "=1,2", "red=a,b", "red=3 20,240", "red=1,", "a b=1,2"],
)
def test_malformed_words(given: str) -> None:
    with pytest.raises(UserError, match="not NAME=U,V") as caught:
        parse_points([given])
    assert "--point red=320,240" in caught.value.remedy


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("red=50%,40", "one is in per cent, and the other is not"),
        ("red=nan,1", "not finite"),
        ("red=1,inf", "not finite"),
        ("red=1e999,1", "not finite"),
        ("red=-5,3", "outside the picture"),
        ("red=101%,3%", "outside the picture"),
        ("red=-1%,3%", "outside the picture"),
    ],
)
def test_places_that_cannot_be(given: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem) as caught:
        parse_points([given])
    assert f"--point {given}" in str(caught.value)


def test_a_point_twice() -> None:
    with pytest.raises(UserError, match="--point red is given twice"):
        parse_points(["red=1,2", "Red=3,4"])


def test_all_faults_of_all_words() -> None:
    with pytest.raises(UserErrors) as caught:
        parse_points(["red=1,2", "red=3,4", "blue=nan,1", "green"])
    assert [fault.problem.split()[1].rstrip(":") for fault in caught.value.faults] == ["red", "blue=nan,1", "green"]


@pytest.mark.parametrize(
    ("place", "pixel"),
    [
        (Place(3.5, -7), (3.5, -7)),
        (Place(50, 50, percent=True), (99.5, 49.5)),
        (Place(25, 10, percent=True), (49.5, 9.5)),
        (Place(0, 0, percent=True), (0, 0)),
        (Place(100, 100, percent=True), (199, 99)),
    ],
)
def test_pixels_in_a_picture_of_200_by_100(place: Place, pixel: tuple[float, float]) -> None:
    assert place.pixel(200, 100) == pytest.approx(pixel)


@pytest.mark.parametrize(
    "text",
    [
        "1,2\n3.5,4\n",
        "u,v\n1,2\n3.5,4",
        "\ufeffu, v\r\n1, 2\r\n\r\n3.5, 4\r\n",
        "# clicked by hand\n1 2\n3.5\t4\n",
        'name,v,u\nchair,2,1\n"table, round",4,3.5\n',
    ],
)
def test_places_in_text(tmp_path: Path, text: str) -> None:
    (tmp_path / "points.csv").write_text(text, encoding="utf-8")
    assert parse_points_file(tmp_path / "points.csv") == [Place(1, 2), Place(3.5, 4)]


def test_per_cent_in_text(tmp_path: Path) -> None:
    (tmp_path / "points.txt").write_text("50%,40%\n7,8\n")
    assert parse_points_file(tmp_path / "points.txt") == [Place(50, 40, percent=True), Place(7, 8)]


def test_places_in_json_and_arrays(tmp_path: Path) -> None:
    (tmp_path / "points.json").write_text(json.dumps([[1, 2], [3.5, 4]]))
    np.save(tmp_path / "points.npy", np.array([[1, 2], [3.5, 4]], np.float32))
    np.save(tmp_path / "whole.npy", np.array([[1, 2]]))
    assert parse_points_file(tmp_path / "points.json") == [Place(1, 2), Place(3.5, 4)]
    assert parse_points_file(tmp_path / "points.npy") == [Place(1, 2), Place(3.5, 4)]
    assert parse_points_file(tmp_path / "whole.npy") == [Place(1, 2)]


def test_all_faults_of_a_file_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_text("u,v\n1,2\nred,3\n\n4\n5%,6\nnan,1\n-3,1\n9,9,9\n")
    with pytest.raises(UserErrors) as caught:
        parse_points_file(path)
    wheres = [fault.problem.removeprefix(f"{path}, ").split(":")[0] for fault in caught.value.faults]
    assert wheres == ["line 3", "line 5", "line 6", "line 7", "line 8"]
    assert "1 column, not u and v" in str(caught.value)


def test_a_third_column_without_names_is_not_guessed_at(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text("1,2,3\n")
    with pytest.raises(UserErrors, match="line 1: 3 columns") as caught:
        parse_points_file(tmp_path / "points.csv")
    assert "names the columns u and v" in str(caught.value)


def test_faults_of_json_by_item(tmp_path: Path) -> None:
    (tmp_path / "points.json").write_text('[[1, 2], [1], {"u": 1}, [true, 1], [NaN, 1], ["1", 2]]')
    with pytest.raises(UserErrors) as caught:
        parse_points_file(tmp_path / "points.json")
    assert [fault.problem.split("item ")[1][0] for fault in caught.value.faults] == ["2", "3", "4", "5", "6"]


def test_faults_of_arrays_by_row(tmp_path: Path) -> None:
    np.save(tmp_path / "points.npy", np.array([[1, 2], [np.nan, 1]]))
    with pytest.raises(UserErrors, match=r"row 1: nan,1\.0 are not finite"):
        parse_points_file(tmp_path / "points.npy")


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", b"", "there is no point in it"),
        ("a.csv", b"u,v\n", "there is no point in it"),
        ("a.csv", b"x,y\n1,2\n", "the columns x, y are not named u and v"),
        ("a.csv", b"\xff\xfe\x00", "not UTF-8"),
        ("a.json", b"[]", "there is no point in it"),
        ("a.json", b"{}", "no list of"),
        ("a.json", b"[[1,", "not valid JSON"),
        ("a.npy", b"junk", "no NumPy array"),
    ],
)
def test_files_that_hold_no_points(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=problem) as caught:
        parse_points_file(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_arrays_of_another_shape(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 3)))
    np.save(tmp_path / "b.npy", np.array([["a", "b"]]))
    for name, said in (("a.npy", r"\(4, 3\) float64"), ("b.npy", "<U1")):
        with pytest.raises(UserError, match=said):
            parse_points_file(tmp_path / name)


def test_a_missing_file(tmp_path: Path) -> None:
    for name in ("a.csv", "a.json", "a.npy"):
        with pytest.raises(UserError, match=f"{name}: cannot be read"):
            parse_points_file(tmp_path / name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("points")


@given(u=st.floats(0, 1e9), v=st.floats(0, 1e9), blank=st.sampled_from(["", " ", "  "]))
def test_a_place_that_is_written_is_read_back(u: float, v: float, blank: str) -> None:
    assert parse_points([f"Red{blank}={blank}{u!r},{blank}{v!r}"]) == {"red": Place(u, v)}


@given(u=st.floats(0, 100), v=st.floats(0, 100), width=st.integers(1, 9000), height=st.integers(1, 9000))
def test_per_cent_lie_in_every_picture(u: float, v: float, width: int, height: int) -> None:
    (place,) = parse_points([f"red={u!r}%,{v!r}%"]).values()
    across, down = place.pixel(width, height)
    assert 0 <= across <= width - 1
    assert 0 <= down <= height - 1
    assert across == pytest.approx(u / 100 * width - 0.5, abs=0.5)


@given(st.text(alphabet="red=0159.,%-+eE naif\x00٣²\n", max_size=20) | st.text(max_size=8))
def test_every_word_is_a_place_or_a_users_mistake(word: str) -> None:
    try:
        places = parse_points([word]).values()
    except UserError:
        return
    assert all(np.isfinite([place.u, place.v]).all() for place in places)


@given(
    content=st.binary(max_size=60)
    | st.text(alphabet='uv,0159.% \t\n"#-e', max_size=40).map(str.encode)
    | ANY_JSON.map(lambda value: json.dumps(value).encode()),
    ending=st.sampled_from([".txt", ".json", ".npy"]),
)
def test_every_file_holds_points_or_is_a_users_mistake(folder: Path, content: bytes, ending: str) -> None:
    path = folder / f"points{ending}"
    path.write_bytes(content)
    try:
        places = parse_points_file(path)
    except UserError:
        return
    assert np.isfinite([[place.u, place.v] for place in places]).all()
