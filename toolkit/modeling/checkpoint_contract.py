"""A checkpoint: a stock model folder, plus ``toolkit.json`` with what must hold when the model is used.

``AutoModelForImageTextToText`` and ``AutoProcessor`` load it without this toolkit. ``toolkit.json`` holds the
contract (canonical focal length, marker, reference, template versions), which is enforced on every use.
"""

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoConfig

from toolkit.config.build import make_presenter, make_tasks
from toolkit.config.load import differences, load_recipe
from toolkit.config.recipe import TINY_RANDOM, Recipe
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.canonical import Canvas
from toolkit.modeling.hub import CONFIG, clear_errors, only_local
from toolkit.modeling.remote.address import Remote
from toolkit.modeling.vlm.architectures import family_of
from toolkit.qa.sample import Presenter
from toolkit.qa.task import Task
from toolkit.utils.files import write_text
from toolkit.utils.json import to_json
from toolkit.utils.progress import err, is_first_process
from toolkit.utils.resources import model_folder
from toolkit.utils.versions import versions

CONTRACT = "toolkit.json"


RECIPE = "recipe.yaml"


TASKS = "tasks"
"""Subfolder with the Python files and templates of the user's own tasks."""


SCHEMA = 1


_ENFORCED = ("canonical_focal", "reference", "marker", "think")


_PAPER, _PAPER_CANVAS = "depthlm_qwen2_5_vl_3b", Canvas(multiple=28)


_ALL_TASKS = "all_tasks"


@dataclass(frozen=True)
class Contract:
    """How a model is asked.

    Attributes:
        origin: Where this is laid down: a checkpoint's folder, or a recipe.
        recipe: The recipe that says so.
        presenter: How questions are shown and worded, whole pictures.
        tasks: What can be asked, by name.
    """

    origin: str
    recipe: Recipe
    presenter: Presenter
    tasks: Mapping[str, Task]


def contract(
    recipe: Recipe, tasks: Sequence[Task], licenses: Sequence[str], central: Mapping[str, Any]
) -> dict[str, Any]:
    """The content of ``toolkit.json``.

    Args:
        recipe: What the model was trained by.
        tasks: What it was trained on.
        licenses: Of its data.
        central: The middle of each task's training labels.
    """
    return {
        "schema": SCHEMA,
        "canonical_focal": "kept" if recipe.canonical.keep_focal else recipe.canonical.focal,
        "reference": recipe.reference,
        "marker": recipe.marker.model_dump(mode="json"),
        "think": recipe.think,
        "conventions": {
            "metric_depth": "euclidean distance [m]",
            "principal_axis_distance": "depth_z [m]",
            "camera_frame": "x right, y down, z forward",
            "pixel": "integer coordinates are pixel centres",
        },
        "templates": {task.name: task.words.version for task in tasks},
        "data_licenses": list(licenses),
        "central_labels": to_json(central),
        "versions": versions(),
    }


def save_contract(
    recipe: Recipe, tasks: Sequence[Task], licenses: Sequence[str], central: Mapping[str, Any], folder: Path
) -> None:
    """Write the user's own tasks and ``toolkit.json`` into a checkpoint; arguments as of ``contract``."""
    _save_tasks(tasks, recipe, folder)
    write_text(folder / CONTRACT, json.dumps(contract(recipe, tasks, licenses, central), indent=2) + "\n")


def _save_tasks(tasks: Sequence[Task], recipe: Recipe, folder: Path) -> None:
    """Copy the recipe's own Python files and templates into a checkpoint, so that it can be moved."""
    templates = [task.template_path() for task in tasks if Path(inspect.getfile(type(task))) in recipe.include]
    for path in (*recipe.include, *templates):
        write_text(folder / TASKS / path.name, path.read_text(encoding="utf-8"))


def open_contract(folder: Path) -> Contract:
    """How a checkpoint is asked, without its weights: its configuration alone says which pictures it takes.

    Raises:
        UserError: If it is no checkpoint of this toolkit, or the templates have changed since training.
    """
    saved = read_contract(folder)
    if not (folder / RECIPE).is_file():
        raise UserError(f"{folder}: {RECIPE} is missing in this checkpoint", remedy="copy the checkpoint again")
    recipe = load_recipe(folder / RECIPE)
    check_same_contract(folder, recipe)
    own = tuple(sorted((folder / TASKS).glob("*.py")))
    recipe = recipe.model_copy(update={"include": own or recipe.include})
    tasks = {task.name: task for task, _ in make_tasks(recipe)}
    _check_templates(folder, saved, tasks)
    return Contract(str(folder), recipe, make_presenter(recipe, canvas_of(folder)).uncropped, tasks)


def contract_for_remote(remote: Remote, like: Path | None = None) -> Contract:
    """How a model on another server is asked.

    Args:
        remote: The model.
        like: A checkpoint whose contract holds. By default it is the model's own, if its name is a folder here, as
            where ``transformers serve`` serves a checkpoint; else the paper's settings with all built-in tasks.

    Raises:
        UserError: If ``like`` is no checkpoint.
    """
    if like is not None:
        return open_contract(like)
    if (Path(remote.name) / CONTRACT).is_file():
        return open_contract(Path(remote.name))
    recipe = load_recipe(_PAPER).model_copy(update={"tasks": load_recipe(_ALL_TASKS).tasks})
    tasks = {task.name: task for task, _ in make_tasks(recipe)}
    return Contract(f"recipe {_PAPER}", recipe, make_presenter(recipe, _PAPER_CANVAS).uncropped, tasks)


