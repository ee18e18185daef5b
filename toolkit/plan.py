"""What a recipe amounts to, once the model's canvas is known: a training mixture and held-out questions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.abstract_task import Task
from toolkit.canonical import Canonicalisation, Canvas, Crop
from toolkit.errors import UserError
from toolkit.marker import Marker
from toolkit.mixture import Feed, Mixture, can_feed
from toolkit.recipe import ManifestSource, Recipe, RoomsSource
from toolkit.registry import get_task, load_tasks
from toolkit.sample import Presenter
from toolkit.sources import Part, Source, overview, split
from toolkit.sources.manifest import load_manifest
from toolkit.sources.rooms import Rooms

EVALUATION_SEED = 1_000_003
"""Added to the recipe's seed for held-out questions, so that they are drawn apart from training."""


@dataclass(frozen=True)
class Plan:
    """What a run trains and is measured on.

    Attributes:
        train: The training mixture.
        held_out: One mixture a task, of pictures that training does not see. Tasks that the held-out
            pictures cannot feed are missing.
        notes: What the user should know about how this came about.
    """

    train: Mixture
    held_out: Mapping[str, Mixture]
    notes: tuple[str, ...] = ()

    @property
    def licenses(self) -> tuple[str, ...]:
        """Licences of the data, as far as the sources state them."""
        return tuple(sorted({license for feed in self.train.feeds for license in _licenses(feed)}))


@dataclass(frozen=True)
class Questions:
    """What a model is measured by.

    Attributes:
        held_out: One mixture a task.
        sources: Where their pictures come from.
        notes: What a reader of the results should know.
    """

    held_out: Mapping[str, Mixture]
    sources: tuple[Source, ...] = ()
    notes: tuple[str, ...] = ()


def make_plan(recipe: Recipe, canvas: Canvas) -> Plan:
    """The mixtures of a recipe for a model that takes pictures of this canvas.

    Raises:
        UserError: If a task is unknown, a source faulty, or a task cannot be fed.
    """
    tasks = make_tasks(recipe)
    _check_colors(recipe, tasks)
    opened = _opened(recipe)
    for name, (rest, held) in opened.items():
        _check_rest(name, recipe, rest, held)
    feeds = tuple(Feed(name, train, _weight(recipe, name, train)) for name, (train, _) in opened.items())
    kept = _kept(recipe, opened)
    presenter = make_presenter(recipe, canvas)
    settings = recipe.trainer
    length = settings.steps * settings.batch_size * settings.accumulate
    train = Mixture(tasks, feeds, presenter, recipe.seed, length, recipe.questions_per_image)
    held_out, notes = _held_out(recipe, tasks, kept, presenter)
    splits = [_describe_split(name, *parts) for name, parts in opened.items()]
    return Plan(train, held_out, (*splits, *notes))


def make_questions(recipe: Recipe, canvas: Canvas) -> Questions:
    """What a recipe measures a model by, which need not be able to train one: sources may be held out whole.

    Raises:
        UserError: If a task is unknown or a source faulty, or no held-out picture can be asked about.
    """
    tasks = make_tasks(recipe)
    opened = _opened(recipe)
    kept = _kept(recipe, opened)
    if not kept:
        raise UserError("no picture is held out to measure on", remedy="raise the sources' held_out")
    held_out, notes = _held_out(recipe, tasks, kept, make_presenter(recipe, canvas))
    return Questions(held_out, tuple(feed.source for feed in kept), tuple(notes))


def _opened(recipe: Recipe) -> dict[str, tuple[Source, Source]]:
    """The training part and the held-out part of each source that has a share."""
    return {name: _open(settings) for name, settings in recipe.sources.items() if settings.weight > 0}


def _weight(recipe: Recipe, name: str, train: Source) -> float:
    """How often training draws a source, against the others."""
    if recipe.sampling == "uniform":
        return 1.0
    return recipe.sources[name].weight * (len(train) if recipe.sampling == "size" else 1)


