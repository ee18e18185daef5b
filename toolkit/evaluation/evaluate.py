"""Measuring: who answers a recipe's held-out questions, on which terms, and what comes of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from toolkit.config.build import Questions, make_questions, make_tasks
from toolkit.config.load import dump_recipe
from toolkit.config.recipe import ManifestSource, Recipe
from toolkit.errors import UserError
from toolkit.evaluation.contamination import overlap, read_trained_on
from toolkit.evaluation.question_loop import Evaluation, evaluate
from toolkit.evaluation.report import REPORT, Report, make_report
from toolkit.modeling.checkpoint import load_checkpoint
from toolkit.modeling.checkpoint_contract import (
    CONTRACT,
    RECIPE,
    as_trained,
    canvas_of,
    check_same_contract,
    read_contract,
    recipe_canvas,
)
from toolkit.modeling.hub import CONFIG
from toolkit.modeling.predictor import ConstantPredictor, FixedPredictor, Predictor
from toolkit.modeling.vlm.vlm import Vlm, load_vlm
from toolkit.modeling.vlm.vlm_predictor import VlmPredictor
from toolkit.qa.mixture import Mixture
from toolkit.qa.task import GENERAL, Task
from toolkit.utils.progress import bar
from toolkit.utils.versions import versions

PART = "samples.part.jsonl"
"""Where answers are kept as they come."""


PREDICTORS = "vlm, constant, constant:TEXT, depth:NAME, openai:NAME@URL or file:ANSWERS.jsonl"


LABELS = 64
"""Training labels whose middle is a floor."""


_STOCK = "the model was not trained by this toolkit: it was asked as the recipe says"


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


@dataclass(frozen=True)
class Kept:
    """Where answers are kept.

    Attributes:
        folder: The report's folder.
        rests_on: Files that answers depend on: where one has changed, it is another evaluation.
    """

    folder: Path
    rests_on: tuple[Path, ...] = ()

    @property
    def stamp(self) -> str:
        """What tells these very files from changed ones: sizes and times."""
        facts = ((path, path.stat()) for path in self.rests_on)
        return "\n".join(f"{path} {fact.st_size} {fact.st_mtime_ns}" for path, fact in facts)


def measure(folder: Path | None, recipe: Recipe, how: How = How(), output: Path | None = None) -> Report:
    """Results of a predictor on a recipe's held-out pictures.

    Args:
        folder: The checkpoint that is asked, or whose contract others are asked by; or the folder of a model that was
            not trained here, which is asked as the recipe says; None takes the recipe's own contract.
        recipe: Whose tasks and sources are asked. It must show questions as the checkpoint was trained, and does so
            wherever it does not say how itself.
        how: Who answers, and what is checked.
        output: Where the report goes; an interrupted evaluation goes on there.

    Raises:
        UserError: If the checkpoint and the recipe do not fit together, the recipe holds out pictures that the
            checkpoint was trained on, or the predictor cannot be had.
    """
    stock = folder is not None and is_stock(folder)
    if folder is not None and not stock:
        recipe = as_trained(folder, recipe)
        check_same_contract(folder, recipe)
    questions = make_questions(recipe, canvas_of(folder) if folder else recipe_canvas(recipe))
    notes = list(questions.notes)
    if how.kind == "vlm" and folder is not None:
        notes += [_STOCK] if stock else _check_overlap(folder, questions, how.allow_overlap)
    who = _predictor(folder, recipe, how, questions.held_out)
    central = _central(folder, questions.held_out)
    kept = None if output is None else Kept(output, _rests_on(folder, recipe, how))
    return measured(who, recipe, replace(questions, notes=tuple(notes)), central, how.check, kept)


def _rests_on(folder: Path | None, recipe: Recipe, how: How) -> tuple[Path, ...]:
    """The files that questions and answers depend on: models, manifests, the user's own tasks, templates, answers."""
    named = how.predictor.partition(":")[2].partition("?")[0]
    rest = [Path(named)] if named else []
    folders = [each for each in (folder, *rest) if each is not None and each.is_dir()]
    files = [path for each in folders for path in (*sorted(each.glob("*.safetensors")), each / CONTRACT)]
    manifests = [source.path for source in recipe.sources.values() if isinstance(source, ManifestSource)]
    words = [task.template_path() for task, _ in make_tasks(recipe)]
    return tuple(path for path in (*files, *manifests, *recipe.include, *words, *rest) if path.is_file())