def canvas_of(name: str | Path) -> Canvas:
    """The picture sizes that a model takes, by its configuration alone.

    Args:
        name: A folder, or the id of a repository on the Hugging Face hub.

    Raises:
        UserError: If there is no such model, or its family is not supported.
    """
    local = only_local(name)
    with clear_errors(name):
        config = AutoConfig.from_pretrained(str(name), local_files_only=local)
    return family_of(config).canvas(config)


def read_contract(folder: Path) -> dict[str, Any]:
    """The content of a checkpoint's ``toolkit.json``.

    Raises:
        UserError: If there is none, or it is not readable.
    """
    try:
        saved = json.loads((folder / CONTRACT).read_text(encoding="utf-8"))
    except OSError:
        raise UserError(
            f"{folder}: this is no checkpoint of this toolkit",
            cause=_why_none(folder),
            remedy="train one: toolkit train recipes/depth_plus_distance.yaml; or name the folder of one, or tiny",
        ) from None
    except ValueError as error:
        raise UserError(
            f"{folder / CONTRACT}: this is not JSON", cause=str(error), remedy="copy the checkpoint again"
        ) from None
    wanted = (*_ENFORCED, "templates")
    if not isinstance(saved, dict) or (saved.get("schema") == SCHEMA and any(key not in saved for key in wanted)):
        raise UserError(
            f"{folder / CONTRACT}: something is missing in it",
            cause=f"it must hold {', '.join(wanted)}",
            remedy="copy the checkpoint again",
        )
    if saved.get("schema") != SCHEMA:
        raise UserError(
            f"{folder / CONTRACT}: schema {saved.get('schema')!r}, this toolkit reads {SCHEMA}",
            remedy="use the version of the toolkit that wrote it",
        )
    return saved


def _why_none(folder: Path) -> str:
    """Why a folder without ``toolkit.json`` is no checkpoint."""
    if not folder.is_dir():
        return "it is a file" if folder.exists() else "there is no such folder"
    if (folder.parent / CONTRACT).is_file():
        return f"it lies inside one: {folder.parent}"
    if (folder / CONFIG).is_file():
        return f"it is a plain model, or half a copy: without {CONTRACT}, how it wants to be asked is not known"
    return f"there is no {CONTRACT} in it"


def check_same_contract(folder: Path, recipe: Recipe, remedy: str = "or start from another model") -> None:
    """Check that a recipe shows and words questions as a checkpoint was trained.

    Args:
        folder: The checkpoint.
        recipe: What is compared.
        remedy: What else can be done than giving the recipe the checkpoint's values.

    Raises:
        UserErrors: If focal length, reference, marker or think differ; both values are named.
    """
    if faults := contract_faults(folder, recipe):
        remedy = f"give the recipe the checkpoint's values, {remedy}"
        raise UserErrors(f"{folder}: {CONTRACT} and the recipe do not fit together; {remedy}", faults)


def contract_faults(folder: Path, recipe: Recipe) -> list[UserError]:
    """Where a recipe shows and words questions otherwise than a checkpoint was trained; both values are named."""
    saved = read_contract(folder)
    wanted = contract(recipe, [], [], {})
    return [
        UserError(f"{key}: the checkpoint has {saved[key]!r}, the recipe {wanted[key]!r}")
        for key in _ENFORCED
        if saved[key] != wanted[key]
    ]


def _check_templates(folder: Path, saved: Mapping[str, Any], tasks: Mapping[str, Task]) -> None:
    changed = [
        name
        for name, trained in saved["templates"].items()
        if name not in tasks or tasks[name].words.version != trained
    ]
    if changed:
        raise UserError(
            f"{folder}: the templates of {', '.join(changed)} are not those that it was trained with",
            cause="they were edited since, or another version of the toolkit has others",
            remedy="restore them, or train again",
        )


_SHOWN_BY = ("canonical", "reference", "marker", "think")
"""Sections of a recipe that say how questions are shown and worded."""


def as_trained(folder: Path, recipe: Recipe) -> Recipe:
    """A recipe that shows and words questions as a checkpoint was trained, wherever it does not say how itself.

    Raises:
        UserError: If there is no checkpoint.
    """
    read_contract(folder)
    trained = load_recipe(folder / RECIPE)
    unsaid = [section for section in _SHOWN_BY if section not in recipe.model_fields_set]
    return recipe.model_copy(update={section: getattr(trained, section) for section in unsaid})


def based(recipe: Recipe) -> Recipe:
    """A recipe that shows and words questions as its base was trained, wherever it does not say how itself.

    What it so takes over is told on stderr.

    Raises:
        UserError: If the base is a checkpoint of this toolkit that cannot be read.
    """
    base = Path(model_folder(recipe.model.name))
    if not (base / CONTRACT).is_file():
        return recipe
    adopted = as_trained(base, recipe)
    taken = differences(recipe, adopted)
    if taken and is_first_process():
        err.print(f"[yellow]note:[/] questions are shown as {recipe.model.name} was trained: ", end="")
        err.print("; ".join(taken), markup=False)
    return adopted


def recipe_canvas(recipe: Recipe) -> Canvas:
    """The picture sizes that a recipe asks with: its own, or else its base model's, as the configuration says."""
    if recipe.evaluation.multiple:
        return Canvas(multiple=recipe.evaluation.multiple)
    if recipe.model.name == TINY_RANDOM:
        return Canvas(square=recipe.model.tiny.picture)
    return canvas_of(model_folder(recipe.model.name))
