"""An estimate of what a run will need, before its first step: tokens, memory, and which parameters are trained."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from toolkit.config.build import RunPlan
from toolkit.config.recipe import Recipe
from toolkit.data.sources.source import examples
from toolkit.errors import UserError
from toolkit.modeling.vlm.load_vlm import finished_dtype
from toolkit.modeling.vlm.lora_targets import decoder_layer
from toolkit.modeling.vlm.vlm import Vlm
from toolkit.qa.mixture import Mixture
from toolkit.qa.sample import Sample
from toolkit.training.collator import Collator, TokenLengths, make_row
from toolkit.training.trainer import use_bfloat16

PROBED = 16
"""How many samples are rendered to count their tokens."""

_DRAWN = 500
"""How many synthetic pictures are looked at for their size. Of pictures on disk, one of each camera is looked at."""

_FLOAT = 4  # bytes
_ADAM_STATES = 2
_MIB, _GIB = 2**20, 2**30  # bytes


@dataclass(frozen=True)
class RunEstimate:
    """What a run will need.

    Attributes:
        mean: The mean number of tokens of a Sample.
        longest: How many tokens the longest Sample may have: the largest pictures with the longest text that was seen.
        weights: The size of the weights [bytes].
        training: The size of gradients and optimiser states [bytes].
        finished: The size of the weights of the finished checkpoint, with its adapter if it has one [bytes].
        finished_dtype: The type of the weights of the finished checkpoint.
        logits: The size of the logits of one batch's tokens with loss, in float32 [bytes].
        trained: For each part of the model, how many parameters are trained and how many there are.
        frames: How many pictures the samples are drawn from.
        samples: How many samples the run trains on.
        decoder_layer: The class name of the language model's layers.
        redraws: How many drawn pictures could not be asked about, while ``PROBED`` samples were drawn.
        rounded: Whether weights that are trained in full have fewer than 32 bits.
        widened: Whether the run computes in float32 although the recipe asks for bfloat16.
        questions: The mean number of questions per sample.
        questions_requested: The mean number of questions per sample that the recipe asks for.
    """

    mean: TokenLengths
    longest: int
    weights: int
    training: int
    finished: int
    finished_dtype: torch.dtype
    logits: int
    trained: dict[str, tuple[int, int]]
    frames: int
    samples: int
    decoder_layer: str
    redraws: int
    rounded: bool
    widened: bool
    questions: float
    questions_requested: float

    def to_text(self) -> str:
        """The estimate for people, one line per topic."""
        return "\n".join([*self._needs(), *self._notes()])

    def _needs(self) -> Iterator[str]:
        yield (
            f"tokens per sample: {self.mean.image} image + {self.mean.prompt} question + {self.mean.answer} answer; "
            f"at most about {self.longest}"
        )
        yield (
            f"memory: {_size_to_text(self.weights)} weights + {_size_to_text(self.training)} gradients and optimiser "
            f"+ up to {_size_to_text(self.logits)} logits, and activations"
        )
        dtype = str(self.finished_dtype).removeprefix("torch.")
        yield f"finished checkpoint: {_size_to_text(self.finished)} of weights in {dtype}"
        parts = (f"{part} {some / 1e6:.2f} of {whole / 1e6:.2f} M" for part, (some, whole) in self.trained.items())
        yield f"parameters that are trained: {', '.join(parts)}"
        yield f"decoder layers, for FSDP to wrap: {self.decoder_layer}"
        passes = self.samples / max(1, self.frames)
        yield f"data: {self.samples} samples from {self.frames} pictures, each about {passes:.1f} times"

    def _notes(self) -> Iterator[str]:
        if self.redraws:
            yield f"note: {PROBED} samples took {self.redraws} more draws: some pictures cannot be asked some questions"
        if self.questions < self.questions_requested:
            asked = f"{self.questions:.1f} questions per picture, not {self.questions_requested:.1f}"
            yield f"note: {asked}: there is no room, or no colour, for more points"
        if self.widened:
            yield "note: this CPU has no instructions for bfloat16: the run computes in float32, which is faster"
        if self.rounded:
            yield "warning: the weights have 16 bits, which round small steps away: leave model.dtype at auto"


def estimate_run(vlm: Vlm, plan: RunPlan, recipe: Recipe, processes: int = 1) -> RunEstimate:
    """Estimate what a run will need.

    Args:
        vlm: The model, with frozen parts and adapters as the recipe says.
        plan: The data that the run trains on.
        recipe: The recipe of the run.
        processes: How many processes train together.

    Raises:
        UserError: If a sample may have more tokens than ``trainer.max_tokens`` or the model allow, or if a true answer
            cannot be read back.
    """
    collate = Collator(vlm)
    count = recipe.trainer.steps * recipe.trainer.batch_size * recipe.trainer.accumulate * processes
    indices = [number * max(count, PROBED) // PROBED for number in range(PROBED)]
    samples, rare = [plan.train[index] for index in indices], list(_one_of_each(plan.train))
    _check_readable([*samples, *rare], plan)
    lengths, rare_lengths = ([collate.lengths(make_row(sample)) for sample in group] for group in (samples, rare))
    longest = _longest_sample(vlm, plan.train, recipe, [*lengths, *rare_lengths])
    parameters = list(vlm.model.parameters())
    dtype = finished_dtype(recipe.model)
    return RunEstimate(
        mean=_mean_lengths(lengths),
        longest=longest,
        weights=_bytes_of(parameters),
        training=_bytes_of([weight for weight in parameters if weight.requires_grad]) * (1 + _ADAM_STATES),
        finished=_finished_size(parameters, dtype, adapted=recipe.model.lora is not None),
        finished_dtype=dtype,
        logits=recipe.trainer.batch_size * _most_labelled(vlm, [*samples, *rare]) * _vocabulary(vlm) * _FLOAT,
        trained=_count_parameters(vlm),
        frames=sum(len(feed.source) for feed in plan.train.feeds),
        samples=count,
        decoder_layer=decoder_layer(vlm),
        redraws=sum(sample.redraws for sample in samples),
        questions=sum(len(sample.turns) for sample in samples) / PROBED,
        questions_requested=sum(_questions_requested(plan.train, index) for index in indices) / PROBED,
        rounded=recipe.model.lora is None and any(p.requires_grad and p.element_size() < _FLOAT for p in parameters),
        widened=recipe.trainer.precision == "bfloat16" and not use_bfloat16(recipe),
    )


def _mean_lengths(lengths: Sequence[TokenLengths]) -> TokenLengths:
    """The mean numbers of tokens of some samples, each rounded to a whole number."""
    parts = zip(*((each.image, each.prompt, each.answer) for each in lengths), strict=True)
    return TokenLengths(*(round(sum(part) / len(lengths)) for part in parts))


def _most_labelled(vlm: Vlm, samples: Sequence[Sample]) -> int:
    """The highest number of tokens with loss in one of some samples, auxiliary words included."""
    collate, side = Collator(vlm), vlm.geometry.side
    return max(collate.lengths(make_row(sample, side)).answer for sample in samples)


def _longest_sample(vlm: Vlm, mixture: Mixture, recipe: Recipe, lengths: Sequence[TokenLengths]) -> int:
    """How many tokens the longest sample may have; an error if they are more than allowed."""
    pictures = _longest_pictures(vlm, mixture)
    longest = pictures + max(each.prompt + each.answer for each in lengths)
    allowed = min(recipe.trainer.max_tokens, _positions(vlm))
    if longest > allowed:
        raise UserError(
            f"a sample can have {longest} tokens; {allowed} are allowed (trainer.max_tokens, or the model's positions)",
            cause=f"the largest pictures take {pictures} of them",
            remedy="crop to smaller pictures (canonical.crop), lower canonical.focal or questions_per_image, "
            "or raise trainer.max_tokens if the model and the memory allow",
        )
    return longest


def _bytes_of(weights: Sequence[torch.Tensor]) -> int:
    return sum(weight.numel() * weight.element_size() for weight in weights)


def _finished_size(weights: Sequence[torch.Tensor], dtype: torch.dtype, adapted: bool) -> int:
    """The size of the finished checkpoint's weights [bytes]. An adapter's are merged, and also saved by themselves."""
    adapter = [weight for weight in weights if weight.requires_grad] if adapted else []
    merged = sum(weight.numel() for weight in weights) - sum(weight.numel() for weight in adapter)
    return merged * dtype.itemsize + _bytes_of(adapter)


def _size_to_text(count: float) -> str:
    """A number of bytes in MiB or GiB."""
    return f"{count / _GIB:.1f} GiB" if count >= _GIB else f"{count / _MIB:.1f} MiB"


def _check_readable(samples: Sequence[Sample], plan: RunPlan) -> None:
    """Check that the answers that the model is trained to give can be read back."""
    tasks = {task.name: task for task, _ in plan.train.tasks}
    for turn in (turn for sample in samples for turn in sample.turns):
        if tasks[turn.task].read(turn.completion, turn.query) is None:
            raise UserError(
                f"{tasks[turn.task].template_path()}: the answer {turn.completion!r} cannot be read back",
                remedy="let the answer block hold {{ answer }}, or override `read` in the task",
            )


def _one_of_each(mixture: Mixture) -> Iterator[Sample]:
    """One Sample of each task in each part of a Mixture, however rare the task is there."""
    for part in mixture.parts:
        for task, _ in part.tasks:
            yield replace(mixture, phases=(replace(part, tasks=((task, 1.0),)),))[0]


def _questions_requested(mixture: Mixture, index: int) -> int:
    """How many questions the Sample of an index should ask. About two pictures, it always asks one."""
    return 1 if mixture.pictures(index) > 1 else mixture.phase(index).questions or mixture.questions


def _longest_pictures(vlm: Vlm, mixture: Mixture) -> int:
    """How many image tokens the largest pictures of one Sample can have, worked out from the cameras alone."""
    images = max(task.images for task, _ in mixture.tasks)
    canonicalisation = mixture.presenter.canonicalisation
    canvas, crop = canonicalisation.canvas, canonicalisation.crop
    most = 0
    for feed in mixture.feeds:
        for frame in examples(feed.source, _DRAWN):
            whole = canonicalisation.whole(frame.camera)
            width = min(whole.width, crop.width[1]) if crop else whole.width
            height = min(whole.height, crop.height[1]) if crop else whole.height
            fitted = (canvas.fitted(width, up=width == whole.width), canvas.fitted(height, up=height == whole.height))
            most = max(most, vlm.geometry.image_tokens(*fitted))
    return images * most


def _count_parameters(vlm: Vlm) -> dict[str, tuple[int, int]]:
    """For each part of the model, how many parameters are trained and how many there are."""
    counts: dict[str, tuple[int, int]] = {}
    for name, weight in vlm.model.named_parameters():
        part = vlm.architecture.part(name)
        some, whole = counts.get(part, (0, 0))
        counts[part] = (some + weight.numel() * weight.requires_grad, whole + weight.numel())
    return counts


def _positions(vlm: Vlm) -> int:
    """The length of the longest sequence that the model's position embeddings are made for."""
    return int(getattr(vlm.model.config.get_text_config(), "max_position_embeddings", sys.maxsize))


def _vocabulary(vlm: Vlm) -> int:
    head = vlm.model.get_output_embeddings()
    assert isinstance(head, torch.nn.Linear), type(head)
    return head.out_features
