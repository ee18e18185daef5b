"""Greedy answers with the probability of each token. Pictures that several questions share are encoded once."""

import copy
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, pairwise
from typing import Any

import torch
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, PreTrainedTokenizerBase

from toolkit.errors import UserError
from toolkit.modeling.predictor import Ending, Piece, Reply
from toolkit.modeling.safe_loading import clear_errors
from toolkit.modeling.vlm.architectures import ImageLike
from toolkit.modeling.vlm.vlm import Vlm, chat_text, encode

_NUMERAL = re.compile(r"[\u0120\u2581 ]?(\d+|\.)")  # as byte-level and SentencePiece vocabularies spell them

_USED_FIRST = "its config.json, processor_config.json and tokenizer.json, which are used together here"

_SMALLEST = 1e-4  # probabilities of numerals below this are not kept


@torch.inference_mode()
def generate(
    vlm: Vlm,
    prompts: Sequence[str],
    images: Sequence[Sequence[ImageLike]],
    *,
    max_new_tokens: int = 32,
    batch_size: int = 8,
) -> list[Reply]:
    """The model's most likely answers.

    If consecutive questions have the very same picture objects, these pictures are encoded once, and all of the
    questions go on from one key-value cache.

    Args:
        vlm: The model.
        prompts: The questions.
        images: The pictures of each question.
        max_new_tokens: An answer is cut after this many tokens.
        batch_size: How many questions are answered at once. It does not change the answers.
    """
    was_training = vlm.model.training
    vlm.model.eval()
    replies: list[Reply] = []
    for rows, same in _group_rows(images):
        shared = _encode_shared(vlm, [prompts[row] for row in rows], images[rows[0]]) if same else None
        for start in range(0, len(rows), batch_size):
            part = rows[start : start + batch_size]
            if shared is None:
                inputs = dict(encode(vlm, [prompts[row] for row in part], [images[row] for row in part]))
            else:
                inputs = shared.batch(start, len(part))
            replies += _generate_batch(vlm, inputs, max_new_tokens)
    vlm.model.train(was_training)
    return replies


def _group_rows(images: Sequence[Sequence[ImageLike]]) -> Iterator[tuple[list[int], bool]]:
    """Groups of consecutive rows, and whether the rows of a group are about the same pictures."""
    alone: list[int] = []
    for _, rows in groupby(range(len(images)), key=lambda row: tuple(map(id, images[row]))):
        run = list(rows)
        if len(run) == 1:
            alone += run
            continue
        if alone:
            yield alone, False
            alone = []
        yield run, True
    if alone:
        yield alone, False


@dataclass(frozen=True)
class _SharedPictures:
    """Questions about the same pictures, which the model has encoded once.

    Attributes:
        cache: The keys and values of everything up to the last picture.
        prefix: The tokens of everything up to the last picture, (length,).
        suffixes: The other tokens of each question.
        pad: The token that fills up shorter suffixes on their left.
    """

    cache: Any
    prefix: torch.Tensor
    suffixes: list[list[int]]
    pad: int

    def batch(self, start: int, count: int) -> dict[str, Any]:
        """The inputs of ``model.generate`` for ``count`` questions from ``start`` on."""
        chosen = self.suffixes[start : start + count]
        longest = max(map(len, chosen))
        gaps = [longest - len(suffix) for suffix in chosen]
        ids = torch.tensor([[self.pad] * gap + suffix for gap, suffix in zip(gaps, chosen, strict=True)])
        mask = torch.tensor([[0] * gap + [1] * (longest - gap) for gap in gaps])
        prefix = self.prefix.expand(len(chosen), -1)
        cache = copy.deepcopy(self.cache)  # generation writes into it
        cache.batch_repeat_interleave(len(chosen))
        return {
            "input_ids": torch.cat([prefix, ids.to(prefix.device)], dim=1),
            "attention_mask": torch.cat([torch.ones_like(prefix), mask.to(prefix.device)], dim=1),
            "past_key_values": cache,
        }


def _encode_shared(vlm: Vlm, prompts: Sequence[str], images: Sequence[ImageLike]) -> _SharedPictures | None:
    """Encode the pictures of some questions once; None if there is no picture, or the tokens cannot be split."""
    tokenizer = vlm.processor.tokenizer
    texts = [chat_text(vlm, [prompt], len(images)) for prompt in prompts]
    cut = _after_pictures(vlm, texts[0])
    if cut is None or any(text[:cut] != texts[0][:cut] for text in texts):
        return None
    suffixes = [tokenizer(text[cut:], add_special_tokens=False)["input_ids"] for text in texts]
    whole = encode(vlm, prompts[:1], [images])
    length = whole["input_ids"].shape[1] - len(suffixes[0])
    if whole["input_ids"][0, length:].tolist() != suffixes[0] or not all(suffixes):
        return None
    along = {key: value for key, value in whole.items() if value.shape[:2] == whole["input_ids"].shape}
    model: Any = vlm.model
    with clear_errors(vlm.name, _USED_FIRST):
        seen = model(**{**whole, **{key: value[:, :length] for key, value in along.items()}}, use_cache=True)
    return _SharedPictures(seen.past_key_values, whole["input_ids"][0, :length], suffixes, tokenizer.pad_token_id)


