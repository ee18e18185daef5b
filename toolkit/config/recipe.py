"""A Recipe: one YAML file with all choices of a run. Each option is documented here, on its field, and only here."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from toolkit.data.frames.frame import DepthType
from toolkit.data.synthetic.settings import RoomSettings, ShapeSettings
from toolkit.errors import SettingError, UserError, UserErrors
from toolkit.geometry.canonical import CanonicalSettings
from toolkit.qa.marker import Marker
from toolkit.qa.sample import Reference
from toolkit.utils.resources import TINY
from toolkit.utils.setting_types import (
    NUMBER,
    Count,
    Fraction,
    Line,
    MemoryCount,
    PlainPath,
    ProperFraction,
    Rate,
    Scale,
    Seed,
    Share,
    Tokens,
)

ModelPart = Literal["language", "vision", "projector"]

TINY_RANDOM = "tiny-random"
"""The name of a model like the one that comes with the toolkit, but with random weights."""

_MOST_SAMPLES = 10**8  # of a run; their order is kept in memory
_TINY_WIDTH_STEP = 8  # the width is divided among four attention heads, and each must have an even width
_TINY_MOST_PATCHES = 40  # along a side of a picture; the model reads 2,048 tokens at most
_TinySize = Annotated[int, Field(ge=1, le=1024), NUMBER]
_TinyLayers = Annotated[int, Field(ge=1, le=64), NUMBER]
_Held = Annotated[int, Field(ge=1, le=100_000), NUMBER]
_T = TypeVar("_T")


def _user_error_to_value_error(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Turn UserErrors into faults that pydantic reports with their keys and together with other faults."""
    try:
        return validate(value)
    except UserErrors as errors:
        faults = [_keyed_fault(fault) for fault in errors.faults]
        raise ValidationError.from_exception_data("settings", faults) from None
    except UserError as error:
        raise ValueError("; ".join(filter(None, (error.problem, error.remedy)))) from None


def _keyed_fault(error: UserError) -> InitErrorDetails:
    """A fault of a section, at the setting that has it."""
    key, problem = (error.key, error.fault) if isinstance(error, SettingError) else ("", error.problem)
    message = "; ".join(filter(None, (problem, error.remedy)))
    kind = PydanticCustomError("setting", "{message}", {"message": message})
    return InitErrorDetails(type=kind, loc=(key,) if key else (), input=None)


SelfCheckingSection = Annotated[_T, WrapValidator(_user_error_to_value_error)]
"""A section of the recipe whose class belongs to a lower layer, checks its own values, and raises UserErrors."""


