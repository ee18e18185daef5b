"""``toolkit eval`` from end to end: who can be measured, on which pictures, and what is written."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.support.command import Run
from tests.support.walls import line, write_manifest
from toolkit.config.load import load_recipe
from toolkit.errors import UserError
from toolkit.evaluation.evaluate import EvaluationSetup, evaluate_recipe
from toolkit.evaluation.rescore import rescore
from toolkit.modeling.checkpoint_contract import Contract
from toolkit.training.train import train
from toolkit.utils.resources import model_folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support.training import TINY

    home = tmp_path_factory.mktemp("measured")
    (home / "quick.yaml").write_text(TINY)
    train(load_recipe(home / "quick.yaml", ["trainer.steps=1", "evaluation.samples=0"]), home / "run")
    return home / "run"


def test_everyone_is_asked_the_same_questions(
    run: Run,
    checkpoint: Path,
    quick: Path,
    tmp_path: Path,
) -> None:
    answers = tmp_path / "answers.jsonl"
    folders = [tmp_path / name for name in ("vlm", "constant", "fixed", "file")]
    code, out, err = run("eval", checkpoint, quick, "--output", folders[0], "--json")
    assert code == 0, err
    report = json.loads(out)
    assert report["schema"] == 2 and set(report["central"]) == {"metric_depth", "two_point_distance"}
    assert "overlap with training: none" in report["notes"]
    rows = [json.loads(text) for text in (folders[0] / "samples.jsonl").read_text().splitlines()]
    with answers.open("w") as file:
        for row in rows:
            file.write(json.dumps({"sample_sha256": row["sample_sha256"], "answer": f"{row['truth']:.4f} m"}) + "\n")
    for folder, predictor in zip(folders[1:], ("constant", "constant:2.0 m", f"file:{answers}"), strict=True):
        code, _, err = run("eval", checkpoint, quick, "--predictor", predictor, "--output", folder)
        assert code == 0, err
        others = [json.loads(text) for text in (folder / "samples.jsonl").read_text().splitlines()]
        assert [row["sample_sha256"] for row in others] == [row["sample_sha256"] for row in rows]
    code, out, err = run("compare", *folders[1:])
    assert code == 0, err
    assert "constant 2.0 m" in out
    perfect = json.loads((folders[3] / "report.json").read_text())
    assert [task["metrics"]["delta1"] for task in perfect["tasks"]] == [1.0, 1.0]
    before = (folders[2] / "report.json").read_bytes()
    assert run("rescore", folders[2])[0] == 0
    assert (folders[2] / "report.json").read_bytes() == before


@pytest.mark.usefixtures("figures")
def test_a_report_shows_a_figure_of_each_task(run: Run, quick: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")
    code, _, err = run("eval", "-", quick, "--predictor", "constant:2 m", "--output", tmp_path / "out")
    assert code == 0, err
    written = (tmp_path / "out" / "report.md").read_text()
    for task in ("metric_depth", "two_point_distance"):
        assert f"({task}.png)" in written
        with Image.open(tmp_path / "out" / f"{task}.png") as figure:
            assert figure.width > 1000 and len(figure.convert("RGB").getcolors(1 << 24) or ()) > 50


def test_without_a_checkpoint_the_recipe_says_how_to_ask(run: Run, quick: Path, tmp_path: Path) -> None:
    code, _, err = run("eval", "-", quick, "--predictor", "constant:2 m", "--output", tmp_path / "out")
    assert code == 0, err
    code, _, err = run("eval", "-", quick, "--output", tmp_path / "out2")
    assert code == 2
    assert "there is no checkpoint to ask" in err


@pytest.mark.parametrize("predictor", ["vlmm", "depth", "depth:", "openai", "file:", "vlm:x", ""])
def test_unknown_predictors_are_named(run: Run, quick: Path, checkpoint: Path, predictor: str) -> None:
    code, _, err = run("eval", checkpoint, quick, "--predictor", predictor)
    assert code == 2
    assert "unknown predictor" in err and "depth:NAME" in err


def test_a_whole_source_can_be_held_out(checkpoint: Path, quick: Path, tmp_path: Path) -> None:
    path = write_manifest(tmp_path, [line(index) for index in range(6)])
    sources = f"sources={{photos: {{path: {path}, held_out: 1}}}}"
    recipe = load_recipe(quick, [sources, "evaluation.samples=60"])
    report = evaluate_recipe(checkpoint, recipe, EvaluationSetup("constant:2.5 m"))
    assert report.tasks[0].images == 6
    # Every wall is 2.5 m away along the axis, at most 2.5 / cos(37 degrees) = 3.13 m to its corners.
    assert report.tasks[0].metrics["delta1"] > 0.9


def test_overlap_is_allowed_on_request(run: Run, quick: Path, checkpoint: Path, tmp_path: Path) -> None:
    words = ("eval", checkpoint, quick, "sources.rooms.settings.rooms=20", "--output", tmp_path / "out")
    assert run(*words)[0] == 2
    code, _, err = run(*words, "--allow-overlap", "--limit", 2)
    assert code == 0, err
    notes = json.loads((tmp_path / "out" / "report.json").read_text())["notes"]
    assert any(note.startswith("overlap with training: 20 of 20 pictures were trained on") for note in notes)


def test_many_points_are_printed_as_a_table(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    from PIL import Image

    from tests.support.walls import wall

    Image.fromarray(wall()).save(tmp_path / "a.png")
    (tmp_path / "points.csv").write_text("u,v\n10,20\n50%,50%\n")
    words = ("ask", tmp_path / "a.png", "how far is it", "--fov", 60, "--model", checkpoint)
    code, out, err = run(*words, "--grid", "3x2")
    assert code == 0, err
    assert out.splitlines()[0] == "u,v,value,low,high,unit" and len(out.splitlines()) == 7
    code, out, err = run(*words, "--points", tmp_path / "points.csv", "--json")
    assert code == 0, err
    assert [answer["pixel"] for answer in json.loads(out)["answers"]] == [[10, 20], [59.5, 44.5]]
    code, _, err = run(*words, "--grid", "3x2", "--point", "red=3,4")
    assert code == 2
    assert "--point cannot be given with --points or --grid" in err


def test_a_grid_leaves_out_what_the_lens_bends_out_of_the_picture(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    from PIL import Image

    from tests.support.walls import wall

    Image.fromarray(wall()).save(tmp_path / "a.png")
    width, height = Image.open(tmp_path / "a.png").size
    lens = {"intrinsics": [75, 75, 59.5, 44.5, width, height], "distortion": [-0.3, 0.1, 0, 0, 0]}
    (tmp_path / "a.json").write_text(json.dumps(lens))
    words = ("ask", tmp_path / "a.png", "how far is it", "--model", checkpoint)
    code, out, err = run(*words, "--grid", "8x6")
    assert code == 0, err
    (left_out,) = (int(line.split()[1]) for line in err.splitlines() if line.startswith("note:"))
    assert 0 < left_out < 24 and len(out.splitlines()) == 1 + 48 - left_out
    (tmp_path / "corner.csv").write_text("u,v\n1,1\n")
    code, _, err = run(*words, "--points", tmp_path / "corner.csv")
    assert code == 2 and "no place in the canonical picture" in err
    code, _, err = run(*words, "--points", tmp_path / "corner.csv", "--grid", "2x2")
    assert code == 2 and "are given together" in err
    fisheye = {"intrinsics": [60, 60, 59.5, 44.5, width, height], "distortion": [-0.5, 0, 0, 0, 0]}
    (tmp_path / "a.json").write_text(json.dumps(fisheye))
    code, _, err = run(*words, "--grid", "2x2")
    assert code == 2 and "bends all of these points out" in err


def test_answers_also_come_in_the_unit_asked_for(
    run: Run,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from PIL import Image

    from tests.support.walls import wall
    from toolkit.modeling.predictor import Reply

    Image.fromarray(wall()).save(tmp_path / "a.png")
    monkeypatch.setattr("toolkit.modeling.vlm.vlm_predictor.generate", lambda *_, **__: [Reply("2.42 m")])
    question = "how many feet away is the red point"
    words = ("ask", tmp_path / "a.png", question, "--point", "red=50%,50%", "--fov", 60, "--model", checkpoint)
    assert run(*words)[1] == "2.42 m (7.9 ft)\n"


def test_answers_of_another_model_are_not_gone_on_from(
    checkpoint: Path, quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os

    from toolkit.modeling.vlm import vlm_predictor

    asked: list[int] = []
    whole = vlm_predictor.generate

    def counting(vlm: object, prompts: list[str], *rest: object, **named: object) -> list[object]:
        if sum(asked) >= 8:
            raise KeyboardInterrupt
        asked.append(len(prompts))
        return whole(vlm, prompts, *rest, **named)  # type: ignore[arg-type]

    recipe = load_recipe(quick)  # two tasks of 8 questions, a batch each

    def again() -> int:
        """Questions asked until the end."""
        asked.clear()
        monkeypatch.setattr(
            "toolkit.modeling.vlm.vlm_predictor.generate", lambda *a, **k: asked.append(len(a[1])) or whole(*a, **k)
        )
        evaluate_recipe(checkpoint, recipe, output=tmp_path)
        return sum(asked)

    def interrupt() -> None:
        asked.clear()
        monkeypatch.setattr("toolkit.modeling.vlm.vlm_predictor.generate", counting)
        with pytest.raises(KeyboardInterrupt):
            evaluate_recipe(checkpoint, recipe, output=tmp_path)

    interrupt()
    assert again() == 8
    interrupt()
    weights = checkpoint / "model.safetensors"
    os.utime(weights, ns=(0, weights.stat().st_mtime_ns + 1))  # trained again, to the same size
    with pytest.raises(UserError, match="another evaluation was interrupted here"):
        again()
    (tmp_path / "samples.part.jsonl").unlink()
    assert again() == 16


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A model that says nothing of how it is asked."""
    left_out = shutil.ignore_patterns("toolkit.json", "recipe.yaml", "trained_on.npz")
    return Path(shutil.copytree(model_folder("tiny"), tmp_path / "someones", ignore=left_out))


