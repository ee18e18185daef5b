"""Depth models are asked at the very points of the questions: geometry, cameras, fits, and what is told when not."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.depth_models import save_twin
from tests.support.evaluations import results
from tests.support.walls import line, write_manifest
from toolkit.data.frames.frame import Frame, ImageArray, SparseDepth
from toolkit.data.manifest.manifest import load_manifest
from toolkit.data.synthetic.rooms import Rooms, RoomSettings
from toolkit.evaluation.reports.report import Report
from toolkit.geometry.camera import Camera
from toolkit.geometry.canonical import Canonicalisation, Canvas
from toolkit.modeling.depth import depth_predictor
from toolkit.modeling.depth.depth_architectures import DEPTH_ARCHITECTURES
from toolkit.modeling.depth.depth_model import DepthModel
from toolkit.modeling.depth.depth_model_spec import DepthSpec
from toolkit.modeling.depth.depth_predictor import DepthModelPredictor, load_depth_predictor
from toolkit.modeling.depth.value_map import ValueMap
from toolkit.qa.marker import Marker
from toolkit.qa.metrics import RelativeAccuracy
from toolkit.qa.mixture import Feed, Mixture
from toolkit.qa.query import Query, point_in
from toolkit.qa.sample import Presenter, Sample, Turn
from toolkit.qa.tasks.registry import get_task
from toolkit.qa.tasks.task import Task

pytestmark = pytest.mark.slow

POINT_TASKS = ("metric_depth", "principal_axis_distance", "two_point_distance", "relative_depth", "travel_speed")
TASKS = {name: get_task(name) for name in (*POINT_TASKS, "camera_pose")}
ROOMS = Rooms(RoomSettings(rooms=6, views=2, width=(60, 70), height=(60, 70), objects=(1, 3)))
PRESENTER = Presenter(Canonicalisation(focal=50, canvas=Canvas(multiple=16)), Marker("dot", 2))
METRIC = DepthSpec("oracle", "metric", "none", None, "z")


class Oracle:
    """In the place of a model: says of every picture what its labels say, changed by a function."""

    def __init__(self, spec: DepthSpec = METRIC, say: Callable[[np.ndarray], np.ndarray] = lambda depth: depth) -> None:
        self.spec = spec
        self.passes: list[list[str]] = []
        self._say = say

    def predict(self, frames: Sequence[Frame]) -> list[ValueMap]:
        self.passes.append([frame.name for frame in frames])
        return [self._map(frame) for frame in frames]

    def _map(self, frame: Frame) -> ValueMap:
        pixels, depth_z = frame.labels.read(frame.camera)
        values = np.zeros((frame.camera.height, frame.camera.width), np.float32)
        columns, rows = pixels.astype(int).T
        values[rows, columns] = self._say(depth_z)
        return ValueMap(values, (frame.camera.width, frame.camera.height))


def mixtures(*names: str, source=ROOMS, count: int = 40, presenter: Presenter = PRESENTER) -> dict[str, Mixture]:
    return {name: Mixture(((TASKS[name], 1.0),), (Feed("source", source),), presenter, 5, count) for name in names}


def measure(model, *names: str, **options) -> Report:
    return results(DepthModelPredictor(model, TASKS), mixtures(*names, **options))


def samples(name: str, count: int, **options) -> list[Sample]:
    (mixture,) = mixtures(name, count=count, **options).values()
    return [mixture[index] for index in range(count)]


def test_perfect_depths_answer_every_task_about_points() -> None:
    for task in measure(Oracle(), *POINT_TASKS).tasks:
        assert task.metrics[task.headline] == 1.0, task.task
        assert task.metrics.get("abs_rel", 0.0) < 0.02  # answers are rounded to centimetres


@pytest.mark.parametrize(("factor", "delta1"), [(1.2, 1.0), (1.3, 0.0)])
def test_depths_that_are_wrong_by_a_factor(factor: float, delta1: float) -> None:
    names = ("metric_depth", "principal_axis_distance")
    for task in measure(Oracle(say=lambda depth: factor * depth), *names).tasks:
        assert task.metrics["delta1"] == delta1
        assert task.metrics["abs_rel"] == pytest.approx(factor - 1, abs=0.005)


class Plane(torch.nn.Module):
    """A network that reads inverse depth off the red and green of a picture: exact for a plane."""

    device, dtype = torch.device("cpu"), torch.float32

    def forward(self, pixel_values: torch.Tensor) -> object:
        red, green = ((pixel_values[:, channel] + 1) / 2 for channel in (0, 1))  # 0 to 1 across the picture
        depth = 1 / (0.12 + 0.5 * red + 0.3 * green)
        return type("Output", (), {"predicted_depth": depth})


def plane_frame(camera: Camera) -> Frame:
    """A picture whose colours say what ``Plane`` makes of them, with the exact labels; axes are swapped on purpose."""
    rows, columns = np.indices((camera.height, camera.width))
    red, green = columns / (camera.width - 1), rows / (camera.height - 1)
    pixels = np.round(np.stack([red, green, 0 * red], axis=-1) * 255).astype(np.uint8)
    places = np.stack([columns.ravel(), rows.ravel()], axis=-1).astype(np.float64)
    inner = camera.contains(places, 12) & np.all(np.isfinite(camera.rays(places)), axis=-1)
    depth = 1 / (0.12 + 0.5 * red + 0.3 * green)
    labels = SparseDepth(places[inner], depth.ravel()[inner], "z")
    return Frame(ImageArray(pixels, f"plane {camera.fx}"), camera, labels)


class One:
    """A source of one Frame."""

    alike = True

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def __len__(self) -> int:
        return 1

    def frame(self, index: int) -> Frame:
        return self._frame

    def partners(self, index: int) -> Sequence[int]:
        return ()


PLAIN = Camera(150.0, 150.0, 99.5, 79.5, 200, 160)
UNEVEN = Camera(150.0, 120.0, 80.2, 92.7, 200, 160)
DISTORTED = replace(PLAIN, distortion=(-0.3, 0.1, 0.004, -0.003, 0.0))


@pytest.mark.parametrize(
    ("name", "camera", "focal"),
    [
        *(("depth_anything", camera, focal) for camera in (PLAIN, UNEVEN, DISTORTED) for focal in (150, 97, 220)),
        ("depth_pro", DISTORTED, 97),
        ("zoedepth", DISTORTED, 97),
    ],
)
def test_points_are_found_through_both_cameras(name: str, camera: Camera, focal: float) -> None:
    """Real image processors, a canonical focal length that differs, distortion: a plane comes out right everywhere."""
    architecture = replace(DEPTH_ARCHITECTURES[name], canonical=False)
    processor = architecture.processor(
        size={"height": 112, "width": 140}, keep_aspect_ratio=True, ensure_multiple_of=14, image_mean=[0.5] * 3,
        image_std=[0.5] * 3, do_pad=name == "zoedepth",
    )  # fmt: skip
    model = DepthModel(Plane(), processor, architecture, METRIC)
    presenter = Presenter(Canonicalisation(focal=focal, canvas=Canvas(multiple=28)), Marker("dot", 2))
    report = measure(model, "principal_axis_distance", source=One(plane_frame(camera)), count=20, presenter=presenter)
    worst = max(answered.scores["abs_rel"] for answered in report.records)
    # A pixel changes inverse depth by 1 % or less; 8 bits and centimetres by as little.
    assert worst < 0.02


def test_distortion_matters_in_that_test() -> None:
    """The same without undoing the distortion is off by far more than the test allows."""
    (sample,) = samples("principal_axis_distance", 1, source=One(plane_frame(DISTORTED)))
    view = sample.query.views[0]
    corner = np.array([[20.0, 20.0]])
    through = DISTORTED.project(PLAIN.rays(corner))
    assert view.camera.distortion == () and np.abs(through - corner).max() > 4


def test_distance_models_give_depth_along_the_axis() -> None:
    class Distances(Oracle):
        def _map(self, frame: Frame) -> ValueMap:
            made = super()._map(frame)
            rows, columns = np.indices(made.values.shape)
            pixels = np.stack([columns, rows], axis=-1).astype(np.float64)
            return replace(made, values=frame.camera.distance_from_z(pixels, made.values).astype(np.float32))

    spec = replace(METRIC, depth_type="euclidean")
    (task,) = measure(Distances(spec), "principal_axis_distance").tasks
    assert task.metrics["abs_rel"] < 0.005
    (task,) = measure(Distances(METRIC), "principal_axis_distance").tasks
    assert task.metrics["abs_rel"] > 0.02


@pytest.mark.parametrize("align", ["scale_shift", "median"])
def test_relative_depth_is_aligned_to_the_labels(align) -> None:
    spec = DepthSpec("oracle", "relative", align, None, "z")
    report = measure(Oracle(spec, lambda depth: 3 / depth + 0.7), "metric_depth", "two_point_distance")
    assert [task.metrics["delta1"] for task in report.tasks] == [1.0, 1.0]
    assert "aligned to the truth per picture" in report.to_json()["predictor"]


def test_metric_depth_is_scaled_on_demand() -> None:
    spec = replace(METRIC, align="median")
    report = measure(Oracle(spec, lambda depth: 5 * depth), "metric_depth")
    assert report.tasks[0].metrics["delta1"] == 1.0 and "scaled to the truth" in report.predictor


def test_few_labels_are_not_given_away_by_the_fit(tmp_path: Path) -> None:
    rows = [line(0, pixel_coords=[[20 * k, 40] for k in range(1, 6)], depth=[1.0, 2.0, 3.0, 4.0, 5.0])]
    source = load_manifest(write_manifest(tmp_path, rows))
    presenter = Presenter(Canonicalisation(focal=100), Marker("dot", 2))
    asked = samples("metric_depth", 3, source=source, presenter=presenter)
    relative = DepthModelPredictor(Oracle(DepthSpec("o", "relative", "scale_shift", None, "z")), TASKS)
    assert [reply.text for reply in relative.answer(asked)] == [""] * 3
    assert relative.notes == (
        "3 questions were not answered: their pictures have fewer than 10 labelled points, too few to align depths to",
    )
    assert all(reply.text for reply in DepthModelPredictor(Oracle(), TASKS).answer(asked))


def test_a_picture_passes_the_model_once() -> None:
    model = Oracle()
    results(DepthModelPredictor(model, TASKS, batch_size=5), mixtures(*POINT_TASKS), batch_size=7)
    passed = [name for names in model.passes for name in names]
    assert len(passed) == len(set(passed)) <= len(ROOMS)
    assert max(map(len, model.passes)) == 5


def test_memory_is_bounded_and_does_not_change_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = samples("metric_depth", 30)
    expected = DepthModelPredictor(Oracle(), TASKS).answer(asked)
    monkeypatch.setattr(depth_predictor, "_REMEMBERED", 40_000)  # two maps or so
    model = Oracle()
    predictor = DepthModelPredictor(model, TASKS, batch_size=3)
    assert predictor.answer(asked) == expected
    assert predictor.answer(asked) == expected
    assert sum(seen.map.values.nbytes for seen in predictor._seen.values()) <= 40_000
    assert sum(map(len, model.passes)) > len({sample.frames for sample in asked})


@dataclass(frozen=True)
class Nameless:
    """Rooms whose pictures are all called the same."""

    rooms: Rooms
    alike: bool = True

    def __len__(self) -> int:
        return len(self.rooms)

    def frame(self, index: int) -> Frame:
        frame = self.rooms.frame(index)
        return replace(frame, picture=ImageArray(frame.picture.read(), "a room"))

    def partners(self, index: int) -> Sequence[int]:
        return self.rooms.partners(index)


def test_pictures_of_one_name_are_told_apart() -> None:
    one, other = Nameless(ROOMS), Nameless(Rooms(replace(ROOMS.settings, seed=9)))
    asked = [*samples("metric_depth", 10, source=one), *samples("metric_depth", 10, source=other)]
    assert {sample.frames for sample in asked} == {("a room",)}
    replies = DepthModelPredictor(Oracle(), TASKS).answer(asked)
    assert [reply.text for reply in replies] == [f"{sample.truth:.2f} m" for sample in asked]


def test_what_depths_do_not_answer() -> None:
    predictor = DepthModelPredictor(Oracle(), TASKS)
    assert [name for name in TASKS if not predictor.can_answer(TASKS[name])] == ["camera_pose"]
    asked = [*samples("camera_pose", 2), *samples("metric_depth", 1)]
    assert [bool(reply.text) for reply in predictor.answer(asked)] == [False, False, True]
    assert predictor.notes == ("2 questions were not answered: depths do not answer camera_pose",)


class Peeking(Task):
    """Its label does not come from its point, but from the View's labels."""

    name = "peeking"
    notes = ()
    unit = "m"
    metric = RelativeAccuracy()

    def label(self, query: Query) -> float:
        return float(query.views[0].depth_z.min())


