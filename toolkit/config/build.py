"""What a recipe amounts to, once the model's canvas is known: a training mixture and held-out questions."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.config.recipe import AnySource, ManifestSource, Recipe, RoomsSource, ShapesSource, TaskSettings
from toolkit.data.manifest.manifest import load_manifest
from toolkit.data.sources.source import Part, Source, examples, overview, split
from toolkit.data.synthetic.rooms import Rooms
from toolkit.data.synthetic.shapes import Shapes, ShapeSettings
from toolkit.errors import UserError, raise_all
from toolkit.geometry.canonical import Canonicalisation, Canvas, Crop
from toolkit.qa.marker import Marker
from toolkit.qa.mixture import Feed, Mixture, Phase, can_feed
from toolkit.qa.registry import expand, get_task, load_tasks
from toolkit.qa.sample import Hints, Presenter
from toolkit.qa.task import GENERAL, Task
from toolkit.utils.progress import processes

EVALUATION_SEED = 1_000_003
"""Added to the recipe's seed for held-out questions, so that they are drawn apart from training."""


GENERAL_PICTURES = ShapesSource(kind="shapes", settings=ShapeSettings(seed=EVALUATION_SEED))
"""What ordinary questions are about where a recipe has no such pictures; none of another seed is among them."""


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
    _check_names(recipe.include)
    _check_colors(recipe, tasks)
    opened = _opened(recipe)
    for name, (rest, held) in opened.items():
        _check_rest(name, recipe, rest, held)
    feeds = tuple(Feed(name, train, _weight(recipe, name, train)) for name, (train, _) in opened.items())
    kept = _kept(recipe, opened)
    presenter = make_presenter(recipe, canvas)
    settings = recipe.trainer
    length = settings.steps * settings.batch_size * settings.accumulate
    phases = _phases(recipe, tasks, length * processes())
    train = Mixture(tasks, feeds, presenter, recipe.seed, length, recipe.questions_per_image, phases)
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
    _check_converted(recipe)
    return {name: _open(settings) for name, settings in recipe.sources.items() if settings.weight > 0}


def _check_converted(recipe: Recipe) -> None:
    """Check that the manifests are there of which the recipe says how they are made; all that are not are named."""
    missing = [
        _unconverted(name, settings.path, settings.convert)
        for name, settings in recipe.sources.items()
        if isinstance(settings, ManifestSource)
        and settings.weight > 0
        and settings.convert
        and not settings.path.exists()
    ]
    if len(missing) == 1:
        raise missing[0]
    raise_all("the recipe's data", missing)


def _unconverted(name: str, path: Path, convert: str) -> UserError:
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
            remedy="lower the source's held_out, or give more pictures; to measure: toolkit eval; "
            "to see what it measures by: toolkit data preview --held-out",
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
    """The recipe's tasks and their shares; loads the files that it includes.

    The tasks of a group share its share evenly; those that the recipe names by themselves have their own.
    """
    for path in recipe.include:
        load_tasks(path)
    shares = _shares(recipe, {name: settings.weight for name, settings in recipe.tasks.items()})
    return tuple((get_task(name, **options), shares[name]) for name, options in _options(recipe) if shares[name] > 0)


def _check_names(include: Sequence[Path]) -> None:
    """Check that a checkpoint can keep a copy of each file in one folder."""
    kept: dict[str, Path] = {}
    for path in include:
        other = kept.setdefault(path.name, path)
        if other.read_bytes() != path.read_bytes():
            raise UserError(
                f"two files of `include` have one name: {other} and {path}",
                cause="a checkpoint keeps a copy of both in one folder",
                remedy="rename one",
            )


def _members(recipe: Recipe, name: str) -> list[str]:
    """The tasks that a name of the recipe stands for."""
    return [each for each in expand([name]) if each == name or each not in recipe.tasks]


def _options(recipe: Recipe) -> list[tuple[str, Mapping[str, Any]]]:
    """The names of the recipe's tasks, and their options."""
    return [(each, settings.options) for name, settings in recipe.tasks.items() for each in _members(recipe, name)]


def _shares(recipe: Recipe, given: Mapping[str, float]) -> dict[str, float]:
    """Shares by task: those of a group are shared evenly."""
    members = {name: _members(recipe, name) for name in given}
    return {each: given[name] / len(members[name]) for name in given for each in members[name]}


def _phases(recipe: Recipe, tasks: Sequence[tuple[Task, float]], samples: int) -> tuple[Phase, ...]:
    """The recipe's curriculum for a run of so many samples.

    Raises:
        UserError: If nothing is left to ask in a phase.
    """
    ends = np.cumsum([phase.share for phase in recipe.curriculum])
    phases = []
    for number, (phase, end) in enumerate(zip(recipe.curriculum, ends, strict=True), start=1):
        shares = _shares(recipe, phase.tasks)
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


def make_presenter(recipe: Recipe, canvas: Canvas) -> Presenter:
    """How the recipe shows and words its questions."""
    crop = recipe.canonical.crop
    return Presenter(
        Canonicalisation(
            recipe.canonical.focal,
            canvas,
            Crop(crop.width, crop.height) if crop else None,
            recipe.canonical.keep_focal,
        ),
        Marker(**recipe.marker.model_dump()),
        recipe.reference,
        recipe.think,
    )


def asking(recipe: Recipe, names: Sequence[str]) -> Recipe:
    """The same recipe, asking tasks or groups of tasks by name.

    Ordinary questions need pictures of shapes: where the recipe has none, ``GENERAL_PICTURES`` are added. Where
    nothing else is asked, other sources are left out.

    Args:
        recipe: Says how questions are shown, about which pictures, and with which options.
        names: Names of tasks or groups.
    """
    for path in recipe.include:
        load_tasks(path)
    tasks = [get_task(name) for name in expand(names)]
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
    """A source whole, but for the synthetic pictures that are held out."""
    if isinstance(settings, ShapesSource):
        return Shapes(settings.settings)
    if isinstance(settings, RoomsSource):
        return Rooms(settings.settings)
    return load_manifest(Path(settings.path), settings.depth_type)


def _open(settings: AnySource) -> tuple[Source, Source]:
    """The training part of a source and its held-out part."""
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
    """All licences that a source's Frames state; those of one generator have one."""
    stated = (
        {frame.license for frame in examples(feed.source)}
        if feed.source.alike
        else overview(feed.source).licenses.distinct()
    )
    return {license or f"{feed.name}: not stated" for license in stated}
