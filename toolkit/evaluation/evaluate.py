"""Evaluation of a predictor on the held-out questions of a recipe, from the settings to the saved report."""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.config.build import HeldOutQuestions, make_questions
from toolkit.config.build_presenter import make_tasks
from toolkit.config.load import dump_recipe
from toolkit.config.recipe import ManifestSource, Recipe
from toolkit.errors import UserError
from toolkit.evaluation.contamination import find_contamination, read_trained_on
from toolkit.evaluation.kept_answers import forget_answers, is_kept
from toolkit.evaluation.question_loop import AT_ONCE, EvaluationRun, ask_all
from toolkit.evaluation.ranks import ALONE, Ranks
from toolkit.evaluation.reports.report import Report, make_report, read_report, report_files, restore_central
from toolkit.evaluation.sample_record import SampleRecord
from toolkit.modeling.checkpoint import load_checkpoint
from toolkit.modeling.checkpoint_contract import (
    CONTRACT,
    Contract,
    adopt_contract,
    canvas_of,
    check_same_contract,
    lend_contract,
    read_contract,
    recipe_canvas,
    with_own_tasks,
)
from toolkit.modeling.constant_predictor import ConstantPredictor, FixedPredictor
from toolkit.modeling.fetch_model import fetch_model, hub_name
from toolkit.modeling.find_contract import contract_named, is_stock, lent_contract, print_licence
from toolkit.modeling.placement import Placement
from toolkit.modeling.predictor import Ending, Predictor
from toolkit.modeling.published_contract import published_name_of
from toolkit.modeling.vlm.load_placed import load_placed
from toolkit.modeling.vlm.vlm import Vlm
from toolkit.modeling.vlm.vlm_predictor import VlmPredictor
from toolkit.qa.mixture import Mixture
from toolkit.qa.tasks.task import GENERAL, Task
from toolkit.utils.overwrite import check_overwrite
from toolkit.utils.progress import bar
from toolkit.utils.versions import versions

_PART_FILE = "samples.part.jsonl"
"""The file in which answers are kept as they come."""

_PREDICTORS = "vlm, constant, constant:TEXT, depth:NAME, openai:NAME@URL or file:ANSWERS.jsonl"

_CENTRAL_SAMPLES = 64
"""How many training labels the middle of a task's labels is taken from."""

_STOCK = "the model was not trained by this toolkit: it was asked as the recipe says"

_RECIPE_DIGITS = 12  # hexadecimal digits of the recipe's hash that a report names


@dataclass(frozen=True)
class EvaluationSetup:
    """Which predictor is evaluated, what is checked, and which processes share the work.

    Attributes:
        predictor: The predictor. ``vlm`` is the checkpoint, ``constant`` the best constant answer, ``constant:2.0 m``
            this constant answer, ``depth:NAME`` a dense depth model, ``openai:NAME@URL`` a model on a server, and
            ``file:PATH`` the replay of answers from a file.
        check: Whether answers are checked against the predictor's own depths.
        allow_overlap: Whether a checkpoint may be evaluated on pictures that it was trained on.
        ranks: The processes that share the questions. All of them evaluate together, and the first one writes.
        like: What says how a model that others trained is asked, in place of the recipe: the name of a published
            model, the folder of a checkpoint, or ``stock``.
        placement: Where the weights of the checkpoint are put, and in which type.
    """

    predictor: str = "vlm"
    check: bool = False
    allow_overlap: bool = False
    ranks: Ranks = ALONE
    like: str | None = None
    placement: Placement = Placement()

    @property
    def kind(self) -> str:
        """The kind of the predictor: what stands before the colon."""
        return self.predictor.partition(":")[0]


@dataclass(frozen=True)
class EvaluationFolder:
    """The folder of an evaluation, and the files that its answers depend on.

    Attributes:
        folder: The folder of the report.
        inputs: The files that answers depend on. If one of them has changed, it is another evaluation.
        force: Whether files of another origin, and another evaluation, may be written over.
    """

    folder: Path
    inputs: tuple[Path, ...] = ()
    force: bool = False

    @property
    def stamp(self) -> str:
        """A text that changes when one of the input files changes: their sizes and times."""
        facts = ((path, path.stat()) for path in self.inputs)
        return "\n".join(f"{path} {fact.st_size} {fact.st_mtime_ns}" for path, fact in facts)