ONE = ["tasks={metric_depth: 1}", "evaluation.samples=3"]
LIKE = EvaluationSetup("constant", like="facebook/VLM3-depth")


def test_a_lent_contract_shows_the_questions_and_stands_in_the_report(plain: Path, quick: Path, tmp_path: Path) -> None:
    recipe = load_recipe(quick, [*ONE, "canonical.focal=80", "marker.shape=dot"])
    report = evaluate_recipe(plain, recipe, LIKE, tmp_path / "report")
    notes = report.about["notes"]
    assert any("shown and worded as for facebook/VLM3-depth, whatever the recipe says" in note for note in notes)
    assert any("for research only" in note for note in notes)
    rescore(tmp_path / "report")
    saved = json.loads((tmp_path / "report" / "report.json").read_text())
    assert re.fullmatch("facebook/VLM3-depth [0-9a-f]{12}", saved["contract"])
    stock = evaluate_recipe(plain, recipe, replace(LIKE, like="stock"))
    assert any("never trained for such questions" in note for note in stock.about["notes"])
    assert not {r.sample_sha256 for r in report.records} & {r.sample_sha256 for r in stock.records}
    own = evaluate_recipe(plain, recipe, replace(LIKE, like=None))
    assert "contract" not in own.about and own.about["recipe"] != report.about["recipe"]


