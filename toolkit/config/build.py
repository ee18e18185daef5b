"""What a recipe builds once the model's canvas is known: a training mixture and held-out questions."""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from toolkit.config.build_presenter import make_presenter, make_tasks, task_shares
from toolkit.config.recipe import AnySource, ManifestSource, Recipe, RoomsSource, ShapesSource, TaskSettings
from toolkit.data.manifest.manifest import load_manifest
from toolkit.data.sources.source import Source, SourcePart, examples, overview, split
from toolkit.data.synthetic.rooms import Rooms
from toolkit.data.synthetic.shapes import Shapes, ShapeSettings
from toolkit.errors import UserError, raise_all
from toolkit.geometry.canonical import Canvas
from toolkit.qa.mixture import Feed, Mixture, Phase, can_feed
from toolkit.qa.sample import Hints, Presenter
from toolkit.qa.tasks.registry import expand_groups, get_task, load_tasks
from toolkit.qa.tasks.task import GENERAL, Task
from toolkit.qa.tasks.template import TemplateWords
from toolkit.utils.progress import processes
from toolkit.utils.resources import model_folder

EVALUATION_SEED = 1_000_003
"""The number added to the recipe's seed for held-out questions, so that their draws differ from those of training."""

GENERAL_PICTURES = ShapesSource(kind="shapes", settings=ShapeSettings(seed=EVALUATION_SEED))
"""The pictures for ordinary questions if the recipe has none. Sources with other seeds have other pictures."""


@dataclass(frozen=True)
class RunPlan:
    """What a run trains on and is measured on.

    Attributes:
        train: The training mixture.
        held_out: One mixture for each task, of pictures that training does not see. Tasks that cannot be asked about
            the held-out pictures are missing.
        notes: What the user should know about how the data was split.
    """

    train: Mixture
    held_out: Mapping[str, Mixture]
    notes: tuple[str, ...] = ()

    @property
    def licenses(self) -> tuple[str, ...]:
        """The licences of the data, as far as the sources state them."""
        return tuple(sorted({license for feed in self.train.feeds for license in _licenses(feed)}))


@dataclass(frozen=True)
class HeldOutQuestions:
    """The questions that a model is measured on.

    Attributes:
        held_out: One mixture for each task.
        sources: The sources of the pictures.
        notes: What a reader of the results should know.
        contract: What says how they are shown and worded, with a hash of it; "" if the recipe or the model itself does.
    """

    held_out: Mapping[str, Mixture]
    sources: tuple[Source, ...] = ()
    notes: tuple[str, ...] = ()
    contract: str = ""


def make_plan(recipe: Recipe, canvas: Canvas) -> RunPlan:
    """Build the mixtures of a recipe.

    Args:
        recipe: The recipe.
        canvas: The picture sizes that the model takes.

    Raises:
        UserError: If a task is unknown, a source is faulty, or no source has what a task needs.
    """
    tasks = make_tasks(recipe)
    _check_names(recipe.include)
    _check_colors(recipe, tasks)
    opened = _open_sources(recipe)
    for name, (train, held_out) in opened.items():
        _check_training_part(name, recipe, train, held_out)
    feeds = tuple(Feed(name, train, _sampling_weight(recipe, name, train)) for name, (train, _) in opened.items())
    held_out_feeds = _make_held_out_feeds(recipe, opened)
    presenter = make_presenter(recipe, canvas)
    settings = recipe.trainer
    length = settings.steps * settings.batch_size * settings.accumulate
    phases = _make_phases(recipe, tasks, length * processes())
    mixture = Mixture(tasks, feeds, presenter, recipe.seed, length, recipe.questions_per_image, phases)
    questions, notes = _make_held_out_mixtures(recipe, tasks, held_out_feeds, presenter)
    splits = [_split_to_text(name, *parts) for name, parts in opened.items()]
    return RunPlan(mixture, questions, (*splits, *notes))


def check_trainable(recipe: Recipe) -> None:
    """Check what a recipe says of training alone; checkpoints that were trained otherwise can still be used.

    Raises:
        UserError: If the weights would have a type in which training explodes, or the base model is no folder.
    """
    name = model_folder(recipe.model.name)
    if os.path.exists(name) and not os.path.isdir(name):
        raise UserError(
            f"model.name: {name} is not a folder",
            cause="a model is a folder with its configuration, its weights and its processor",
            remedy="give a model folder, or OWNER/NAME of a model on the hub",
        )
    if recipe.model.dtype == "float16":
        raise UserError(
            "model.dtype: float16 cannot be trained in",
            cause="nothing scales the loss: small gradients become 0, and so does the epsilon that AdamW divides by",
            remedy="leave model.dtype at auto"
            + (", or give bfloat16" if recipe.model.lora else "; trainer.precision sets the type of the forward pass"),
        )