def _kept(recipe: Recipe, opened: Mapping[str, tuple[Source, Source]]) -> tuple[Feed, ...]:
    """The held-out parts that hold anything."""
    return tuple(Feed(name, held, recipe.sources[name].weight) for name, (_, held) in opened.items() if len(held))


def _check_rest(name: str, recipe: Recipe, rest: Source, held: Source) -> None:
    """Check that something of a source is left to train on."""
    settings = recipe.sources[name]
    if not len(rest) and isinstance(settings, ManifestSource):
        raise UserError(
            f"{settings.path}: no picture is left for training",
            cause=f"{len(held)} in all, and a share of {settings.held_out:g} is held out",
            remedy="lower the source's held_out, or give more pictures",
        )


def _check_colors(recipe: Recipe, tasks: tuple[tuple[Task, float], ...]) -> None:
    """Check that the markers have colours for all points of all questions about one picture."""
    needed = max(
        max(task.points for task, _ in tasks),
        recipe.questions_per_image * max(task.points for task, _ in tasks if task.images == 1)
        if any(task.images == 1 for task, _ in tasks)
        else 0,
    )
    if recipe.reference == "marker" and needed > len(recipe.marker.colors):
        raise UserError(
            f"a picture can have {needed} points, and marker.colors has {len(recipe.marker.colors)}",
            cause=f"questions_per_image is {recipe.questions_per_image}",
            remedy="name more colours, ask fewer questions, or set reference: text",
        )


def make_tasks(recipe: Recipe) -> tuple[tuple[Task, float], ...]:
    """The recipe's tasks and their shares; loads the files that it includes."""
    for path in recipe.include:
        load_tasks(path)
    return tuple(
        (get_task(name, **settings.options), settings.weight)
        for name, settings in recipe.tasks.items()
        if settings.weight > 0
    )


def make_presenter(recipe: Recipe, canvas: Canvas) -> Presenter:
    """How the recipe shows and words its questions."""
    crop = recipe.canonical.crop
    return Presenter(
        Canonicalisation(recipe.canonical.focal, canvas, Crop(crop.width, crop.height) if crop else None),
        Marker(**recipe.marker.model_dump()),
        recipe.reference,
        recipe.think,
    )


def open_source(settings: RoomsSource | ManifestSource) -> Source:
    """A source whole, but for the rooms that are held out."""
    if isinstance(settings, RoomsSource):
        return Rooms(settings.settings)
    return load_manifest(Path(settings.path), settings.depth_type)


def _open(settings: RoomsSource | ManifestSource) -> tuple[Source, Source]:
    """The training part of a source and its held-out part."""
    whole = open_source(settings)
    if isinstance(settings, RoomsSource):
        rooms = settings.settings
        after = replace(rooms, first=rooms.first + rooms.rooms, rooms=settings.held_out_rooms)
        return whole, Rooms(after)
    return split(whole, settings.held_out, seed=0)


def _held_out(
    recipe: Recipe, tasks: tuple[tuple[Task, float], ...], feeds: tuple[Feed, ...], presenter: Presenter
) -> tuple[dict[str, Mixture], list[str]]:
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


def _describe_split(name: str, train: Source, held_out: Source) -> str:
    """How a source is split, in words."""
    said = f"{name}: {len(train)} pictures to train on, {len(held_out)} held out"
    if isinstance(train, Part) and isinstance(held_out, Part):
        both = _sequences(train) & _sequences(held_out)
        if both:
            return f"{said}; the sequence {min(both)!r} is on both sides, since it is too long to be held out whole"
    return said


def _sequences(source: Source) -> set[str]:
    return set(overview(source).sequences.distinct()) - {""}


def _licenses(feed: Feed) -> set[str]:
    """All licences that a source's Frames state; rooms have one."""
    stated = (
        [feed.source.frame(0).license] if isinstance(feed.source, Rooms) else overview(feed.source).licenses.distinct()
    )
    return {license or f"{feed.name}: not stated" for license in stated}
