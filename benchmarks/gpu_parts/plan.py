"""The parts of the benchmark, in the order of their importance: the last ones are skipped if the time runs out."""

from dataclasses import dataclass
from typing import Literal

MODEL, PICTURES = "model", "pictures"
"""The subfolders of the model and of the pictures."""

WARM_UP = 4  # one step of this many is not timed

GRACE = 10
"""How long a part may take to end by itself [s], before the system ends it."""


@dataclass(frozen=True)
class Trial:
    """A training run that is timed. What it does not say is as in the recipe.

    Attributes:
        questions: The highest number of questions about one picture. Several are asked with coordinates in the text,
            because a recipe has at most as many marks as colours.
        attention: The implementation of attention.
        lora: Whether LoRA adapters are trained, on weights in bfloat16.
        steps: The number of steps; the first quarter of them is not timed.
    """

    questions: int = 1
    attention: Literal["sdpa", "flash_attention_2"] = "sdpa"
    lora: bool = False
    steps: int = 20


@dataclass(frozen=True)
class Part:
    """One part of the benchmark, which runs in a process of its own.

    Attributes:
        name: The name of the part in the results.
        does: What the part does, as a title.
        limit: The part is ended after this time [s].
        least: The part is skipped if less time is left [s].
        trial: The training run of the part; None for the parts that do not train.
        launch: The configuration in ``docs/launch`` with which ``accelerate`` starts the part; "" for none.
        package: The optional package that the part needs; "" for none.
        gpu_only: Whether the part is skipped on a machine without a GPU.
    """

    name: str
    does: str
    limit: float
    least: float
    trial: Trial | None = None
    launch: str = ""
    package: str = ""
    gpu_only: bool = False


PROBE = Part("probe", "name the device and measure its matrix products", 60, 10)
PREPARE = Part("prepare", "write the model with random weights, and pictures", 90, 40)
ASK = Part("ask", "ask 256 points of one picture, with and without sharing it", 60, 35)

_FULL, _SHORT = (95.0, 55.0), (70.0, 45.0)
_SHORT_STEPS = 8

PARTS = (
    PREPARE,
    Part("train_1_sdpa", "train, one question a picture, SDPA", *_FULL, Trial()),
    Part("train_8_sdpa", "train, eight questions a picture, SDPA", *_FULL, Trial(questions=8)),
    ASK,
    Part("lora", "train LoRA adapters on bfloat16 weights", *_SHORT, Trial(lora=True, steps=_SHORT_STEPS)),
    Part("fsdp", "train with FSDP in one process", *_SHORT, Trial(steps=_SHORT_STEPS), launch="fsdp_1_node"),
    Part(
        "deepspeed",
        "train with DeepSpeed ZeRO-3 in one process",
        *_SHORT,
        Trial(steps=_SHORT_STEPS),
        launch="deepspeed_1_node",
        package="deepspeed",
        gpu_only=True,
    ),
    Part(
        "train_1_flash",
        "train, one question a picture, flash attention",
        *_FULL,
        Trial(attention="flash_attention_2"),
        package="flash_attn",
        gpu_only=True,
    ),
    Part(
        "train_8_flash",
        "train, eight questions a picture, flash attention",
        *_FULL,
        Trial(questions=8, attention="flash_attention_2"),
        package="flash_attn",
        gpu_only=True,
    ),
)
"""All parts after ``PROBE``."""


@dataclass(frozen=True)
class Surroundings:
    """What a part has to work with.

    Attributes:
        folder: The folder of the model, the pictures and the results of the parts.
        gpu: Whether there is a GPU. Without one, a small twin of the model is used.
        until: When the part should be over [s of ``time.time``].
        batch_size: The largest batch that is tried; the recipe's batch is made up of several of them.
    """

    folder: str
    gpu: bool
    until: float
    batch_size: int
