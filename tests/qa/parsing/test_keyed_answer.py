"""Answers under keys: the key says which number is meant, and in which unit."""

import pytest

from toolkit.qa.parsing.answer import read_quantity
from toolkit.qa.parsing.keyed_answer import KeyedAnswer, keyed_answer
from toolkit.qa.parsing.units import unit_named

KEYED = [
    ('{"distance_m": 3.75}', 3.75),
    ('{"depthCm": 375, "confidence": 0.7}', 3.75),
    ('{"distance": "3.75", "unit": "meters", "wall_height": 2.5}', 3.75),
    ('{"distance": 375, "unit": "cm"}', 3.75),
    (
        'Here it is:\n```json\n{\n  "answer": {"value": 3.75, "units": "m"},\n  "score": 2\n}\n```\nThe door is 2 m.',
        3.75,
    ),
    ('{"points": [{"label": "red", "distance_m": 3.75}]}', 3.75),
    ('{"reasoning": "The door is 2 m tall.", "distance": "about 3.75 m"}', 3.75),
    ('{"estimated_range_m": [3, 4.5]}', 3.75),
    ('{"distance_m": 3.75, "distance_ft": 12.3}', 3.75),
    ("{'distance': 3.75, 'confidence': 0.7}", 3.75),
    ("<distance>3.75</distance><confidence>0.7</confidence>", 3.75),
    ("distance=3.75, error=0.25", 3.75),
    ("confidence: 70 %\ndistance: 3.75 m\nheight: 2 m", 3.75),
    ("Depth (cm): 375", 3.75),
    ("The door is 2 m tall. Answer: 3.75", 3.75),
    ("The door is 2 m tall.\n**Final answer**: 3.75 m", 3.75),
    ("The door is 2 m tall.\n\n### Final Answer\n3.75 m", 3.75),
    ("The door is 2 m tall, so the distance is\n\\[\\boxed{3.75\\,\\text{m}}\\]", 3.75),
    ("Two steps of 2 m give \\boxed{3.75}.", 3.75),
    ("Estimated distance from the camera to the red dot: roughly **3.75 meters**. The door is 2 m tall.", 3.75),
    ("Respuesta: 3,75 metros", 3.75),
    ("3.75, confidence: 0.7", 3.75),
    ("final=3.75;door=2", 3.75),
    ("The door is 2 m tall. Distance → 3.75 m", 3.75),
]
NOTHING = [
    '{"reasoning": "The door is 2 m tall."}',
    '{"distance": null, "height": 2}',
    '{"distance": "unknown", "height_m": 2}',
    '{"distance": true}',
    '{"red": {"distance": 2}, "blue": {"distance": 5}}',
    '{"confidence": 0.7}',
    "<distance></distance><height>2</height>",
    "Answer: unknown; the chair is 2 m wide.",
]


@pytest.mark.parametrize(("text", "meters"), KEYED)
def test_the_key_says_which_number_is_meant(text: str, meters: float) -> None:
    quantity = read_quantity(text, "m")
    assert quantity is not None
    assert quantity.value == pytest.approx(meters)


@pytest.mark.parametrize("text", NOTHING)
def test_nothing_is_read_where_the_key_has_no_value(text: str) -> None:
    assert read_quantity(text, "m") is None


def test_keys_fit_what_is_asked_for() -> None:
    text = '{"distance": 7.2, "time": 4, "speed": 1.8}'
    for unit, value in (("m", 7.2), ("s", 4.0), ("m/s", 1.8)):
        quantity = read_quantity(text, unit)
        assert quantity is not None and quantity.value == value


def test_formal_keys_are_decisive_and_those_of_prose_are_not() -> None:
    meters = unit_named("m")
    assert keyed_answer('{"distance": 2}', meters) == KeyedAnswer(("2",), decisive=True)
    assert keyed_answer("distance: 2", meters) == KeyedAnswer(("2",), decisive=False)
    assert keyed_answer('{"thought": "2 m"}', meters) == KeyedAnswer((), decisive=True)
    assert keyed_answer("It is 2 m away.", meters) is None


def test_deep_and_large_values_are_read_without_failing() -> None:
    deep = read_quantity('{"a":' * 900 + "1" + "}" * 900, "m")
    assert deep is not None and deep.value == 1.0
    for text in ('{"distance":' * 5000, '{"distance": ' + "9" * 5000 + "}", "{" * 5000):
        assert read_quantity(text, "m") is None
