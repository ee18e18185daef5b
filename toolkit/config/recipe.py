"""A Recipe: one YAML file with every choice of a run; its fields are the one place where options are documented."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from toolkit.data.frames.frame import DepthType
from toolkit.data.synthetic.rooms import RoomSettings
from toolkit.data.synthetic.shapes import ShapeSettings
from toolkit.errors import UserError
from toolkit.qa.marker import Shape
from toolkit.qa.sample import Reference
from toolkit.utils.colors import COLORS, rgb
from toolkit.utils.resources import TINY

Share = Annotated[float, Field(ge=0, allow_inf_nan=False)]


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


Count = Annotated[int, Field(ge=1, le=10**9)]


Range = tuple[Count, Count]


ModelPart = Literal["language", "vision", "projector"]


TINY_RANDOM = "tiny-random"
"""Name of a model like the one that comes with the toolkit, with random weights."""


_TINY_WIDTH_STEP = 8  # four heads, each of an even width


class Settings(BaseModel):
    """Base of all sections: unknown keys are errors, values cannot be changed afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class LoraSettings(Settings):
    """Low-rank adapters (Hu et al. 2021) instead of full fine-tuning."""

    rank: Count = 16
    alpha: Positive = 32.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    parts: tuple[ModelPart, ...] = Field(("language",), description="Parts of the model that get adapters.")


class TinySettings(Settings):
    """Size of the tiny VLM with random weights, where ``model.name`` is tiny-random."""

    picture: Count = Field(96, description="Side of its square pictures [px].")
    patch: Count = Field(12, description="Side of a patch, one image token [px].")
    width: Count = Field(128, description="Hidden size of both towers.")
    layers: Count = Field(4, description="Layers of each tower.")

    @model_validator(mode="after")
    def _fits(self) -> "TinySettings":
        if self.picture % self.patch:
            raise ValueError(f"picture ({self.picture}) is no multiple of patch ({self.patch})")
        if self.width % _TINY_WIDTH_STEP:
            raise ValueError(f"width ({self.width}) is no multiple of {_TINY_WIDTH_STEP}")
        return self


class ModelSettings(Settings):
    """The vision-language model that is fine-tuned."""

    name: str = Field(
        TINY,
        description="tiny (comes with the toolkit), tiny-random (the same, untrained), a folder, or a model hub's id.",
    )
    tiny: TinySettings = TinySettings()
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Of the weights. auto: float32, with LoRA that of the files. The forward pass has its own."
    )
    new_contract: bool = Field(
        False,
        description="Where this recipe says so, questions are shown and worded otherwise than the base was trained, "
        "and it has to learn that anew; else that is an error.",
    )
    attention: Literal["sdpa", "eager", "flash_attention_2"] = "sdpa"
    lora: LoraSettings | None = None
    freeze: tuple[ModelPart, ...] = Field((), description="Parts that full fine-tuning leaves as they are.")

    @model_validator(mode="after")
    def _sized(self) -> "ModelSettings":
        if self.name == TINY and self.tiny != TinySettings():
            raise ValueError(f"the model {TINY} has the size that it was made with; name: {TINY_RANDOM} takes others")
        return self


class CropSettings(Settings):
    """Random training windows [px of the canonical picture]: smallest and largest."""

    width: Range
    height: Range

    @field_validator("width", "height")
    @classmethod
    def _ordered(cls, value: Range) -> Range:
        if value[0] > value[1]:
            raise ValueError(f"the smallest, {value[0]}, is larger than the largest, {value[1]}")
        return value


class CanonicalSettings(Settings):
    """How every picture is resampled to one camera."""

    focal: Positive = Field(1000.0, description="Canonical focal length [px].")
    keep_focal: bool = Field(
        False,
        description="For comparisons: pictures keep focal lengths of their own, and are only scaled to the canvas.",
    )
    crop: CropSettings | None = None


