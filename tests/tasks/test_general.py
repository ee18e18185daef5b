"""Ordinary questions about pictures: as tasks, in mixtures, in training, and asked before and after it."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.training import TINY
from tests.support.walls import line, write_manifest
from toolkit.config.build import make_plan, recipe_with_tasks
from toolkit.config.build_presenter import make_tasks
from toolkit.config.load import load_recipe
from toolkit.config.recipe import Recipe, ShapesSource
from toolkit.data.frames.frame import Frame
from toolkit.data.frames.objects import SceneObject, named
from toolkit.data.manifest.manifest import load_manifest
from toolkit.data.synthetic.rooms import Rooms, RoomSettings
from toolkit.data.synthetic.shapes import Shapes, ShapeSettings
from toolkit.errors import UserError
from toolkit.evaluation.evaluate import EvaluationSetup, evaluate_recipe, is_stock
from toolkit.evaluation.reports.compare import compare, read_evaluation
from toolkit.geometry.camera import Camera
from toolkit.geometry.canonical import Canonicalisation, Canvas, Crop
from toolkit.inference.asker import Asker
from toolkit.modeling.checkpoint import load_checkpoint
from toolkit.modeling.checkpoint_contract import adopt_contract
from toolkit.modeling.vlm.vlm import save_vlm
from toolkit.qa.canonical_view import View
from toolkit.qa.mixture import Feed, Mixture, can_feed
from toolkit.qa.query import Query
from toolkit.qa.sample import Presenter, Sample
from toolkit.qa.tasks.registry import expand_groups, get_task, task_groups
from toolkit.qa.tasks.routing import route
from toolkit.qa.tasks.task import GENERAL
from toolkit.training.open_run_model import open_base
from toolkit.training.train import train
from toolkit.utils.colors import PALETTE

pytestmark = pytest.mark.slow

THREE = ("object_color", "object_count", "object_side")
SHAPES = Shapes(ShapeSettings(pictures=400, width=(160, 200), height=(130, 150)))
PRESENTER = Presenter(Canonicalisation(focal=170, canvas=Canvas(multiple=14), crop=Crop((126, 168), (98, 126))))
RNG = np.random.default_rng(0)


def seen(*objects: SceneObject, **given: str) -> Query:
    """A question about a picture that shows these objects."""
    camera = Camera(100, 100, 99.5, 49.5, 200, 100)

    class Blank:
        name = "blank"

        def read(self) -> np.ndarray:
            return np.zeros((100, 200, 3), np.uint8)

    frame = Frame(Blank(), camera)
    return Query((View(frame, frame.picture.read(), camera, objects=objects),), given=given)


STAR = SceneObject("star", "red", (10, 20, 30, 40))
HEART = SceneObject("heart", "blue", (60, 20, 80, 40))
HEART_BELOW = SceneObject("heart", "blue", (25, 60, 45, 80))
CIRCLES = tuple(SceneObject("circle", "white", (100 + 30 * i, 60, 120 + 30 * i, 80)) for i in range(3))


def test_labels() -> None:
    objects = (STAR, HEART, *CIRCLES)
    assert get_task("object_color").label(seen(*objects, thing="heart")) == "blue"
    assert get_task("object_count").label(seen(*objects, thing="circle")) == "3"
    assert get_task("object_side").label(seen(*objects, first="star", second="heart")) == "left"
    assert get_task("object_side").label(seen(*objects, first="heart", second="star")) == "right"


def given_by(name: str, query: Query) -> set[tuple[str, ...]]:
    """Everything that a task may ask about a picture."""
    return {tuple(get_task(name).given(query, RNG).values()) for _ in range(40)}


def test_what_is_asked_about_is_unambiguous() -> None:
    everything = seen(STAR, HEART, *CIRCLES)
    assert given_by("object_color", everything) == {("star",), ("heart",)}
    assert given_by("object_count", everything) == {("circle",)}
    assert given_by("object_side", everything) == {("star", "heart"), ("heart", "star")}
    assert given_by("object_count", seen(STAR, HEART)) == {("star",), ("heart",)}


@pytest.mark.parametrize("name", THREE)
def test_nothing_is_asked_where_nothing_is_clear(name: str) -> None:
    task = get_task(name)
    cut = replace(STAR, whole=False)
    for objects in ((), (cut,), (cut, STAR)):
        query = seen(*objects)
        query = replace(query, given=task.given(query, RNG))
        assert not task.accepts(query)
    assert dict(task.given(Query(()), RNG)) == {}


def test_sides_are_not_asked_of_things_above_each_other() -> None:
    assert given_by("object_side", seen(STAR, HEART_BELOW)) == {()}


def test_a_kind_of_which_one_is_cut_off_is_not_counted() -> None:
    query = seen(STAR, *CIRCLES[:2], replace(CIRCLES[2], whole=False))
    assert given_by("object_count", query) == {("star",)}


def mixture(*names: str, presenter: Presenter = PRESENTER, questions: int = 1) -> Mixture:
    tasks = tuple((get_task(name), 1.0) for name in names)
    return Mixture(tasks, (Feed("shapes", SHAPES),), presenter, 5, 1000, questions)


def regions(picture: np.ndarray, color: str) -> list[tuple[float, float]]:
    """Centres (u, v) of the connected regions that have a colour of the palette."""
    lab = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    wanted = cv2.cvtColor(np.array([[PALETTE[color]]], np.float32) / 255, cv2.COLOR_RGB2Lab)
    like = np.linalg.norm(lab - wanted, axis=-1) < 22  # colours are 40 apart and more
    _, _, stats, centres = cv2.connectedComponentsWithStats(like.astype(np.uint8))
    return [(u, v) for (u, v), area in zip(centres[1:], stats[1:, cv2.CC_STAT_AREA], strict=True) if area > 25]


def pixel_says(sample: Sample) -> bool | None:
    """Whether the picture's pixels bear a Sample's truth out; None where colours alone do not tell."""
    objects, picture, given = sample.query.objects, sample.images[0], sample.query.given
    colors = {name: {thing.color for thing in objects if thing.name == name} for name in given.values()}
    shared = any(thing.color in colors[name] for name in colors for thing in objects if thing.name != name)
    if sample.task == "object_color":
        u, v = (round(x) for x in named(objects, given["thing"]).center)
        return any(abs(u - x) < 7 and abs(v - y) < 7 for x, y in regions(picture, sample.truth))
    if shared or any(len(each) > 1 for each in colors.values()):
        return None
    if sample.task == "object_count":
        return len(regions(picture, *colors[given["thing"]])) == int(sample.truth)
    ((first, _),), ((second, _),) = (regions(picture, *colors[given[each]]) for each in ("first", "second"))
    return (first < second) == (sample.truth == "left")


def test_five_hundred_answers_are_what_the_pixels_say() -> None:
    drawn = mixture(*THREE)
    told: Counter[tuple[str, bool | None]] = Counter()
    for index in range(500):
        sample = drawn[index]
        told[sample.task, pixel_says(sample)] += 1
        assert sample.images[0].shape[0] % 14 == sample.images[0].shape[1] % 14 == 0
    assert not any(verdict is False for _, verdict in told), told
    assert all(told[name, True] >= 60 for name in THREE), told


def test_cropping_leaves_questions_about_what_is_still_whole() -> None:
    drawn = mixture(*THREE)
    cut = 0
    for index in range(120):
        query = drawn[index].query
        asked = [thing for thing in query.objects if thing.name in query.given.values()]
        assert asked and all(thing.whole for thing in asked)
        height, width = query.views[0].pixels.shape[:2]
        for left, top, right, bottom in (thing.box for thing in asked):
            assert left >= -0.5 and top >= -0.5 and right <= width - 0.5 and bottom <= height - 0.5
        cut += any(not thing.whole for thing in query.objects)
    assert cut > 20


def test_things_are_large_at_the_focal_length_of_real_models() -> None:
    whole = Presenter(Canonicalisation(focal=1000, canvas=Canvas(multiple=28)))
    for index in range(4):
        view = whole.view(Shapes(ShapeSettings()).frame(index))
        assert min(max(x.box[2] - x.box[0], x.box[3] - x.box[1]) for x in view.objects) > 80
        assert all(thing.whole for thing in view.objects)


def test_answers_are_spread_so_that_one_answer_to_all_is_mostly_wrong() -> None:
    drawn = mixture(*THREE, presenter=PRESENTER.uncropped)
    samples = [drawn[index] for index in range(300)]
    floors = {
        name: get_task(name).metric.best_constant([s.truth for s in samples if s.task == name])[1] for name in THREE
    }
    assert floors["object_color"] < 0.25
    assert floors["object_count"] < 0.35
    assert floors["object_side"] < 0.62


def test_samples_depend_on_seed_and_index_alone() -> None:
    alone = [mixture(*THREE)[index].fingerprint() for index in range(30)]
    whole = mixture(*THREE)
    shuffled = {int(index): whole[int(index)].fingerprint() for index in np.random.default_rng(1).permutation(30)}
    assert [shuffled[index] for index in range(30)] == alone
    assert len(set(alone)) == 30


@pytest.mark.parametrize("name", THREE)
def test_every_phrasing_is_written_and_read_back(name: str) -> None:
    drawn, task = mixture(name), get_task(name)
    prompts = set()
    for index in range(30):
        sample = drawn[index]
        assert task.read(sample.completion, sample.query) == sample.truth
        # The same question in a user's words, or the template's own, states the same.
        assert task.given_in(sample.prompt) == sample.query.given
        every = {each: get_task(each) for each in (*THREE, "metric_depth", "relative_depth", "camera_pose")}
        prompts.add(sample.turns[0].phrasing)
        if "Count" not in sample.prompt:
            assert route(sample.prompt, 0, 1, every).name == name
    assert prompts == set(task.words.questions)


@pytest.mark.parametrize("name", THREE)
def test_a_question_that_names_nothing_is_an_error(name: str) -> None:
    with pytest.raises(UserError, match="does not name") as caught:
        get_task(name).given_in("what color is it, and is it left or right, and how many")
    assert "as in" in caught.value.remedy


def test_several_questions_about_one_picture_are_of_several_tasks() -> None:
    drawn = mixture(*THREE, questions=8)
    for index in range(30):
        tasks = [turn.task for turn in drawn[index].turns]
        assert len(tasks) == len(set(tasks))
    assert max(len(drawn[index].turns) for index in range(30)) == 3


def test_which_sources_can_feed_which_tasks(tmp_path: Path) -> None:
    rooms = Rooms(RoomSettings(rooms=10**6, views=3))
    photos = load_manifest(write_manifest(tmp_path, [line(0), line(1)]))
    for name in THREE:
        assert can_feed(SHAPES, get_task(name))
        assert not can_feed(rooms, get_task(name))
        assert not can_feed(photos, get_task(name))
    for name in ("metric_depth", "camera_pose"):
        assert not can_feed(Shapes(ShapeSettings(pictures=1000)), get_task(name))
        assert can_feed(photos, get_task(name))
    assert not can_feed(Shapes(ShapeSettings(pictures=0)), get_task("object_color"))
    with pytest.raises(UserError, match="no source can feed the task 'object_color'") as caught:
        Mixture(((get_task("object_color"), 1.0),), (Feed("rooms", rooms),), PRESENTER, 0, 1)
    assert "kind: shapes" in caught.value.cause


def test_pictures_that_show_nothing_whole_are_named_with_what_helps() -> None:
    window = Presenter(Canonicalisation(focal=1000, canvas=Canvas(square=42)))
    with pytest.raises(UserError, match="gave no picture to ask 'object_side' about") as caught:
        mixture("object_side", presenter=window)[0]
    assert "canonical.focal" in caught.value.remedy


def test_the_group_stands_for_its_tasks() -> None:
    assert task_groups()[GENERAL] == list(THREE)
    assert expand_groups(["metric_depth", "general"]) == ["metric_depth", *THREE]
    mixed = expand_groups(["object_side", "general", "unknown"])
    assert mixed == ["object_side", "object_color", "object_count", "unknown"]


def shares(**tasks: object) -> dict[str, float]:
    recipe = Recipe.model_validate({"tasks": tasks, "sources": {"shapes": {"kind": "shapes"}}})
    return {task.name: share for task, share in make_tasks(recipe)}


def test_a_group_shares_its_share() -> None:
    assert shares(general=0.3, metric_depth=0.7) == pytest.approx(
        {"object_color": 0.1, "object_count": 0.1, "object_side": 0.1, "metric_depth": 0.7}
    )
    assert shares(general=0.3, object_side=0, metric_depth=0.7) == pytest.approx(
        {"object_color": 0.15, "object_count": 0.15, "metric_depth": 0.7}
    )
    assert shares(general=0, metric_depth=1) == {"metric_depth": 1}
    with pytest.raises(UserError, match="unknown task 'generall'") as caught:
        shares(generall=1)
    assert "did you mean general" in caught.value.remedy


MIXED = TINY.replace("tasks: {metric_depth: 0.5, two_point_distance: 0.5}", "tasks: {metric_depth: 0.8, general: 0.2}")
MIXED = MIXED.replace(
    "sources:\n",
    "sources:\n  shapes: {kind: shapes, settings: {pictures: 60, width: [64, 80], height: [64, 80]}, "
    "held_out_pictures: 20}\n",
)
DEPTH = TINY.replace("two_point_distance: 0.5", "relative_depth: 0.5")
QUICK = ["trainer.steps=1", "evaluation.samples=2", "evaluation.max_new_tokens=4"]
FEW = ["evaluation.samples=4", "evaluation.max_new_tokens=4"]
SMALL = [*FEW, "sources.shapes.settings={seed: 9, pictures: 50, width: [64, 80], height: [64, 80]}"]


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained on depth and on ordinary questions: a folder with the recipe and the run."""
    home = tmp_path_factory.mktemp("mixed")
    trained = train(load_recipe(write(home, MIXED), QUICK), home / "run")
    assert trained.moved > 0.9
    assert trained.report is not None
    assert {task.task for task in trained.report.tasks} == {"metric_depth", *THREE}
    return home


