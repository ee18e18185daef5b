import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import UserError
from toolkit.qa.parsing.answer import Motion, read_choice, read_dividend, read_motion, read_quantity, write_motion

PROMISED = [  # The forms in which training answers end.
    ("2.42 m", "m", 2.42),
    ("7.23 m / 4.0 s = 1.81 m/s", "m/s", 1.81),
    ("7.23 m / 1.5 m/s = 4.82 s", "s", 4.82),
    ("<think>The point is around 2.42 meters away.</think> <answer>2.42 m</answer>", "m", 2.42),
    ("<think>The point is around 2.42 meters away.</think> <answer> 2.42 </answer>", "m", 2.42),
    ("<think>It is around 7.23 meters away.</think><answer>7.23 m / 4.0 s = 1.81 m/s</answer>", "m/s", 1.81),
]
UNITS = [
    ("240 cm", "m", 2.4),
    ("2400 millimetres", "m", 2.4),
    ("0.0024 km", "m", 2.4),
    ("8 ft", "m", 2.4384),
    ("24 in", "m", 0.6096),
    ('24"', "m", 0.6096),
    ("24 inches away", "m", 0.6096),
    ("6'", "m", 1.8288),
    ("5 feet 11 inches", "m", 1.8034),
    ("5'11\"", "m", 1.8034),
    ("5’ 11” tall", "m", 1.8034),
    ("5 ft. 11 in.", "m", 1.8034),
    ("3 yd", "m", 2.7432),
    ("0.5 miles", "m", 804.672),
    ("2 m 40 cm", "m", 2.4),
    ("2.5 min", "s", 150.0),
    ("1 minute and 30 seconds", "s", 90.0),
    ("0.5 h", "s", 1800.0),
    ("400 ms", "s", 0.4),
    ("36 km/h", "m/s", 10.0),
    ("36 kph", "m/s", 10.0),
    ("10 mph", "m/s", 4.4704),
    ("10 ft/s", "m/s", 3.048),
    ("2 meters per second", "m/s", 2.0),
    ("2 m s⁻¹", "m/s", 2.0),
    ("12.3°", "deg", 12.3),
    ("12.3 degrees", "deg", 12.3),
    ("0.5 rad", "deg", math.degrees(0.5)),
    ("2.4 m", "cm", 240.0),
    ("2.4 m", "ft", 2.4 / 0.3048),
    ("7", "", 7.0),
]
PROSE = [
    ("about 2.4 meters", "m", 2.4),
    ("The point is approximately 2.4 metres away.", "m", 2.4),
    ("Approx. 2.4m.", "m", 2.4),
    ("~3m", "m", 3.0),
    ("≈ 3 m", "m", 3.0),
    ("2.4 ± 0.1 m", "m", 2.4),
    ("2.4 m +/- 0.1", "m", 2.4),
    ("3-ish", "m", 3.0),
    ("3-ish meters", "m", 3.0),
    ("a 2.4-meter gap", "m", 2.4),
    ("2.4 away", "m", 2.4),
    ("1.2e1 m", "m", 12.0),
    (".5 m", "m", 0.5),
    ("1,250.5 m", "m", 1250.5),
    ("1,250 m", "m", 1250.0),
    ("1.250,5 m", "m", 1250.5),
    ("2,4 m", "m", 2.4),
    ("0,250 m", "m", 0.25),
    ("2½ m", "m", 2.5),
    ("2 1/2 feet", "m", 0.762),
    ("approximately two and a half meters", "m", 2.5),
    ("two meters and a half", "m", 2.5),
    ("two point four five meters", "m", 2.45),
    ("twenty-two meters", "m", 22.0),
    ("half a meter", "m", 0.5),
    ("about a meter away", "m", 1.0),
    ("a meter and a half", "m", 1.5),
    ("between 2 and 3 meters", "m", 2.5),
    ("between two and three meters", "m", 2.5),
    ("2-3 m", "m", 2.5),
    ("2–3 m", "m", 2.5),
    ("from 2 m to 3 m", "m", 2.5),
    ("at least 2 m", "m", 2.0),
    ("2.4 meters (7.9 feet)", "m", 2.4),
    ("about 1 meter (3 feet)", "m", 1.0),
    ("6.5-10 ft (2-3 m)", "m", 8.25 * 0.3048),
    ("-1.5 m", "m", -1.5),
    ("−1.5 m", "m", -1.5),
    ("minus 1.5 m", "m", -1.5),
    ("The point at (320, 240) is 2.4 m away", "m", 2.4),
    ("The point at (320, 240) is 2.4", "m", 2.4),
    ("With x = 320, y = 240 it is 2.4", "m", 2.4),
    ("Image 1 shows 2 chairs; the second one is 2.4 m away.", "m", 2.4),
    ("It takes 4 s at 2 m/s", "s", 4.0),
    ("It takes 4 s at 2 m/s", "m/s", 2.0),
    ("It is 5 m away, not 2 m.", "m", 5.0),
    ("I am 90% sure that it is 2.4", "m", 2.4),
    ("I cannot tell exactly, but about 2.4 m", "m", 2.4),
    ('{"point_2d": [320, 240], "distance": 2.4, "unit": "m"}', "m", 2.4),
    ("**2.4 m**", "m", 2.4),
]
MARKED = [
    ("the red point is 2 m away, the blue one 5 m, so the answer is 5 m", "m", 5.0),
    ("the red point is 2 m away, the blue one 5 m; 2 m + 3 m = 5 m", "m", 5.0),
    ("<answer>2 m</answer> No: <answer>5 m", "m", 5.0),
    ("Red is at 2 m.\n**Final answer:** 5 m\nBlue is at 7 m.", "m", 5.0),
    ("The red one is at 2 m, the blue one at 5 m. The answer is 5", "m", 5.0),
    (r"7.23 / 4 \approx 1.81, so $\boxed{1.81 \text{ m/s}}$", "m/s", 1.81),
    ("First d = 2 m, then d = 5 m", "m", 5.0),
    ("The time is t = 4 s. It is 8 m away.", "m", 8.0),
    ("thinking without its opening tag, 7 m</think> 2.4 m", "m", 2.4),
]
NO_QUANTITY = [
    ("1e+300", "m"),
    ("1e13 m", "m"),
    ("", "m"),
    ("I cannot tell", "m"),
    ("I can't determine the distance from image 1.", "m"),
    ("unknown", "m"),
    ("Sorry, I am unable to measure 1 picture.", "m"),
    ("The answer is unknown; the chair is 2 m wide.", "m"),
    ("<think>The point is 2.4 m away.</think> <answer>unknown</answer>", "m"),
    ("<think>The point is 2.4 m", "m"),
    ("far away", "m"),
    ("the red point is 2 m away, the blue one 5 m", "m"),
    ("2 or 3 m", "m"),
    ("The points are 2 and 5 meters away.", "m"),
    ("2.4 s", "m"),
    ("2.4 m", "s"),
    ("2.4 m", ""),
    ("2.4 m²", "m"),
    ("2.4 m/s", "m"),
    ("2.4 m per frame", "m"),
    ("2.4 square meters", "m"),
    ("7.23 m / 4.0 s", "m"),
    ("7.23 / 4.0", "m/s"),
    ("2 x 3 m", "m"),
    ("2 chairs", "m"),
    ("4 in the picture", "m"),
    ("the blue one", "m"),
    ("In 3D", "m"),
    ("The distance in feet is 8", "m"),
    ("5 ft 11", "m"),
    ("1 250 m", "m"),
    ("one hundred and twenty meters", "m"),
    ("2.4.1 m", "m"),
    ("1/0 m", "m"),
    ("1e999 m", "m"),
    ("9" * 6000 + " m", "m"),
    ("The answer is 2.4 m, with fx = 1000.", "m"),
]
COLOURS = [
    ("red", "red"),
    ("Red.", "red"),
    ("Red point.", "red"),
    ("**Blue**", "blue"),
    ("<think>Red looks larger.</think> <answer>blue</answer>", "blue"),
    ("The red one is closer", "red"),
    ("The point marked by the blue arrow", "blue"),
    ("red is closer than blue", "red"),
    ("Compared to red, the blue point is much closer to the camera than it seems.", "blue"),
    ("The nearest one is blue, the other is red.", "blue"),
    ("Red is closer; blue is farther away.", "red"),
    ("Red is at 2 m and blue at 5 m, so the answer is red.", "red"),
    ("red or blue", None),
    ("The closer one is red or blue.", None),
    ("Both red and blue are equally close.", None),
    ("blue is farther than red", None),
    ("The red one is farther.", None),
    ("It is closer than red.", None),
    ("not red", None),
    ("I don't think that red is closer.", None),
    ("I cannot tell whether red is closer.", None),
    ("redder", None),
    ("green", None),
    ("", None),
]
LETTERS = [
    ("A", "A"),
    ("(B)", "B"),
    ("b", "B"),
    ("Point A", "A"),
    ("A is closer than B", "A"),
    ("Answer: B", "B"),
    ("A point is near", None),
    ("a point near the wall", None),
]
MOTIONS = [
    "0.52 m, 12.3 deg, right 0.10, down -0.02, forward 0.99",
    "<think>It moves.</think><answer>0.52 m, 12.3 deg, right 0.10, down -0.02, forward 0.99</answer>",
    "Forward 0.99, down -0.02, right 0.10; 12.3°; 0.52 meters.",
    "52 cm, 12.3 degrees, left -0.10, up 0.02, forward 0.99",
    "0.52 m, 0.214675 rad, leftward: -0.10, upwards: 0.02, backward: -0.99",
    "moved 0.52 m, turned by 12.3 degrees, 0.10 right, -0.02 down and 0.99 forward",
    "0.52 m (1.7 ft), 12.3 deg, right=0.20, down=-0.04, forward=1.98",
]
NO_MOTION = [
    "",
    "I cannot tell.",
    "12.3 deg, right 0.10, down -0.02, forward 0.99",
    "0.52 m, right 0.10, down -0.02, forward 0.99",
    "0.52 m, 12.3 deg",
    "0.52 m, 12.3 deg, forward",
    "0.52 m, 12.3 deg, right 0.00, down 0.00, forward 0.00",
    "0.52 m, 1.52 m, 12.3 deg, forward 1.0",
    "0.52 m, 12.3 deg, right 0.10, left 0.30",
    "0.52 m, turned right 12.3 deg",
]