def make_questions(
    recipe: Recipe,
    canvas: Canvas,
    presenter: Presenter | None = None,
    words: Mapping[str, TemplateWords] | None = None,
) -> HeldOutQuestions:
    """Build the held-out questions of a recipe. Unlike in ``make_plan``, nothing needs to be left for training.

    Args:
        recipe: The recipe.
        canvas: The picture sizes that the model takes.
        presenter: How questions are shown; by default as the recipe says.
        words: Words in place of those of the templates, by the name of the task.

    Raises:
        UserError: If a task is unknown, a source is faulty, no picture is held out, or the marker has fewer colours
            than a question has points.
    """
    tasks = tuple(
        (task.reworded(words[task.name]) if words and task.name in words else task, share)
        for task, share in make_tasks(recipe)
    )
    _check_colors(recipe.model_copy(update={"questions_per_image": 1}), tasks)
    feeds = _make_held_out_feeds(recipe, _open_sources(recipe))
    if not feeds:
        raise UserError("no picture is held out to measure on", remedy="raise the sources' held_out")
    shown = presenter or make_presenter(recipe, canvas)
    held_out, notes = _make_held_out_mixtures(recipe, tasks, feeds, shown)
    return HeldOutQuestions(held_out, tuple(feed.source for feed in feeds), tuple(notes))


def _open_sources(recipe: Recipe) -> dict[str, tuple[Source, Source]]:
    """Open each source that has a weight above 0, split into its training part and its held-out part."""
    _check_converted(recipe)
    return {name: _open_and_split(settings) for name, settings in recipe.sources.items() if settings.weight > 0}


def _check_converted(recipe: Recipe) -> None:
    """Check that manifests with a ``convert`` command exist. The error names all that are missing."""
    missing = [
        _not_converted_error(name, settings.path, settings.convert)
        for name, settings in recipe.sources.items()
        if isinstance(settings, ManifestSource)
        and settings.weight > 0
        and settings.convert
        and not settings.path.exists()
    ]
    if len(missing) == 1:
        raise missing[0]
    raise_all("the recipe's data", missing)


def _not_converted_error(name: str, path: Path, convert: str) -> UserError:
    form, *options = convert.split()
    here = Path.cwd()
    dest = path.parent.relative_to(here) if path.parent.is_relative_to(here) else path.parent
    command = " ".join(["toolkit data convert", form, "SOURCE", shlex.quote(str(dest)), *options])
    return UserError(
        f"{path}: there is no such manifest",
        cause=f"the source {name} has not been fetched and converted to there",
        remedy=f"`toolkit data formats {form}` says where to fetch it; then `{command}`; "
        f"or, if there is a manifest elsewhere, sources.{name}.path=MANIFEST",
    )


def _sampling_weight(recipe: Recipe, name: str, train: Source) -> float:
    """How often training draws a source, relative to the other sources."""
    if recipe.sampling == "uniform":
        return 1.0
    return recipe.sources[name].weight * (len(train) if recipe.sampling == "size" else 1)


def _make_held_out_feeds(recipe: Recipe, opened: Mapping[str, tuple[Source, Source]]) -> tuple[Feed, ...]:
    """The held-out parts of the sources, without empty ones."""
    return tuple(Feed(name, held, recipe.sources[name].weight) for name, (_, held) in opened.items() if len(held))


def _check_training_part(name: str, recipe: Recipe, train: Source, held_out: Source) -> None:
    """Check that the training part of a source is not empty."""
    settings = recipe.sources[name]
    if not len(train) and isinstance(settings, ManifestSource):
        raise UserError(
            f"{settings.path}: no picture is left for training",
            cause=f"{len(held_out)} in all, and a share of {settings.held_out:g} is held out",
            remedy="lower the source's held_out, or give more pictures; to measure: toolkit eval; "
            "to see what it measures by: toolkit data preview --held-out",
        )


def _check_colors(recipe: Recipe, tasks: tuple[tuple[Task, float], ...]) -> None:
    """Check that the marker has enough colours for all points of all questions about one picture."""
    most = max((task for task, _ in tasks), key=lambda task: task.points)
    needed = max(
        most.points,
        recipe.questions_per_image * max(task.points for task, _ in tasks if task.images == 1)
        if any(task.images == 1 for task, _ in tasks)
        else 0,
    )
    if recipe.reference == "marker" and needed > len(recipe.marker.colors):
        raise UserError(
            f"a picture can have {needed} points, and marker.colors has {len(recipe.marker.colors)}",
            cause=f"{most.name} asks about {most.points}, and questions_per_image is {recipe.questions_per_image}",
            remedy="name more colours, ask fewer questions, or set reference: text",
        )


def _check_names(include: Sequence[Path]) -> None:
    """Check that a checkpoint can keep copies of all included files in one folder."""
    kept: dict[str, Path] = {}
    for path in include:
        other = kept.setdefault(path.name, path)
        if other.read_bytes() != path.read_bytes():
            raise UserError(
                f"two files of `include` have one name: {other} and {path}",
                cause="a checkpoint keeps a copy of both in one folder",
                remedy="rename one",
            )


