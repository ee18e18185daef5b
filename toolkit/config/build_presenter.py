"""How a recipe shows and words its questions: its presenter and its tasks. Asking a model needs nothing else."""

from collections.abc import Mapping

from toolkit.config.recipe import Recipe
from toolkit.geometry.canonical import Canonicalisation, Canvas
from toolkit.qa.sample import Presenter
from toolkit.qa.tasks.registry import get_tasks, load_tasks, task_groups
from toolkit.qa.tasks.task import Task


def make_presenter(recipe: Recipe, canvas: Canvas) -> Presenter:
    """Make the presenter that shows and words the questions of a recipe.

    Args:
        recipe: The recipe.
        canvas: The picture sizes that the model takes.
    """
    canonicalisation = Canonicalisation(**vars(recipe.canonical), canvas=canvas)
    return Presenter(canonicalisation, recipe.marker, recipe.reference, recipe.think)


def make_tasks(recipe: Recipe) -> tuple[tuple[Task, float], ...]:
    """Make the tasks of a recipe, each with its share. The Python files that the recipe includes are loaded first.

    The share of a group is divided evenly among its tasks. A task that the recipe also names separately has its own
    share.

    Raises:
        UserError: If an included file is not trusted or cannot be imported, or if a task is unknown.
    """
    if recipe.include:
        load_tasks(*recipe.include)
    members = _members(recipe, recipe.tasks)
    shares = {each: s.weight / len(members[name]) for name, s in recipe.tasks.items() for each in members[name]}
    options = {each: settings.options for name, settings in recipe.tasks.items() for each in members[name]}
    tasks = get_tasks({name: own for name, own in options.items() if shares[name] > 0})
    return tuple((task, shares[name]) for name, task in tasks.items())


def task_shares(recipe: Recipe, given: Mapping[str, float]) -> dict[str, float]:
    """The share of each task. The share of a group is divided evenly among its tasks.

    Args:
        recipe: The recipe. A task that it names separately does not count as a member of its group.
        given: The shares by the name of a task or group.
    """
    members = _members(recipe, given)
    return {each: given[name] / len(members[name]) for name in given for each in members[name]}


def _members(recipe: Recipe, names: Mapping[str, object]) -> dict[str, list[str]]:
    """The tasks that each name stands for: the task itself, or the tasks of a group that the recipe does not name."""
    groups = task_groups()
    return {
        name: [each for each in groups.get(name, [name]) if each == name or each not in recipe.tasks] for name in names
    }
