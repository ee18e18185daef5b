"""The contracts of published models: how models that others trained by this method want to be asked.

Each is one YAML file in ``contracts/``, which comes with the toolkit. ``PublishedModel.contract`` makes the same
``Contract`` of it that a checkpoint of this toolkit has, so that asking and measuring go one way.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from toolkit.config.build_presenter import make_presenter
from toolkit.config.load import load_recipe
from toolkit.config.plain_yaml import parse_yaml
from toolkit.config.recipe import Recipe, RecipeSection, SelfCheckingSection, TaskSettings
from toolkit.errors import UserError, did_you_mean, raise_all
from toolkit.geometry.canonical import CanonicalSettings, Canvas
from toolkit.modeling.checkpoint_contract import Contract
from toolkit.qa.marker import Marker
from toolkit.qa.sample import TEXT_GRID, Reference
from toolkit.qa.tasks.registry import get_task
from toolkit.qa.tasks.task import Task
from toolkit.qa.tasks.template import compile_words
from toolkit.utils.resources import CONTRACTS
from toolkit.utils.setting_types import Count, FocalLength, Line, Side, Tokens

_BASE_RECIPE = "depthlm_pixtral_12b"  # for everything that a contract does not say
_CACHED = re.compile(r"models--(?P<owner>[\w.-]+?)--(?P<name>[\w.-]+)")  # a folder in the cache of the hub


class PublishedPicture(RecipeSection):
    """How a published model is shown its pictures."""

    focal: FocalLength | None = Field(None, description="The focal length that pictures are resampled to [px].")
    longest_side: Side | None = Field(None, description="The longer side that pictures are resampled to [px].")
    multiple: Side = Field(description="Both sides are multiples of this number [px].")
    fit: Literal["padded", "cut"] = Field("cut", description="Whether pictures are padded or cut to such sides.")

    @model_validator(mode="after")
    def _check_scale(self) -> "PublishedPicture":
        if (self.focal is None) == (self.longest_side is None):
            raise ValueError("give either focal or longest_side")
        return self


class PublishedTask(RecipeSection):
    """One question that a published model was trained for, in its exact words."""

    question: str = Field(description="The question, as a Jinja template with the variables of all templates.")
    answer: str = Field(description="How an answer is read, in words.")
    example: str | None = Field(None, description="An answer as the model writes it.")
    value: float | None = Field(None, description="The value of the example, in the unit of the task.")


class PublishedModel(RecipeSection):
    """One published model of this method: what it is, and how it wants to be asked."""

    name: Line = Field(description="The id of the model on the Hugging Face hub.")
    status: Literal["now", "not yet"] = Field(description="Whether this toolkit can ask the model.")
    base: Line = Field(description="The model that it was trained from.")
    paper: Line = Field(description="The paper that describes it.")
    licence: Line = Field(description="The licence of the weights, in a few words.")
    research_only: bool = Field(description="Whether the licence allows nothing but research.")
    memory: Count = Field(description="The memory that the weights need in bfloat16 [GB].")
    picture: PublishedPicture = Field(description="How pictures are resampled and fitted.")
    reference: Reference = Field(description="How a question says which point it means.")
    marker: SelfCheckingSection[Marker] | None = Field(None, description="The mark, with reference: marker.")
    grid: Count | None = Field(None, description="The highest text coordinate, with reference: text.")
    processor: Mapping[str, bool] = Field({}, description="The settings that the image processor must have.")
    max_new_tokens: Tokens = Field(256, description="The highest number of tokens in an answer.")
    tasks: dict[str, PublishedTask] = Field(min_length=1, description="The questions, by the task that reads them.")
    differs: tuple[str, ...] = Field((), description="What the published code does in another way.")

    @model_validator(mode="after")
    def _check_reference(self) -> "PublishedModel":
        if (self.reference == "marker") != (self.marker is not None):
            raise ValueError("reference: marker and the section marker belong together")
        if (self.reference == "text") != (self.grid is not None):
            raise ValueError("reference: text and grid belong together")
        if self.status == "now" and self.picture.focal is None:
            raise ValueError("only models with a focal length can be asked now")
        return self

    @property
    def licence_notice(self) -> str:
        """The licence, and what it allows, as text for people."""
        return f"licence {self.licence}{': for research only' if self.research_only else ''}"

    @property
    def command(self) -> str:
        """The command that asks the model; "" if it cannot be asked yet."""
        if self.status != "now":
            return ""
        return f'toolkit ask photo.jpg "how far is the red point" --point red=320,240 --model {self.name}'

    def contract(self) -> Contract:
        """How the model is asked, as for a checkpoint of this toolkit.

        Raises:
            UserError: If it cannot be asked yet.
        """
        if self.status != "now":
            raise UserError(
                f"{self.name} cannot be asked yet",
                "this toolkit does not have its tasks",
                "`toolkit models` lists what can be asked of which model",
            )
        recipe = self._recipe()
        canvas = Canvas(multiple=self.picture.multiple, fit=self.picture.fit)
        return Contract(
            origin=self.name,
            recipe=recipe,
            presenter=replace(make_presenter(recipe, canvas).uncropped, text_grid=self.grid or TEXT_GRID),
            tasks={name: self._task(name) for name in self.tasks},
            max_new_tokens=self.max_new_tokens,
            processor=self.processor,
            licence=self.licence_notice,
        )

    def _recipe(self) -> Recipe:
        """A recipe that shows questions in the same way."""
        assert self.picture.focal is not None
        said = {
            "canonical": CanonicalSettings(focal=self.picture.focal),
            "reference": self.reference,
            "marker": self.marker or Marker(),
            "think": False,  # no sentence of the template's stands before answers: the model has its own
            "tasks": {name: TaskSettings() for name in self.tasks},
        }
        return load_recipe(_BASE_RECIPE).model_copy(update=said)

    def _task(self, name: str) -> Task:
        """A task in the exact words of the model."""
        words = f"{{% block question %}}{self.tasks[name].question}{{% endblock %}}"
        answer = "{% block answer %}{{ answer }}{% endblock %}"
        return get_task(name).reworded(compile_words(published_file(self.name), words + answer))


def published_names() -> list[str]:
    """The names of all published models, as the hub has them."""
    return sorted(_catalogue())


def load_published(name: str) -> PublishedModel:
    """What is known of a published model.

    Args:
        name: Its id on the Hugging Face hub.

    Raises:
        UserError: If no such model is known.
    """
    if name not in _catalogue():
        raise UserError(f"{name}: no such published model is known", remedy=did_you_mean(name, _catalogue()))
    return _catalogue()[name]


@cache
def _catalogue() -> dict[str, PublishedModel]:
    """All published models, by name."""
    models = [read_published(path) for path in sorted(CONTRACTS.glob("*.yaml"))]
    return {model.name: model for model in models}


def published_file(name: str) -> Path:
    """The file of a published model."""
    return CONTRACTS / f"{name.rpartition('/')[2]}.yaml"


def read_published(path: Path) -> PublishedModel:
    """Read the file of one published model.

    Raises:
        UserError: If it is not plain YAML.
        UserErrors: If keys or values are wrong. It holds all these faults.
    """
    values = parse_yaml(path.read_text(encoding="utf-8"), str(path))[1]
    try:
        return PublishedModel.model_validate(values)
    except ValidationError as error:
        raise_all(str(path), [_to_fault(path, detail) for detail in error.errors()])
        raise


def published_name_of(name: str | Path) -> str | None:
    """The published model that a name surely means; None if it means no such model, or perhaps another one.

    Args:
        name: The id of a model on the hub, perhaps with ``@REVISION``, or a folder in the cache of the hub. Other
            folders can hold anything, whatever they are called.
    """
    cached = next(filter(None, map(_CACHED.fullmatch, reversed(Path(name).parts))), None)
    found = f"{cached['owner']}/{cached['name']}" if cached else str(name).partition("@")[0]
    return found if found in _catalogue() else None


def similar_published_name(folder: Path) -> str | None:
    """The published model that a folder may be a copy of, by the folder's name; None if there is none."""
    short = folder.resolve().name.lower()
    return next((name for name in published_names() if name.partition("/")[2].lower() in short), None)


def _to_fault(path: Path, detail: Mapping[str, Any]) -> UserError:
    """One fault that pydantic found, with the file and the key."""
    key = ".".join(map(str, detail["loc"])) or "the contract"
    message = str(detail["msg"]).removeprefix("Value error, ")
    return UserError(f"{path}: {key}: {message[0].lower()}{message[1:]}")
