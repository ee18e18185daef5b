"""The mixture: its samples depend only on seed and index, and have the shares that were asked for."""

import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.walls import line, write_manifest
from toolkit.data.manifest.manifest import load_manifest
from toolkit.data.synthetic.rooms import Rooms, RoomSettings
from toolkit.errors import UserError
from toolkit.geometry.canonical import Canonicalisation, Canvas, Crop
from toolkit.qa.marker import Marker
from toolkit.qa.mixture import Feed, Mixture, Phase, sample_generator
from toolkit.qa.sample import Hints, Presenter
from toolkit.qa.tasks.registry import get_task
from toolkit.utils.colors import COLORS

SAMPLES = 2000
PRESENTER = Presenter(
    Canonicalisation(focal=26, canvas=Canvas(square=32), crop=Crop((24, 32), (24, 32))), Marker("dot", 2)
)


def small_rooms(first: int = 0) -> Rooms:
    return Rooms(RoomSettings(rooms=30, views=3, first=first, width=(28, 40), height=(28, 40), objects=(1, 3)))


def mixture(seed: int = 3, **tasks: float) -> Mixture:
    shares = tasks or {"metric_depth": 0.5, "two_point_distance": 0.2, "relative_depth": 0.2, "camera_pose": 0.1}
    chosen = tuple((get_task(name), share) for name, share in shares.items())
    feeds = (Feed("near", small_rooms(), 3.0), Feed("far", small_rooms(first=500), 1.0))
    return Mixture(chosen, feeds, PRESENTER, seed, SAMPLES)


def build_again() -> None:
    """Build the mixture again, in a worker process."""
    global _of_worker
    _of_worker = mixture()


def fingerprint(index: int) -> str:
    """The fingerprint of a sample, for worker processes."""
    return _of_worker[index].fingerprint()


def fingerprint_of(job: tuple[Mixture, int]) -> str:
    """The fingerprint of a sample, for worker processes, which get the mixture pickled."""
    return job[0][job[1]].fingerprint()


@pytest.mark.slow
def test_samples_depend_on_seed_and_index_alone() -> None:
    whole = mixture()
    alone = [whole[index].fingerprint() for index in range(SAMPLES)]
    assert len(set(alone)) > 0.98 * SAMPLES  # a few pairs of pictures occur twice, because there are only 60 pictures
    order = np.random.default_rng(0).permutation(SAMPLES)
    restarted = mixture()
    shuffled = {int(index): restarted[int(index)].fingerprint() for index in order}
    assert [shuffled[index] for index in range(SAMPLES)] == alone
    for workers in (1, 4):
        with ProcessPoolExecutor(workers, multiprocessing.get_context("fork"), build_again) as pool:
            assert list(pool.map(fingerprint, range(SAMPLES), chunksize=50)) == alone


def test_a_mixture_can_be_sent_to_a_fresh_process() -> None:
    whole = mixture()
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        sent = list(pool.map(fingerprint_of, [(whole, index) for index in range(4)]))
    assert sent == [whole[index].fingerprint() for index in range(4)]


def test_another_seed_gives_other_samples() -> None:
    one, two = mixture(seed=3), mixture(seed=4)
    assert all(one[index].fingerprint() != two[index].fingerprint() for index in range(10))


def test_generators_of_neighbours_are_apart() -> None:
    draws = [sample_generator(seed, index).random(4) for seed in (0, 1) for index in range(50)]
    assert len({tuple(draw) for draw in draws}) == 100
    assert np.abs(np.corrcoef(draws[0:2])[0, 1]) < 1


def within(count: int, share: float, total: int) -> bool:
    """Whether a count differs by less than four standard deviations from what its share of the total predicts."""
    return abs(count - share * total) <= 4 * np.sqrt(total * share * (1 - share))


def test_shares_match_their_weights() -> None:
    drawn = mixture()
    samples = [drawn[index] for index in range(800)]
    tasks = Counter(sample.task for sample in samples)
    for name, share in {"metric_depth": 0.5, "two_point_distance": 0.2, "camera_pose": 0.1}.items():
        assert within(tasks[name], share, 800), (name, tasks[name])
    sources = Counter(sample.source for sample in samples)
    assert within(sources["near"], 0.75, 800), sources


def test_phases_follow_each_other_with_shares_of_their_own() -> None:
    drawn = mixture(metric_depth=1.0, relative_depth=1.0)
    (depth, _), (order, _) = drawn.tasks
    first, second = Phase(300, ((depth, 1.0),), Hints(0.25)), Phase(700, ((depth, 1.0), (order, 3.0)))
    phased = replace(drawn, length=700, phases=(first, second))
    begin, rest = [phased[index] for index in range(300)], [phased[index] for index in range(300, 800)]
    assert {(sample.task, sample.hints.patches) for sample in begin} == {("metric_depth", 0.25)}
    assert not any(sample.hints.patches for sample in rest)
    assert within(Counter(sample.task for sample in rest)["relative_depth"], 0.75, 500)
    expected = {"metric_depth": (300 + 400 * 0.25) / 700, "relative_depth": 400 * 0.75 / 700}
    shares: Counter[str] = Counter()
    for (name, _), share in phased.shares().items():
        shares[name] += share
    assert shares == pytest.approx(expected)
    assert phased.only(order)[0].task == "relative_depth"


