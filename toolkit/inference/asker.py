"""Asking: a picture, a question, an answer with its unit.

Pictures are canonicalised, marked and worded exactly as in training (``toolkit.qa.sample``).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from toolkit.data.frames.frame import Frame
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.plausibility import likely_meaning
from toolkit.inference.answer import Answer, Located
from toolkit.inference.camera_source import CameraFlags, KnownCamera, camera_of
from toolkit.inference.caveats import caveats, is_shipped
from toolkit.inference.picture import Given, Opened, open_picture
from toolkit.inference.points import Named, blindness, check_place, find_points, unheeded
from toolkit.modeling.checkpoint import Checkpoint, load_checkpoint
from toolkit.modeling.checkpoint_contract import CONTRACT, contract_for_remote
from toolkit.modeling.consistency import Check
from toolkit.modeling.consistency import check as check_answers
from toolkit.modeling.predictor import Predictor, Reply
from toolkit.modeling.remote.address import is_remote, parse_remote
from toolkit.modeling.uncertainty import interval
from toolkit.modeling.vlm.vlm_predictor import VlmPredictor
from toolkit.qa.canonical_view import View, canonicalise
from toolkit.qa.parsing.units import in_unit, unit_in
from toolkit.qa.query import Query, point_in
from toolkit.qa.registry import get_task, task_names
from toolkit.qa.routing import describe_needs, route
from toolkit.qa.sample import Presenter, Sample, Turn
from toolkit.qa.task import Task
from toolkit.utils.resources import TINY, model_folder

MAX_NEW_TOKENS = 64


_UNCHECKED = "this answer cannot be checked: the model knows no other task that gives the depth of a point"


_AT_ONCE = 64  # questions answered together


def find_checkpoint(root: Path = Path("runs")) -> Path:
    """The checkpoint to ask where none is named: the newest in ``runs``, else the one that comes with the toolkit."""
    found = sorted(root.glob(f"*/{CONTRACT}"), key=lambda path: path.stat().st_mtime)
    return found[-1].parent if found else Path(model_folder(TINY))


def load(model: str | Path | None = None, like: str | Path | None = None) -> "Asker":
    """A model, loaded once, that answers many questions.

    Args:
        model: A folder that ``toolkit train`` wrote; ``tiny``, the model that comes with the toolkit; or
            ``openai:NAME@URL`` for one on an OpenAI-compatible server. By default the newest in ``runs``, else tiny.
        like: For one on a server, the checkpoint folder that says how it is asked (``contract_for_remote``).

    Raises:
        UserError: If it is no checkpoint, or the server cannot be named so.
    """
    if model is None or not is_remote(str(model)):
        if like is not None:
            raise UserError("--like is for models on a server", remedy="a checkpoint says itself how it is asked")
        return Asker.of(load_checkpoint(find_checkpoint() if model is None else Path(model_folder(model))))
    from toolkit.modeling.remote.remote_predictor import OpenAiPredictor

    remote = parse_remote(str(model))
    contract = contract_for_remote(remote, None if like is None else Path(like))
    return Asker(OpenAiPredictor(remote), contract.presenter, contract.tasks)


@dataclass(frozen=True)
class Asker:
    """A model that answers questions about a user's pictures.

    Attributes:
        predictor: Who answers.
        presenter: How questions are shown and worded, whole pictures.
        tasks: What the model knows, by name.
        at_once: How many questions are given to the predictor together.
        caveats: By task, what is said with every answer; "" holds for tasks that are not named.
    """

    predictor: Predictor
    presenter: Presenter
    tasks: Mapping[str, Task]
    at_once: int = _AT_ONCE
    caveats: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, checkpoint: Checkpoint, max_new_tokens: int = MAX_NEW_TOKENS) -> "Asker":
        """The model of a checkpoint."""
        shipped = is_shipped(checkpoint.folder)
        name = TINY if shipped else str(checkpoint.folder)
        predictor = VlmPredictor(checkpoint.vlm, name, _AT_ONCE, max_new_tokens)
        said = caveats(checkpoint.folder) if shipped else {}
        return cls(predictor, checkpoint.presenter, checkpoint.tasks, caveats=said)

    def ask(
        self,
        image: Given | Sequence[Given],
        question: str,
        *,
        points: Mapping[str, Named] | None = None,
        camera: CameraFlags | Camera | None = None,
        task: str | None = None,
        raw: bool = False,
        check: bool = False,
    ) -> Answer:
        """Ask one question about one picture, or about two.

        Args:
            image: The picture or the two pictures: paths, PIL pictures or arrays (height, width, 3) uint8 RGB.
            question: The words.
            points: (u, v) [px of the upright first picture] by a colour's name; where the question names a colour
                and no point is given, a mark of that colour is looked for.
            camera: What is known of the camera; else what lies beside the picture or in its EXIF tags is used.
            task: Name of the task, None to find it from the words.
            raw: Whether the model is asked in the user's very words, and not in those it was trained on.
            check: Whether the answer is checked against the model's own depths, for the price of further questions.

        Raises:
            UserError: If the pictures, points, camera or question cannot be used.
        """
        scene = self._open(image, camera)
        places = find_points(question, points or {}, scene.frames[0])
        chosen = self._task(question, task, len(places), len(scene.frames), raw)
        sample = self._sample(chosen, question, scene.frames, places, raw)
        (reply,) = self.predictor.answer([sample])
        answer = self._answer(chosen, question, sample, reply, scene)
        warnings = [*scene.warnings, *unheeded(places, self.presenter), *self.caveat(chosen)]
        if check:
            answer = replace(answer, check=self._check(chosen, question, sample, reply))
            warnings += [] if answer.check else [_UNCHECKED]
        answer = _with_names(answer, dict(zip((point.name for point in sample.query.points), places, strict=True)))
        return replace(answer, points=places, images=sample.images, warnings=tuple(warnings))

    def ask_many(
        self,
        image: Given,
        question: str,
        points: ArrayLike,
        *,
        camera: CameraFlags | Camera | None = None,
        task: str | None = None,
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[Answer]:
        """Ask the same about many points of one picture, each by itself.

        With text coordinates the picture is encoded once; with markers, pictures are batched.

        Args:
            image: The picture, as for ``ask``.
            question: The words, which name no point.
            points: (N, 2), (u, v) [px of the upright picture].
            camera: As for ``ask``.
            task: As for ``ask``; a task about one point.
            progress: Told after each batch how many points it held.

        Returns:
            One Answer a point, in order, without its picture.

        Raises:
            UserError: If the picture, a point, the camera or the question cannot be used.
        """
        scene = self._open(image, camera)
        where = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        for u, v in where.tolist():
            check_place((u, v), scene.frames[0].camera)
        chosen = self._task(question, task, 1, 1, raw=False)
        if chosen is None:
            raise TypeError("a task is always found, or it is an error")
        answers: dict[int, Answer] = {}
        for indices, samples in self._samples(chosen, question, scene.frames[0], where):
            for index, sample, reply in zip(indices, samples, self.predictor.answer(samples), strict=True):
                (name,) = (point.name for point in sample.query.points)
                u, v = where[index].tolist()
                answer = self._answer(chosen, question, sample, reply, scene)
                warnings = (*scene.warnings, *blindness(self.presenter), *self.caveat(chosen))
                answers[index] = replace(answer, points={name: Located((u, v), "given")}, warnings=warnings)
            progress(len(indices))
        return [answers[index] for index in range(len(where))]

    def check_focal(self, name: str, known: KnownCamera) -> None:
        """Check that a picture can be made canonical.

        Raises:
            UserError: If it cannot; it says what the focal length most likely means.
        """
        try:
            self.presenter.canonicalisation.whole(known.camera)
        except UserError as fault:
            likely = likely_meaning(known.camera, known.source)
            if not likely:
                raise
            across, down = known.camera.fov
            raise UserError(
                f"{name}: its field of view cannot be {across:.3g} x {down:.3g} degrees",
                f"that follows from {known.source}, a focal length of {known.camera.fx:g} px",
                likely,
            ) from fault

    def _open(self, given: Given | Sequence[Given], camera: CameraFlags | Camera | None) -> "_Scene":
        images: Sequence[Given] = given if isinstance(given, list | tuple) else [given]  # type: ignore[list-item]
        opened = [open_picture(image) for image in images]
        cameras = [known_camera(each, camera) for each in opened]
        frames = [Frame(each.picture, known.camera) for each, known in zip(opened, cameras, strict=True)]
        for frame, known in zip(frames, cameras, strict=True):
            self.check_focal(frame.name, known)
        said = [line for each, known in zip(opened, cameras, strict=True) for line in (*each.warnings, *known.warnings)]
        return _Scene(frames, cameras, tuple(dict.fromkeys([*said, *_same(frames)])))

    def _task(self, question: str, name: str | None, points: int, images: int, raw: bool) -> Task | None:
        """The task of a question; None if its words are passed through and no task is named."""
        if name is None:
            known = {each: get_task(each) for each in task_names()}
            return None if raw else route(question, points, images, self.tasks, known)
        task = self.tasks.get(name) or get_task(name)
        if name not in self.tasks:
            raise UserError(
                f"this model was not trained on {name}",
                cause=f"it was trained on {', '.join(sorted(self.tasks))}",
                remedy=f"train one whose recipe has tasks.{name}",
            )
        if (task.points, task.images) != (points, images):
            raise UserError(
                f"{task.name} needs {describe_needs(task)}, not {points} in {images}",
                remedy="name each point, as in --point red=320,240",
            )
        return task

    def caveat(self, task: Task | None) -> list[str]:
        """What is to be known of this model's answers to a task, or to questions that are none; so far."""
        said = self.caveats.get(task.name if task else "", self.caveats.get("", ""))
        return [*([said] if said else []), *getattr(self.predictor, "notes", ())]

    def _check(self, task: Task | None, question: str, sample: Sample, reply: Reply) -> Check | None:
        """The answer beside the model's own depths; None where nothing it knows can check it."""
        if task is None:
            return None
        values = [task.read(reply.text, sample.query)]
        (checked,) = check_answers([sample], values, self.tasks, self.presenter, self.predictor.answer)
        if checked is None or checked.implied is None:
            return checked
        implied = task.meant(checked.implied, question, sample.query)
        return replace(checked, implied=implied, said=task.write(implied, sample.query))

    def _sample(
        self, task: Task | None, question: str, frames: Sequence[Frame], places: Mapping[str, Located], raw: bool
    ) -> Sample:
        presenter = self.presenter
        where = np.array([place.pixel for place in places.values()]).reshape(-1, 2)
        if len(where) == 1:
            ((window, _),) = presenter.canonicalisation.tiles(frames[0].camera, where)
            views = [canonicalise(frames[0], window, labelled=False)]
        else:
            views = [presenter.view(frames[0], keep=where, labelled=False)]
        views += [presenter.view(frame, labelled=False) for frame in frames[1:]]
        names = list(places) if presenter.reference == "marker" else presenter.names(None, len(places))
        query = _query(views, names, where)
        if task is not None:
            query = replace(query, given=dict(task.given_in(question)))
            if not raw:
                return presenter.present(task, query, labelled=False)
        return presenter.gather([Turn(question, "", task.name if task else "", None, query)])

    def _samples(
        self, task: Task, question: str, frame: Frame, where: np.ndarray
    ) -> Iterator[tuple[list[int], list[Sample]]]:
        """Questions about one point each, a batch at a time; those of one batch show the same window."""
        given = dict(task.given_in(question))
        (name,) = self.presenter.names(None, 1)
        for window, indices in self.presenter.canonicalisation.tiles(frame.camera, where):
            view = canonicalise(frame, window, labelled=False)
            for start in range(0, len(indices), self.at_once):
                chosen = indices[start : start + self.at_once].tolist()
                queries = [replace(_query([view], [name], where[[index]]), given=given) for index in chosen]
                yield chosen, [self.presenter.present(task, query, labelled=False) for query in queries]

    def _answer(self, task: Task | None, question: str, sample: Sample, reply: Reply, scene: "_Scene") -> Answer:
        value, said, limits, unit = None, "", None, ""
        if task is not None:
            value = task.read(reply.text, sample.query)
            unit = task.unit
            limits = _limits(task, sample.query, reply, scene.cameras)
            if value is not None:
                value = task.meant(value, question, sample.query)
                said = _said(task, value, question, sample.query)
        return Answer(
            value=value,
            said=said,
            unit=unit,
            interval=limits,
            probability=reply.probability,
            text=reply.text,
            task=sample.task,
            prompt=sample.prompt,
            points={},
            cameras=scene.cameras,
            model=self.predictor.name,
        )


