"""The contract of a checkpoint: the file ``toolkit.json``, which says how the model must be asked.

A checkpoint is a plain model folder, which ``AutoModelForImageTextToText`` and ``AutoProcessor`` load without this
toolkit, with ``toolkit.json`` added. This file holds the canonical focal length, the marker, the reference and the
versions of the templates. They are enforced whenever the model is used.
"""

import hashlib
import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from toolkit.config.build_presenter import make_presenter, make_tasks
from toolkit.config.load import differences, load_recipe
from toolkit.config.recipe import TINY_RANDOM, Recipe
from toolkit.errors import UserError, UserErrors
from toolkit.geometry.canonical import Canvas
from toolkit.modeling.fetch_model import fetch_model
from toolkit.qa.sample import Presenter
from toolkit.qa.tasks.registry import expand_groups, load_tasks, loaded_file, remember_loaded, task_names
from toolkit.qa.tasks.task import Task, template_version
from toolkit.utils.files import write_bytes, write_text
from toolkit.utils.json import read_object, to_json
from toolkit.utils.progress import err, is_first_process
from toolkit.utils.versions import versions

if TYPE_CHECKING:
    from toolkit.config.build import RunPlan

CONTRACT = "toolkit.json"
"""The name of the file that holds the contract."""

RECIPE = "recipe.yaml"
"""The name of the file that holds the resolved recipe."""

TASKS = "tasks"
"""The subfolder with the Python files and templates of the user's own tasks."""

SCHEMA = 1
"""The version of the format of ``toolkit.json``."""

_ENFORCED = ("canonical_focal", "reference", "marker", "think")  # keys of ``toolkit.json``
_PRESENTATION_SECTIONS = (
    "canonical",
    "reference",
    "marker",
    "think",
)  # of a recipe: how questions are shown and worded
MAX_NEW_TOKENS = 64
"""The highest number of tokens in an answer, unless a contract needs more."""

_SIGNATURE_LENGTH = 12  # hexadecimal digits

_CANVAS = TypeAdapter(Canvas)


@dataclass(frozen=True)
class Contract:
    """How a model is asked.

    Attributes:
        origin: What the contract was taken from: the folder of a checkpoint, a recipe, or a published model.
        recipe: The recipe that the contract follows.
        presenter: How questions are shown and worded. Pictures are shown whole.
        tasks: The tasks that the model can be asked, by name.
        max_new_tokens: The highest number of tokens in an answer.
        processor: The settings that the model's image processor must have.
        licence: The licence of the model, and what it allows; "" if it is not known.
        caveat: What must be said with every answer; "" for nothing.
    """

    origin: str
    recipe: Recipe
    presenter: Presenter
    tasks: Mapping[str, Task]
    max_new_tokens: int = MAX_NEW_TOKENS
    processor: Mapping[str, bool] = field(default_factory=dict)
    licence: str = ""
    caveat: str = ""

    def on(self, canvas: Canvas) -> "Contract":
        """The same contract for a model that takes other picture sizes. Pictures are padded or cut as before."""
        canonicalisation = self.presenter.canonicalisation
        fitted = replace(canonicalisation, canvas=replace(canvas, fit=canonicalisation.canvas.fit))
        return replace(self, presenter=replace(self.presenter, canonicalisation=fitted))

    @property
    def signature(self) -> str:
        """The origin with a hash of everything that a question depends on. Evaluations keep it."""
        words = (task.words.source for task in self.tasks.values())
        digest = hashlib.sha256("\n".join((repr(self.presenter), *words)).encode()).hexdigest()
        return f"{self.origin} {digest[:_SIGNATURE_LENGTH]}"


def contract_to_json(recipe: Recipe, plan: "RunPlan", central: Mapping[str, Any]) -> dict[str, Any]:
    """The content of ``toolkit.json``.

    Args:
        recipe: The recipe that the model was trained with.
        plan: The data that the model was trained on, made canonical for the model's canvas.
        central: The central training label of each task, by the name of the task.
    """
    return {
        "schema": SCHEMA,
        **_enforced_to_json(recipe),
        "canvas": to_json(plan.train.presenter.canonicalisation.canvas),
        "conventions": {
            "metric_depth": "euclidean distance [m]",
            "principal_axis_distance": "depth_z [m]",
            "camera_frame": "x right, y down, z forward",
            "pixel": "integer coordinates are pixel centres",
        },
        "templates": {task.name: template_version(task) for task, _ in plan.train.tasks},
        "data_licenses": list(plan.licenses),
        "central_labels": to_json(central),
        "versions": versions(),
    }