def _make_phases(recipe: Recipe, tasks: Sequence[tuple[Task, float]], samples: int) -> tuple[Phase, ...]:
    """Make the phases of the recipe's curriculum.

    Args:
        recipe: The recipe.
        tasks: The tasks of the recipe with their shares.
        samples: The number of samples of the whole run.

    Raises:
        UserError: If nothing is asked in a phase.
    """
    ends = np.cumsum([phase.share for phase in recipe.curriculum])
    phases = []
    for number, (phase, end) in enumerate(zip(recipe.curriculum, ends, strict=True), start=1):
        shares = task_shares(recipe, phase.tasks)
        asked = tuple((task, shares[task.name]) for task, _ in tasks if shares.get(task.name))
        if not asked:
            raise UserError(
                f"nothing is asked in phase {number} of the curriculum",
                cause=f"of {', '.join(phase.tasks)}, none has a share above 0 there and under tasks",
                remedy="raise their share under tasks, or take the phase out",
            )
        phases.append(
            Phase(
                round(samples * end / ends[-1]),
                asked,
                Hints(phase.patch_words, phase.point_words, recipe.reference == "marker"),
                phase.questions_per_image,
            )
        )
    return tuple(phases)


def recipe_with_tasks(recipe: Recipe, names: Sequence[str]) -> Recipe:
    """The same recipe with other tasks.

    Ordinary questions need pictures of shapes. If the recipe has none, ``GENERAL_PICTURES`` are added. If only ordinary
    questions are asked, other sources are left out.

    Args:
        recipe: The recipe, which says how questions are shown, about which pictures, and with which options of tasks.
        names: The names of tasks or groups of tasks.
    """
    load_tasks(*recipe.include)
    tasks = [get_task(name) for name in expand_groups(names)]
    settings = {task.name: recipe.tasks.get(task.name) or recipe.tasks.get(task.group) for task in tasks}
    shapes = {name: source for name, source in recipe.sources.items() if isinstance(source, ShapesSource)}
    sources: dict[str, AnySource] = {}
    if any(task.needs == "objects" for task in tasks):
        sources |= shapes or {GENERAL: GENERAL_PICTURES}
    if any(task.needs != "objects" for task in tasks):
        sources |= recipe.sources
    asked = {name: TaskSettings(options=known.options if known else {}) for name, known in settings.items()}
    return recipe.model_copy(update={"tasks": asked, "sources": sources})


def open_source(settings: AnySource) -> Source:
    """Open a source. A manifest is opened whole; a synthetic source gives its training pictures."""
    if isinstance(settings, ShapesSource):
        return Shapes(settings.settings)
    if isinstance(settings, RoomsSource):
        return Rooms(settings.settings)
    return load_manifest(Path(settings.path), settings.depth_type)


def _open_and_split(settings: AnySource) -> tuple[Source, Source]:
    """Open a source, split into its training part and its held-out part."""
    whole = open_source(settings)
    if isinstance(settings, ShapesSource):
        shapes = settings.settings
        later = replace(shapes, first=shapes.first + shapes.pictures, pictures=settings.held_out_pictures)
        return whole, Shapes(later)
    if isinstance(settings, RoomsSource):
        rooms = settings.settings
        after = replace(rooms, first=rooms.first + rooms.rooms, rooms=settings.held_out_rooms)
        return whole, Rooms(after)
    return split(whole, settings.held_out, seed=0)


def _make_held_out_mixtures(
    recipe: Recipe, tasks: tuple[tuple[Task, float], ...], feeds: tuple[Feed, ...], presenter: Presenter
) -> tuple[dict[str, Mixture], list[str]]:
    """Make one mixture for each task that the held-out pictures can be asked about, and notes on the other tasks."""
    mixtures, notes = {}, []
    for task, _ in tasks:
        if any(can_feed(feed.source, task) for feed in feeds):
            mixtures[task.name] = Mixture(
                ((task, 1.0),),
                feeds,
                presenter.uncropped,
                recipe.seed + EVALUATION_SEED,
                recipe.evaluation.samples,
            )
        else:
            notes.append(f"{task.name} is not measured: the held-out pictures cannot be asked about it")
    return mixtures, notes


def _split_to_text(name: str, train: Source, held_out: Source) -> str:
    """How many pictures of a source are for training and how many are held out, as text for people."""
    text = f"{name}: {len(train)} pictures to train on, {len(held_out)} held out"
    if isinstance(train, SourcePart) and isinstance(held_out, SourcePart):
        both = _sequences(train) & _sequences(held_out)
        if both:
            return f"{text}; the sequence {min(both)!r} is on both sides, since it is too long to be held out whole"
    return text


def _sequences(source: Source) -> set[str]:
    return set(overview(source).sequences.distinct()) - {""}


def _licenses(feed: Feed) -> set[str]:
    """All licences that the Frames of a source state. All Frames of a synthetic source have the same one."""
    stated = (
        {frame.license for frame in examples(feed.source)}
        if feed.source.alike
        else overview(feed.source).licenses.distinct()
    )
    return {license or f"{feed.name}: not stated" for license in stated}
