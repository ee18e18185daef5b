"""Asking: a picture, a question, an answer with its unit.

Pictures are canonicalised, marked and worded exactly as in training (``toolkit.sample``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.abstract_task import Task
from toolkit.camera import Camera
from toolkit.checkpoint import CONTRACT, Checkpoint
from toolkit.errors import UserError
from toolkit.evaluate import plain
from toolkit.frame import Frame, ImageFile, Pixels, View
from toolkit.intrinsics import CameraFlags, camera_of
from toolkit.marker import COLORS, find_marks, rgb
from toolkit.places import Place
from toolkit.query import Point, Query, point_in
from toolkit.registry import get_task, task_names
from toolkit.routing import colors_in, describe_needs, route
from toolkit.sample import Sample
from toolkit.sheet import side_by_side
from toolkit.storage import make_folder
from toolkit.vlm import generate

SCHEMA = 1


@dataclass(frozen=True)
class Answer:
    """What a model said.

    Attributes:
        value: The answer in ``unit``, a name, or a motion; None if the text holds none.
        said: The value as a person reads it, with its unit; "" if there is none.
        unit: "m", "s", "m/s" or "".
        text: What the model wrote.
        task: Whose question was asked.
        prompt: The words that the model was asked.
        points: Where each named point lies [px of the upright picture], and how that is known.
        camera: [fx, fy, cx, cy, width, height] of each picture.
        camera_source: Where they come from.
        warnings: What the user should know.
        images: The pictures as the model saw them.
    """

    value: Any
    said: str
    unit: str
    text: str
    task: str
    prompt: str
    points: Mapping[str, Mapping[str, Any]]
    camera: Sequence[Sequence[float]]
    camera_source: str
    warnings: Sequence[str]
    images: Sequence[Pixels] = field(repr=False, default=())

    @property
    def shown(self) -> Pixels:
        """The pictures as the model saw them, next to each other, (H, W, 3)."""
        return side_by_side(self.images)

    def as_json(self) -> dict[str, Any]:
        """The content of ``--json``."""
        names = ("said", "unit", "text", "task", "prompt", "points", "camera", "camera_source", "warnings")
        return {"schema": SCHEMA, "value": plain(self.value), **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True)
class Asked:
    """What a user asks.

    Attributes:
        images: One or two pictures.
        question: The words.
        points: Places in the upright first picture by name, or (u, v) [px]; where the question names a colour
            and no point is given, a mark of that colour is looked for.
        camera: What is known of the camera.
        task: Name of the task, None to find it from the words.
    """

    images: Sequence[Path]
    question: str
    points: Mapping[str, Place | tuple[float, float]] = field(default_factory=dict)
    camera: CameraFlags = CameraFlags()
    task: str | None = None


def check_png(path: Path) -> None:
    """Check, before the model is asked, that a PNG can be written.

    Raises:
        UserError: If the name says otherwise, or the folder cannot be written to.
    """
    if path.suffix.lower() != ".png":
        raise UserError(f"--save {path}: only PNG is written, which keeps the marked pixels", remedy="name it .png")
    if path.is_dir():
        raise UserError(f"--save {path}: this is a folder", remedy="name a .png file in it")
    make_folder(path.parent)


def find_checkpoint(model: Path | None, root: Path = Path("runs")) -> Path:
    """The checkpoint to ask: the one given, or the newest in ``runs``.

    Raises:
        UserError: If there is none.
    """
    if model is not None:
        return model
    found = sorted(root.glob(f"*/{CONTRACT}"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise UserError(
            "there is no model to ask",
            cause=f"no --model is given, and {root.resolve()} holds no trained one",
            remedy="train one: toolkit train recipes/depth_plus_distance.yaml; or pass --model FOLDER",
        )
    return found[-1].parent


def ask(checkpoint: Checkpoint, asked: Asked, max_new_tokens: int = 64) -> Answer:
    """Ask a checkpoint one question.

    Raises:
        UserError: If the pictures, points, camera or question cannot be used.
    """
    frames, source, warnings = _frames(asked)
    points = _points(asked, frames[0])
    task = _task(checkpoint, asked, len(points))
    sample = _sample(checkpoint, asked, task, frames, points)
    text = generate(checkpoint.vlm, [sample.prompt], [sample.images], max_new_tokens=max_new_tokens)[0].text
    warnings += _color_warnings(checkpoint, points)
    value = task.read(text, sample.query)
    if isinstance(value, str):  # a point's name in the question; the user may call it otherwise
        value = dict(zip((point.name for point in sample.query.points), points, strict=True)).get(value, value)
    return Answer(
        value=value,
        said="" if value is None else task.write(value, sample.query),
        unit=task.unit,
        text=text,
        task=task.name,
        prompt=sample.prompt,
        points={name: {"pixel": list(place), "source": how} for name, (place, how) in points.items()},
        camera=[frame.camera.intrinsics for frame in frames],
        camera_source=source,
        warnings=warnings,
        images=sample.images,
    )


Places = dict[str, tuple[tuple[float, float], str]]


def _task(checkpoint: Checkpoint, asked: Asked, points: int) -> Task:
    if asked.task is None:
        known = {name: get_task(name) for name in task_names()}
        return route(asked.question, points, len(asked.images), checkpoint.tasks, known)
    task = checkpoint.tasks.get(asked.task) or get_task(asked.task)
    if asked.task not in checkpoint.tasks:
        raise UserError(
            f"this model was not trained on {asked.task}",
            cause=f"it was trained on {', '.join(sorted(checkpoint.tasks))}",
            remedy=f"train one whose recipe has tasks.{asked.task}",
        )
    if (task.points, task.images) != (points, len(asked.images)):
        raise UserError(
            f"{task.name} needs {describe_needs(task)}, not {points} in {len(asked.images)}",
            remedy="name each point, as in --point red=320,240",
        )
    return task


def _frames(asked: Asked) -> tuple[list[Frame], str, list[str]]:
    files = [ImageFile(path) for path in asked.images]
    frames, warnings, source = [], [], ""
    for file in files:
        height, width = file.read().shape[:2]
        known = camera_of(width, height, asked.camera, file.path)
        source = known.source
        frames.append(Frame(file, known.camera))
        warnings += [line for line in known.warnings if line not in warnings]
    return frames, source, warnings


def _points(asked: Asked, frame: Frame) -> Places:
    """Each point's place [px of the upright picture] and how it is known, in the order of the question."""
    named = colors_in(asked.question)
    if not asked.points:
        return {color: (_found(frame.picture.read(), color), "a mark in the picture") for color in named}
    points = {name: _pixel(place, frame.camera) for name, place in asked.points.items()}
    for name, place in points.items():
        _check_point(name, place, frame.camera)
    strangers = [name for name in named if name not in points]
    if strangers:
        raise UserError(
            f"the question names a {strangers[0]} point, and --point gives {', '.join(points)}",
            remedy=f"add --point {strangers[0]}=U,V, or name the point that you mean",
        )
    places = list(points.values())
    if len(set(places)) < len(places):
        raise UserError("two points are at the same place", remedy="give each its own pixel")
    order = [*named, *(name for name in points if name not in named)]
    return {name: (points[name], "--point") for name in order}