def test_a_phase_may_ask_more_about_a_picture() -> None:
    drawn = mixture(metric_depth=1.0)
    ((depth, _),) = drawn.tasks
    parts = Phase(40, ((depth, 1.0),), questions=3), Phase(80, ((depth, 1.0),))
    phased = replace(drawn, length=80, phases=parts)
    assert {len(phased[index].turns) for index in range(40)} == {3}
    assert {len(phased[index].turns) for index in range(40, 80)} == {1}
    for sample in (phased[index] for index in range(40)):
        names = [point.name for turn in sample.turns for point in turn.query.points]
        assert len(set(names)) == 3
    more = replace(phased, questions=2)
    assert [{len(more[index].turns) for index in each} for each in (range(40), range(40, 80))] == [{3}, {2}]


def test_a_share_of_zero_is_never_drawn() -> None:
    drawn = mixture(metric_depth=1.0, relative_depth=0.0)
    samples = [drawn[index] for index in range(100)]
    assert {sample.task for sample in samples} == {"metric_depth"}


def test_truth_is_what_the_scene_says(manifest: Path) -> None:
    source = load_manifest(manifest)
    tasks = tuple((get_task(name), 1.0) for name in ("principal_axis_distance", "metric_depth"))
    drawn = Mixture(tasks, (Feed("walls", source),), Presenter(Canonicalisation(focal=50)), 0, 50)
    for index in range(50):
        sample = drawn[index]
        (point,) = sample.query.points
        ray = np.array([*(point.pixel - sample.query.views[0].camera.matrix[:2, 2]) / 50, 1.0])
        expected = 2.5 if sample.task == "principal_axis_distance" else 2.5 * np.linalg.norm(ray)
        assert sample.truth == pytest.approx(expected)
        assert sample.completion == f"{expected:.2f} m"


def test_points_keep_clear_of_the_border_and_of_each_other() -> None:
    whole = mixture(two_point_distance=1.0)
    for index in range(60):
        sample = whole[index]
        first, second = sample.query.points
        camera = sample.query.views[0].camera
        assert camera.contains([first.pixel, second.pixel], PRESENTER.clearance).all()
        assert np.linalg.norm(first.pixel - second.pixel) >= PRESENTER.separation
        assert first.name != second.name


def test_marks_stand_where_the_points_are() -> None:
    from toolkit.qa.marker import find_marks

    big = Presenter(Canonicalisation(focal=80, canvas=Canvas(square=96)), Marker("dot", 5, colors=("red", "blue")))
    drawn = Mixture(((get_task("metric_depth"), 1.0),), (Feed("rooms", Rooms(RoomSettings(rooms=20))),), big, 0, 20)
    for index in range(20):
        sample = drawn[index]
        (point,) = sample.query.points
        (mark,) = find_marks(sample.images[0], point.name)
        assert np.abs(mark - point.pixel).max() <= 0.75


def test_text_reference_leaves_the_picture_alone() -> None:
    plain = Presenter(Canonicalisation(focal=26, canvas=Canvas(square=32)), reference="text")
    drawn = Mixture(((get_task("relative_depth"), 1.0),), (Feed("rooms", small_rooms()),), plain, 0, 5)
    sample = drawn[0]
    assert (sample.images[0] == sample.query.views[0].pixels).all()
    u, v = sample.query.points[0].pixel
    assert f"point A at ({(u + 0.5) / 32 * 2000:.0f}, {(v + 0.5) / 32 * 2000:.0f})" in sample.prompt
    assert sample.truth in ("A", "B")


def several(presenter: Presenter, questions: int, **tasks: float) -> Mixture:
    chosen = tuple((get_task(name), share) for name, share in tasks.items())
    return Mixture(chosen, (Feed("rooms", Rooms(RoomSettings(rooms=20, views=2))),), presenter, 1, 40, questions)


MARKED = Presenter(Canonicalisation(focal=80, canvas=Canvas(square=96)), Marker("dot", 3, colors=tuple(COLORS)))
WRITTEN = Presenter(Canonicalisation(focal=80, canvas=Canvas(square=96)), reference="text")


