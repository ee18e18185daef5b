"""Templates: the words of a task, as named blocks of one Jinja file.

Each ``{% block question %}`` (or ``question_2``, ``question_polite`` …) holds one phrasing of the question.
``{% block answer %}`` holds the answer. An optional ``{% block think %}`` holds a sentence that comes before the
answer if the recipe asks for it. Templates are sandboxed (``toolkit.utils.sandbox``) and strict: an unknown variable is
an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.exceptions import UndefinedError

from toolkit.errors import UserError
from toolkit.utils.bounded_file import read_bounded
from toolkit.utils.sandbox import Sandbox, bounded

_MOST_BYTES = 400_000  # of a template's file


@dataclass(frozen=True)
class TemplateWords:
    """The words of one task: its questions and its answer.

    Attributes:
        path: The file that holds the words.
        questions: The names of the question blocks, in the order of the file.
        source: The text of the template.
    """

    path: Path
    questions: tuple[str, ...]
    source: str = field(repr=False)
    _template: Template

    def question(self, block: str, variables: Mapping[str, Any]) -> str:
        """One phrasing of the question.

        Args:
            block: The name of the question block.
            variables: The values of the template's variables, by name.

        Raises:
            UserError: If the template uses a variable that does not exist, or cannot be rendered.
        """
        return self._render(block, variables)

    def answer(self, variables: Mapping[str, Any], think: bool) -> str:
        """The answer; if ``think`` and there is a think block, as ``<think>…</think> <answer>…</answer>``."""
        answer = self._render("answer", variables)
        if not (think and "think" in self._template.blocks):
            return answer
        return f"<think>{self._render('think', variables)}</think> <answer>{answer}</answer>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the text: compiled templates cannot be pickled."""
        return compile_words, (self.path, self.source)

    def _render(self, block: str, variables: Mapping[str, Any]) -> str:
        try:
            with bounded():
                text = "".join(self._template.blocks[block](self._template.new_context(dict(variables))))
            text.encode()  # halves of surrogate pairs are no text
        except UndefinedError as error:
            raise UserError(
                f"{self.path}: block {block!r} uses a variable that does not exist",
                cause=str(error),
                remedy=f"use one of: {', '.join(sorted(variables))}",
            ) from None
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise UserError(
                f"{self.path}: block {block!r} cannot be rendered", cause=str(error), remedy="correct the template"
            ) from None
        return " ".join(text.split())


def load_words(path: Path) -> TemplateWords:
    """Load the words of a task from its template file.

    Raises:
        UserError: If the file is missing, is not valid Jinja, or lacks a question or an answer block.
    """
    return compile_words(path, read_template(path))


@lru_cache(maxsize=256)
def compile_words(path: Path, source: str) -> TemplateWords:
    """Make the words of a task from the text of a template.

    Args:
        path: The file that the text comes from.
        source: The text.

    Raises:
        UserError: If it is not valid Jinja, or lacks a question or an answer block.
    """
    try:
        template = _environment().compiled(source)
    except TemplateSyntaxError as error:
        raise UserError(f"{path}, line {error.lineno}: this is not valid Jinja", cause=str(error.message)) from None
    except TemplateError as error:
        raise UserError(f"{path}: this template is not used", str(error.message), "make it simpler") from None
    questions = tuple(name for name in template.blocks if name.split("_")[0] == "question")
    missing = [name for name, there in (("question", questions), ("answer", "answer" in template.blocks)) if not there]
    if missing:
        raise UserError(
            f"{path}: the template has no {' and no '.join(missing)} block",
            remedy="add " + " ".join(f"{{% block {name} %}}…{{% endblock %}}" for name in missing),
        )
    return TemplateWords(path, questions, source, template)


def read_template(path: Path) -> str:
    """The text of a template file.

    Raises:
        UserError: If the file is missing, is not UTF-8, or is too large.
    """
    try:
        return read_bounded(path, _MOST_BYTES).decode("utf-8")
    except OSError:
        raise no_template(path) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: this template is not UTF-8 text", str(error), "save it as UTF-8") from None


def no_template(path: Path) -> UserError:
    """The error for a template file that does not exist."""
    return UserError(
        f"{path}: there is no such template",
        remedy="write it beside the task's Python file: {% block question %}…{% endblock %} "
        "{% block answer %}{{ answer }}{% endblock %}",
    )


@lru_cache(maxsize=1)
def _environment() -> Sandbox:
    environment = Sandbox(undefined=StrictUndefined, autoescape=False)
    environment.filters["number"] = number_to_text
    return environment


def number_to_text(value: float) -> str:
    """A number that a question states, as text and in full: 4.0, 0.25, 33.3. This is the template filter ``number``."""
    short = f"{value:.1f}"
    return short if float(short) == value else f"{value:.6g}"