def is_stock(folder: Path) -> bool:
    """Whether a folder holds a model that this toolkit has neither trained nor begun to train."""
    run = folder.resolve().parent.parent  # of a training/checkpoint-N
    own = (folder / CONTRACT, folder / RECIPE, run / RECIPE)
    return (folder / CONFIG).is_file() and not any(path.exists() for path in own)


def _predictor(folder: Path | None, recipe: Recipe, how: How, held_out: Mapping[str, Mixture]) -> Predictor:
    settings = recipe.evaluation
    rest = how.predictor.partition(":")[2]
    tasks = {name: task for name, mixture in held_out.items() for task, _ in mixture.tasks}
    if how.kind == "vlm" and not rest:
        return _checkpoint(folder, recipe)
    if how.kind == "constant":
        return FixedPredictor(rest) if rest else ConstantPredictor(held_out)
    if how.kind == "depth" and rest:
        from toolkit.modeling.depth.depth_predictor import load_depth_predictor

        return load_depth_predictor(rest, tasks)
    if how.kind == "file" and rest:
        from toolkit.modeling.replay import AnswersFile

        return AnswersFile(Path(rest), held_out)
    if how.kind == "openai" and rest:
        from toolkit.modeling.remote.address import RemoteSettings, parse_remote
        from toolkit.modeling.remote.remote_predictor import OpenAiPredictor

        return OpenAiPredictor(parse_remote(how.predictor), RemoteSettings(max_new_tokens=settings.max_new_tokens))
    raise UserError(f"unknown predictor {how.predictor!r}", remedy=f"give {PREDICTORS}")


def _checkpoint(folder: Path | None, recipe: Recipe) -> Predictor:
    if folder is None:
        raise UserError("there is no checkpoint to ask", remedy="name its folder, or another --predictor")
    vlm = (
        load_vlm(folder, device="cuda" if torch.cuda.is_available() else None)
        if is_stock(folder)
        else _trained(folder, recipe)
    )
    settings = recipe.evaluation
    return VlmPredictor(vlm, folder.name, settings.batch_size, settings.max_new_tokens)


def _trained(folder: Path, recipe: Recipe) -> Vlm:
    """The model of a checkpoint that was trained on what a recipe asks; ordinary questions can be asked all the same.

    Raises:
        UserError: If it was not.
    """
    checkpoint = load_checkpoint(folder)
    asked = [task for task, _ in make_tasks(recipe)]
    strangers = [task.name for task in asked if task.name not in checkpoint.tasks and task.group != GENERAL]
    if strangers:
        raise UserError(
            f"{folder}: the model was not trained on {', '.join(strangers)}",
            remedy=f"leave them out: tasks={{{', '.join(f'{name}: 1' for name in checkpoint.tasks)}}}",
        )
    return checkpoint.vlm


def measured(
    who: Predictor,
    recipe: Recipe,
    questions: Questions,
    central: Mapping[str, Any],
    check: bool = False,
    kept: Kept | None = None,
) -> Report:
    """Results of a predictor, with a progress bar.

    Args:
        who: Who answers.
        recipe: Where the questions come from.
        questions: What is asked.
        central: The middle of the training labels of each task, a floor.
        check: Whether answers are checked against the predictor's own depths.
        kept: Where answers are kept as they come, so that an interrupted evaluation goes on.

    Raises:
        UserError: If another evaluation is kept there.
    """
    said = dump_recipe(recipe)
    if kept is not None:
        _check_free(kept.folder, who.name, _hash(said)[:_LENGTH])
    part, key = (kept.folder / PART, _hash(who.name, said, kept.stamp)) if kept else (None, "")
    asked = Evaluation(questions.held_out, check, part, key)
    with bar("evaluating", asked.count) as progress:
        records = evaluate(who, asked, progress.advance)
    notes = [*questions.notes, *getattr(who, "notes", ())]
    about = {"recipe": _hash(said)[:_LENGTH], "versions": versions(), "notes": notes}
    report = make_report(who.name, records, asked.tasks, central, about)
    if kept is not None:
        report.save(kept.folder)
        (kept.folder / PART).unlink(missing_ok=True)
    return report


def _check_free(folder: Path, predictor: str, recipe: str) -> None:
    """Check that a folder does not hold what another predictor answered, or was asked by another recipe."""
    try:
        there = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        known = (there["predictor"], there["recipe"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    if known != (predictor, recipe):
        raise UserError(
            f"{folder}: another evaluation is here",
            cause=f"{known[0]} was asked by the recipe {known[1]}, and now it is {predictor} by {recipe}",
            remedy="choose another --output, or delete the folder",
        )


def _hash(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


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