@pytest.mark.parametrize(("text", "unit", "value"), [*PROMISED, *UNITS, *PROSE, *MARKED])
def test_a_quantity_is_read(text: str, unit: str, value: float) -> None:
    quantity = read_quantity(text, unit)
    assert quantity is not None
    assert quantity.value == pytest.approx(value)
    assert quantity.unit == unit


@pytest.mark.parametrize(("text", "unit"), NO_QUANTITY)
def test_no_quantity_is_guessed(text: str, unit: str) -> None:
    assert read_quantity(text, unit) is None


def test_an_unknown_unit_is_an_error_that_helps() -> None:
    with pytest.raises(UserError, match="did you mean meter"):
        read_quantity("2.4 m", "meterz")


@pytest.mark.parametrize(("text", "name"), COLOURS)
def test_a_colour_is_read(text: str, name: str | None) -> None:
    assert read_choice(text, ["red", "blue"]) == name


@pytest.mark.parametrize(("text", "name"), LETTERS)
def test_a_letter_is_read(text: str, name: str | None) -> None:
    assert read_choice(text, ["A", "B"]) == name


def test_the_longer_name_wins() -> None:
    assert read_choice("the dark red point", ["red", "Dark red"]) == "Dark red"


@pytest.mark.parametrize("text", MOTIONS)
def test_a_motion_is_read(text: str) -> None:
    length = math.hypot(0.10, -0.02, 0.99)
    motion = read_motion(text)
    assert motion is not None
    assert motion.distance == pytest.approx(0.52)
    assert motion.rotation == pytest.approx(12.3, abs=1e-4)
    assert motion.direction == pytest.approx((0.10 / length, -0.02 / length, 0.99 / length))


