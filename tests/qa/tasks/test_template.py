"""Templates: blocks, strictness, sandbox."""

import pickle
from pathlib import Path

import pytest

from toolkit.errors import UserError
from toolkit.qa.tasks.registry import get_task
from toolkit.qa.tasks.template import compile_words, load_words

GOOD = (
    "{% block question %}How far is {{ point }}?{% endblock %}"
    "{% block question_2 %}Say:\n   {{ point }}?{% endblock %}"
    "{% block think %}It is {{ answer }}.{% endblock %}"
    "{% block answer %}{{ answer }}{% endblock %}"
)


def template(folder: Path, text: str) -> Path:
    path = folder / "t.jinja"
    path.write_text(text)
    return path


def test_each_question_block_is_one_phrasing(tmp_path: Path) -> None:
    words = load_words(template(tmp_path, GOOD))
    assert words.questions == ("question", "question_2")
    assert words.question("question", {"point": "it"}) == "How far is it?"
    assert words.question("question_2", {"point": "it"}) == "Say: it?"  # white space is folded


def test_think_wraps_the_answer_only_where_asked(tmp_path: Path) -> None:
    words = load_words(template(tmp_path, GOOD))
    assert words.answer({"answer": "2 m"}, think=False) == "2 m"
    assert words.answer({"answer": "2 m"}, think=True) == "<think>It is 2 m.</think> <answer>2 m</answer>"


def test_without_a_think_block_nothing_is_thought(tmp_path: Path) -> None:
    text = "{% block question %}q{% endblock %}{% block answer %}{{ answer }}{% endblock %}"
    assert load_words(template(tmp_path, text)).answer({"answer": "2 m"}, think=True) == "2 m"


def test_unknown_variable_names_template_and_known_ones(tmp_path: Path) -> None:
    words = load_words(template(tmp_path, GOOD))
    with pytest.raises(UserError, match=r"t\.jinja: block 'question'") as caught:
        words.question("question", {"pointt": "it", "unit": "m"})
    assert "'point' is undefined" in caught.value.cause
    assert "pointt, unit" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{% block question %}q{% endblock %}", "no answer block"),
        ("{% block answer %}q{% endblock %}", "no question block"),
        ("{% block question %}{{ point }", "line 1: this is not valid Jinja"),
    ],
)
def test_faulty_templates(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_words(template(tmp_path, text))


def test_missing_template_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such template") as caught:
        load_words(tmp_path / "none.jinja")
    assert "{% block question %}" in caught.value.remedy


def test_templates_are_sandboxed(tmp_path: Path) -> None:
    text = "{% block question %}{{ point.__class__.__mro__ }}{% endblock %}{% block answer %}a{% endblock %}"
    with pytest.raises(UserError, match=r"cannot be rendered|not there"):
        load_words(template(tmp_path, text)).question("question", {"point": "it"})


def test_a_task_can_be_asked_in_other_words() -> None:
    own = get_task("metric_depth")
    words = compile_words(
        Path("theirs"), "{% block question %}Depth of {{ point }}?{% endblock %}{% block answer %}{% endblock %}"
    )
    task = own.reworded(words)
    assert type(task) is type(own) and own.words is not words
    for each in (task, pickle.loads(pickle.dumps(task))):
        assert each.words.question("question", {"point": "A"}) == "Depth of A?"