class RecipeSection(BaseModel):
    """The base class of all sections: unknown keys are errors, and values cannot be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class LoraSettings(RecipeSection):
    """Low-rank adapters (Hu et al. 2021) instead of full fine-tuning."""

    rank: MemoryCount = Field(16, description="The rank of the adapter matrices.")
    alpha: Scale = Field(32.0, description="The adapters' output is multiplied by alpha / rank.")
    dropout: ProperFraction = Field(0.0, description="The share of the adapters' inputs that training sets to zero.")
    parts: tuple[ModelPart, ...] = Field(("language",), description="The parts of the model that get adapters.")


class TinySettings(RecipeSection):
    """The size of the tiny vision-language model with random weights, for ``model.name: tiny-random``."""

    picture: _TinySize = Field(96, description="The side of the model's square pictures [px].")
    patch: _TinySize = Field(12, description="The side of a patch [px]. Each patch is one image token.")
    width: _TinySize = Field(128, description="The hidden size of the vision tower and of the text model.")
    layers: _TinyLayers = Field(4, description="The number of layers of the vision tower, and of the text model.")

    @model_validator(mode="after")
    def _check_sizes(self) -> "TinySettings":
        if self.picture % self.patch:
            raise ValueError(f"picture ({self.picture}) is no multiple of patch ({self.patch})")
        if self.picture > _TINY_MOST_PATCHES * self.patch:
            raise ValueError(f"picture ({self.picture}) is more than {_TINY_MOST_PATCHES} times patch ({self.patch})")
        if self.width % _TINY_WIDTH_STEP:
            raise ValueError(f"width ({self.width}) is no multiple of {_TINY_WIDTH_STEP}")
        return self


class ModelSettings(RecipeSection):
    """The vision-language model that is fine-tuned."""

    name: Line = Field(
        TINY,
        description="The model to start from: tiny (the model that comes with the toolkit), tiny-random (the same "
        "architecture with random weights), a folder, or OWNER/NAME or OWNER/NAME@REVISION of a model on the Hugging "
        "Face hub.",
    )
    tiny: TinySettings = Field(TinySettings(), description="The size of the model tiny-random.")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="The type of the weights. auto means float32 for full fine-tuning, and the type in the model's "
        "files with LoRA, but bfloat16 in place of float16, which cannot be trained in: nothing scales the loss. "
        "trainer.precision sets the type that the forward pass computes in.",
    )
    save_dtype: Literal["base", "float32"] = Field(
        "base",
        description="The type of the weights in the finished checkpoint. base means the type that the base model names "
        "in its configuration; float32 keeps every digit that was learnt. Checkpoints to resume from are not rounded.",
    )
    new_contract: bool = Field(
        False,
        description="Whether the recipe may show and word questions differently from the checkpoint that it starts "
        "from. The model then has to learn the new way. Without this option, such a difference is an error.",
    )
    attention: Literal["sdpa", "eager", "flash_attention_2"] = Field(
        "sdpa", description="The implementation of attention. flash_attention_2 needs a GPU and the package flash-attn."
    )
    lora: LoraSettings | None = Field(
        None, description="Trains low-rank adapters. Without this section, the weights themselves are trained."
    )
    freeze: tuple[ModelPart, ...] = Field((), description="The parts whose weights full fine-tuning does not change.")

    @model_validator(mode="after")
    def _check_tiny(self) -> "ModelSettings":
        if self.name == TINY and self.tiny != TinySettings():
            raise ValueError(f"the size of the model {TINY} cannot be changed; name: {TINY_RANDOM} takes others")
        return self


class TaskSettings(RecipeSection):
    """The share of one task in the mixture. A bare number stands for the weight."""

    weight: Share = Field(1.0, description="The task's share of the questions. All shares are normalised; 0 asks none.")
    options: Mapping[str, Any] = Field(
        default_factory=dict, description="New values for class attributes of the task, such as margin: 0.2."
    )

    @model_validator(mode="before")
    @classmethod
    def _expand_bare_number(cls, value: Any) -> Any:
        return {"weight": value} if isinstance(value, int | float | str) else value


class PhaseSettings(RecipeSection):
    """One phase of the training run, with its own shares of the tasks."""

    share: Scale = Field(description="The phase's share of the run's samples. The shares of all phases are normalised.")
    tasks: dict[str, Share] = Field(
        min_length=1,
        description="The shares of the tasks in this phase. The recipe must name each of them under tasks.",
    )
    patch_words: Fraction = Field(
        0.0,
        description="The share of the image tokens that are also taught a word for what lies in their patch: the "
        "colour of the mark if there is one, otherwise a letter for the distance (in a second picture, the distance "
        "from the first picture's camera). It helps base models whose vision tower has not been trained on pictures.",
    )
    point_words: bool = Field(
        False,
        description="Whether the name of a mark in a question is also taught where the mark lies: its column and row, "
        "in tenths of the picture, and a letter for its distance. It helps base models that cannot find marks yet.",
    )
    questions_per_image: MemoryCount | None = Field(
        None,
        description="The highest number of questions in one sample of this phase, in place of the recipe's number. "
        "With markers, a sample has at most as many as the colours allow.",
    )

    @model_validator(mode="after")
    def _check_shares(self) -> "PhaseSettings":
        if not any(share > 0 for share in self.tasks.values()):
            raise ValueError("every task has a share of 0")
        return self


_SOURCE_KIND = "The kind of the source: rooms, shapes or manifest. Without it, the source is a manifest."
_SOURCE_WEIGHT = "How often training draws the source, relative to the other sources. With 0, it is not used."


class RoomsSource(RecipeSection):
    """Synthetic rooms, which the toolkit draws itself, for 3D questions."""

    kind: Literal["rooms"] = Field(description=_SOURCE_KIND)
    weight: Share = Field(1.0, description=_SOURCE_WEIGHT)
    settings: SelfCheckingSection[RoomSettings] = Field(RoomSettings(), description="What the rooms look like.")
    held_out_rooms: _Held = Field(
        200, description="The number of rooms for evaluation. Their numbers follow those of the training rooms."
    )


class ShapesSource(RecipeSection):
    """Synthetic pictures of coloured shapes, which the toolkit draws itself, for ordinary questions about pictures."""

    kind: Literal["shapes"] = Field(description=_SOURCE_KIND)
    weight: Share = Field(1.0, description=_SOURCE_WEIGHT)
    settings: SelfCheckingSection[ShapeSettings] = Field(ShapeSettings(), description="What the pictures look like.")
    held_out_pictures: _Held = Field(
        200, description="The number of pictures for evaluation. Their numbers follow those of the training pictures."
    )


class ManifestSource(RecipeSection):
    """Pictures on disk, which a JSON-lines manifest lists."""

    kind: Literal["manifest"] = Field("manifest", description=_SOURCE_KIND)
    weight: Share = Field(1.0, description=_SOURCE_WEIGHT)
    path: PlainPath = Field(
        description="The path of the manifest. It is relative to the recipe's folder, or to the current folder if it "
        "is given on the command line or in a recipe that comes with the toolkit."
    )
    convert: str | None = Field(
        None,
        max_length=1000,
        pattern=r"^\w+( .*)?$",
        description="The arguments with which `toolkit data convert` makes the manifest: FORMAT [OPTION …]. The error "
        "about a missing manifest shows the command.",
    )
    depth_type: DepthType | None = Field(
        None,
        description="The depth type of the labels: z or euclidean. It is needed if the manifest does not state one.",
    )
    held_out: Fraction = Field(
        0.2,
        description="The share of the pictures that is kept for evaluation, in whole sequences where possible. With "
        "1, no picture is used for training.",
    )


AnySource = RoomsSource | ManifestSource | ShapesSource


def _source_kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("kind", "manifest"))
    return getattr(value, "kind", "manifest")


class TrainerSettings(RecipeSection):
    """The settings of the training run, which is one run of TRL's ``SFTTrainer`` (SFT: supervised fine-tuning)."""

    steps: Count = Field(1000, description="The number of optimiser steps.")
    batch_size: MemoryCount = Field(8, description="The number of samples in each batch of each process.")
    accumulate: MemoryCount = Field(
        1, description="The number of batches whose gradients are accumulated for each step."
    )
    learning_rate: Rate = Field(1e-5, description="The highest learning rate of the schedule.")
    reference_batch: Count | None = Field(
        None,
        description="The total batch size (over processes and accumulated batches) that learning_rate is meant for. "
        "For another total, the learning rate is multiplied by the square root of the ratio. By default it does not "
        "change.",
    )
    schedule: Literal["cosine", "cosine_with_restarts", "linear", "constant", "constant_with_warmup"] = Field(
        "cosine", description="How the learning rate changes during the run; the names are those of transformers."
    )
    cycles: Count = Field(
        1, description="How many times the learning rate falls to 0, with schedule: cosine_with_restarts."
    )
    warmup: ProperFraction = Field(
        0.1, description="The share of the steps, at the beginning, during which the learning rate rises from 0."
    )
    max_grad_norm: Scale = Field(1.0, description="The norm to which longer gradients are clipped.")
    weight_decay: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False), NUMBER] = Field(
        0.0, description="The weight decay of the optimiser, AdamW."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="The type that the forward pass computes in. auto means bfloat16 on a GPU that supports it, and "
        "float32 elsewhere. A CPU without instructions for bfloat16 computes in float32 whatever is asked for.",
    )
    gradient_checkpointing: bool = Field(
        False, description="Whether activations are computed again in the backward pass, which saves memory."
    )
    workers: Annotated[int, Field(ge=0, le=1024), NUMBER] = Field(
        0, description="The number of extra processes that render samples. With 0, the training process renders them."
    )
    log_every: Count = Field(10, description="The number of steps between two log entries.")
    save_every: Count = Field(200, description="The number of steps between two checkpoints to resume from.")
    max_tokens: Tokens = Field(
        4096, description="The highest number of tokens in a sample. It is checked before the first step."
    )
    report_to: tuple[Literal["tensorboard", "trackio", "wandb"], ...] = Field(
        (), description="The trackers that training metrics are sent to. Their packages must be installed."
    )
    full_determinism: bool = Field(
        False, description="Whether only deterministic kernels are used, which is slower, so that runs can be repeated."
    )

    @model_validator(mode="after")
    def _check_cycles(self) -> "TrainerSettings":
        if self.cycles > 1 and self.schedule != "cosine_with_restarts":
            raise ValueError(f"cycles: {self.cycles} needs schedule: cosine_with_restarts")
        return self

    @model_validator(mode="after")
    def _check_samples(self) -> "TrainerSettings":
        samples = self.steps * self.batch_size * self.accumulate
        if samples > _MOST_SAMPLES:
            raise ValueError(
                f"steps times batch_size times accumulate is {samples} samples; no run takes more than {_MOST_SAMPLES}"
            )
        return self


