"""Measuring: who answers a recipe's held-out questions, on which terms, and what comes of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.abstract_task import Task
from toolkit.canonical import Canvas
from toolkit.checkpoint import CONTRACT, canvas_of, check_same_contract, load_checkpoint, read_contract, versions
from toolkit.errors import UserError
from toolkit.evaluate import Evaluation, evaluate
from toolkit.mixture import Mixture
from toolkit.overlap import overlap, read_trained_on
from toolkit.plan import Questions, make_questions
from toolkit.predictors import ConstantPredictor, FixedPredictor, Predictor, VlmPredictor
from toolkit.progress import bar
from toolkit.recipe import Recipe
from toolkit.recipe_file import dump_recipe
from toolkit.report import Report, make_report

PART = "samples.part.jsonl"
"""Where answers are kept as they come."""

PREDICTORS = "vlm, constant, constant:TEXT, depth:NAME, openai:NAME@URL or file:ANSWERS.jsonl"

LABELS = 64
"""Training labels whose middle is a floor."""

_LENGTH = 12  # hexadecimal digits of a recipe's hash that a report names


@dataclass(frozen=True)
class How:
    """Who is measured, and how.

    Attributes:
        predictor: ``vlm`` asks the checkpoint; ``constant`` gives the best constant answer, ``constant:2.0 m`` that
            one; ``depth:NAME`` reads a dense depth model, ``openai:NAME@URL`` asks a server, ``file:PATH`` takes
            answers from a file.
        check: Whether answers are checked against the predictor's own depths.
        allow_overlap: Whether a checkpoint may be measured on pictures that it was trained on.
    """

    predictor: str = "vlm"
    check: bool = False
    allow_overlap: bool = False

    @property
    def kind(self) -> str:
        """The predictor's kind, before the colon."""
        return self.predictor.partition(":")[0]


def measure(folder: Path | None, recipe: Recipe, how: How = How(), output: Path | None = None) -> Report:
    """Results of a predictor on a recipe's held-out pictures.

    Args:
        folder: The checkpoint that is asked, or whose contract others are asked by; None takes the recipe's own.
        recipe: Whose tasks and sources are asked; it must show questions as the checkpoint was trained.
        how: Who answers, and what is checked.
        output: Where the report goes; an interrupted evaluation goes on there.

    Raises:
        UserError: If the checkpoint and the recipe do not fit together, the recipe holds out pictures that the
            checkpoint was trained on, or the predictor cannot be had.
    """
    if folder is not None:
        check_same_contract(folder, recipe)
    questions = make_questions(recipe, canvas_of(folder) if folder else recipe_canvas(recipe))
    who = _predictor(folder, recipe, how, questions.held_out)
    notes = list(questions.notes)
    if how.kind == "vlm" and folder is not None:
        notes += _check_overlap(folder, questions, how.allow_overlap)
    central = _central(folder, questions.held_out)
    return measured(who, recipe, replace(questions, notes=tuple(notes)), central, how.check, output)


def recipe_canvas(recipe: Recipe) -> Canvas:
    """The picture sizes that a recipe asks with: its own, or else its base model's, as the configuration says."""
    if recipe.evaluation.multiple:
        return Canvas(multiple=recipe.evaluation.multiple)
    if recipe.model.name == "tiny":
        return Canvas(square=recipe.model.tiny.picture)
    return canvas_of(recipe.model.name)