def _after_pictures(vlm: Vlm, text: str) -> int | None:
    """The index in a chat text after the last picture; None if there is no picture."""
    marks = [getattr(vlm.processor, name, None) for name in ("boi_token", "image_token")]
    ends = [text.rindex(mark) + len(mark) for mark in marks if isinstance(mark, str) and mark in text]
    return max(ends, default=None)


def _generate_batch(vlm: Vlm, inputs: dict[str, Any], max_new_tokens: int) -> list[Reply]:
    """The replies to one batch."""
    model: Any = vlm.model
    recorder = _Recorder(_numerals(vlm.processor.tokenizer))
    settings = _greedy(vlm, max_new_tokens)
    with clear_errors(vlm.name, _USED_FIRST), _only(settings, model):
        output = model.generate(**inputs, generation_config=settings, logits_processor=LogitsProcessorList([recorder]))
    written = output[:, inputs["input_ids"].shape[1] :].tolist()
    if not recorder.is_finite:
        raise UserError(
            f"{vlm.name}: the probabilities that this model computes are no numbers",
            "its weights are damaged, or numbers in its config.json are",
            "download or save the model again",
        )
    ends = settings.eos_token_id or []
    return [_reply(vlm.processor.tokenizer, tokens, set(ends), recorder.of(row)) for row, tokens in enumerate(written)]


class _Recorder(LogitsProcessor):
    """Records the probability of the chosen token and of every numeral; it changes nothing."""

    def __init__(self, numerals: dict[int, str]) -> None:
        self._texts = list(numerals.values())
        self._ids = torch.tensor(list(numerals), dtype=torch.long)
        self._best: list[torch.Tensor] = []
        self._numerals: list[torch.Tensor] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Record one step; returns ``scores`` (batch, vocabulary) unchanged."""
        probabilities = scores.float().softmax(dim=-1)
        self._best.append(probabilities.amax(dim=-1).cpu())
        self._numerals.append(probabilities[:, self._ids.to(scores.device)].cpu())
        return scores

    @property
    def is_finite(self) -> bool:
        """Whether all recorded probabilities are numbers."""
        return all(bool(best.isfinite().all()) for best in self._best)

    def of(self, row: int) -> list[tuple[float, dict[str, float]]]:
        """For each step, the probability of the chosen token, and those of the numerals by their characters."""
        kept = []
        for best, numerals in zip(self._best, self._numerals, strict=True):
            found: dict[str, float] = {}
            for column in torch.nonzero(numerals[row] > _SMALLEST).flatten().tolist():
                found[self._texts[column]] = found.get(self._texts[column], 0.0) + float(numerals[row, column])
            kept.append((float(best[row]), found))
        return kept


@lru_cache(maxsize=8)
def _numerals(tokenizer: PreTrainedTokenizerBase) -> dict[int, str]:
    """The tokens that are digits or a decimal point, perhaps after a space, and their characters."""
    matches = ((index, _NUMERAL.fullmatch(token)) for token, index in tokenizer.get_vocab().items())
    return {index: match[1] for index, match in matches if match and match[1].isascii()}


def _reply(
    tokenizer: PreTrainedTokenizerBase, tokens: list[int], ends: set[int], steps: list[tuple[float, dict[str, float]]]
) -> Reply:
    """The reply up to the token that ends it, which is the last piece. Without such a token, the reply was cut."""
    length = next((index for index, token in enumerate(tokens) if token in ends), len(tokens))
    # Tokens are decoded together with all before them: alone, some lose their space or half of a character.
    decoded = [str(tokenizer.decode(tokens[:index], skip_special_tokens=True)) for index in range(length + 1)]
    texts = [now.removeprefix(before) for before, now in pairwise(decoded)]
    ended = length < len(tokens)
    texts += [""] if ended else []
    pieces = tuple(Piece(text, *step) for text, step in zip(texts, steps, strict=False))
    return Reply(decoded[-1].strip(), pieces, Ending.COMPLETE if ended else Ending.CUT)


def _greedy(vlm: Vlm, max_new_tokens: int) -> GenerationConfig:
    """Settings for plain greedy decoding; the sampling and penalties that models come with distort numbers."""
    own, tokenizer = vlm.model.generation_config, vlm.processor.tokenizer
    known = range(vlm.tokens)
    pads = _tokens(own.pad_token_id, known) or _tokens(tokenizer.pad_token_id, known)
    return GenerationConfig(
        do_sample=False,
        num_beams=1,
        repetition_penalty=1.0,
        no_repeat_ngram_size=0,
        temperature=1.0,
        top_k=50,
        top_p=1.0,
        max_new_tokens=max_new_tokens,
        eos_token_id=_tokens(own.eos_token_id, known) or _tokens(tokenizer.eos_token_id, known) or None,
        pad_token_id=next(iter(pads), None),
    )


def _tokens(stated: object, known: Collection[int]) -> list[int]:
    """The numbers of tokens that a model's files state, one or several, without what are no tokens of the model."""
    listed = stated if isinstance(stated, list) else [stated]
    return [token for token in listed if isinstance(token, int) and not isinstance(token, bool) and token in known]


@contextmanager
def _only(settings: GenerationConfig, model: Any) -> Iterator[None]:
    """Hide a model's own settings, from which ``generate`` takes all that are None in the settings it is given."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    own = inner.generation_config
    inner.generation_config = settings
    try:
        yield
    finally:
        inner.generation_config = own