def _enforced_to_json(recipe: Recipe) -> dict[str, Any]:
    """The values that must be the same whenever the model is used."""
    return {
        "canonical_focal": "kept" if recipe.canonical.keep_focal else recipe.canonical.focal,
        "reference": recipe.reference,
        "marker": to_json(recipe.marker),
        "think": recipe.think,
    }


def save_contract(recipe: Recipe, plan: "RunPlan", central: Mapping[str, Any], folder: Path) -> None:
    """Write the user's own tasks and ``toolkit.json`` into a checkpoint. See ``contract_to_json`` for the arguments."""
    _save_tasks([task for task, _ in plan.train.tasks], recipe, folder)
    write_text(folder / CONTRACT, json.dumps(contract_to_json(recipe, plan, central), indent=2) + "\n")


def _save_tasks(tasks: Sequence[Task], recipe: Recipe, folder: Path) -> None:
    """Copy the recipe's Python files, as they were loaded, and their templates, so that the checkpoint can be moved."""
    remember_loaded(recipe.include)
    for path in recipe.include:
        write_bytes(folder / TASKS / path.name, loaded_file(path).source)
    own = {loaded_file(path).path for path in recipe.include}
    for task in tasks:
        if Path(inspect.getfile(type(task))) in own:
            template = task.template_path()
            write_text(folder / TASKS / template.name, template.read_text(encoding="utf-8"))


def open_contract(folder: Path) -> Contract:
    """Read how a checkpoint is asked, without loading its weights.

    Raises:
        UserError: If the folder is not a checkpoint of this toolkit, if the templates have changed since training, or
            if it brings Python files that are not trusted.
    """
    recipe, tasks = checked_recipe(folder)
    return Contract(str(folder), recipe, make_presenter(recipe, _saved_canvas(folder)).uncropped, tasks)


def _saved_canvas(folder: Path) -> Canvas:
    """The picture sizes that a checkpoint takes. Older contracts do not say them; the model's configuration does."""
    saved = read_contract(folder).get("canvas")
    if saved is None:
        return canvas_of(folder)
    try:
        return _CANVAS.validate_python(saved)
    except ValidationError:
        raise UserError(
            f"{folder / CONTRACT}: canvas: {saved!r} is no canvas",
            "it must hold multiple and square, two lengths in pixels",
            "copy the checkpoint again",
        ) from None


