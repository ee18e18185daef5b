"""What a run will need, worked out before its first step: tokens, memory, what is trained."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from toolkit.config.build import Plan
from toolkit.config.recipe import Recipe
from toolkit.data.sources.source import examples
from toolkit.errors import UserError
from toolkit.modeling.vlm.lora_targets import decoder_layer
from toolkit.modeling.vlm.vlm import Vlm
from toolkit.qa.mixture import Mixture
from toolkit.qa.sample import Sample
from toolkit.training.collator import Collator, TokenLengths, row_of

PROBED = 16
"""Samples that are rendered to count tokens."""


_DRAWN = 500
"""Synthetic pictures whose size is looked at; of pictures on disk, one of each camera."""


_PARTS = ("image", "prompt", "answer")


_FLOAT = 4  # bytes


_ADAM_STATES = 2


_MIB, _GIB = 2**20, 2**30


@dataclass(frozen=True)
class Estimate:
    """What a run will need.

    Attributes:
        mean: Mean tokens of a Sample.
        longest: Tokens of the longest Sample to expect: the largest pictures, the longest text of those probed.
        weights: Bytes of the weights.
        training: Bytes of gradients and optimiser.
        logits: Bytes of one batch's logits in float32, if they were all held at once.
        trained: Parameters that learn, and all parameters, by part of the model.
        frames: Pictures to draw from.
        samples: Samples that the run trains on.
        decoder_layer: Class of the language model's layers.
        redraws: Drawn pictures that could not be asked about, for ``PROBED`` samples.
        rounded: Whether weights that are trained in full have fewer than 32 bits.
        questions: Questions a Sample, in the mean of those probed.
        wanted: Questions a Sample that the recipe asks for.
    """

    mean: TokenLengths
    longest: int
    weights: int
    training: int
    logits: int
    trained: dict[str, tuple[int, int]]
    frames: int
    samples: int
    decoder_layer: str
    redraws: int
    rounded: bool
    questions: float
    wanted: float

    def lines(self) -> Iterator[str]:
        """The report, as a person reads it."""
        yield (
            f"tokens a sample: {self.mean.image} image + {self.mean.prompt} question + {self.mean.answer} answer; "
            f"at most about {self.longest}"
        )
        yield (
            f"memory: {_size(self.weights)} weights + {_size(self.training)} gradients and optimiser "
            f"+ up to {_size(self.logits)} logits, and activations"
        )
        parts = (f"{part} {learns / 1e6:.2f} of {there / 1e6:.2f} M" for part, (learns, there) in self.trained.items())
        yield f"parameters that learn: {', '.join(parts)}"
        yield f"decoder layers, for FSDP to wrap: {self.decoder_layer}"
        passes = self.samples / max(1, self.frames)
        yield f"data: {self.samples} samples from {self.frames} pictures, each about {passes:.1f} times"
        if self.redraws:
            yield f"note: {PROBED} samples took {self.redraws} more draws: some pictures cannot be asked some questions"
        if self.questions < self.wanted:
            asked = f"{self.questions:.1f} questions a picture, not {self.wanted:.1f}"
            yield f"note: {asked}: there is no room, or no colour, for more points"
        if self.rounded:
            yield "warning: the weights have 16 bits, which round small steps away: leave model.dtype at auto"


def estimate(vlm: Vlm, plan: Plan, recipe: Recipe, processes: int = 1) -> Estimate:
    """Work out what a run will need.

    Args:
        vlm: The model, frozen or adapted as the recipe says.
        plan: What it trains on.
        recipe: Every choice.
        processes: How many train together.

    Raises:
        UserError: If the longest Sample there can be has more tokens than ``trainer.max_tokens``.
    """
    collate = Collator(vlm)
    count = recipe.trainer.steps * recipe.trainer.batch_size * recipe.trainer.accumulate * processes
    indices = [number * max(count, PROBED) // PROBED for number in range(PROBED)]
    samples, rare = [plan.train[index] for index in indices], list(_one_of_each(plan.train))
    _check_readable([*samples, *rare], plan)
    lengths, others = ([collate.lengths(row_of(sample)) for sample in some] for some in (samples, rare))
    mean = TokenLengths(*(round(sum(getattr(each, part) for each in lengths) / PROBED) for part in _PARTS))
    picture = _longest_picture(vlm, plan.train)
    longest = picture + max(each.prompt + each.answer for each in (*lengths, *others))
    allowed = min(recipe.trainer.max_tokens, _positions(vlm))
    if longest > allowed:
        raise UserError(
            f"a sample can have {longest} tokens; {allowed} are allowed (trainer.max_tokens, or the model's positions)",
            cause=f"the largest pictures take {picture} of them",
            remedy="crop to smaller pictures (canonical.crop), lower canonical.focal or questions_per_image, "
            "or raise trainer.max_tokens if the model and the memory allow",
        )
    batch = recipe.trainer.batch_size
    parameters = list(vlm.model.parameters())
    learning = sum(weight.numel() * weight.element_size() for weight in parameters if weight.requires_grad)
    return Estimate(
        mean,
        longest,
        weights=sum(weight.numel() * weight.element_size() for weight in parameters),
        training=learning * (1 + _ADAM_STATES),
        logits=batch * longest * _vocabulary(vlm) * _FLOAT,
        trained=_trained(vlm),
        frames=sum(len(feed.source) for feed in plan.train.feeds),
        samples=count,
        decoder_layer=decoder_layer(vlm),
        redraws=sum(sample.redraws for sample in samples),
        questions=sum(len(sample.turns) for sample in samples) / PROBED,
        wanted=sum(_wanted(plan.train, index) for index in indices) / PROBED,
        rounded=recipe.model.lora is None and any(p.requires_grad and p.element_size() < _FLOAT for p in parameters),
    )


def _size(count: float) -> str:
    """Bytes as a person reads them."""
    return f"{count / _GIB:.1f} GiB" if count >= _GIB else f"{count / _MIB:.1f} MiB"


def _check_readable(samples: Sequence[Sample], plan: Plan) -> None:
    """Check that what the model is trained to say can be read back."""
    tasks = {task.name: task for task, _ in plan.train.tasks}
    for turn in (turn for sample in samples for turn in sample.turns):
        if tasks[turn.task].read(turn.completion, turn.query) is None:
            raise UserError(
                f"{tasks[turn.task].template_path()}: the answer {turn.completion!r} cannot be read back",
                remedy="let the answer block hold {{ answer }}, or override `read` in the task",
            )


def _one_of_each(mixture: Mixture) -> Iterator[Sample]:
    """A Sample of each task in each part of a Mixture, however rare it is there."""
    for part in mixture.parts:
        for task, _ in part.tasks:
            yield replace(mixture, phases=(replace(part, tasks=((task, 1.0),)),))[0]


def _wanted(mixture: Mixture, index: int) -> int:
    """How many questions the Sample of an index should ask; about two pictures it is always one."""
    return 1 if mixture.pictures(index) > 1 else mixture.phase(index).questions or mixture.questions


def _longest_picture(vlm: Vlm, mixture: Mixture) -> int:
    """Image tokens of the largest pictures that the mixture can show, from the cameras alone."""
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


def _trained(vlm: Vlm) -> dict[str, tuple[int, int]]:
    counts: dict[str, tuple[int, int]] = {}
    for name, weight in vlm.model.named_parameters():
        part = vlm.family.part(name)
        learns, there = counts.get(part, (0, 0))
        counts[part] = (learns + weight.numel() * weight.requires_grad, there + weight.numel())
    return counts


def _positions(vlm: Vlm) -> int:
    """The longest sequence that the model's position embeddings are made for."""
    return int(getattr(vlm.model.config.get_text_config(), "max_position_embeddings", sys.maxsize))


def _vocabulary(vlm: Vlm) -> int:
    head = vlm.model.get_output_embeddings()
    assert isinstance(head, torch.nn.Linear), type(head)
    return head.out_features