class MarkerSettings(Settings):
    """The mark drawn on the picture."""

    shape: Shape = "arrow"
    size: Annotated[int, Field(ge=2, le=200)] = Field(5, description="Length, or half extent [px].")
    outline: Annotated[int, Field(ge=0, le=20)] = Field(1, description="Width of the contrasting outline [px].")
    colors: tuple[str, ...] = Field(tuple(COLORS)[:6], description="Colours that points take.")

    @field_validator("colors")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            for color in value:
                rgb(color)
        except UserError as error:
            raise ValueError(f"{error.problem}; {error.remedy}") from None
        if len(set(value)) < len(value) or len(value) < 2:
            raise ValueError("give at least two different colours")
        return value


class TaskSettings(Settings):
    """One task's share of the mixture; a bare number is the share."""

    weight: Share = 1.0
    options: Mapping[str, Any] = Field(default_factory=dict, description="Class attributes of the task to replace.")

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        return {"weight": value} if isinstance(value, int | float | str) else value


class PhaseSettings(Settings):
    """A part of a run, with shares of its own."""

    share: Positive = Field(description="Its part of the run's samples; those of all phases are normalised.")
    tasks: dict[str, Share] = Field(min_length=1, description="Shares of tasks that the recipe names under tasks.")
    patch_words: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0,
        description="Also teaches this share of the image tokens what lies at their patch, as a word: a mark's colour, "
        "else a letter for the distance, in a second picture from the first one's camera. For base models whose vision "
        "tower has seen no pictures.",
    )
    point_words: bool = Field(
        False,
        description="Also teaches the words that name a mark in a question where it lies: column and row, in tenths "
        "of the picture, and the letter of its distance. For base models that cannot find a mark yet.",
    )
    questions_per_image: Count | None = Field(
        None, description="Here, in place of the recipe's; with markers, only as many as there are colours left."
    )

    @model_validator(mode="after")
    def _asks(self) -> "PhaseSettings":
        if not any(share > 0 for share in self.tasks.values()):
            raise ValueError("every task has a share of 0")
        return self


class RoomsSource(Settings):
    """Built-in synthetic rooms."""

    kind: Literal["rooms"]
    weight: Share = 1.0
    settings: RoomSettings = RoomSettings()
    held_out_rooms: Count = Field(200, description="Rooms for evaluation; they come after the training rooms.")


class ShapesSource(Settings):
    """Built-in drawn shapes, for ordinary questions about pictures."""

    kind: Literal["shapes"]
    weight: Share = 1.0
    settings: ShapeSettings = ShapeSettings()
    held_out_pictures: Count = Field(200, description="Pictures for evaluation; they come after those for training.")


class ManifestSource(Settings):
    """Pictures on disk, named by a JSON-lines manifest."""

    kind: Literal["manifest"] = "manifest"
    weight: Share = 1.0
    path: Path = Field(
        description="The manifest; relative to the recipe, or to the current folder if given on the command line or by "
        "a recipe that comes with the toolkit."
    )
    convert: str | None = Field(
        None,
        pattern=r"^\w+( .*)?$",
        description="What `toolkit data convert` makes it of: FORMAT [OPTION …]; told where the manifest is missing.",
    )
    depth_type: DepthType | None = Field(None, description="For manifests whose lines do not say it.")
    held_out: Annotated[float, Field(ge=0, le=1)] = Field(
        0.2, description="Share of pictures kept for evaluation, whole sequences; 1 where none is trained on."
    )


AnySource = RoomsSource | ManifestSource | ShapesSource


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("kind", "manifest"))
    return getattr(value, "kind", "manifest")