@pytest.mark.parametrize("text", NO_MOTION)
def test_no_motion_is_guessed(text: str) -> None:
    assert read_motion(text) is None


def test_axes_that_are_not_named_are_zero() -> None:
    assert read_motion("1 m, 3 deg, back 2") == Motion(1.0, 3.0, (0.0, 0.0, -1.0))


def test_a_motion_is_written() -> None:
    motion = Motion(0.52, 12.3, (0.1, -0.02, 0.99))
    assert write_motion(motion) == "0.52 m, 12.3 deg, right 0.10, down -0.02, forward 0.99"


def test_a_rounded_zero_has_no_sign() -> None:
    text = write_motion(Motion(1.0, 0.0, (-0.001, 0.0, 1.0)))
    assert text == "1.00 m, 0.0 deg, right 0.00, down 0.00, forward 1.00"


@given(
    distance=st.floats(0.01, 1e5),
    rotation=st.floats(0, 180),
    azimuth=st.floats(-math.pi, math.pi),
    elevation=st.floats(-math.pi / 2, math.pi / 2),
)
def test_what_is_written_is_read_back(distance: float, rotation: float, azimuth: float, elevation: float) -> None:
    across = math.cos(elevation)
    direction = (across * math.sin(azimuth), math.sin(elevation), across * math.cos(azimuth))
    motion = read_motion(write_motion(Motion(distance, rotation, direction)))
    assert motion is not None
    assert motion.distance == pytest.approx(distance, abs=0.00501)
    assert motion.rotation == pytest.approx(rotation, abs=0.0501)
    assert motion.direction == pytest.approx(direction, abs=0.0101)
    assert math.hypot(*motion.direction) == pytest.approx(1.0)


@given(value=st.floats(-1e6, 1e6), unit=st.sampled_from(["m", "s", "m/s", "deg", "km/h", "ft"]))
def test_a_plain_answer_is_read_back(value: float, unit: str) -> None:
    quantity = read_quantity(f"{value:.2f} {unit}", unit)
    assert quantity is not None
    assert quantity.value == pytest.approx(value, abs=0.00501)


@given(st.text(alphabet="0123456789.,-=/ ()'\"<>answertbmsfdgkih\n", max_size=60))
def test_any_text_is_read_without_failing(text: str) -> None:
    quantity = read_quantity(text, "m")
    assert quantity is None or math.isfinite(quantity.value)
    read_choice(text, ["red", "A"])
    read_motion(text)


@pytest.mark.parametrize(
    ("text", "meters"),
    [
        ("7.23 m / 4.0 s = 1.81 m/s", 7.23),
        ("<think>It is 9 m away, so 2 m/s.</think> <answer>7.23 meters / 4 s = 1.81 m/s</answer>", 7.23),
        ("723 cm / 2 m/s = 3.6 s", 7.23),
        ("1.81 m/s", None),
        ("about 7 m away", None),
    ],
)
def test_the_dividend_of_a_working(text: str, meters: float | None) -> None:
    found = read_dividend(text, "m")
    assert (found and found.value) == (meters and pytest.approx(meters))
