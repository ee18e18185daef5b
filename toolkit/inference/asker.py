"""Asking: a picture and a question come in, and an answer with its unit goes out.

``Asker.ask`` does all of it: it opens the scene, finds the task, shows and words the question exactly as in training
(``toolkit.qa.sample``), lets the model reply, and reads the reply.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from toolkit.config.recipe import Recipe
from toolkit.data.frames.frame import Frame
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.geometry.plausibility import likely_meaning
from toolkit.inference.answer import Answer
from toolkit.inference.camera_source import CameraFlags, KnownCamera
from toolkit.inference.caveats import caveats, is_shipped
from toolkit.inference.known_length import (
    KnownInput,
    MeasuredLength,
    Rescaling,
    Scale,
    rescaling_of,
    scale_from,
)
from toolkit.inference.known_syntax import KnownLengths, checked_known, names_in
from toolkit.inference.length_questions import LengthQuestions
from toolkit.inference.open_picture import PictureInput
from toolkit.inference.points import (
    LocatedPoint,
    PointInput,
    PointSource,
    check_inside,
    find_named,
    find_points,
    no_points_warning,
    point_warnings,
    without_known,
)
from toolkit.inference.scene import Scene, open_scene
from toolkit.modeling.checkpoint_contract import CONTRACT
from toolkit.modeling.confidence.uncertainty import answer_interval
from toolkit.modeling.fetch_model import fetch_model, hub_name
from toolkit.modeling.find_contract import contract_for_remote, lent_contract, print_licence
from toolkit.modeling.placement import AUTO, Placement
from toolkit.modeling.predictor import Ending, Predictor, Reply
from toolkit.qa.canonical_view import View, canonicalise
from toolkit.qa.parsing.units import unit_in, value_to_text
from toolkit.qa.query import Query, point_in
from toolkit.qa.sample import Presenter, Sample, Turn
from toolkit.qa.tasks.registry import get_task, task_classes
from toolkit.qa.tasks.routing import needs_to_text, route
from toolkit.qa.tasks.task import Task
from toolkit.qa.tasks.trust import trusting
from toolkit.utils.progress import err
from toolkit.utils.resources import TINY, model_folder

if TYPE_CHECKING:
    from toolkit.modeling.checkpoint import Checkpoint
    from toolkit.modeling.confidence.consistency import ConsistencyCheck
    from toolkit.modeling.remote.address import RemoteModel

_UNCHECKED = "this answer cannot be checked: the model knows no other task that gives the depth of a point"
_CLOCK_TOLERANCE = 60.0  # seconds by which the clocks of machines that share a folder may differ
_AT_ONCE = 64  # how many questions are given to the predictor together


def find_checkpoint(root: Path = Path("runs")) -> Path:
    """The checkpoint to ask if the user names none: the newest one in ``root``, or else the toolkit's own.

    If the clock was set back, it may not be the newest one, which a warning says.
    """
    times = {path.parent: path.stat().st_mtime for path in sorted(root.glob(f"*/{CONTRACT}"))}
    if not times:
        return Path(model_folder(TINY))
    newest = max(times, key=lambda folder: times[folder])
    if times[newest] > time.time() + _CLOCK_TOLERANCE:
        told = f"{newest} is dated in the future; if it is not the newest run, name another by --model"
        err.note(told, label="warning")
    return newest


def load(
    model: str | Path | None = None,
    like: str | Path | None = None,
    trust: bool = False,
    *,
    device: str = AUTO,
    dtype: str = AUTO,
    quantize: str | None = None,
) -> "Asker":
    """Load a model, which can then answer many questions.

    Args:
        model: A folder that ``toolkit train`` wrote; ``tiny``, the model that comes with the toolkit; the folder of a
            model that others trained; ``OWNER/NAME`` or ``OWNER/NAME@REVISION``, a model on the Hugging Face hub; or
            ``openai:NAME@URL``, a model on an OpenAI-compatible server. The default is the newest run in ``runs``, or
            tiny if there is none.
        like: For a model that others trained, or on a server, what says how it is asked: the name of a published model
            (``facebook/DepthLM``), a checkpoint (a folder, ``tiny``, or one on the hub), or ``stock``.
        trust: Whether Python files that come with the checkpoint may run. They are then remembered as trusted, until
            they change. Those that ``toolkit train`` wrote on this machine are trusted anyway.
        device: Where the weights are put: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        dtype: The type of the weights: ``auto``, ``float32``, ``bfloat16`` or ``float16``.
        quantize: Whether weights are shortened to ``4bit`` or ``8bit``, on a GPU.

    Raises:
        UserError: If nothing says how the model is asked, if its folder brings Python files that are not trusted, if
            its weights do not fit there, or if the name of a model on a server is malformed.
    """
    placement = Placement(device, dtype, quantize)
    if not trust:
        return _load(model, like, placement)
    with trusting(True):
        return _load(model, like, placement)


def _load(model: str | Path | None, like: str | Path | None, placement: Placement) -> "Asker":
    remote = None if model is None else _remote_model(str(model))
    if remote is None:
        folder = find_checkpoint() if model is None else fetch_model(model, weights=False)
        lent = lent_contract(folder, like)
        if lent:
            print_licence(lent)
        from toolkit.modeling.checkpoint import load_checkpoint  # imports torch; a model on a server does without

        return Asker.from_checkpoint(load_checkpoint(folder, lent, placement))
    placement.check_unused("a model on a server")
    from toolkit.modeling.remote.address import RemoteSettings
    from toolkit.modeling.remote.remote_predictor import OpenAiPredictor

    contract = contract_for_remote(remote, like)
    print_licence(contract)
    served = contract.origin == remote.name  # the checkpoint itself
    warnings = _caveats(Path(remote.name), contract.recipe, contract.tasks) if served else _same_caveat(contract.caveat)
    predictor = OpenAiPredictor(remote, RemoteSettings(max_new_tokens=contract.max_new_tokens))
    return Asker(predictor, contract.presenter, contract.tasks, caveats=warnings)


def _same_caveat(text: str) -> dict[str, str]:
    """The caveats of a model about all of whose answers the same must be said; none for ""."""
    return {"": text} if text else {}


def _caveats(folder: Path, recipe: Recipe, tasks: Iterable[str]) -> dict[str, str]:
    """What a checkpoint's own results say about its answers (``toolkit.inference.caveats``)."""
    return caveats(folder, {name: source.kind for name, source in recipe.sources.items()}, tasks)


