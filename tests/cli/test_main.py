"""The command line: what goes to stdout and stderr, the exit codes, and the messages for bad input."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.command import Run
from tests.support.hub_server import HubServer
from tests.support.paths import ROOT
from tests.support.server import Answer as Completion
from tests.support.server import Server
from tests.support.walls import line, wall, write_manifest
from toolkit.config.load import load_recipe
from toolkit.modeling.predictor import Reply
from toolkit.utils.resources import MODELS

pytestmark = pytest.mark.slow

OWN_TASK = '''\
from toolkit import Query, Task, metrics, task


@task("height_difference")
class HeightDifference(Task):
    """How much higher the first point is than the second, along the camera's vertical axis [m]."""

    points = 2
    unit = "m"
    metric = metrics.RelativeAccuracy()
    asks = (r"\\bhigher\\b",)

    def label(self, query: Query) -> float:
        first, second = query.points
        return second.xyz[1] - first.xyz[1]     # y points down

    def accepts(self, query: Query) -> bool:
        return self.label(query) > 0.05
'''
OWN_TEMPLATE = """\
{% block question %}How much higher is {{ points[0] }} than {{ points[1] }}, in meters?{% endblock %}
{% block answer %}{{ answer }}{% endblock %}
"""


OWN_METRIC = """
from toolkit import Task, metrics, task

class Hits(metrics.Metric):
    headline = "hits"

    def score(self, truth, answer):
        return {"hits": float(truth == answer)}

    def constant(self, truths):
        return truths[0]

    central = constant

@task("above")
class Above(Task):
    '''Which of two points is higher.'''
    points = 2
    metric = Hits()

    def label(self, query):
        first, second = query.points
        return first.name if first.xyz[1] < second.xyz[1] else second.name

    def write(self, value, query):
        return value

    def read(self, text, query):
        return text.strip() or None
"""


def test_a_task_of_ones_own_is_trained_measured_and_asked(run: Run, quick: Path, tmp_path: Path) -> None:
    (tmp_path / "my_tasks.py").write_text(OWN_TASK)
    (tmp_path / "height_difference.jinja").write_text(OWN_TEMPLATE)
    own = ("--include", tmp_path / "my_tasks.py")
    mixed = "tasks={height_difference: 1, metric_depth: 1}"
    code, out, err = run("train", quick, mixed, "trainer.steps=2", "--output", tmp_path / "run", *own)
    assert code == 0, err
    assert "height_difference" in out
    assert f"saved {tmp_path / 'run'}" in out
    code, out, err = run("eval", tmp_path / "run", quick, mixed, "--limit", 4, "--json", *own)
    assert code == 0, err
    assert {task["task"]: task["count"] for task in json.loads(out)["tasks"]} == {
        "height_difference": 4,
        "metric_depth": 4,
    }
    Image.fromarray(wall()).save(tmp_path / "a.png")
    question = "how much higher is the red point than the blue one?"
    words = ("ask", tmp_path / "a.png", question, "--point", "red=40,20", "--point", "blue=50,70", "--fov", 60)
    code, out, err = run(*words, "--model", tmp_path / "run", "--json", "--save", tmp_path / "marked.png")
    assert code == 0, err
    answer = json.loads(out)
    assert answer["task"] == "height_difference"
    assert "the point marked by the red dot" in answer["prompt"]
    assert Image.open(tmp_path / "marked.png").size == (32, 32)


def test_ask_prints_the_answer_first(run: Run, quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("train", quick, "trainer.steps=1", "evaluation.samples=0", "--output", tmp_path / "run")
    Image.fromarray(wall()).save(tmp_path / "a.png")
    monkeypatch.setattr("toolkit.modeling.vlm.vlm_predictor.generate", lambda *_, **__: [Reply("2.42 m")])
    words = ("ask", tmp_path / "a.png", "how far is the red point", "--point", "red=60,45", "--model", tmp_path / "run")
    code, out, err = run(*words)
    assert (code, out) == (0, "2.42 m\n")
    assert "red at (60, 45)" in err
    assert "warning: nothing is known of the camera" in err
    monkeypatch.setattr("toolkit.modeling.vlm.vlm_predictor.generate", lambda *_, **__: [Reply("who knows")])
    assert run(*words, "--focal", 100)[1] == "the answer cannot be read: 'who knows'\n"


def test_dry_run_trains_nothing(run: Run, quick: Path, tmp_path: Path) -> None:
    code, out, _ = run("train", quick, "--dry-run", "--output", tmp_path / "run")
    assert code == 0
    assert re.search(r"with loss: +'\d+\.\d\d m<end>'", out)
    assert re.search(r"tokens: +16 image \+ \d+ prompt \+ \d+ answer", out)
    assert not (tmp_path / "run" / "recipe.yaml").exists()
    sheet = Image.open(tmp_path / "run" / "preview" / "preview.png")
    assert sheet.width > 600
    assert len(np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)) > 100


def test_preview_of_photos(run: Run, quick: Path, manifest: Path, tmp_path: Path) -> None:
    words = (quick, "sources={photos: {path: " + str(manifest) + "}}", "tasks={camera_pose: 1, metric_depth: 1}")
    code, out, err = run("data", "preview", *words, "--count", 6, "--output", tmp_path / "look")
    assert code == 0, err
    assert "from photos" in out
    assert "camera_pose" in out


def test_validate(run: Run, manifest: Path, quick: Path) -> None:
    found = run("data", "validate", manifest)[1]
    assert found.startswith(f"{manifest}: 8 pictures are sound; 8 with poses, 2 sequences")
    assert "pictures to train on: rooms 100" in run("data", "validate", quick)[1]


def test_listings(run: Run) -> None:
    code, out, _ = run("tasks", "--json")
    assert code == 0
    assert len(json.loads(out)) >= 7
    assert "{% block question %}" in run("tasks", "travel_time")[1]
    assert "depth_plus_distance" in run("recipes")[1]
    assert run("recipes", "all_tasks")[1].startswith("# toolkit train recipes/all_tasks.yaml")
    assert json.loads(run("recipes", "all_tasks", "--json")[1])["tasks"].keys() == load_recipe("all_tasks").tasks.keys()
    assert "torch" in json.loads(run("env", "--json")[1])


def test_constant_predictor_scores_its_floor(run: Run, quick: Path, tmp_path: Path) -> None:
    run("train", quick, "trainer.steps=1", "evaluation.samples=0", "--output", tmp_path / "run")
    words = ("eval", tmp_path / "run", quick, "evaluation.samples=30", "--predictor", "constant", "--json")
    report = json.loads(run(*words)[1])
    for task in report["tasks"]:
        assert (
            abs(task["metrics"]["delta1"] - task["constant"]["metrics"]["delta1"]) <= 1 / 30 + 1e-9
        )  # answers are rounded to centimetres


def commands() -> list[tuple[str, ...]]:
    return [(), ("train",), ("eval",), ("ask",), ("tasks",), ("recipes",), ("env",), ("data",), ("data", "preview")]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    code = (
        "import sys; sys.argv = ['toolkit', *{words}, '--help']\n"
        "from toolkit.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'transformers', 'cv2', 'numpy', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    ).replace("{words}", repr(list(words)))
    root = str(ROOT)
    shown = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    if words and words != ("data",):
        assert "Example" in shown.stdout


@pytest.mark.parametrize("like", [(), ("--like", "models/tiny")], ids=["the paper's settings", "--like"])
def test_asking_a_server_imports_no_torch(like: tuple[str, ...]) -> None:
    pytest.importorskip("openai", reason="the extra `remote` is not installed")
    message = {"role": "assistant", "content": "2.40 meters"}
    server = Server(lambda *_: Completion({"choices": [{"message": message, "finish_reason": "stop"}]}))
    words = ["toolkit", "ask", "docs/hall.png", "how far is the red point", "--point", "red=118,112", "--focal", "289"]
    code = (
        f"import sys; sys.argv = {[*words, '--model', str(server.remote), *like]!r}\n"
        "from toolkit.cli.main import main\n"
        "main()\n"
        "heavy = {'torch', 'transformers', 'scipy', 'datasets'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    server.close()
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.startswith("2.4 m")


def photos(path: Path, *more: str) -> list[str]:
    return [f"sources={{photos: {{path: {path}}}}}", *more]


FAULTY_LINES = {
    "missing image": ({"image": "gone.png"}, "gone.png: there is no such picture"),
    "label outside": ({"pixel_coords": [[130, 20]], "depth": [2.0]}, "outside the 120 x 90 picture"),
    "negative depth": ({"pixel_coords": [[10, 20]], "depth": [-2.0]}, "not positive numbers"),
    "zero depth": ({"pixel_coords": [[10, 20]], "depth": [0.0]}, "not positive numbers"),
    "nan depth": ({"pixel_coords": [[10, 20]], "depth": [float("nan")]}, "not positive numbers"),
    "missing depth": ({"depth": None}, "depth: it is missing"),
    "no depth_type": ({"depth_type": None}, "a flat wall seen head-on"),
    "other size": ({"intrinsics": [100, 100, 60, 45, 640, 480]}, "640 x 480"),
    "singular pose": ({"world_from_camera": np.zeros((4, 4)).tolist()}, "the pose is singular"),
}


@pytest.mark.parametrize("fault", FAULTY_LINES, ids=str)
def test_faulty_manifest_lines(run: Run, quick: Path, tmp_path: Path, fault: str) -> None:
    changes, message = FAULTY_LINES[fault]
    path = write_manifest(tmp_path, [line(0), line(1, **changes), line(2, **changes)])
    code, out, err = run("train", quick, *photos(path), "--output", tmp_path / "run")
    assert (code, out) == (2, "")
    assert f"{path}, line 2" in err
    assert f"{path}, line 3" in err
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "run").exists()


def test_malformed_json_and_empty_manifest(run: Run, quick: Path, tmp_path: Path) -> None:
    path = write_manifest(tmp_path, [line(0)])
    path.write_text(path.read_text() + '{"image": \n')
    code, _, err = run("train", quick, *photos(path))
    assert code == 2
    assert f"{path}, line 2" in err
    assert "malformed JSON" in err
    path.write_text("\n")
    code, _, err = run("train", quick, *photos(path))
    assert code == 2
    assert "the manifest is empty" in err


def test_truncated_image(run: Run, quick: Path, tmp_path: Path) -> None:
    path = write_manifest(tmp_path, [line(index) for index in range(4)])
    for index in range(4):
        whole = (tmp_path / f"{index}.png").read_bytes()
        (tmp_path / f"{index}.png").write_bytes(whole[: len(whole) // 2])
    code, _, err = run("data", "preview", quick, *photos(path))
    assert code == 2
    assert "the picture cannot be read" in err
    assert "copy it again" in err


def test_a_task_that_no_source_can_feed(run: Run, quick: Path, tmp_path: Path) -> None:
    path = write_manifest(tmp_path, [line(index, world_from_camera=None) for index in range(4)])
    code, _, err = run("train", quick, *photos(path), "tasks={camera_pose: 1}")
    assert code == 2
    assert "no source can feed the task 'camera_pose'" in err
    assert "world_from_camera" in err


def test_unknown_template_variable(run: Run, quick: Path, tmp_path: Path) -> None:
    (tmp_path / "vague_tasks.py").write_text(OWN_TASK.replace("height_difference", "vague"))
    (tmp_path / "vague.jinja").write_text(OWN_TEMPLATE.replace("points[0]", "pointz[0]"))
    words = ("train", quick, "tasks={vague: 1}", "--include", tmp_path / "vague_tasks.py", "--dry-run")
    code, _, err = run(*words)
    assert code == 2
    assert "vague.jinja: block 'question' uses a variable that does not exist" in err
    assert "points" in err


WRONG_WORDS = {
    "unknown task": (("train", "QUICK", "tasks={metric_dpth: 1}"), "did you mean metric_depth"),
    "unknown key": (("train", "QUICK", "trainer.stps=1"), "did you mean steps"),
    "unknown colour": (("train", "QUICK", "marker.colors=[red, gren]"), "did you mean green"),
    "unknown recipe": (("train", "recipes/depth.yaml"), "there is no such recipe"),
    "no hub": (("train", "QUICK", "model.name=nobody/no-such-vlm"), "nobody/no-such-vlm"),
    "no checkpoint": (("eval", "/nowhere", "QUICK"), "no checkpoint of this toolkit"),
    "no question": (("ask", "a.png"), "put the question in quotes"),
    "bad point": (("ask", "a.png", "how far", "--point", "red:3,4"), "--point red=320,240"),
    "bad intrinsics": (("ask", "a.png", "how far", "--intrinsics", "1,2,3"), "FX,FY,CX,CY"),
    "no model": (("ask", "a.png", "how far", "--model", "runs/x"), "toolkit train recipes/depth_plus_distance.yaml"),
    "no include": (("tasks", "--include", "nowhere.py"), "no such Python file"),
}


@pytest.mark.parametrize("fault", WRONG_WORDS, ids=str)
def test_wrong_words(run: Run, quick: Path, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(wall()).save("a.png")
    words, message = WRONG_WORDS[fault]
    code, out, err = run(*(quick if word == "QUICK" else word for word in words))
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert "Traceback" not in err


def test_a_run_in_the_way(run: Run, quick: Path, tmp_path: Path) -> None:
    run("train", quick, "trainer.steps=1", "evaluation.samples=0", "--output", tmp_path / "run")
    code, _, err = run("train", quick, "trainer.steps=2", "evaluation.samples=0", "--output", tmp_path / "run")
    assert code == 2
    assert "another run is here; choose another --output" in err
    assert "trainer.steps: 1 -> 2" in err


def test_a_dry_run_does_not_stand_in_the_way_of_the_run(run: Run, quick: Path, tmp_path: Path) -> None:
    words = ("train", quick, "trainer.steps=1", "evaluation.samples=2", "--output", tmp_path / "run")
    assert run(*words, "--dry-run")[0] == 0
    code, _, err = run(*words)
    assert code == 0, err


def test_results_of_eval_leave_those_of_training_alone(run: Run, quick: Path, tmp_path: Path) -> None:
    run("train", quick, "trainer.steps=1", "evaluation.samples=4", "--output", tmp_path / "run")
    kept = (tmp_path / "run" / "evaluation" / "report.json").read_bytes()
    code, out, err = run("eval", tmp_path / "run", quick, "--limit", 2, "--json")
    assert code == 0, err
    assert (tmp_path / "run" / "evaluation" / "report.json").read_bytes() == kept
    assert f"wrote {tmp_path / 'run' / 'evaluation' / 'first-2-quick-vlm'}" in err
    json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))


def test_results_of_a_model_on_the_hub_stay_out_of_its_cache(
    run: Run, hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rooms.yaml").write_text(
        "tasks: {metric_depth: 1}\nsources: {rooms: {kind: rooms, settings: {rooms: 4, views: 2}, held_out_rooms: 2}}\n"
    )
    commit = hub.add("ada/tiny", MODELS / "tiny")
    code, out, err = run("eval", "ada/tiny", "rooms.yaml", "--limit", 2, "--allow-overlap", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["predictor"] == f"ada/tiny@{commit}"
    assert Path("evaluations", f"ada-tiny-{commit}", "first-2-rooms-vlm", "report.json").is_file()
    assert found["tasks"][0]["count"] == 2


def test_an_evaluation_is_not_overwritten_by_another(run: Run, quick: Path, tmp_path: Path) -> None:
    words = ("eval", "-", quick, "evaluation.samples=4", "--output", tmp_path / "out")
    assert run(*words, "--predictor", "constant:2 m")[0] == 0
    kept = (tmp_path / "out" / "samples.jsonl").read_bytes()
    for other in (("--predictor", "constant:3 m"), ("--predictor", "constant:2 m", "seed=1")):
        code, _, err = run(*words, *other)
        assert code == 2 and "another evaluation is here" in err
    assert (tmp_path / "out" / "samples.jsonl").read_bytes() == kept
    assert run(*words, "--predictor", "constant:2 m")[0] == 0  # the same again


def test_an_evaluation_of_nothing_leaves_nothing_in_the_way(run: Run, quick: Path, tmp_path: Path) -> None:
    code, _, err = run("eval", tmp_path / "run", quick)
    assert code == 2 and "no such folder" in err
    assert not (tmp_path / "run").exists()


def test_a_metric_of_ones_own_needs_no_key_but_its_own(run: Run, quick: Path, tmp_path: Path) -> None:
    (tmp_path / "above.py").write_text(OWN_METRIC)
    (tmp_path / "above.jinja").write_text(OWN_TEMPLATE)
    words = ("tasks={above: 1}", "trainer.steps=1", "evaluation.samples=4", "--include", tmp_path / "above.py")
    code, out, err = run("train", quick, *words, "--output", tmp_path / "run")
    assert code == 0, err
    assert "hits" in out and (tmp_path / "run" / "toolkit.json").is_file()


def test_two_files_of_one_name_cannot_both_be_kept(run: Run, quick: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "tasks.py").write_text(f"# {folder}")
    own = ("--include", tmp_path / "a" / "tasks.py", "--include", tmp_path / "b" / "tasks.py")
    code, _, err = run("train", quick, *own, "--dry-run")
    assert code == 2 and "two files of `include` have one name" in err


def test_a_task_without_words_cannot_be_shown(run: Run, tmp_path: Path) -> None:
    (tmp_path / "wordless.py").write_text(OWN_METRIC.replace("above", "wordless"))
    code, _, err = run("tasks", "wordless", "--include", tmp_path / "wordless.py")
    assert code == 2 and "wordless.jinja" in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("tasks.relative_depth=1", "was not trained on relative_depth"),
        ("sources.rooms.settings.rooms=20", "20 of 20 pictures were trained on, such as rooms-"),
        ("canonical.focal=30", "canonical_focal: the checkpoint has 26.0, the recipe 30.0"),
    ],
)
def test_eval_of_what_was_not_trained_so(run: Run, quick: Path, tmp_path: Path, override: str, message: str) -> None:
    run("train", quick, "trainer.steps=1", "evaluation.samples=0", "--output", tmp_path / "run")
    code, _, err = run("eval", tmp_path / "run", quick, override)
    assert code == 2
    assert message in err


def test_a_picture_that_breaks_in_a_worker(run: Run, quick: Path, tmp_path: Path) -> None:
    path = write_manifest(tmp_path, [line(index) for index in range(40)])
    broken = tmp_path / "7.png"
    broken.write_bytes(broken.read_bytes()[:2000])
    words = (quick, *photos(path), "trainer.workers=1", "trainer.steps=40", "evaluation.samples=0")
    code, _, err = run("train", *words, "sources.photos.held_out=0", "--output", tmp_path / "run")
    assert code == 2
    assert "7.png: the picture cannot be read" in err
    assert "Traceback" not in err


def test_places_that_cannot_be_written(run: Run, quick: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for words in (
        ("train", quick, "--output", tmp_path / "file"),
        ("train", quick, "--output", tmp_path / "file" / "x"),
    ):
        code, _, err = run(*words)
        assert code == 2, err
        assert str(tmp_path / "file") in err
    Image.fromarray(wall()).save(tmp_path / "a.png")
    code, _, err = run("ask", tmp_path / "a.png", "how far", "--save", tmp_path / "out.jpg")
    assert code == 2
    assert "only PNG is written" in err


OWN_FAULTS = {
    "label raises": (
        "return second.xyz[1] - first.xyz[1]     # y points down",
        "return 1 / 0",
        "cannot label a question",
    ),
    "label is nothing": (
        "return second.xyz[1] - first.xyz[1]     # y points down",
        "return None",
        "metric cannot score",
    ),
    "three pictures": ("points = 2", "images = 3", "is about 3 pictures"),
    "no metric": ("metric = metrics.RelativeAccuracy()", "", "has no metric"),
    "bad pattern": ('(r"\\bhigher\\b",)', '(r"(",)', "is no regular expression"),
    "import raises": ("from toolkit", "raise RuntimeError('no')\nfrom toolkit", "cannot be imported"),
    "import leaves": ("from toolkit", "raise SystemExit(0)\nfrom toolkit", "cannot be imported"),
}


@pytest.mark.parametrize("fault", OWN_FAULTS, ids=str)
def test_faults_in_a_task_of_ones_own(run: Run, quick: Path, tmp_path: Path, fault: str) -> None:
    old, new, message = OWN_FAULTS[fault]
    name = f"own_{fault.replace(' ', '_')}"
    code = OWN_TASK.replace("self.label(query) > 0.05", "True").replace("height_difference", name)
    assert old in code
    (tmp_path / f"{name}.py").write_text(code.replace(old, new))
    (tmp_path / f"{name}.jinja").write_text(OWN_TEMPLATE)
    ended, _, err = run("train", quick, f"tasks={{{name}: 1}}", "--include", tmp_path / f"{name}.py", "--dry-run")
    assert ended == 2, err
    assert message in err
    assert "Traceback" not in err


def test_the_example_of_the_design_needs_no_accepts(run: Run, quick: Path, tmp_path: Path) -> None:
    code = OWN_TASK.split("    def accepts")[0].replace("height_difference", "height_plain")
    (tmp_path / "height_plain.py").write_text(code)
    (tmp_path / "height_plain.jinja").write_text(OWN_TEMPLATE)
    words = ("tasks={height_plain: 1}", "trainer.steps=1", "--include", tmp_path / "height_plain.py")
    ended, out, err = run("train", quick, *words, "--output", tmp_path / "run")
    assert ended == 0, err
    assert "height_plain" in out
    (tmp_path / "height_plain.py").unlink()  # the checkpoint has its own copy
    (tmp_path / "run").rename(tmp_path / "moved")
    Image.fromarray(wall()).save(tmp_path / "a.png")
    asked = ("how much higher is the red point than the blue one", "--point", "red=40,20", "--point", "blue=50,70")
    ended, _, err = run("ask", tmp_path / "a.png", *asked, "--fov", 60, "--model", tmp_path / "moved")
    assert ended == 0, err
