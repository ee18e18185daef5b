"""``toolkit models``: the published models of this method."""

import json

from tests.support.command import Run
from toolkit.modeling.published_contract import published_file, published_names


def test_all_published_models_are_listed_with_what_they_need(run: Run) -> None:
    code, out, err = run("models")
    assert code == 0, err
    assert [line.split()[0] for line in out.splitlines() if not line.startswith(" ")] == published_names()
    assert "Pixtral 12B, 24 GB of weights; licence FAIR, non-commercial: for research only; arXiv 2509.25413" in out
    assert out.count("(not yet)") == 3 and out.count("--model facebook/") == 2
    assert max(map(len, out.splitlines())) <= 120


def test_programs_get_the_same(run: Run) -> None:
    listed = json.loads(run("models", "--json")[1])
    assert [model["name"] for model in listed] == published_names()
    assert [model["status"] for model in listed] == ["now", "not yet", "now", "not yet", "not yet"]
    depthlm = listed[0]
    assert depthlm["command"].endswith("--model facebook/DepthLM") and depthlm["memory"] == 24
    assert depthlm["marker"] | {"outline": 0} == {"shape": "thin_arrow", "size": 5, "outline": 0, "colors": ["red"]}
    assert json.loads(run("models", "facebook/DepthLM", "--json")[1]) == [depthlm]


def test_one_model_is_printed_as_its_file(run: Run) -> None:
    assert run("models", "facebook/DepthLM")[1] == published_file("facebook/DepthLM").read_text(encoding="utf-8")
    code, _, err = run("models", "facebook/DepthML")
    assert code == 2 and "did you mean facebook/DepthLM" in err