def evaluate_recipe(
    folder: Path | None,
    recipe: Recipe,
    setup: EvaluationSetup = EvaluationSetup(),
    output: Path | None = None,
    force: bool = False,
) -> Report:
    """Evaluate a predictor on the held-out pictures of a recipe.

    Args:
        folder: The checkpoint that is asked, or whose contract says how another predictor is asked. It may also be the
            folder of a model that was not trained here. It is asked as ``setup.like`` says; without it, a published
            model as it was trained, and any other as the recipe says. None takes the recipe's own contract.
        recipe: The recipe whose tasks are asked, about its sources. It must show questions as the checkpoint was
            trained. Where it does not say how, the checkpoint's settings are taken.
        setup: Which predictor answers, what is checked, and which processes share the questions.
        output: The folder for the report. An interrupted evaluation goes on there. None writes nothing.
        force: Whether files of another origin, and another evaluation, may be written over there.

    Raises:
        UserError: If the checkpoint and the recipe do not fit together, if the checkpoint was trained on pictures that
            the recipe holds out, or if the predictor cannot be made or does not share its questions.
    """
    _check_shared(setup)
    if setup.kind != "vlm":
        setup.placement.check_unused(f"--predictor {setup.predictor}")
    lent = _lent_contract(folder, setup.like)
    stock = folder is not None and is_stock(folder)
    if lent:
        print_licence(lent)
        recipe = lend_contract(lent, recipe)
    elif folder is not None and not stock:
        recipe = adopt_contract(folder, with_own_tasks(folder, recipe))
        check_same_contract(folder, recipe)
    questions = _make_questions(folder, recipe, lent)
    notes = list(questions.notes)
    if setup.kind == "vlm" and folder is not None:
        plain = stock and lent is None
        notes += [_STOCK] if plain else _check_contamination(folder, questions, setup.allow_overlap)
    predictor = _make_predictor(folder, recipe, setup, questions.held_out, lent)
    central = _trained_central_labels(folder, questions.held_out)
    kept = None if output is None else EvaluationFolder(output, _input_files(folder, recipe, setup), force)
    return evaluate_predictor(predictor, recipe, replace(questions, notes=tuple(notes)), central, setup, kept)


def _lent_contract(folder: Path | None, like: str | None) -> Contract | None:
    """The contract that says how a model of others is asked; None if the recipe or the model's own contract does."""
    if folder is None:
        return contract_named(like) if like else None
    if like or (is_stock(folder) and published_name_of(folder)):
        return lent_contract(folder, like)
    return None


def _make_questions(folder: Path | None, recipe: Recipe, lent: Contract | None) -> HeldOutQuestions:
    """Build the held-out questions of a recipe, as the model is asked."""
    if lent is None:
        return make_questions(recipe, canvas_of(folder) if folder else recipe_canvas(recipe))
    _check_asked(recipe, lent.tasks, f"{lent.origin} does not know")
    asked = lent.on(canvas_of(folder)) if folder else lent
    words = {name: task.words for name, task in asked.tasks.items()}
    questions = make_questions(recipe, asked.presenter.canonicalisation.canvas, asked.presenter, words)
    told = f"questions are shown and worded as for {asked.origin}, whatever the recipe says"
    notes = (*questions.notes, told, *filter(None, (asked.licence, asked.caveat)))
    return replace(questions, notes=notes, contract=asked.signature)


def _check_asked(recipe: Recipe, known: Collection[str], problem: str) -> None:
    """Check that a model knows all tasks of a recipe but ordinary questions.

    Args:
        recipe: The recipe.
        known: The names of the tasks that the model knows.
        problem: The words of the error before the tasks that it does not know.

    Raises:
        UserError: If there is a task that it does not know.
    """
    asked = [task for task, _ in make_tasks(recipe)]
    strangers = [task.name for task in asked if task.name not in known and task.group != GENERAL]
    if strangers:
        raise UserError(
            f"{problem} {', '.join(strangers)}",
            remedy=f"leave them out: tasks={{{', '.join(f'{name}: 1' for name in known)}}}",
        )


def _check_shared(setup: EvaluationSetup) -> None:
    """Check that the predictor shares its questions if there are several processes.

    The answers of others depend on what they answered before (depth maps that are remembered, lines that are used up),
    or do not come sooner (a server is asked several questions at the same time anyway).
    """
    if setup.kind != "vlm" and setup.ranks.count > 1:
        raise UserError(
            f"--predictor {setup.predictor} does not share its questions among {setup.ranks.count} processes",
            cause="only the model of a checkpoint does",
            remedy="give the same command without torchrun",
        )


