"""The JSON form of answers is what the page ``docs/answer.md`` says."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from tests.support.answers import NUMBER, UNREAD
from tests.support.paths import ROOT
from toolkit.cli.render import answers_to_json
from toolkit.inference.answer import SCHEMA, Answer
from toolkit.inference.known_length import MeasuredLength, scale_from
from toolkit.inference.points import LocatedPoint, PointSource
from toolkit.modeling.confidence.consistency import ConsistencyCheck
from toolkit.qa.parsing.answer import Motion

PAGE = (ROOT / "docs" / "answer.md").read_text(encoding="utf-8")
ONE, SCALED, MANY = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))


def answered(**changes: Any) -> Answer:
    """An answer with all fields filled in."""
    points = {name: LocatedPoint((1620.0, 2240.5), PointSource.FLAG) for name in ("red", "blue")}
    checked = ConsistencyCheck("metric_depth", {"red": 2.0, "blue": 2.5}, 2.4, True, "2.40 m")
    return replace(NUMBER, points=points, check=checked, **changes)


def shape(value: Any) -> Any:
    """The keys of a JSON value and the types of what they hold, so that two values can be compared."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value and isinstance(value[0], dict) else "list"
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def test_the_example_of_one_answer_has_the_shape_of_a_real_one() -> None:
    real = json.loads(json.dumps(answered().to_json()))
    assert shape(real) == shape(ONE)
    assert list(real) == list(ONE)
    assert ONE["schema"] == SCHEMA


def test_the_example_of_a_scale_has_the_shape_of_a_real_one() -> None:
    scale = scale_from([MeasuredLength(("blue",), 2.4, 2.6, (1.97, 3.29), "metric_depth")])
    real = json.loads(json.dumps(answered(scale=scale).to_json()))["scale"]
    assert shape(real) == shape(SCALED["scale"])
    assert real["origin"] == SCALED["scale"]["origin"]
    assert real["known"] == SCALED["scale"]["known"]


def test_the_example_of_many_answers_has_the_shape_of_real_ones() -> None:
    real = json.loads(json.dumps(answers_to_json([NUMBER, UNREAD])))
    assert shape(real) == shape(MANY)
    assert list(real) == list(MANY)
    assert shape(MANY["answers"][1]) == shape(real["answers"][1])


@pytest.mark.parametrize("name", sorted({*ONE, *MANY}))
def test_every_field_is_explained(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_a_motion_is_written_as_the_page_says() -> None:
    (written,) = re.findall(r"`(\{\"distance\".*?\})`", PAGE)
    value = answered(value=Motion(0.52, 12.3, (0.9, 0.1, 0.4))).to_json()["value"]
    assert json.loads(written) == value