def _predictor(folder: Path | None, recipe: Recipe, how: How, held_out: Mapping[str, Mixture]) -> Predictor:
    settings = recipe.evaluation
    rest = how.predictor.partition(":")[2]
    tasks = {name: task for name, mixture in held_out.items() for task, _ in mixture.tasks}
    if how.kind == "vlm" and not rest:
        return _checkpoint(folder, recipe)
    if how.kind == "constant":
        return FixedPredictor(rest) if rest else ConstantPredictor(held_out)
    if how.kind == "depth" and rest:
        from toolkit.depth_predictor import load_depth_predictor

        return load_depth_predictor(rest, tasks)
    if how.kind == "file" and rest:
        from toolkit.answers_file import AnswersFile

        return AnswersFile(Path(rest), held_out)
    if how.kind == "openai" and rest:
        from toolkit.remote import RemoteSettings, parse_remote
        from toolkit.remote.predictor import OpenAiPredictor

        return OpenAiPredictor(parse_remote(how.predictor), RemoteSettings(max_new_tokens=settings.max_new_tokens))
    raise UserError(f"unknown predictor {how.predictor!r}", remedy=f"give {PREDICTORS}")


def _checkpoint(folder: Path | None, recipe: Recipe) -> Predictor:
    if folder is None:
        raise UserError("there is no checkpoint to ask", remedy="name its folder, or another --predictor")
    checkpoint = load_checkpoint(folder)
    strangers = [name for name, task in recipe.tasks.items() if task.weight > 0 and name not in checkpoint.tasks]
    if strangers:
        raise UserError(
            f"{folder}: the model was not trained on {', '.join(strangers)}",
            remedy=f"leave them out: tasks={{{', '.join(f'{name}: 1' for name in checkpoint.tasks)}}}",
        )
    settings = recipe.evaluation
    return VlmPredictor(checkpoint.vlm, folder.name, settings.batch_size, settings.max_new_tokens)


def measured(
    who: Predictor,
    recipe: Recipe,
    questions: Questions,
    central: Mapping[str, Any],
    check: bool = False,
    output: Path | None = None,
) -> Report:
    """Results of a predictor, with a progress bar.

    Args:
        who: Who answers.
        recipe: Where the questions come from; what it says makes an evaluation the same.
        questions: What is asked.
        central: The middle of the training labels of each task, a floor.
        check: Whether answers are checked against the predictor's own depths.
        output: Folder where answers are kept as they come, so that an interrupted evaluation goes on.
    """
    key = hashlib.sha256(f"{who.name}\n{dump_recipe(recipe)}".encode()).hexdigest()
    asked = Evaluation(questions.held_out, check, None if output is None else output / PART, key)
    with bar("evaluating", asked.count) as progress:
        records = evaluate(who, asked, progress.advance)
    notes = [*questions.notes, *getattr(who, "notes", ())]
    about = {"recipe": key[:_LENGTH], "versions": versions(), "notes": notes}
    report = make_report(who.name, records, asked.tasks, central, about)
    if output is not None:
        report.save(output)
        (output / PART).unlink(missing_ok=True)
    return report


def central_labels(train: Mixture) -> dict[str, Any]:
    """The middle of some true answers of each task of a training mixture."""
    return {
        task.name: task.metric.central([train.only(task)[index].truth for index in range(LABELS)])
        for task, _ in train.tasks
    }


def _central(folder: Path | None, held_out: Mapping[str, Mixture]) -> dict[str, Any]:
    """The middle of the labels that a checkpoint was trained on; {} where that is not known."""
    saved = read_contract(folder).get("central_labels", {}) if folder and (folder / CONTRACT).is_file() else {}
    tasks: dict[str, Task] = {name: task for name, mixture in held_out.items() for task, _ in mixture.tasks}
    return {name: tasks[name].metric.restore(value) for name, value in saved.items() if name in tasks}


def _check_overlap(folder: Path, questions: Questions, allowed: bool) -> list[str]:
    """Check that a checkpoint was not trained on what it is measured on; what a reader of the results should know."""
    seen = read_trained_on(folder)
    if seen is None:
        return [f"{folder} does not say what it was trained on: overlap with these pictures is not known"]
    said = overlap(seen, questions.sources).said()
    if said and not allowed:
        raise UserError(
            f"{folder} was trained on what it would be measured on",
            cause=said,
            remedy="split the sources as the checkpoint's recipe.yaml does, or pass --allow-overlap to measure anyway",
        )
    return [f"overlap with training: {said or 'none'}"]