def _input_files(folder: Path | None, recipe: Recipe, setup: EvaluationSetup) -> tuple[Path, ...]:
    """The files that questions and answers depend on: models, manifests, own tasks, templates, answers to replay."""
    named = setup.predictor.partition(":")[2].partition("?")[0]
    rest = [fetch_model(named) if setup.kind == "depth" else Path(named)] if named else []
    folders = [each for each in (folder, *rest) if each is not None and each.is_dir()]
    files = [path for each in folders for path in (*sorted(each.glob("*.safetensors")), each / CONTRACT)]
    manifests = [source.path for source in recipe.sources.values() if isinstance(source, ManifestSource)]
    words = [task.template_path() for task, _ in make_tasks(recipe)]
    return tuple(path for path in (*files, *manifests, *recipe.include, *words, *rest) if path.is_file())


def _make_predictor(
    folder: Path | None,
    recipe: Recipe,
    setup: EvaluationSetup,
    held_out: Mapping[str, Mixture],
    lent: Contract | None,
) -> Predictor:
    """The predictor that the setup names."""
    settings = recipe.evaluation
    rest = setup.predictor.partition(":")[2]
    tasks = {name: task for name, mixture in held_out.items() for task, _ in mixture.tasks}
    if setup.kind == "vlm" and not rest:
        return _open_checkpoint(folder, recipe, lent, setup.placement)
    if setup.kind == "constant":
        return FixedPredictor(rest) if rest else ConstantPredictor(held_out)
    if setup.kind == "depth" and rest:
        from toolkit.modeling.depth.depth_predictor import load_depth_predictor

        return load_depth_predictor(rest, tasks)
    if setup.kind == "file" and rest:
        from toolkit.modeling.replay import ReplayPredictor

        return ReplayPredictor(Path(rest), held_out)
    if setup.kind == "openai" and rest:
        from toolkit.modeling.remote.address import RemoteSettings, parse_remote
        from toolkit.modeling.remote.remote_predictor import OpenAiPredictor

        return OpenAiPredictor(parse_remote(setup.predictor), RemoteSettings(max_new_tokens=settings.max_new_tokens))
    raise UserError(f"unknown predictor {setup.predictor!r}", remedy=f"give {_PREDICTORS}")


def _open_checkpoint(folder: Path | None, recipe: Recipe, lent: Contract | None, placement: Placement) -> Predictor:
    """The model in a folder as a predictor, trained by this toolkit or not."""
    if folder is None:
        raise UserError("there is no checkpoint to ask", remedy="name its folder, or another --predictor")
    if lent:
        vlm = load_checkpoint(folder, lent, placement).vlm
    else:
        vlm = load_placed(folder, placement) if is_stock(folder) else _open_trained(folder, recipe, placement)
    settings = recipe.evaluation
    name = " ".join([hub_name(folder) or folder.name, *placement.words])
    return VlmPredictor(vlm, name, settings.batch_size, settings.max_new_tokens)


def _open_trained(folder: Path, recipe: Recipe, placement: Placement) -> Vlm:
    """The model of a checkpoint, which must be trained on all tasks of the recipe but ordinary questions.

    Raises:
        UserError: If the model was not trained on one of the tasks.
    """
    checkpoint = load_checkpoint(folder, placement=placement)
    _check_asked(recipe, checkpoint.tasks, f"{folder}: the model was not trained on")
    return checkpoint.vlm


