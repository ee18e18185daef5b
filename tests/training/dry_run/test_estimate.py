"""What a run will need: worked out before the first step, over all phases of a curriculum."""

from pathlib import Path

import pytest

from toolkit.config.build import make_plan
from toolkit.config.load import load_recipe
from toolkit.training.collator import Collator, make_row
from toolkit.training.dry_run.estimate import estimate_run
from toolkit.training.open_run_model import open_base


def test_what_a_run_needs_is_worked_out_over_all_its_phases(quick: Path) -> None:
    first, second = "share: 15, tasks: {metric_depth: 1}", "share: 16, tasks: {camera_pose: 1}"
    last = "share: 1, tasks: {metric_depth: 1}, questions_per_image: 3"
    settings = ["tasks={metric_depth: 1, camera_pose: 1}", "trainer.steps=8", "trainer.batch_size=4"]
    recipe = load_recipe(quick, [*settings, f"curriculum=[{{{first}}}, {{{second}}}, {{{last}}}]"])
    vlm = open_base(recipe)
    plan = make_plan(recipe, vlm.geometry.canvas)
    rows = [Collator(vlm).lengths(make_row(plan.train[index])) for index in range(32)]
    assert [len(plan.train[index].turns) for index in (14, 30, 31)] == [1, 1, 3]
    needed = estimate_run(vlm, plan, recipe)
    assert needed.mean.image == pytest.approx(sum(row.image for row in rows) / 32, rel=0.1)
    words = [row.prompt + row.answer for row in rows]
    assert words[31] > max(words[:31])
    assert needed.longest - rows[15].image == pytest.approx(words[31], abs=6)
    assert needed.questions_requested == needed.questions == 1


def test_questions_that_there_are_no_colours_for_are_told(quick: Path) -> None:
    first, second = "share: 1, tasks: {metric_depth: 1}", "share: 1, tasks: {two_point_distance: 1}"
    recipe = load_recipe(quick, [f"curriculum=[{{{first}}}, {{{second}, questions_per_image: 2}}]"])
    vlm = open_base(recipe)
    needed = estimate_run(vlm, make_plan(recipe, vlm.geometry.canvas), recipe)
    assert (needed.questions_requested, needed.questions) == (1.5, 1)
    assert "1.0 questions per picture, not 1.5" in needed.to_text()


def test_logits_are_counted_where_there_is_loss(quick: Path) -> None:
    phase = "share: 1, tasks: {metric_depth: 1}, patch_words: 1"
    for settings, images in (([], 0), ([f"curriculum=[{{{phase}}}]"], 16)):
        recipe = load_recipe(quick, ["tasks={metric_depth: 1}", "trainer.batch_size=4", *settings])
        vlm = open_base(recipe)
        plan = make_plan(recipe, vlm.geometry.canvas)
        answers = max(Collator(vlm).lengths(make_row(plan.train[index])).answer for index in range(16))
        labelled = estimate_run(vlm, plan, recipe).logits / (4 * 4 * len(vlm.processor.tokenizer))
        assert labelled == pytest.approx(answers + images, abs=1)
