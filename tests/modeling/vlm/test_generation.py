"""Greedy answers on twins of every architecture: recorded beliefs, pictures shared by many questions."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from tests.support.architecture_batches import PROMPTS, every_architecture, one_and_two
from tests.support.tiny_architectures import build_twin
from toolkit.config.recipe import TinySettings
from toolkit.modeling.predictor import Ending, Reply
from toolkit.modeling.vlm import generation
from toolkit.modeling.vlm.architectures import ImageLike
from toolkit.modeling.vlm.generation import generate
from toolkit.modeling.vlm.tiny import build_tiny
from toolkit.modeling.vlm.vlm import Vlm, encode

QUESTIONS = [f"How far is the point at ({37 * i}, {i * i})?" + " It is far." * (i % 3) for i in range(11)]


def texts(replies: Sequence[Reply]) -> list[str]:
    return [reply.text for reply in replies]


def picture(vlm: Vlm, seed: int = 0) -> np.ndarray:
    side = vlm.geometry.canvas.square or 2 * vlm.geometry.canvas.multiple
    return np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)


def counted(vlm: Vlm) -> list[int]:
    """How many pictures each call of the vision tower is given; filled while the model runs."""
    seen: list[int] = []
    towers = [module for name, module in vlm.model.named_modules() if name.endswith(("visual", "vision_tower"))]
    towers = towers or [module for name, module in vlm.model.named_modules() if name.endswith("vision_model")]
    towers[0].register_forward_hook(lambda *_: seen.append(1))
    return seen


@every_architecture
def test_batching_changes_no_answer(name: str) -> None:
    vlm = build_twin(name)
    images = one_and_two(vlm)
    one, two = (generate(vlm, PROMPTS, images, max_new_tokens=8, batch_size=size) for size in (1, 2))
    assert texts(one) == texts(two)


@every_architecture
@pytest.mark.parametrize("pictures", [1, 2])
def test_questions_that_share_pictures_are_answered_as_if_alone(name: str, pictures: int) -> None:
    vlm = build_twin(name)
    shown = tuple(picture(vlm, seed) for seed in range(pictures))
    alone = [generate(vlm, [question], [shown], max_new_tokens=6)[0] for question in QUESTIONS]
    tower = counted(vlm)
    together = generate(vlm, QUESTIONS, [shown] * len(QUESTIONS), max_new_tokens=6, batch_size=4)
    assert len(tower) == 1
    assert texts(together) == texts(alone)
    for one, other in zip(together, alone, strict=True):
        assert [piece.text for piece in one.pieces] == [piece.text for piece in other.pieces]
        beliefs = [[piece.probability for piece in reply.pieces] for reply in (one, other)]
        np.testing.assert_allclose(*beliefs, rtol=2e-3)


def test_rows_keep_their_order_whatever_they_share(monkeypatch: pytest.MonkeyPatch) -> None:
    vlm = build_tiny(TinySettings(picture=32, patch=8, width=32), QUESTIONS)
    first, second, third, fourth = ((picture(vlm, seed),) for seed in range(4))
    images: list[Sequence[ImageLike]] = [first, second, second, second, third, fourth, first, first, third]
    alone = [generate(vlm, [q], [i], max_new_tokens=6)[0] for q, i in zip(QUESTIONS, images, strict=False)]
    calls = []
    shared = generation._encode_shared
    monkeypatch.setattr(
        generation,
        "_encode_shared",
        lambda vlm, prompts, shown: calls.append(len(prompts)) or shared(vlm, prompts, shown),
    )
    assert texts(generate(vlm, QUESTIONS[:9], images, max_new_tokens=6)) == texts(alone)
    assert calls == [3, 2]


@every_architecture
def test_beliefs_are_those_of_the_model(name: str) -> None:
    vlm = build_twin(name)
    shown = [(picture(vlm),)]
    (reply,) = generate(vlm, QUESTIONS[:1], shown, max_new_tokens=3)
    with torch.no_grad():
        first = vlm.model(**encode(vlm, QUESTIONS[:1], shown)).logits[0, -1].float().softmax(-1)
    assert reply.pieces[0].probability == pytest.approx(float(first.max()), rel=1e-4)
    vocabulary = vlm.processor.tokenizer.get_vocab()
    for digit in "0123456789.":
        spelt = sum(float(first[vocabulary[form]]) for form in (digit, f"\u0120{digit}") if form in vocabulary)
        assert reply.pieces[0].numerals.get(digit, 0) == pytest.approx(spelt, rel=1e-3, abs=2e-4)


def test_an_answer_ends_with_the_piece_that_ended_it() -> None:
    vlm = build_tiny(TinySettings(picture=32, patch=8, width=32), QUESTIONS)
    weights = vlm.model.get_output_embeddings().weight
    with torch.no_grad():
        weights[vlm.processor.tokenizer.eos_token_id] *= 100
    for reply in generate(vlm, QUESTIONS, [(picture(vlm),)] * len(QUESTIONS), max_new_tokens=30):
        assert "".join(piece.text for piece in reply.pieces).strip() == reply.text
        if len(reply.pieces) < 30:
            assert reply.pieces[-1].text == ""
            assert reply.ending is Ending.COMPLETE


def test_an_answer_says_whether_it_was_cut() -> None:
    vlm = build_tiny(TinySettings(picture=32, patch=8, width=32), QUESTIONS)
    asked = (QUESTIONS[:3], [(picture(vlm, seed),) for seed in range(3)])
    weights = vlm.model.get_output_embeddings().weight
    with torch.no_grad():
        weights[vlm.processor.tokenizer.eos_token_id] = 0  # some other token is always likelier
    assert [reply.ending for reply in generate(vlm, *asked, max_new_tokens=4)] == [Ending.CUT] * 3
    vlm.model.generation_config.eos_token_id = list(range(len(weights)))
    assert [reply.ending for reply in generate(vlm, *asked, max_new_tokens=4)] == [Ending.COMPLETE] * 3


def test_generation_ignores_a_models_own_sampling_and_penalties() -> None:
    vlm = build_twin("Qwen3-VL")
    images = one_and_two(vlm)
    plain = texts(generate(vlm, PROMPTS, images, max_new_tokens=12))
    own = vlm.model.generation_config
    own.do_sample, own.repetition_penalty, own.temperature, own.no_repeat_ngram_size = True, 5.0, 9.0, 1
    assert texts(generate(vlm, PROMPTS, images, max_new_tokens=12)) == plain
    assert any(plain)
