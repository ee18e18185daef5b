"""Reading colours, counts and sides as models say them; each line is something a model may well write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.data.frames.objects import NAMES
from toolkit.qa.parsing.object_answer import read_count, read_property, read_side
from toolkit.utils.colors import PALETTE


@pytest.mark.parametrize(
    ("text", "color"),
    [
        ("red", "red"),
        ("Red.", "red"),
        ("The circle is red.", "red"),
        ("The circle in this image is **red**.", "red"),
        ("The color of the circle is red.", "red"),
        ("The circle's color is dark red", "red"),
        ("It is a bright red.", "red"),
        ("The answer is: red", "red"),
        ("<answer>red</answer>", "red"),
        ("<think>It could be blue.</think> red", "red"),
        ("In the image there is a red circle and a blue square.", "red"),
        ("There is a blue square and a red circle.", "red"),
        ("The square is blue and the circle is red.", "red"),
        ("The circle is red and the square is blue.", "red"),
        ("I see a blue square. The circle, which lies below it, is red.", "red"),
        ("The circle is red, not orange.", "red"),
        ("The circle is red on a white background.", "red"),
        ("It is a red circle on a gray background", "red"),
        ("Circle: red\nSquare: blue", "red"),
        ("The circle next to the blue square is red.", None),
        ("The circle that is on a black background is red.", "red"),
        ("The solid red-colored circle", "red"),
        ("The circle isn't red.", None),
        ("The circle is not red.", None),
        ("It is red or orange.", None),
        ("The square is blue and the star is red.", None),
        ("I cannot tell which color the circle has; maybe red.", None),
        ("The circle is gray.", None),
        ("I am bored.", None),
        ("", None),
    ],
)
def test_colors(text: str, color: str | None) -> None:
    assert read_property(text, "circle", list(PALETTE), NAMES) == color


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("3", 3),
        ("3.", 3),
        ("Three", 3),
        ("There are three circles.", 3),
        ("There are 3 circles in the image.", 3),
        ("I can see three red circles.", 3),
        ("I count **3** of them.", 3),
        ("There are exactly three.", 3),
        ("The answer is 3.", 3),
        ("<answer>3</answer>", 3),
        ("There are 3 circles and 2 squares.", 3),
        ("There are 2 squares, 3 circles and one star.", 3),
        ("There are 2 red circles and 1 blue circle, for a total of 3 circles.", 3),
        ("2 red circles and 1 blue circle make 3 circles in total.", 3),
        ("2 + 1 = 3", 3),
        ("1. top left 2. middle 3. right. So there are three circles.", 3),
        ("In image 1 there are 3 circles.", 3),
        ("There are three circles (not counting the star).", 3),
        ("Only one circle", 1),
        ("There is a single circle.", 1),
        ("There is a red circle in the upper left corner.", 1),
        ("There is only an orange circle.", 1),
        ("There are no circles.", 0),
        ("twelve", 12),
        ("There are 2 squares.", None),
        ("There are two blue squares and a star.", None),
        ("2 or 3 circles", None),
        ("There are 2-3 circles.", None),
        ("between two and three", None),
        ("There are not 3 circles.", None),
        ("There aren't three.", None),
        ("I cannot count 3 circles here.", None),
        ("There are several circles.", None),
        ("There is a circle, and another circle.", None),
        ("", None),
    ],
)
def test_counts(text: str, count: int | None) -> None:
    assert read_count(text, "circle", NAMES) == count


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("left", "left"),
        ("Left.", "left"),
        ("To the left", "left"),
        ("It is to the left.", "left"),
        ("It's on the left side", "left"),
        ("The circle is left of the square.", "left"),
        ("The circle is to the left of the square.", "left"),
        ("Yes, the circle is on the left side of the square.", "left"),
        ("That's right, the circle is to the left of the square.", "left"),
        ("The answer is left.", "left"),
        ("The square is to the right of the circle.", "left"),
        ("The circle is on the left and the square is on the right.", "left"),
        ("The square is on the right, the circle on the left.", "left"),
        ("On the left is the circle, on the right is the square.", "left"),
        ("On the left is a circle and on the right is a square.", "left"),
        ("To the left of the square is the circle.", "left"),
        ("The circle is above and to the left of the square.", "left"),
        ("The square is below and to the right of the circle.", "left"),
        ("Left or right? Left.", "left"),
        ("The red circle is located in the upper left part, while the square is at the lower right.", "left"),
        ("The circle lies right of the square", "right"),
        ("The square is left of the circle.", "right"),
        ("right", "right"),
        ("The circle is not to the left of the square.", None),
        ("The circle is to the left or to the right of the square.", None),
        ("left and right", None),
        ("I cannot tell whether it is left.", None),
        ("It is above the square.", None),
        ("The fire is bright.", None),
        ("", None),
    ],
)
def test_sides(text: str, side: str | None) -> None:
    assert read_side(text, "circle", "square") == side


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("color", PALETTE)
def test_every_name_and_color_is_read(name: str, color: str) -> None:
    assert read_property(f"The {name} is {color}.", name, list(PALETTE), NAMES) == color
    assert read_count(f"There are 4 {color} {name}s.", name, NAMES) == 4


WORDS = ["circle", "square", "red", "blue", "left", "right", "3", "two", "is", "not", "the", "of", "and", ",", ".", "a"]


@given(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
def test_whatever_is_written_a_known_value_is_read_or_none(text: str) -> None:
    assert read_property(text, "circle", ["red", "blue"], NAMES) in ("red", "blue", None)
    assert read_count(text, "circle", NAMES) in (1, 2, 3, None)
    assert read_side(text, "circle", "square") in ("left", "right", None)
    if "red" not in text:
        assert read_property(text, "circle", ["red", "blue"], NAMES) != "red"