class EvaluationSettings(RecipeSection):
    """The held-out questions, which are asked after training and, if ``every`` is set, also during training."""

    samples: Annotated[int, Field(ge=0, le=1_000_000), NUMBER] = Field(
        200, description="The number of questions for each task. With 0, none are asked."
    )
    batch_size: MemoryCount = Field(32, description="The number of questions that the model answers at a time.")
    max_new_tokens: Tokens = Field(64, description="The highest number of tokens in an answer.")
    multiple: Annotated[int, Field(ge=1, le=1024), NUMBER] | None = Field(
        None,
        description="The sides of the pictures are multiples of this number [px] if there is no checkpoint that "
        "determines their sizes. By default, the recipe's base model determines them.",
    )
    every: Count | None = Field(
        None,
        description="The number of training steps between two evaluations during training. The first one is before "
        "the first step. By default, there is none during training.",
    )
    keep: Literal["last", "best"] = Field(
        "last", description="Which weights become the checkpoint: the last ones, or the best ones of all evaluations."
    )
    best_by: str = Field(
        "",
        max_length=200,
        description="The number that decides which weights are the best, as TASK.NUMBER. By default, it is the mean "
        "of the headline numbers of all tasks.",
    )

    @model_validator(mode="after")
    def _check_keep_best(self) -> "EvaluationSettings":
        if self.keep == "best" and (self.every is None or not self.samples):
            raise ValueError("keep: best needs `every`, the steps between evaluations, and `samples`")
        return self