def _remote_model(name: str) -> "RemoteModel | None":
    """The model on a server with a name like ``openai:NAME@URL``; None for any other name."""
    from toolkit.modeling.remote.address import is_remote, parse_remote

    return parse_remote(name) if is_remote(name) else None


@dataclass(frozen=True)
class Asker:
    """A model that answers questions about a user's pictures.

    Attributes:
        predictor: What answers the questions.
        presenter: How questions are shown and worded; pictures are shown whole.
        tasks: The tasks that the model was trained on, by name.
        at_once: How many questions are given to the predictor together.
        caveats: The warning that comes with every answer to a task, by the task's name; the one under "" holds for
            all other tasks.
    """

    predictor: Predictor
    presenter: Presenter
    tasks: Mapping[str, Task]
    at_once: int = _AT_ONCE
    caveats: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_checkpoint(cls, checkpoint: "Checkpoint", max_new_tokens: int | None = None) -> "Asker":
        """Make an Asker for the model of a checkpoint.

        Args:
            checkpoint: The checkpoint.
            max_new_tokens: The highest number of tokens in an answer; by default as the checkpoint needs them.
        """
        folder = checkpoint.folder
        name = TINY if is_shipped(folder) else hub_name(folder) or str(folder)
        if (folder / CONTRACT).is_file():
            warnings = _caveats(folder, checkpoint.recipe, checkpoint.tasks)
        else:
            warnings = _same_caveat(checkpoint.caveat)
        from toolkit.modeling.vlm.vlm_predictor import VlmPredictor  # imports torch

        predictor = VlmPredictor(checkpoint.vlm, name, _AT_ONCE, max_new_tokens or checkpoint.max_new_tokens)
        return cls(predictor, checkpoint.presenter, checkpoint.tasks, caveats=warnings)

    def ask(
        self,
        image: PictureInput | Sequence[PictureInput] | Scene,
        question: str,
        *,
        points: Mapping[str, PointInput] | None = None,
        camera: CameraFlags | Camera | None = None,
        task: str | None = None,
        raw: bool = False,
        check: bool = False,
        known: KnownInput | None = None,
    ) -> Answer:
        """Ask one question about one picture, or about two.

        Args:
            image: One picture or two: paths, PIL pictures or arrays (height, width, 3) uint8 RGB. Or a Scene, which
                already holds its cameras and points.
            question: The user's words.
            points: The points (u, v) [px of the upright first picture], each by the name of a colour. If no points are
                given, marks of the colours that the question names are looked for in the picture.
            camera: The camera, if the user knows it. Otherwise, it is read from a file beside the picture or from EXIF
                tags, or assumed.
            task: The name of the task; None finds the task by the words of the question.
            raw: Whether the model is asked in exactly the user's words, and not in those of its training.
            check: Whether the answer is compared with the model's own depths, which takes further questions.
            known: Lengths [m] that the user has measured in the first picture, by the name of a point (its distance
                from the camera) or by the names of two points (the length between them). Or the Scale of another
                picture. Lengths in the answer are multiplied by the factor that follows.

        Raises:
            UserError: If the pictures, the points, the camera, the question or the known lengths cannot be used.
        """
        scene = open_scene(image, camera, points)
        self.check_focal(scene)
        lengths = {} if known is None or isinstance(known, Scale) else checked_known(known)
        find_named(names_in(lengths), scene.points, scene.frames[0])  # so that an error in them is told first
        chosen, located = self._find_task(question, task, scene, names_in(lengths), raw)
        sample = self._make_sample(chosen, question, scene.frames, located, raw)
        scale = self.measure_scale(scene, known) if known else None
        (turn,) = sample.turns
        rescaling = rescaling_of(chosen, turn.query, scale, scene.cameras[0].scale)
        (reply,) = self.predictor.answer([sample])
        answer = self._make_answer(chosen, question, turn, reply, scene.cameras, rescaling)
        unread = [answer.ending.why_unread] if answer.ending is not Ending.COMPLETE else []
        warnings = [*scene.warnings, *point_warnings(located, self.presenter), *self.caveat(chosen), *unread]
        warnings += [*rescaling.warnings(turn.task, located)] if rescaling else []
        if check:
            answer = replace(answer, check=self._check_answer(chosen, question, sample, reply, rescaling))
            warnings += [] if answer.check else [_UNCHECKED]
        answer = _with_user_names(answer, dict(zip((point.name for point in turn.query.points), located, strict=True)))
        return replace(answer, points=located, images=sample.images, warnings=tuple(warnings))

    def ask_many(
        self,
        image: PictureInput | Scene,
        question: str,
        points: ArrayLike,
        *,
        camera: CameraFlags | Camera | None = None,
        task: str | None = None,
        progress: Callable[[int], None] = lambda done: None,
        known: KnownInput | None = None,
    ) -> list[Answer]:
        """Ask the same question about many points of one picture, one point at a time.

        With text coordinates, the picture is encoded only once. With markers, the marked pictures are batched.

        Args:
            image: The picture, as for ``ask``.
            question: The user's words, which do not name a point.
            points: The points (N, 2), (u, v) [px of the upright picture].
            camera: The camera, as for ``ask``.
            task: The name of a task about one point; None finds the task by the words of the question.
            progress: A function that is called after each batch with the number of its points.
            known: Known lengths, as for ``ask``; their points are those of a Scene, or marks. Or a Scale.

        Returns:
            One Answer for each point, in order, without pictures.

        Raises:
            UserError: If the picture, a point, the camera or the question cannot be used.
        """
        scene = open_scene(image, camera)
        self.check_focal(scene)
        where = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        for u, v in where.tolist():
            check_inside((u, v), scene.frames[0].camera)
        chosen = self._choose_task(question, task, 1, 1, raw=False)
        if chosen is None:
            raise TypeError("without raw words, a task is always found, or there is an error before this")
        warnings = (*scene.warnings, *no_points_warning(self.presenter), *self.caveat(chosen))
        scale = self.measure_scale(scene, known) if known else None
        rescaling: Rescaling | None = None
        answers: dict[int, Answer] = {}
        for indices, samples in self._make_batches(chosen, question, scene.frames[0], where):
            for index, sample, reply in zip(indices, samples, self.predictor.answer(samples), strict=True):
                (turn,) = sample.turns
                (point,) = turn.query.points
                u, v = where[index].tolist()
                located = {point.name: LocatedPoint((u, v), PointSource.GIVEN)}
                rescaling = rescaling or rescaling_of(chosen, turn.query, scale, scene.cameras[0].scale)
                answer = self._make_answer(chosen, question, turn, reply, scene.cameras, rescaling)
                answers[index] = replace(answer, points=located)
            progress(len(indices))
        told = (*warnings, *(rescaling.warnings() if rescaling else ()))
        return [replace(answers[index], warnings=told) for index in range(len(where))]

    def measure_scale(
        self,
        image: PictureInput | Scene,
        known: KnownInput,
        *,
        points: Mapping[str, PointInput] | None = None,
        camera: CameraFlags | Camera | None = None,
    ) -> Scale:
        """Measure the scale of a picture by asking about lengths in it that the user knows.

        Args:
            image: The picture, as for ``ask``.
            known: The known lengths [m] by the name of a point or the names of two. A Scale is returned as it is.
            points: The points, as for ``ask``.
            camera: The camera, as for ``ask``.

        Returns:
            The Scale, which ``ask`` and ``ask_many`` also take as ``known``.

        Raises:
            UserError: If the known lengths cannot be used, or the model's answers about them cannot be read.
        """
        if isinstance(known, Scale):
            return known
        return scale_from(self.measure_lengths(open_scene(image, camera, points), known))

    def measure_lengths(self, scene: Scene, known: KnownLengths) -> list[MeasuredLength]:
        """Ask about lengths [m] that the user knows in the first picture of a scene.

        Raises:
            UserError: If the known lengths cannot be used.
        """
        self.check_focal(scene)
        lengths = checked_known(known)
        frame = scene.frames[0]
        located = find_named(names_in(lengths), scene.points, frame)
        questions = LengthQuestions(
            self.tasks,
            lambda task, where: self._make_sample(task, "", [frame], where, raw=False),
            self.predictor.answer,
            frame.camera,
        )
        return questions.measure(lengths, located)

    def check_focal(self, scene: Scene) -> None:
        """Check that every picture of a scene can be made canonical.

        Raises:
            UserError: If a picture cannot. The message says what its focal length most likely means.
        """
        for frame, known in zip(scene.frames, scene.cameras, strict=True):
            try:
                self.presenter.canonicalisation.whole(known.camera)
            except UserError as fault:
                likely = likely_meaning(known.camera, known.source)
                if not likely:
                    raise
                across, down = known.camera.fov
                raise UserError(
                    f"{frame.name}: its field of view cannot be {across:.3g} x {down:.3g} degrees",
                    f"that follows from {known.origin}, a focal length of {known.camera.fx:g} px",
                    likely,
                ) from fault

    def _find_task(
        self, question: str, name: str | None, scene: Scene, known: Sequence[str], raw: bool
    ) -> tuple[Task | None, dict[str, LocatedPoint]]:
        """Choose the task of a question, and its points.

        Points that it does not name, but ``known`` lengths do, are left out, unless it has no task without them.
        """
        given = find_points(question, scene.points, scene.frames[0])
        asked = without_known(question, given, known)
        choices = [given] if asked == given or (not asked and len(scene.frames) == 1) else [asked, given]
        faults = []
        for points in choices:
            try:
                return self._choose_task(question, name, len(points), len(scene.frames), raw), points
            except UserError as fault:
                faults.append(fault)
        raise faults[0]

    def _choose_task(self, question: str, name: str | None, points: int, images: int, raw: bool) -> Task | None:
        """Choose the task of a question; None if the user's words are asked as they are and no task is named."""
        if name is None:
            return None if raw else route(question, points, images, self.tasks, task_classes())
        task = self.tasks.get(name) or get_task(name)
        if name not in self.tasks:
            raise UserError(
                f"this model was not trained on {name}",
                cause=f"it was trained on {', '.join(sorted(self.tasks))}",
                remedy=f"train one whose recipe has tasks.{name}",
            )
        if (task.points, task.images) != (points, images):
            raise UserError(
                f"{task.name} needs {needs_to_text(task)}, not {points} in {images}",
                remedy="name each point, as in --point red=320,240",
            )
        return task

    def caveat(self, task: Task | None) -> list[str]:
        """What the user should know about this model's answers to a task; None stands for words that no task reads."""
        caveat = self.caveats.get(task.name if task else "", self.caveats.get("", ""))
        return [*([caveat] if caveat else []), *self.predictor.notes]

    def _check_answer(
        self, task: Task | None, question: str, sample: Sample, reply: Reply, rescaling: Rescaling | None
    ) -> "ConsistencyCheck | None":
        """Compare an answer with the model's own depths; None if no task that the model knows allows it.

        A common factor does not change whether they agree, so it is applied to what is returned.
        """
        if task is None:
            return None
        from toolkit.modeling.confidence.consistency import check_consistency

        values = [task.read(reply.readable, sample.query)]
        (checked,) = check_consistency([sample], values, self.tasks, self.presenter, self.predictor.answer)
        if checked is not None and rescaling:
            checked = rescaling.check(checked)
        if checked is None or checked.implied is None:
            return checked
        implied = task.meant(checked.implied, question, sample.query)
        return replace(checked, implied=implied, said=task.write(implied, sample.query))

    def _make_sample(
        self, task: Task | None, question: str, frames: Sequence[Frame], located: Mapping[str, LocatedPoint], raw: bool
    ) -> Sample:
        """Make the Sample of a question. About one point, it shows the window whose middle is nearest to the point."""
        presenter = self.presenter
        where = np.array([point.pixel for point in located.values()]).reshape(-1, 2)
        if len(where) == 1:
            ((window, _),) = presenter.canonicalisation.tiles(frames[0].camera, where)
            views = [canonicalise(frames[0], window, labelled=False)]
        else:
            views = [presenter.view(frames[0], keep=where, labelled=False)]
        views += [presenter.view(frame, labelled=False) for frame in frames[1:]]
        names = presenter.shown_names(list(located))
        query = _make_query(views, names, where)
        if task is not None:
            query = replace(query, given=dict(task.given_in(question)))
            if not raw:
                return presenter.present(task, query)
        return presenter.gather([Turn(question, "", task.name if task else "", None, query)])

    def _make_batches(
        self, task: Task, question: str, frame: Frame, where: np.ndarray
    ) -> Iterator[tuple[list[int], list[Sample]]]:
        """Yield batches of questions about one point each: their indices and Samples. A batch shows one window only."""
        given = dict(task.given_in(question))
        (name,) = self.presenter.names(None, 1)
        for window, indices in self.presenter.canonicalisation.tiles(frame.camera, where):
            view = canonicalise(frame, window, labelled=False)
            for start in range(0, len(indices), self.at_once):
                chosen = indices[start : start + self.at_once].tolist()
                queries = [replace(_make_query([view], [name], where[[index]]), given=given) for index in chosen]
                yield chosen, [self.presenter.present(task, query) for query in queries]

    def _make_answer(
        self,
        task: Task | None,
        question: str,
        turn: Turn,
        reply: Reply,
        cameras: Sequence[KnownCamera],
        rescaling: Rescaling | None,
    ) -> Answer:
        """Read a reply and make an Answer. Without a task, the Answer has no value, only the text."""
        value, text, interval, unit = None, "", None, ""
        if task is not None:
            value = task.read(reply.readable, turn.query)
            unit = task.unit
            interval = _interval(task, turn.query, reply, cameras, rescaling)
            if value is not None:
                value = rescaling.value(value) if rescaling else value
                value = task.meant(value, question, turn.query)
                text = _value_to_text(task, value, question, turn.query)
        return Answer(
            value=value,
            said=text,
            unit=unit,
            interval=interval,
            probability=reply.probability,
            text=reply.text,
            task=turn.task,
            prompt=turn.prompt,
            points={},
            cameras=cameras,
            model=self.predictor.name,
            ending=reply.ending_with(value),
            scale=rescaling.scale if rescaling else None,
        )


