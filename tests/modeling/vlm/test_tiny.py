"""The tiny model: exact text, the same weights each time, able to learn, and stock when saved."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from toolkit.config.recipe import TinySettings
from toolkit.geometry.canonical import Canvas
from toolkit.modeling.vlm.generation import generate
from toolkit.modeling.vlm.tiny import IMAGE, build_tiny, build_tokenizer
from toolkit.modeling.vlm.vlm import conversation, encode, save_vlm

pytestmark = pytest.mark.slow

TEXTS = ("How far away is the point marked by the red arrow?", "It is 12.30 m away.")
PROMPT = TEXTS[0]


def noise(count: int, side: int = 96) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    "text",
    [
        "12.30 m",
        " leading, trailing ",
        "two  spaces\tand\nlines\r\n",
        "don't \u201cquote\u201d (or do)! 1/2 = 50 %",
        "unseen wörds, 日本語, \U0001f642, ﬁ, e\u0301, \u00a0",
        "a<b>c </s> <point>",
        "",
    ],
)
def test_text_survives_the_tokenizer(text: str) -> None:
    tokenizer = build_tokenizer(TEXTS)
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_words_digits_and_marks_are_one_token_each() -> None:
    tokenizer = build_tokenizer(TEXTS)
    assert len(tokenizer("It is 12.30 m away.")["input_ids"]) == 11  # It| is| |1|2|.|3|0| m| away|.
    assert len(tokenizer("red arrow")["input_ids"]) == 2
    assert len(tokenizer("zebra")["input_ids"]) == 5


@pytest.mark.parametrize("plain", [True, False])
def test_chat_template(plain: bool) -> None:
    tokenizer = build_tokenizer(TEXTS)
    question = (
        "How far?" if plain else [{"type": "image", "text": None}, {"type": "image"}, {"type": "text", "text": "?"}]
    )
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": "1 m"}]
    written = tokenizer.apply_chat_template(messages, tokenize=False)
    shown = "How far?" if plain else f"{IMAGE}{IMAGE}?"
    assert written == f"<bos><user>{shown}<end><assistant>1 m<end>"
    asked = tokenizer.apply_chat_template(messages[:1], tokenize=False, add_generation_prompt=True)
    assert written.startswith(asked)
    assert asked.endswith("<assistant>")


def test_same_weights_each_time_and_the_callers_generator_untouched() -> None:
    torch.manual_seed(1)
    first = build_tiny(TinySettings(), TEXTS).model.state_dict()
    after = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(after, torch.rand(1))
    second = build_tiny(TinySettings(), TEXTS).model.state_dict()
    other = build_tiny(TinySettings(), TEXTS, seed=1).model.state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["lm_head.weight"], other["lm_head.weight"])


def test_size_and_canvas() -> None:
    vlm = build_tiny(TinySettings(), TEXTS)
    assert vlm.geometry.canvas == Canvas(square=96)
    assert vlm.geometry.image_tokens(96, 96) == 64
    assert 1e6 < sum(weight.numel() for weight in vlm.model.parameters()) < 1.5e6


def test_learns_eight_pictures_by_heart() -> None:
    vlm = build_tiny(TinySettings(), TEXTS)
    images = noise(8)
    answers = [f"{value:.2f} m" for value in np.random.default_rng(1).uniform(1, 99, len(images))]
    collate = DataCollatorForVisionLanguageModeling(vlm.processor, completion_only_loss=True)
    batch = collate([conversation(PROMPT, [image], answer) for image, answer in zip(images, answers, strict=True)])
    optimizer = torch.optim.AdamW(vlm.model.parameters(), lr=3e-3)
    vlm.model.train()
    for _ in range(200):
        loss = vlm.model(**batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vlm.model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if loss < 1e-2:
            break
    replies = generate(vlm, [PROMPT] * 8, [[image] for image in images], batch_size=8)
    assert [reply.text for reply in replies] == answers
    assert vlm.model.training


STOCK = """
import sys
import numpy as np, torch
from transformers import AutoModelForImageTextToText, AutoProcessor, AutoTokenizer
folder, text = sys.argv[1:]
model = AutoModelForImageTextToText.from_pretrained(folder)
processor = AutoProcessor.from_pretrained(folder)
image = np.load(folder + "/../image.npy")
with torch.no_grad():
    logits = model(**processor(text=[text], images=[image], return_tensors="pt")).logits
np.save(folder + "/../logits.npy", logits.numpy())
odd = "12.30 m \u65e5\u672c  zebra"
tokenizer = AutoTokenizer.from_pretrained(folder)
assert tokenizer.decode(tokenizer(odd)["input_ids"]) == odd
assert not any(name.split(".")[0] == "toolkit" for name in sys.modules)
"""


def test_a_saved_one_loads_without_this_toolkit(tmp_path: Path) -> None:
    vlm = build_tiny(TinySettings(), TEXTS)
    save_vlm(vlm, tmp_path / "model")
    (image,) = noise(1)
    np.save(tmp_path / "image.npy", image)
    batch = encode(vlm, [PROMPT], [[image]])
    text = f"<bos><user>{IMAGE}{PROMPT}<end><assistant>"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-c", STOCK, str(tmp_path / "model"), text]
    subprocess.run(command, check=True, cwd=tmp_path, env={**environment, "HF_HUB_OFFLINE": "1"})
    with torch.no_grad():
        expected = vlm.model(**batch).logits.numpy()
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), expected, atol=1e-5)