def _pixel(place: Place | tuple[float, float], camera: Camera) -> tuple[float, float]:
    return place.pixel(camera.width, camera.height) if isinstance(place, Place) else place


def _check_point(name: str, place: tuple[float, float], camera: Camera) -> None:
    rgb(name)
    if not camera.contains(place):
        raise UserError(
            f"--point {name}={place[0]:g},{place[1]:g} lies outside the {camera.width} x {camera.height} picture",
            remedy="give U,V in pixels of the upright picture, U to the right and V down",
        )


def _found(pixels: Pixels, color: str) -> tuple[float, float]:
    """The one mark of a colour in a picture."""
    marks = find_marks(pixels, color)
    if len(marks) == 1:
        return float(marks[0][0]), float(marks[0][1])
    places = ", ".join(f"({u:.0f}, {v:.0f})" for u, v in marks[:5])
    raise UserError(
        f"the question names a {color} point, and the picture has {len(marks) or 'no'} compact {color} "
        f"mark{'s' if len(marks) != 1 else ''}" + (f": {places}" if places else ""),
        remedy=f"say where it is: --point {color}=U,V",
    )


def _sample(checkpoint: Checkpoint, asked: Asked, task: Task, frames: Sequence[Frame], places: Places) -> Sample:
    presenter = checkpoint.presenter
    where = np.array([place for place, _ in places.values()]).reshape(-1, 2)
    views = [
        presenter.view(frame, keep=where if index == 0 else (), labelled=False) for index, frame in enumerate(frames)
    ]
    names = list(places) if presenter.reference == "marker" else presenter.names(None, len(places))
    points = tuple(_canonical_point(views[0], name, place) for name, place in zip(names, where, strict=True))
    return presenter.present(task, Query(tuple(views), points, dict(task.given_in(asked.question))), labelled=False)


def _canonical_point(view: View, name: str, place: np.ndarray) -> Point:
    return point_in(view, name, view.camera.project(view.frame.camera.rays(place)))


def _color_warnings(checkpoint: Checkpoint, places: Places) -> list[str]:
    presenter = checkpoint.presenter
    unknown = [name for name in places if name not in presenter.marker.colors and name in COLORS]
    if presenter.reference != "marker" or not unknown:
        return []
    return [
        f"this model was not trained with {', '.join(unknown)} marks, but with {', '.join(presenter.marker.colors)}"
    ]