def checked_recipe(folder: Path) -> tuple[Recipe, dict[str, Task]]:
    """Check the contract of a checkpoint, and read its recipe and its tasks by name.

    Raises:
        UserError: If the folder is not a checkpoint of this toolkit, if the templates have changed since training, or
            if it brings Python files that are not trusted.
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
    return recipe, tasks


def with_own_tasks(folder: Path, recipe: Recipe, more: Iterable[str] = ()) -> Recipe:
    """Let a recipe that names tasks of a checkpoint's own know them: their Python files lie in the checkpoint.

    Args:
        folder: The folder of the checkpoint.
        recipe: The recipe. If it knows all tasks itself, the checkpoint's files are not loaded.
        more: The names of tasks that are asked beside those of the recipe.

    Raises:
        UserError: If files are needed and not trusted.
    """
    load_tasks(*recipe.include)
    unknown = set(expand_groups([*recipe.tasks, *more])) - set(task_names())
    own = tuple(sorted((folder / TASKS).glob("*.py"))) if unknown else ()
    if own:
        load_tasks(*own)
    return recipe.model_copy(update={"include": (*recipe.include, *own)})


def canvas_of(name: str | Path) -> Canvas:
    """The picture sizes that a model takes. Only its configuration is read.

    Args:
        name: The folder of the model.

    Raises:
        UserError: If there is no such model, or its architecture is not supported.
    """
    from toolkit.modeling.safe_loading import CONFIG, clear_errors, load_config
    from toolkit.modeling.vlm.architectures import architecture_of  # imports torch, which takes seconds

    config = load_config(name)
    architecture = architecture_of(config)
    with clear_errors(name, CONFIG):
        return architecture.canvas(config)


def read_contract(folder: Path) -> dict[str, Any]:
    """The content of a checkpoint's ``toolkit.json``.

    Raises:
        UserError: If the file is missing, cannot be read, or is not complete.
    """
    try:
        saved = read_object(folder / CONTRACT, "copy the checkpoint again")
    except OSError:
        raise UserError(
            f"{folder}: this is no checkpoint of this toolkit",
            cause=_why_no_checkpoint(folder),
            remedy="train one: toolkit train recipes/depth_plus_distance.yaml; or name the folder of one, or tiny",
        ) from None
    wanted = (*_ENFORCED, "templates")
    if saved.get("schema") == SCHEMA and any(key not in saved for key in wanted):
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
    wrong = [key for key in ("templates", "central_labels") if not isinstance(saved.get(key, {}), dict)]
    if wrong:
        raise UserError(
            f"{folder / CONTRACT}: {wrong[0]} must be an object", "the file was changed", "copy the checkpoint again"
        )
    return saved


def _why_no_checkpoint(folder: Path) -> str:
    """Why a folder without ``toolkit.json`` is not a checkpoint, as the cause of an error."""
    if not folder.is_dir():
        return "it is a file" if folder.exists() else "there is no such folder"
    from toolkit.modeling.safe_loading import CONFIG

    if (folder.parent / CONTRACT).is_file():
        return f"it lies inside one: {folder.parent}"
    if (folder / CONFIG).is_file():
        return f"it is a plain model, or half a copy: without {CONTRACT}, how it wants to be asked is not known"
    return f"there is no {CONTRACT} in it"


def check_same_contract(folder: Path, recipe: Recipe, remedy: str = "or start from another model") -> None:
    """Check that a recipe shows and words questions in the way a checkpoint was trained.

    Args:
        folder: The folder of the checkpoint.
        recipe: The recipe that is compared with it.
        remedy: What the user can do instead of giving the recipe the checkpoint's values.

    Raises:
        UserErrors: If focal length, reference, marker or think differ. It names both values.
    """
    if faults := contract_faults(folder, recipe):
        remedy = f"give the recipe the checkpoint's values, {remedy}"
        raise UserErrors(f"{folder}: {CONTRACT} and the recipe do not fit together; {remedy}", faults)


def contract_faults(folder: Path, recipe: Recipe) -> list[UserError]:
    """The values with which a recipe shows and words questions differently from a checkpoint; one error for each."""
    saved = read_contract(folder)
    return [
        UserError(f"{key}: the checkpoint has {saved[key]!r}, the recipe {wanted!r}")
        for key, wanted in _enforced_to_json(recipe).items()
        if saved[key] != wanted
    ]


def _check_templates(folder: Path, saved: Mapping[str, Any], tasks: Mapping[str, Task]) -> None:
    """Check that the templates are the ones that a checkpoint was trained with."""
    changed = [
        name
        for name, trained in saved["templates"].items()
        if name not in tasks or template_version(tasks[name]) != trained
    ]
    if changed:
        raise UserError(
            f"{folder}: the templates of {', '.join(changed)} are not those that it was trained with",
            cause="they were edited since, or another version of the toolkit has others",
            remedy="restore them, or train again",
        )


def adopt_contract(folder: Path, recipe: Recipe) -> Recipe:
    """Show and word questions in the way a checkpoint was trained, except where the recipe itself says how.

    Args:
        folder: The folder of the checkpoint.
        recipe: The recipe whose missing sections are taken from the checkpoint.

    Raises:
        UserError: If the folder is not a checkpoint.
    """
    read_contract(folder)
    trained = load_recipe(folder / RECIPE)
    unsaid = [section for section in _PRESENTATION_SECTIONS if section not in recipe.model_fields_set]
    return recipe.model_copy(update={section: getattr(trained, section) for section in unsaid})


def lend_contract(contract: Contract, recipe: Recipe) -> Recipe:
    """A recipe that shows questions as a contract says, whatever it says itself, and lets answers be as long.

    Args:
        contract: The contract.
        recipe: The recipe.
    """
    shown = {section: getattr(contract.recipe, section) for section in _PRESENTATION_SECTIONS}
    longest = max(recipe.evaluation.max_new_tokens, contract.max_new_tokens)
    evaluation = recipe.evaluation.model_copy(update={"max_new_tokens": longest})
    return recipe.model_copy(update={**shown, "evaluation": evaluation})


def adopt_base_contract(recipe: Recipe) -> Recipe:
    """Show and word questions in the way the base model was trained, except where the recipe itself says how.

    What is taken over from the base model is printed on stderr.

    Raises:
        UserError: If the base model is a checkpoint of this toolkit that cannot be read.
    """
    base = fetch_model(recipe.model.name, weights=False)
    if not (base / CONTRACT).is_file():
        return recipe
    adopted = adopt_contract(base, recipe)
    taken = differences(recipe, adopted)
    if taken and is_first_process():
        changes = "; ".join(each.to_text() for each in taken)
        err.note(f"questions are shown as {recipe.model.name} was trained: {changes}")
    return adopted


def recipe_canvas(recipe: Recipe) -> Canvas:
    """The picture sizes that a recipe asks with: those that the recipe states, or those of its base model."""
    if recipe.evaluation.multiple:
        return Canvas(multiple=recipe.evaluation.multiple)
    if recipe.model.name == TINY_RANDOM:
        return Canvas(square=recipe.model.tiny.picture)
    return canvas_of(fetch_model(recipe.model.name, weights=False))
