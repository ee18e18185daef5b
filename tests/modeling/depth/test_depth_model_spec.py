"""What follows ``depth:``, and what reports make of it."""

from pathlib import Path

import pytest

from toolkit.errors import UserError
from toolkit.modeling.depth.depth_model_spec import DepthSpec

BOTH = ("metric", "relative")


def test_a_name_alone() -> None:
    assert DepthSpec.parse("Intel/dpt-large") == DepthSpec("Intel/dpt-large")


def test_options() -> None:
    spec = DepthSpec.parse("runs/my depth?kind=metric&align=median&depth_type=euclidean")
    assert spec == DepthSpec("runs/my depth", kind="metric", align="median", depth_type="euclidean")


def test_all_faults_are_told_together() -> None:
    with pytest.raises(UserError) as error:
        DepthSpec.parse("a/b?kin=metric&align=medan&kind=metric&kind=relative")
    assert all(part in str(error.value) for part in ("'kin'", "did you mean kind", "did you mean median", "twice"))


def test_a_name_is_needed() -> None:
    with pytest.raises(UserError, match="no depth model is named"):
        DepthSpec.parse("?kind=metric")


def test_what_is_usual() -> None:
    assert DepthSpec("m").settled(BOTH, "metric", False) == DepthSpec("m", "metric", "none", None, "z")
    assert DepthSpec("m").settled(BOTH, "relative", False) == DepthSpec("m", "relative", "scale_shift", None, "z")
    assert DepthSpec("m").settled(("metric",), "metric", True).focal == "camera"


def test_what_is_said_wins_over_what_the_files_tell() -> None:
    assert DepthSpec("m", kind="metric").settled(BOTH, "relative", False).kind == "metric"


def test_a_kind_is_never_guessed() -> None:
    with pytest.raises(UserError, match="'depth:m\\?kind=metric'"):
        DepthSpec("m").settled(BOTH, None, False)


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        (DepthSpec("m", align="none"), "relative depth takes no align=none"),
        (DepthSpec("m", kind="metric", align="scale_shift"), "metric depth takes no align=scale_shift"),
        (DepthSpec("m", focal="camera"), "takes no focal length"),
        (DepthSpec("m", depth_type="euclidean"), "fitted to depth_z"),
    ],
)
def test_what_does_not_fit(spec: DepthSpec, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        spec.settled(BOTH, "relative", False)


def test_an_architecture_that_gives_metres_gives_nothing_else() -> None:
    with pytest.raises(UserError, match="gives metric depth"):
        DepthSpec("m", kind="relative").settled(("metric",), "metric", False)


@pytest.mark.parametrize(
    ("spec", "title"),
    [
        (DepthSpec("a/b", "metric", "none", None, "z"), "depth:a/b (metric depth)"),
        (DepthSpec("a/b", "metric", "none", "model", "z"), "depth:a/b (metric depth, focal length of the model)"),
        (DepthSpec("a/b", "metric", "none", None, "euclidean"), "depth:a/b (metric distance)"),
        (
            DepthSpec("a/b", "relative", "scale_shift", None, "z"),
            "depth:a/b (relative depth, aligned to the truth per picture by least squares on inverse depth "
            "(MiDaS, Ranftl et al. 2020, eq. 2))",
        ),
    ],
)
def test_the_title_says_what_numbers_depend_on(spec: DepthSpec, title: str) -> None:
    assert spec.title == title


@pytest.mark.parametrize(("kind", "align"), [("metric", "median"), ("relative", "median"), ("relative", "scale_shift")])
def test_whatever_knows_the_truth_says_so(kind, align) -> None:
    assert "to the truth per picture" in DepthSpec("m", kind, align, None, "z").title


def test_a_folder_is_called_by_its_name(tmp_path: Path) -> None:
    assert DepthSpec(str(tmp_path), "metric", "none").title == f"depth:{tmp_path.name} (metric depth)"
