"""Chat templates: the words of transformers, within bounds, and no mutation that ends in anything but a plain error."""

import json
import random
import shutil
from importlib.resources import files
from pathlib import Path

import pytest
from transformers import LlavaProcessor as StockProcessor
from transformers.processing_utils import ProcessorMixin

from toolkit.errors import UserError
from toolkit.modeling.vlm.processors import LlavaProcessor
from toolkit.utils.resources import MODELS

TINY = MODELS / "tiny"
TEMPLATE = (TINY / "chat_template.jinja").read_text(encoding="utf-8")
KNOWN = ("gemma3", "idefics3", "llava_next", "qwen2_5_vl", "qwen2_5_vl_training", "qwen3_vl", "smolvlm", "gemma4_v5")
PICTURE = {"type": "image"}


def user(*texts: str, pictures: int = 1) -> dict[str, object]:
    return {"role": "user", "content": [*[PICTURE] * pictures, *({"type": "text", "text": each} for each in texts)]}


ANSWER = {"role": "assistant", "content": [{"type": "text", "text": "2.00 m"}]}
CONVERSATIONS = (
    [user("How far is it?")],
    [user("How far  is <b>it</b>?\n", pictures=2)],
    [user("How far?"), ANSWER],
    [user("How far?"), ANSWER, user("And é?", pictures=0)],
)


@pytest.fixture(scope="module")
def processor() -> LlavaProcessor:
    return LlavaProcessor.from_pretrained(str(TINY), backend="pil")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tiny model, without its weights."""
    return Path(shutil.copytree(TINY, tmp_path / "model", ignore=shutil.ignore_patterns("*.safetensors", "evaluation")))


def refusal(processor: LlavaProcessor, template: str) -> str:
    """How a template is refused that is used for a question about a picture."""
    with pytest.raises(UserError, match="chat template cannot be used") as caught:
        processor.apply_chat_template(CONVERSATIONS[0], template, add_generation_prompt=True)
    assert caught.value.remedy
    return caught.value.cause


@pytest.mark.parametrize("messages", CONVERSATIONS, ids=str)
@pytest.mark.parametrize("name", [*KNOWN, "tiny"])
def test_the_words_are_those_of_transformers(processor: LlavaProcessor, name: str, messages: list[object]) -> None:
    template = TEMPLATE
    if name != "tiny":
        template = (files("trl") / "chat_templates" / f"{name}.jinja").read_text(encoding="utf-8")
    opened = len(messages) % 2 == 1
    stock = ProcessorMixin.apply_chat_template(processor, messages, template, add_generation_prompt=opened)
    for mark in ("<start_of_image>", "<|image_pad|>", "<|image|>", "<image>"):
        if mark in stock:
            processor.image_token = mark
    assert processor.apply_chat_template(messages, template, add_generation_prompt=opened) == stock


BOMBS = {
    "loops": "{% for a in range(10**5) %}{% for b in range(10**5) %}{% endfor %}{% endfor %}",
    "a text": "{{ 'x' * 10**10 }}",
    "lipsum": "{{ lipsum(10**6) }}",
    "a macro": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "brackets": f"{{{{ {'(' * 3000}1{')' * 3000} }}}}",
    "a bomb for one question": "{% if 'How far' in messages[0].content[1].text %}{{ 'x' * 10**10 }}{% endif %}",
    "an error": "{{ raise_exception('no pictures here') }}",
    "a wrong type": "{{ messages + 1 }}",
    "half a character": "{{ '\\ud800' }}",
    "no template": "{% for",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_templates_that_cannot_be_rendered_are_refused(processor: LlavaProcessor, bomb: str) -> None:
    assert refusal(processor, bomb + TEMPLATE)


def test_bombs_that_never_go_off_do_no_harm(processor: LlavaProcessor) -> None:
    quiet = "{% if false %}{{ 'x' * 10**10 }}{{ 'x'|center(10**10) }}{% endif %}" + TEMPLATE
    plain = processor.apply_chat_template(CONVERSATIONS[0], TEMPLATE)
    assert processor.apply_chat_template(CONVERSATIONS[0], quiet) == plain


def test_nothing_of_a_conversation_is_lost(processor: LlavaProcessor) -> None:
    assert "leaves out the question" in refusal(processor, "<image>")
    assert "shows 0 pictures where there are 1" in refusal(processor, TEMPLATE.replace("'<image>'", "''"))
    assert "shows 2 pictures" in refusal(processor, "<image>" + TEMPLATE)
    assert "adds more than" in refusal(processor, "x" * 30_000 + TEMPLATE)


def test_what_transformers_can_do_more_is_not_done(processor: LlavaProcessor) -> None:
    with pytest.raises(NotImplementedError, match="tokenize"):
        processor.apply_chat_template(CONVERSATIONS[0], tokenize=True)


BOMB = "{{ 'x' * 10**10 }}"


@pytest.mark.parametrize(
    ("file", "key"),
    [
        ("tokenizer_config.json", "chat_template"),
        ("processor_config.json", "chat_template"),
        ("chat_template.json", ""),
    ],
)
def test_templates_in_json_are_bounded_too(folder: Path, file: str, key: str) -> None:
    (folder / "chat_template.jinja").unlink()
    path = folder / file
    values = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**values, "chat_template": BOMB}))
    opened = LlavaProcessor.from_pretrained(str(folder), backend="pil")
    with pytest.raises(UserError, match="chat template cannot be used"):
        opened.apply_chat_template(CONVERSATIONS[0])


def mutated(rng: random.Random) -> str:
    """The tiny model's template with a few bytes or tags deleted, doubled, replaced or swapped, or cut short."""
    text = TEMPLATE
    signs = ("{%", "%}", "{{", "}}", "{% endif %}", "\0", "é", "'")
    for _ in range(rng.randint(1, 3)):
        at, length = rng.randrange(len(text)), rng.randint(1, 12)
        part, rest = text[at : at + length], text[at + length :]
        other = rng.choice([chr(rng.randrange(32, 127)) * length, *signs])
        text = text[:at] + rng.choice(["", part * 2, other, part[::-1], part.upper()]) + rest
    tags = text.split("{%")
    if rng.random() < 0.3 and len(tags) > 2:
        one, two = rng.sample(range(len(tags)), 2)
        tags[one], tags[two] = tags[two], tags[one]
    text = "{%".join(tags)
    return text[: rng.randrange(1, len(text))] if rng.random() < 0.1 else text


def test_mutated_templates_end_in_words_or_in_a_plain_error(processor: LlavaProcessor) -> None:
    rng, refused = random.Random(0), 0
    for _ in range(150):
        template = mutated(rng)
        try:
            text = processor.apply_chat_template(CONVERSATIONS[0], template, add_generation_prompt=True)
        except UserError:
            refused += 1
        else:
            assert text.count("<image>") == 1 and "How far is it?" in text
    assert 50 < refused < 150


def test_stock_processors_read_what_ours_saves(processor: LlavaProcessor, tmp_path: Path) -> None:
    processor.save_pretrained(tmp_path)
    assert StockProcessor.from_pretrained(str(tmp_path), backend="pil").chat_template == TEMPLATE