class Doubled(Task):
    """A user's own task."""

    name = "doubled"
    notes = ()
    unit = "m"
    metric = RelativeAccuracy()

    def label(self, query: Query) -> float:
        return 2 * query.points[0].depth_z


@pytest.mark.parametrize(("task", "answer"), [(Peeking(), ""), (Doubled(), "4.00 m")])
def test_a_task_of_ones_own_is_answered_from_depths_and_not_from_labels(task: Task, answer: str) -> None:
    view = PRESENTER.view(ROOMS.frame(0))
    query = Query((view,), (point_in(view, "red", view.points[500], 1.0),))
    sample = Sample((view.pixels,), (Turn("?", "", task.name, task.label(query), query),))
    predictor = DepthModelPredictor(Oracle(say=lambda depth: 0 * depth + 2), {task.name: task})
    assert predictor.answer([sample])[0].text == answer


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan])
def test_no_depth_is_no_answer(value: float) -> None:
    predictor = DepthModelPredictor(Oracle(say=lambda depth: 0 * depth + value), TASKS)
    assert predictor.answer(samples("metric_depth", 2))[0].text == ""
    assert "no positive depth" in predictor.notes[0]


def test_a_model_from_its_folder_answers(tmp_path: Path) -> None:
    predictor = load_depth_predictor(f"{save_twin('glpn', tmp_path / 'glpn')}?align=median", TASKS)
    report = results(predictor, mixtures("metric_depth", "relative_depth", count=6))
    assert report.predictor.startswith("depth:glpn (metric depth, scaled to the truth")
    assert all(answered.value is not None for answered in report.records)
