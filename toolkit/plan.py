"""What a recipe amounts to, once the model's canvas is known: a training mixture and held-out questions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.abstract_task import Task
from toolkit.canonical import Canonicalisation, Canvas, Crop
from toolkit.errors import UserError
from toolkit.frame import Frame
from toolkit.marker import Marker
from toolkit.mixture import Feed, Mixture, can_feed
from toolkit.recipe import ManifestSource, Recipe, RoomsSource
from toolkit.registry import get_task, load_tasks
from toolkit.sample import Presenter
from toolkit.sources import Source, split
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
        stated = {_first_frame(feed.source).license or f"{feed.name}: not stated" for feed in self.train.feeds}
        return tuple(sorted(stated))


def make_plan(recipe: Recipe, canvas: Canvas) -> Plan:
    """The mixtures of a recipe for a model that takes pictures of this canvas.

    Raises:
        UserError: If a task is unknown, a source faulty, or a task cannot be fed.
    """
    tasks = make_tasks(recipe)
    opened = {name: _open(settings) for name, settings in recipe.sources.items() if settings.weight > 0}
    feeds = tuple(Feed(name, train, recipe.sources[name].weight) for name, (train, _) in opened.items())
    kept = tuple(Feed(name, held, recipe.sources[name].weight) for name, (_, held) in opened.items() if len(held))
    presenter = make_presenter(recipe, canvas)
    settings = recipe.trainer
    length = settings.steps * settings.batch_size * settings.accumulate
    train = Mixture(tasks, feeds, presenter, recipe.seed, length, recipe.questions_per_image)
    held_out, notes = _held_out(recipe, tasks, kept, presenter)
    return Plan(train, held_out, tuple(notes))


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


def _open(settings: RoomsSource | ManifestSource) -> tuple[Source, Source]:
    """The training part of a source and its held-out part."""
    if isinstance(settings, RoomsSource):
        rooms = settings.settings
        after = replace(rooms, first=rooms.first + rooms.rooms, rooms=settings.held_out_rooms)
        return Rooms(rooms), Rooms(after)
    whole = load_manifest(Path(settings.path), settings.depth_type)
    train, held_out = split(whole, settings.held_out, seed=0)
    if not len(train):
        raise UserError(
            f"{settings.path}: no picture is left for training",
            cause=f"{len(whole)} in all, and a share of {settings.held_out:g} is held out",
            remedy="lower the source's held_out, or give more pictures",
        )
    return train, held_out


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


def _first_frame(source: Source) -> Frame:
    return source.frame(0)