def test_reports_of_different_contracts_are_not_mixed(
    plain: Path, quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.evaluation.evaluate.forget_answers", lambda path: None)
    evaluate_recipe(plain, load_recipe(quick, ONE), LIKE, tmp_path / "report")
    monkeypatch.setattr(Contract, "signature", "facebook/VLM3-depth, edited")
    with pytest.raises(UserError, match="another evaluation is here") as caught:
        evaluate_recipe(plain, load_recipe(quick, ONE), LIKE, tmp_path / "report")
    assert "like facebook/VLM3-depth, edited" in caught.value.cause
    (tmp_path / "report" / "report.json").unlink()
    with pytest.raises(UserError, match="another evaluation was interrupted here"):
        evaluate_recipe(plain, load_recipe(quick, ONE), LIKE, tmp_path / "report")


def test_a_lent_contract_has_only_its_own_tasks(plain: Path, checkpoint: Path, quick: Path) -> None:
    with pytest.raises(UserError, match="facebook/VLM3-depth does not know two_point_distance") as caught:
        evaluate_recipe(plain, load_recipe(quick), LIKE)
    assert "tasks={metric_depth: 1}" in caught.value.remedy
    with pytest.raises(UserError, match="for models without a contract of their own"):
        evaluate_recipe(checkpoint, load_recipe(quick, ONE), LIKE)


@pytest.mark.slow
def test_a_plain_model_answers_by_a_lent_contract(run: Run, plain: Path, quick: Path, tmp_path: Path) -> None:
    words = ("eval", plain, quick, *ONE, "--like", "tiny", "--output", tmp_path / "report")
    code, _, err = run(*words)
    assert code == 0, err
    rows = (tmp_path / "report" / "samples.jsonl").read_text().splitlines()
    assert len(rows) == 3 and all(json.loads(row)["answer"].endswith("m") for row in rows)


def test_a_marker_of_one_color_cannot_mark_two_points(quick: Path) -> None:
    recipe = load_recipe(quick, ["marker.colors=[red]", "evaluation.samples=3"])
    with pytest.raises(UserError, match=r"can have 2 points, and marker\.colors has 1") as caught:
        evaluate_recipe(None, recipe, EvaluationSetup("constant"))
    assert "two_point_distance asks about 2" in caught.value.cause
    assert evaluate_recipe(None, load_recipe(quick, [*ONE, "marker.colors=[red]"]), EvaluationSetup("constant"))
