"""Templates: the words of a task, as named blocks of one Jinja file.

``{% block question %}`` (or ``question_2``, ``question_polite`` …) holds one phrasing of the question,
``{% block answer %}`` the answer; an optional ``{% block think %}`` holds the sentence that is said before
the answer where a recipe asks for it. Templates are sandboxed and strict: an unknown variable is an error.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.exceptions import UndefinedError
from jinja2.sandbox import SandboxedEnvironment

from toolkit.errors import UserError


@dataclass(frozen=True)
class Words:
    """The phrasings of one task.

    Attributes:
        path: The template file.
        version: Short hash of its text; a checkpoint remembers it.
        questions: Names of the question blocks, in the file's order.
    """

    path: Path
    version: str
    questions: tuple[str, ...]
    _template: Template

    def question(self, block: str, variables: Mapping[str, Any]) -> str:
        """One phrasing of the question.

        Raises:
            UserError: If the template uses a variable that is not there.
        """
        return self._render(block, variables)

    def answer(self, variables: Mapping[str, Any], think: bool) -> str:
        """The answer; with ``think``, as ``<think>…</think> <answer>…</answer>`` where there is a think block."""
        answer = self._render("answer", variables)
        if not (think and "think" in self._template.blocks):
            return answer
        return f"<think>{self._render('think', variables)}</think> <answer>{answer}</answer>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by path: compiled templates cannot be pickled."""
        return load_words, (self.path,)

    def _render(self, block: str, variables: Mapping[str, Any]) -> str:
        try:
            text = "".join(self._template.blocks[block](self._template.new_context(dict(variables))))
        except UndefinedError as error:
            raise UserError(
                f"{self.path}: block {block!r} uses a variable that is not there",
                cause=str(error),
                remedy=f"use one of: {', '.join(sorted(variables))}",
            ) from None
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise UserError(f"{self.path}: block {block!r} cannot be rendered", cause=str(error)) from None
        return " ".join(text.split())


@lru_cache(maxsize=256)
def load_words(path: Path) -> Words:
    """The phrasings in a template file.

    Raises:
        UserError: If the file is missing, is not valid Jinja, or lacks a question or an answer block.
    """
    try:
        source = path.read_text(encoding="utf-8")
    except OSError:
        raise UserError(
            f"{path}: there is no such template",
            remedy="write it beside the task's Python file: {% block question %}…{% endblock %} "
            "{% block answer %}{{ answer }}{% endblock %}",
        ) from None
    try:
        template = _environment().from_string(source)
    except TemplateSyntaxError as error:
        raise UserError(f"{path}, line {error.lineno}: this is not valid Jinja", cause=str(error.message)) from None
    questions = tuple(name for name in template.blocks if name.split("_")[0] == "question")
    missing = [name for name, there in (("question", questions), ("answer", "answer" in template.blocks)) if not there]
    if missing:
        raise UserError(
            f"{path}: the template has no {' and no '.join(missing)} block",
            remedy="add " + " ".join(f"{{% block {name} %}}…{{% endblock %}}" for name in missing),
        )
    return Words(path, hashlib.sha256(source.encode()).hexdigest()[:12], questions, template)


@lru_cache(maxsize=1)
def _environment() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    environment.filters["number"] = written
    return environment


def written(value: float) -> str:
    """A given number as text, in full: 4.0, 0.25, 33.3; the template filter ``number``."""
    short = f"{value:.1f}"
    return short if float(short) == value else f"{value:.6g}"