class Recipe(RecipeSection):
    """All choices of a run."""

    model: ModelSettings = Field(ModelSettings(), description="The model that is fine-tuned.")
    canonical: SelfCheckingSection[CanonicalSettings] = Field(
        CanonicalSettings(), description="How every picture is resampled to the canonical focal length."
    )
    reference: Reference = Field(
        "marker",
        description="How a question says which point it means. marker draws a mark in the picture, text writes "
        "coordinates in the question, and none, which is for comparisons, does not say it.",
    )
    marker: SelfCheckingSection[Marker] = Field(Marker(), description="The mark that is drawn in the picture.")
    questions_per_image: MemoryCount = Field(
        1, description="The highest number of questions in one sample. Each asks about other points of the picture."
    )
    think: bool = Field(
        False, description="Whether answers begin with the think sentence of the template, before the value."
    )
    tasks: dict[str, TaskSettings] = Field(
        min_length=1, description="The tasks, or groups of tasks, by name, with their shares of the questions."
    )
    curriculum: tuple[PhaseSettings, ...] = Field(
        (),
        description="The phases of training, one after the other. Without phases, the shares under tasks hold for the "
        "whole run.",
    )
    sources: dict[str, Annotated[AnySource, Field(discriminator="kind")]] = Field(
        min_length=1, description="The sources of pictures, each under a name of your choice."
    )
    sampling: Literal["given", "size", "uniform"] = Field(
        "given",
        description="How often training draws each source. given: in proportion to its weight; size: in proportion to "
        "its weight times its number of training pictures; uniform: equally often if its weight is above 0.",
    )
    trainer: TrainerSettings = Field(TrainerSettings(), description="The settings of the training run.")
    evaluation: EvaluationSettings = Field(EvaluationSettings(), description="The held-out questions and their use.")
    seed: Seed = Field(0, description="The seed of all random choices of the run.")
    output: PlainPath | None = Field(
        None, description="The folder for the checkpoint; by default runs/NAME-OF-THE-RECIPE."
    )
    include: tuple[PlainPath, ...] = Field((), description="Python files that define your own tasks.")

    @field_validator("sources", mode="before")
    @classmethod
    def _default_kind(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {
            name: {**entry, "kind": _source_kind(entry)} if isinstance(entry, Mapping) else entry
            for name, entry in value.items()
        }

    @model_validator(mode="after")
    def _check_whole(self) -> "Recipe":
        if not any(task.weight > 0 for task in self.tasks.values()):
            raise ValueError("every task has a share of 0")
        named = {name for phase in self.curriculum for name in phase.tasks}
        if unknown := sorted(named - set(self.tasks)):
            raise ValueError(f"the curriculum names {', '.join(unknown)}, which `tasks` does not")
        if self.reference != "marker" and any(phase.point_words for phase in self.curriculum):
            raise ValueError("point_words teach where marks lie: they need reference: marker")
        if not any(source.weight > 0 for source in self.sources.values()):
            raise ValueError("every source has a share of 0")
        return self