@dataclass(frozen=True)
class _Scene:
    """The pictures of a question with their cameras."""

    frames: Sequence[Frame]
    cameras: Sequence[KnownCamera]
    warnings: tuple[str, ...]


def _same(frames: Sequence[Frame]) -> list[str]:
    """A warning where the same picture is given twice."""
    first, *others = (frame.picture.read() for frame in frames)
    if not any(np.array_equal(first, other) for other in others):
        return []
    return ["the two pictures are the same, pixel by pixel: nothing can have moved between them"]


def known_camera(opened: Opened, camera: CameraFlags | Camera | None) -> KnownCamera:
    """The camera of a picture: the one given, or what the flags, a file beside it or its tags say."""
    if isinstance(camera, Camera):
        return KnownCamera(camera, "given")
    return camera_of(opened, camera or CameraFlags())


def _query(views: Sequence[View], names: Sequence[str], where: np.ndarray) -> Query:
    """A question about pixels (N, 2) of the first View's original picture."""
    first = views[0]
    places = first.camera.project(first.frame.camera.rays(where)) if len(where) else where
    return Query(tuple(views), tuple(point_in(first, name, place) for name, place in zip(names, places, strict=True)))


def _said(task: Task, value: object, question: str, query: Query) -> str:
    """A value as a person reads it, also in the unit that the question names."""
    said = task.write(value, query)
    wanted = unit_in(question)
    number = task.number(value)
    other = in_unit(number, task.unit, wanted) if wanted and number is not None and task.unit else ""
    return f"{said} ({other})" if other and other != said else said


def _limits(task: Task, query: Query, reply: Reply, cameras: Sequence[KnownCamera]) -> tuple[float, float] | None:
    """The interval of an answer, widened by what is not known of the camera."""
    found = interval(reply, lambda text: task.number_in(text, query))
    if found is None or not task.scales:
        return found
    low, high = cameras[0].scale
    return found[0] * low, found[1] * high


def _with_names(answer: Answer, called: Mapping[str, str]) -> Answer:
    """An answer whose points bear the user's names, by those of the question; in text coordinates they differ."""

    def theirs(said: Any) -> Any:
        return called.get(said, said) if isinstance(said, str) else said

    check = answer.check
    if check is not None:
        depths = {theirs(name): depth for name, depth in check.depths.items()}
        check = replace(check, depths=depths, implied=theirs(check.implied), said=theirs(check.said))
    return replace(answer, value=theirs(answer.value), said=theirs(answer.said), check=check)