@pytest.fixture(scope="module")
def depth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained on 3D tasks alone: a folder with the recipe, the base model and the run."""
    home = tmp_path_factory.mktemp("depth")
    recipe = load_recipe(write(home, DEPTH), [*QUICK, "evaluation.samples=0"])
    save_vlm(open_base(recipe), home / "base")
    train(recipe, home / "run")
    return home


def test_it_is_trained_beside_depth_and_asked(mixed: Path) -> None:
    saved = json.loads((mixed / "run" / "toolkit.json").read_text())
    assert set(saved["templates"]) == {"metric_depth", *THREE}
    asker = Asker.from_checkpoint(load_checkpoint(mixed / "run"), max_new_tokens=4)
    frame = SHAPES.frame(0)
    answer = asker.ask(frame.picture.read(), "What color is the star?", camera=frame.camera)
    assert (answer.task, answer.prompt, answer.interval) == ("object_color", "What color is the star?", None)
    side = asker.ask(frame.picture.read(), "is the star left or right of the circle?", camera=frame.camera)
    assert side.task == "object_side"


def test_held_out_pictures_of_training_are_known(mixed: Path) -> None:
    own = recipe_with_tasks(load_recipe(mixed / "recipe.yaml", FEW), ["object_color"])
    assert "overlap with training: none" in evaluate_recipe(mixed / "run", own).about["notes"]
    less = load_recipe(mixed / "recipe.yaml", [*FEW, "sources.shapes.settings.pictures=30"])
    with pytest.raises(UserError, match="was trained on what it would be measured on"):
        evaluate_recipe(mixed / "run", less)


def test_before_and_after_are_asked_the_same(depth: Path, tmp_path: Path) -> None:
    assert is_stock(depth / "base") and not is_stock(depth / "run")
    folders = (tmp_path / "before", tmp_path / "after")
    reports = [
        evaluate_recipe(depth / "base", load_recipe("general", [*SMALL, "canonical.focal=26"]), output=folders[0]),
        evaluate_recipe(depth / "run", load_recipe("general", SMALL), output=folders[1]),
    ]
    for report in reports:
        assert {task.task: task.count for task in report.tasks} == dict.fromkeys(THREE, 4)
    assert [r.sample_sha256 for r in reports[0].records] == [r.sample_sha256 for r in reports[1].records]
    assert any("not trained by this toolkit" in note for note in reports[0].about["notes"])
    tasks = {name: get_task(name) for name in THREE}
    found = compare([read_evaluation(folder, tasks) for folder in folders], tasks)
    assert found.left_out == (0, 0)
    assert {row.key for row in found.rows} == {"accuracy", "unparsed"}


def test_a_recipe_that_says_how_is_held_to_it(depth: Path) -> None:
    general = load_recipe("general", SMALL)
    shown = adopt_contract(depth / "run", general)
    assert (shown.canonical.focal, shown.marker.shape) == (26, "dot")
    assert shown.tasks == general.tasks and shown.sources == general.sources
    with pytest.raises(UserError, match="do not fit together"):
        evaluate_recipe(depth / "run", load_recipe("general", [*SMALL, "canonical.focal=30"]))
    more = load_recipe(depth / "recipe.yaml", [*FEW, "tasks={camera_pose: 1}"])
    with pytest.raises(UserError, match="was not trained on camera_pose"):
        evaluate_recipe(depth / "run", more)


def test_a_model_that_was_never_trained_here_is_measured_as_the_recipe_says(quick: Path, tmp_path: Path) -> None:
    recipe = load_recipe(quick, FEW)
    save_vlm(open_base(recipe), tmp_path / "base")
    report = evaluate_recipe(tmp_path / "base", recipe, EvaluationSetup("constant"))
    assert {task.task for task in report.tasks} == {"metric_depth", "two_point_distance"}


def test_what_training_has_begun_is_no_stock_model(quick: Path, tmp_path: Path) -> None:
    save_vlm(open_base(load_recipe(quick)), tmp_path / "run")
    save_vlm(open_base(load_recipe(quick)), tmp_path / "run" / "training" / "checkpoint-2")
    assert is_stock(tmp_path / "run")
    (tmp_path / "run" / "recipe.yaml").write_text(quick.read_text())
    for folder in (tmp_path / "run", tmp_path / "run" / "training" / "checkpoint-2", tmp_path):
        assert not is_stock(folder)
        with pytest.raises(UserError, match="no checkpoint of this toolkit"):
            evaluate_recipe(folder, load_recipe(quick))


def test_asking_by_name_brings_pictures_along(tmp_path: Path) -> None:
    depth = load_recipe(write(tmp_path, DEPTH))
    general = recipe_with_tasks(depth, ["general"])
    assert list(general.tasks) == list(THREE)
    assert [source.kind for source in general.sources.values()] == ["shapes"]  # rooms are not needed
    assert set(make_plan(general, Canvas(square=32)).held_out) == set(THREE)
    both = recipe_with_tasks(depth, ["general", "metric_depth"])
    assert {source.kind for source in both.sources.values()} == {"shapes", "rooms"}
    mixed = recipe_with_tasks(load_recipe(write(tmp_path, MIXED)), ["general"])
    (source,) = mixed.sources.values()
    assert isinstance(source, ShapesSource) and source.settings.pictures == 60
    only = recipe_with_tasks(
        load_recipe(tmp_path / "recipe.yaml", ["tasks.relative_depth.options.margin=0.3"]), ["relative_depth"]
    )
    assert only.tasks["relative_depth"].options == {"margin": 0.3}
    assert only.sources == load_recipe(tmp_path / "recipe.yaml").sources
    with pytest.raises(UserError, match="unknown task 'metric_dept'"):
        recipe_with_tasks(depth, ["metric_dept"])