@pytest.mark.parametrize("presenter", [MARKED, WRITTEN], ids=["marker", "text"])
def test_several_questions_share_a_picture_and_no_point(presenter: Presenter) -> None:
    drawn = several(presenter, 8, metric_depth=0.5, two_point_distance=0.3, relative_depth=0.2)
    for index in range(20):
        sample = drawn[index]
        points = [point for turn in sample.turns for point in turn.query.points]
        assert len(points) == len({point.name for point in points})
        for i, one in enumerate(points):
            for other in points[:i]:
                assert np.abs(one.pixel - other.pixel).max() >= presenter.separation
        for i, turn in enumerate(sample.turns):
            for other in (point for earlier in sample.turns[:i] for point in earlier.query.points):
                # Two degrees are more than the width of a mark, and the answers for the two points differ.
                assert min(np.abs(other.pixel - point.pixel).max() for point in turn.query.points) >= 0.04 * 80
        assert len(sample.images) == 1
        assert all(turn.query.views == sample.query.views for turn in sample.turns)


def test_text_coordinates_allow_all_the_questions_that_are_asked_for() -> None:
    drawn = several(WRITTEN, 8, metric_depth=0.6, two_point_distance=0.4)
    assert {len(drawn[index].turns) for index in range(20)} == {8}


def test_marks_allow_as_many_questions_as_there_are_colours() -> None:
    drawn = several(MARKED, 12, metric_depth=1.0)
    assert {len(drawn[index].turns) for index in range(20)} == {8}
    sample = drawn[0]
    changed = (sample.images[0] != sample.query.views[0].pixels).any(axis=-1)
    for turn in sample.turns:
        u, v = np.rint(turn.query.points[0].pixel).astype(int)
        assert changed[v - 3 : v + 4, u - 3 : u + 4].sum() > 20  # a dot of 3 px around each point


def test_too_few_colours_for_the_questions_are_an_error() -> None:
    from toolkit.config.build import make_plan
    from toolkit.config.load import load_recipe

    with pytest.raises(UserError, match=r"a picture can have 16 points, and marker\.colors has 4") as caught:
        make_plan(load_recipe("depth_plus_distance", ["questions_per_image=8"]), Canvas(square=96))
    assert "reference: text" in caught.value.remedy


def test_shares_hold_among_later_questions_too() -> None:
    drawn = several(WRITTEN, 8, metric_depth=0.75, principal_axis_distance=0.25)
    tasks = Counter(turn.task for index in range(60) for turn in drawn[index].turns)
    assert within(tasks["metric_depth"], 0.75, 480), tasks


def test_two_pictures_get_one_question() -> None:
    drawn = several(WRITTEN, 8, camera_pose=1.0, metric_depth=1e-9)
    sample = drawn[0]
    assert (sample.task, len(sample.turns)) == ("camera_pose", 1)


def test_a_task_that_no_source_can_feed(tmp_path: Path) -> None:
    source = load_manifest(write_manifest(tmp_path, [line(0, world_from_camera=None, sequence=None)]))
    with pytest.raises(UserError, match="no source can feed the task 'camera_pose'") as caught:
        Mixture(((get_task("camera_pose"), 1.0),), (Feed("photos", source),), PRESENTER, 0, 1)
    assert "world_from_camera" in caught.value.cause


def test_a_source_whose_points_cannot_be_marked_is_named(tmp_path: Path) -> None:
    source = load_manifest(write_manifest(tmp_path, [line(0, pixel_coords=[[0, 0]], depth=[2.0])]))
    tasks = ((get_task("metric_depth"), 1.0),)
    drawn = Mixture(tasks, (Feed("corner", source),), Presenter(Canonicalisation(focal=100)), 0, 1)
    with pytest.raises(UserError, match="'corner' gave no picture to ask 'metric_depth' about"):
        drawn[0]


def test_redraws_are_counted(tmp_path: Path) -> None:
    rows = [line(0, pixel_coords=[[0, 0]], depth=[2.0]), line(1)]
    drawn = Mixture(
        ((get_task("metric_depth"), 1.0),),
        (Feed("half", load_manifest(write_manifest(tmp_path, rows))),),
        Presenter(Canonicalisation(focal=100)),
        0,
        40,
    )
    redraws = [drawn[index].redraws for index in range(40)]
    assert 0 in redraws
    assert max(redraws) > 0


def test_negative_index() -> None:
    with pytest.raises(IndexError):
        mixture()[-1]


def test_held_out_presenter_shows_whole_pictures() -> None:
    assert PRESENTER.uncropped.canonicalisation.crop is None
    assert PRESENTER.canonicalisation.crop is not None


def test_a_question_can_leave_open_which_point_it_means() -> None:
    shown = Presenter(Canonicalisation(focal=80, canvas=Canvas(square=96)), reference="none")
    silent, written = (replace(mixture(metric_depth=1.0), presenter=each) for each in (shown, WRITTEN))
    for index in range(5):
        one, other = silent[index], written[index]
        assert (one.truth, one.completion) == (other.truth, other.completion)
        assert np.array_equal(one.images[0], other.images[0])
        assert other.prompt.startswith(one.prompt.split("the point")[0])
        assert "(" not in one.prompt
