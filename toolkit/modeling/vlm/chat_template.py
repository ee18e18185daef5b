"""Chat templates: how a model wants a conversation to be written. They come with models, and so from anybody.

transformers renders them in Jinja's own sandbox, in which they can compute without end. Processors with ``BoundedChat``
render them in ``toolkit.utils.sandbox`` instead, with the same words as result, and check that nothing of what was said
or shown is lost.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from transformers.processing_utils import ProcessorMixin

from toolkit.errors import UserError
from toolkit.utils.sandbox import Sandbox, bounded

_MOST_ADDED = 20_000  # characters that a template may add to what is said
_PICTURE_MARKS = ("boi_token", "image_token")  # attributes of processors: what stands for a picture in the text


class BoundedChat(ProcessorMixin):
    """A processor whose chat template is rendered within bounds, for whatever calls it."""

    def apply_chat_template(  # type: ignore[override]
        self,
        conversation: Sequence[Mapping[str, Any]],
        chat_template: str | None = None,
        add_generation_prompt: bool = False,
        **options: Any,
    ) -> str:
        """Write a conversation as text.

        Args:
            conversation: The messages, each with its role and its content.
            chat_template: Another template than the model's.
            add_generation_prompt: Whether the assistant's turn is opened at the end.
            **options: Options of transformers, which must be off. Nothing here needs them.

        Raises:
            UserError: If the template cannot be rendered, or loses pictures or words.
        """
        if asked := [name for name, value in options.items() if value]:
            raise NotImplementedError(f"conversations are only written as text, without {', '.join(asked)}")
        messages = [_plain({key: each for key, each in turn.items() if each is not None}) for turn in conversation]
        try:
            template = _compiled(chat_template or _default_template(self))
            with bounded():
                text = template.render(
                    messages=messages,
                    tools=None,
                    documents=None,
                    add_generation_prompt=add_generation_prompt,
                    **_plain(self.tokenizer.special_tokens_map),
                )
            text.encode()
        except Exception as error:  # whatever a template does wrong is a fault of the model's files
            raise self._fault(f"{type(error).__name__}: {error}") from None
        if lost := _lost(self, messages, text):
            raise self._fault(lost)
        return text

    def _fault(self, cause: str) -> UserError:
        return UserError(
            f"{getattr(self.tokenizer, 'name_or_path', '') or 'the model'}: its chat template cannot be used",
            cause=cause,
            remedy="restore the model's chat_template.jinja, or copy or download the model again",
        )


def _default_template(processor: Any) -> str:
    """The template of a processor."""
    template = processor.chat_template
    if isinstance(template, Mapping):
        template = template.get("default")
    if not isinstance(template, str):
        raise TemplateError("the model has no chat template")
    return template


def _plain(value: Any) -> Any:
    """A value as JSON can hold it. A picture is a short text, as in transformers; templates never look into it."""
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, str):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float) else f"<{type(value).__name__}>"


def _lost(processor: Any, messages: Sequence[Mapping[str, Any]], text: str) -> str:
    """What a template has lost of a conversation, or has added to it beyond measure; "" if nothing."""
    parts = [(turn["role"], part) for turn in messages for part in _parts(turn["content"])]
    said = [part["text"] for _, part in parts if part["type"] == "text"]
    asked = [part["text"].strip() for role, part in parts if part["type"] == "text" and role == "user"]
    pictures = sum(part["type"] == "image" for _, part in parts)
    marks = [mark for name in _PICTURE_MARKS if isinstance(mark := getattr(processor, name, None), str)]
    shown = max((text.count(mark) - sum(each.count(mark) for each in said) for mark in marks), default=pictures)
    if any(question not in text for question in asked):
        return "it leaves out the question"
    if shown != pictures:
        return f"it shows {shown} pictures where there are {pictures}"
    if len(text) > sum(map(len, said)) + _MOST_ADDED:
        return f"it adds more than {_MOST_ADDED} characters to what is said"
    return ""


def _parts(content: Any) -> list[dict[str, str]]:
    """The parts of a message, which may be a text alone."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


@lru_cache(maxsize=16)
def _compiled(source: str) -> Template:
    return _environment().compiled(source)


@lru_cache(maxsize=1)
def _environment() -> Sandbox:
    """The sandbox, with all that transformers gives to chat templates."""
    environment = Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols])
    environment.filters["tojson"] = _to_json
    environment.guard()
    environment.globals.update(raise_exception=_raise, strftime_now=lambda form: datetime.now().strftime(form))
    return environment


class _Generation(Extension):
    """The tag `generation`, which encloses what an assistant says; here it changes nothing."""

    tags = {"generation"}  # noqa: RUF012 - as in Jinja

    def parse(self, parser: Parser) -> nodes.Node:
        """What the tag encloses, with names of its own."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body).set_lineno(line)


def _to_json(
    value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False
) -> str:
    """JSON without escapes for HTML, as in transformers."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _raise(message: str) -> None:
    raise TemplateError(message)