class TrainerSettings(Settings):
    """The one ``SFTTrainer`` run."""

    steps: Count = Field(1000, description="Optimiser steps.")
    batch_size: Count = Field(8, description="Samples a step and process.")
    accumulate: Count = Field(1, description="Batches summed before each step.")
    learning_rate: Positive = 1e-5
    reference_batch: Count | None = Field(
        None, description="Total batch for which learning_rate holds; for others it scales with the square root."
    )
    schedule: Literal["cosine", "cosine_with_restarts", "linear", "constant", "constant_with_warmup"] = "cosine"
    cycles: Count = Field(1, description="How often cosine_with_restarts falls from learning_rate to nothing.")
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="Share of the steps with rising learning rate."
    )
    max_grad_norm: Positive = 1.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 on a GPU that has it."
    )
    gradient_checkpointing: bool = False
    liger: bool = Field(False, description="Fused kernels of liger-kernel, if it is installed.")
    workers: Annotated[int, Field(ge=0)] = Field(0, description="Processes that render samples.")
    log_every: Count = Field(10, description="Steps between log lines.")
    save_every: Count = Field(200, description="Steps between checkpoints to resume from.")
    max_tokens: Count = Field(4096, description="A sample longer than this is an error before the first step.")
    report_to: tuple[Literal["tensorboard", "trackio", "wandb"], ...] = ()
    full_determinism: bool = False

    @model_validator(mode="after")
    def _falls(self) -> "TrainerSettings":
        if self.cycles > 1 and self.schedule != "cosine_with_restarts":
            raise ValueError(f"cycles: {self.cycles} needs schedule: cosine_with_restarts")
        return self


class EvaluationSettings(Settings):
    """Held-out questions, asked after training, and while it goes on."""

    samples: Annotated[int, Field(ge=0)] = Field(200, description="Questions a task; 0 asks none.")
    batch_size: Count = 32
    max_new_tokens: Count = 64
    multiple: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None,
        description="Sides of pictures are multiples of this [px] where no checkpoint says what it takes; by default, "
        "the base model says it.",
    )
    every: Count | None = Field(None, description="Also asked before the first training step, and every so many.")
    keep: Literal["last", "best"] = Field(
        "last", description="Which weights become the checkpoint: the last, or the best of those evaluated."
    )
    best_by: str = Field("", description="TASK.NUMBER that makes weights the best; else the mean of all headlines.")

    @model_validator(mode="after")
    def _watched(self) -> "EvaluationSettings":
        if self.keep == "best" and (self.every is None or not self.samples):
            raise ValueError("keep: best needs `every`, the steps between evaluations, and `samples`")
        return self


class Recipe(Settings):
    """Every choice of a run."""

    model: ModelSettings = ModelSettings()
    canonical: CanonicalSettings = CanonicalSettings()
    reference: Reference = Field(
        "marker",
        description="Points are marked in the picture, or given in the text; none, for comparisons, says neither.",
    )
    marker: MarkerSettings = MarkerSettings()
    questions_per_image: Count = Field(
        1, description="Most questions a sample asks about its picture, on other points."
    )
    think: bool = Field(False, description="Answers say the template's think sentence before the value.")
    tasks: dict[str, TaskSettings] = Field(min_length=1, description="Tasks, or groups of them, and their shares.")
    curriculum: tuple[PhaseSettings, ...] = Field(
        (), description="Phases of training, one after the other; without any, the tasks' own shares hold throughout."
    )
    sources: dict[str, Annotated[AnySource, Field(discriminator="kind")]] = Field(min_length=1)
    sampling: Literal["given", "size", "uniform"] = Field(
        "given",
        description="How often training draws each source. given: by its weight; size: by its weight times its number "
        "of pictures to train on; uniform: all sources with a weight above 0 alike.",
    )
    trainer: TrainerSettings = TrainerSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    output: Path | None = Field(None, description="Where the checkpoint goes; by default runs/NAME-OF-THE-RECIPE.")
    include: tuple[Path, ...] = Field((), description="Python files with tasks of your own.")

    @field_validator("sources", mode="before")
    @classmethod
    def _default_kind(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {
            name: {**entry, "kind": _kind(entry)} if isinstance(entry, Mapping) else entry
            for name, entry in value.items()
        }

    @model_validator(mode="after")
    def _something_to_do(self) -> "Recipe":
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