def _make_query(views: Sequence[View], names: Sequence[str], where: np.ndarray) -> Query:
    """Make a question about pixels (N, 2) of the original picture of the first View."""
    first = views[0]
    places = first.camera.project(first.frame.camera.rays(where)) if len(where) else where
    return Query(tuple(views), tuple(point_in(first, name, place) for name, place in zip(names, places, strict=True)))


def _value_to_text(task: Task, value: object, question: str, query: Query) -> str:
    """A value as text for people, also in the unit that the question names."""
    written, number = task.write(value, query), task.number(value)
    wanted = unit_in(question)
    other = value_to_text(number, task.unit, wanted) if wanted and number is not None and task.unit else ""
    return f"{written} ({other})" if other and other != written else written


def _interval(
    task: Task, query: Query, reply: Reply, cameras: Sequence[KnownCamera], rescaling: Rescaling | None
) -> tuple[float, float] | None:
    """The interval of an answer, rescaled by known lengths, or widened if the camera is not exactly known."""
    found = answer_interval(reply, lambda text: task.number_in(text, query))
    if rescaling and rescaling.power:
        return rescaling.interval(task.number_in(reply.readable, query), found)
    if found is None or not task.scales:
        return found
    low, high = cameras[0].scale
    return found[0] * low, found[1] * high


def _with_user_names(answer: Answer, called: Mapping[str, str]) -> Answer:
    """Give the points of an answer the user's names. ``called`` holds these by the names in the question."""

    def rename(value: Any) -> Any:
        return called.get(value, value) if isinstance(value, str) else value

    check = answer.check
    if check is not None:
        depths = {rename(name): depth for name, depth in check.depths.items()}
        check = replace(check, depths=depths, implied=rename(check.implied), said=rename(check.said))
    return replace(answer, value=rename(answer.value), said=rename(answer.said), check=check)