def evaluate_predictor(
    predictor: Predictor,
    recipe: Recipe,
    questions: HeldOutQuestions,
    central: Mapping[str, Any],
    setup: EvaluationSetup = EvaluationSetup(),
    kept: EvaluationFolder | None = None,
) -> Report:
    """Ask a predictor all questions, with a progress bar, and compute its results.

    Args:
        predictor: The predictor that answers.
        recipe: The recipe that the questions come from.
        questions: The questions.
        central: The middle of the training labels of each task, by the task's name. It is a floor of the results.
        setup: What is checked, and which processes share the questions.
        kept: Where answers are kept as they come, so that an interrupted evaluation goes on. None keeps nothing.

    Raises:
        UserError: If the folder holds another evaluation.
    """
    written = dump_recipe(recipe)
    digest = _sha256(written)[:_RECIPE_DIGITS]
    if kept is not None:
        _check_folder(kept, questions, predictor.name, digest)
    lent = {"contract": questions.contract} if questions.contract else {}
    facts = (predictor.name, written, kept.stamp if kept else "", *lent.values())
    part, key = (kept.folder / _PART_FILE, _sha256(*facts)) if kept else (None, "")
    asked = EvaluationRun(questions.held_out, setup.check, part, key)
    batch_size = predictor.batch_size if isinstance(predictor, VlmPredictor) else AT_ONCE
    with bar("evaluating", asked.count) as progress:
        records = ask_all(predictor, asked, progress.advance, batch_size, setup.ranks)
    about = {
        "recipe": digest,
        **lent,
        "versions": versions(),
        "sources": {name: source.kind for name, source in recipe.sources.items()},
        **({"placement": predictor.placement} if isinstance(predictor, VlmPredictor) else {}),
        "notes": [*questions.notes, *predictor.notes, *_notes_on_endings(records)],
    }
    report = make_report(predictor.name, records, asked.tasks, central, about)
    if kept is not None and setup.ranks.is_first:
        report.save(kept.folder)
        forget_answers(kept.folder / _PART_FILE)
    return report


def _notes_on_endings(records: Sequence[SampleRecord]) -> list[str]:
    """How many answers have no value because of how they ended, for a reader of the results."""
    counts = Counter(record.ending for record in records if record.ending is not Ending.COMPLETE)
    return [f"{count} of {len(records)} answers: {ending.why_unread}" for ending, count in sorted(counts.items())]


def _check_folder(kept: EvaluationFolder, questions: HeldOutQuestions, predictor: str, recipe: str) -> None:
    """Check that a folder holds no files of another origin, and no answers of another predictor, recipe or contract."""
    folder = kept.folder
    names = [task.name for mixture in questions.held_out.values() for task, _ in mixture.tasks]
    part = folder / _PART_FILE
    try:
        saved = read_report(folder, ("predictor", "recipe"))
    except UserError:
        saved = None
    own = saved is not None or is_kept(part)
    check_overwrite([part, *report_files(folder, names)], "eval", kept.force, kept.inputs, own=own)
    if saved is None or kept.force:
        return
    known = (saved["predictor"], saved["recipe"], saved.get("contract", ""))
    now = (predictor, recipe, questions.contract)
    if known != now:
        was, comes = (f"{who} by {how}{f' like {like}' if like else ''}" for who, how, like in (known, now))
        raise UserError(
            f"{folder}: another evaluation is here",
            cause=f"there, the predictor and the recipe were {was}, and now they are {comes}",
            remedy="choose another --output, delete the folder, or write over it with --force",
        )


def _sha256(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


def central_labels(train: Mixture) -> dict[str, Any]:
    """The middle of the labels of each task in a training mixture, by the task's name."""
    return {
        task.name: task.metric.central([train.only(task)[index].truth for index in range(_CENTRAL_SAMPLES)])
        for task, _ in train.tasks
    }


def _trained_central_labels(folder: Path | None, held_out: Mapping[str, Mixture]) -> dict[str, Any]:
    """The middle of the labels that a checkpoint was trained on, by task; empty where it is not known."""
    saved = read_contract(folder).get("central_labels", {}) if folder and (folder / CONTRACT).is_file() else {}
    tasks: dict[str, Task] = {name: task for name, mixture in held_out.items() for task, _ in mixture.tasks}
    return restore_central(saved, tasks, folder / CONTRACT) if folder else {}


def _check_contamination(folder: Path, questions: HeldOutQuestions, allowed: bool) -> list[str]:
    """Check that a checkpoint was not trained on the held-out pictures.

    Returns:
        Notes about the contamination for a reader of the results.

    Raises:
        UserError: If it was trained on them, and this is not allowed.
    """
    seen = read_trained_on(folder)
    if seen is None:
        return [f"{folder} does not say what it was trained on: overlap with these pictures is not known"]
    overlap = find_contamination(seen, questions.sources).to_text()
    if overlap and not allowed:
        raise UserError(
            f"{folder} was trained on what it would be measured on",
            cause=overlap,
            remedy="split the sources as the checkpoint's recipe.yaml does, or pass --allow-overlap to measure anyway",
        )
    return [f"overlap with training: {overlap or 'none'}"]
