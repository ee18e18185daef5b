"""Export: write a plain model folder with LoRA adapters merged, and prove that the model answers as before."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from toolkit.config.build import RunPlan, make_plan
from toolkit.config.load import dump_recipe, load_recipe
from toolkit.config.recipe import Recipe
from toolkit.errors import UserError
from toolkit.evaluation.contamination import TRAINED_ON_FILE, hash_sources
from toolkit.evaluation.evaluate import central_labels
from toolkit.evaluation.reports.report import REPORT, read_report
from toolkit.modeling.checkpoint_contract import CONTRACT, RECIPE, check_same_contract, read_contract, save_contract
from toolkit.modeling.safe_loading import clear_errors
from toolkit.modeling.vet_model import ADAPTER_CONFIG
from toolkit.modeling.vlm.load_vlm import finished_dtype
from toolkit.modeling.vlm.lora_targets import finish_weights
from toolkit.modeling.vlm.vlm import Vlm, encode, load_vlm, save_vlm
from toolkit.qa.sample import Sample
from toolkit.training.model_card import CARD, model_card
from toolkit.training.open_run_model import open_adapted
from toolkit.training.run_folder import ADAPTER
from toolkit.utils.files import locked, make_folder, write_bytes, write_text
from toolkit.utils.json import dump_json
from toolkit.utils.overwrite import has_mark, mark_of
from toolkit.utils.system_errors import writing

SAMPLES = 4
"""The number of questions on which the models before and after the export are compared."""

TOLERANCE = 0.02
"""The largest allowed difference of logits, as a share of their standard deviation (bfloat16 rounds at 0.4 %)."""

_COMMAND = "export"

RECORD = "export.json"
"""The file that says that an export wrote the folder."""

_WEIGHTS = "model*.safetensors*"

_REPORT = Path("evaluation", REPORT)

_EFFORT = re.compile(r"^(Trained on .+\.) The whole recipe is", re.MULTILINE)


@dataclass(frozen=True)
class ExportResult:
    """A finished export.

    Attributes:
        folder: The folder that holds the exported model.
        difference: The largest difference of the logits before and after, as a share of their standard deviation.
        adapter: Whether an adapter was merged.
        files: The files that the export wrote, by their paths inside the folder.
    """

    folder: Path
    difference: float
    adapter: bool
    files: tuple[str, ...] = ()


def export(source: Path, dest: Path, force: bool = False, shared_as: str = "") -> ExportResult:
    """Write a checkpoint as a plain model folder that needs neither peft nor this toolkit.

    Args:
        source: A folder that ``toolkit train`` wrote, or a ``training/checkpoint-N`` inside it.
        dest: The folder to write. What an export wrote there before is replaced.
        force: Whether other files in ``dest`` may be replaced, too, by those of the same names.
        shared_as: The repository on the hub that the model card names, if the folder is sent there.

    Raises:
        UserError: If there is no checkpoint, if ``dest`` holds files of another origin, if weights are missing, or if
            the exported model answers differently. Then ``dest`` stays as it is.
    """
    _check_dest(dest, force)
    run = _find_run(source)
    if dest.resolve().is_relative_to(run.resolve()):
        raise UserError(f"{dest}: this is inside the run itself", remedy="choose a folder elsewhere")
    make_folder(dest.parent)
    recipe = load_recipe(run / RECIPE)
    if (run / CONTRACT).is_file():
        check_same_contract(run, recipe)
    adapter = next((place for place in (source, source / ADAPTER) if (place / ADAPTER_CONFIG).is_file()), None)
    before = open_adapted(recipe, adapter) if adapter else load_vlm(source)
    plan = make_plan(recipe, before.geometry.canvas)
    samples = _draw_questions(plan)
    expected, computed = _logits(before, samples), before.model.dtype
    finished = source == run and adapter is None
    place = dest.with_name(f".{dest.name}.exporting")
    with locked(place), writing(dest), _scratch_folder(place) as scratch:
        save_vlm(finish_weights(before, computed if finished else finished_dtype(recipe.model)), scratch)
        difference = _largest_difference(expected, _logits(load_vlm(scratch, dtype=computed), samples))
        if not difference <= TOLERANCE:
            raise UserError(
                f"{source}: the exported model answers differently",
                cause=f"logits differ by {difference:.1%} of their spread; {TOLERANCE:.0%} is allowed",
                remedy="export from a machine with the versions in toolkit.json",
            )
        _save_contract_and_data(run, recipe, plan, scratch)
        _save_results(run if source == run else None, scratch)  # a saved step has no results of its own
        if shared_as:
            write_text(scratch / CARD, model_card(shared_as, recipe, plan, _results(scratch), _effort(scratch)))
        files = _place(scratch, dest)
    return ExportResult(dest, difference, adapter is not None, files)


@contextmanager
def _scratch_folder(place: Path) -> Iterator[Path]:
    """A path for a folder in another folder; nothing is left there, neither now nor of an export that was ended."""
    scratch = place / "model"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _check_dest(dest: Path, force: bool) -> None:
    """Check that a folder is missing or empty, or holds an export; or anything else, by ``force``."""
    if dest.exists() and not dest.is_dir():
        raise UserError(f"{dest}: this is a file, not a folder", remedy="choose another folder")
    if dest.is_dir() and any(dest.iterdir()) and not force and not is_export(dest):
        raise UserError(
            f"{dest}: this folder holds something that toolkit export did not write",
            remedy="choose another folder, or write over its files with --force",
        )


def is_export(folder: Path) -> bool:
    """Whether an export wrote a folder."""
    return has_mark(folder / RECORD, _COMMAND)


def _place(scratch: Path, dest: Path) -> tuple[str, ...]:
    """Move the files of an export to their place. Weights of an earlier export that the new one lacks are removed.

    Returns:
        The files, by their paths inside the folder.
    """
    write_text(scratch / RECORD, dump_json({"about": mark_of(_COMMAND)}) + "\n")
    files = tuple(sorted(path.relative_to(scratch).as_posix() for path in scratch.rglob("*") if path.is_file()))
    if not dest.exists():
        scratch.rename(dest)
        return files
    fresh, exported = {path.name for path in scratch.iterdir()}, is_export(dest)
    shutil.copytree(scratch, dest, dirs_exist_ok=True, copy_function=os.replace)
    for path in dest.glob(_WEIGHTS) if exported else ():
        if path.name not in fresh:
            path.unlink()
    return files


def _find_run(source: Path) -> Path:
    """The folder of the run: the checkpoint itself, or the folder two above a ``training/checkpoint-N``."""
    for folder in (source, source.parent.parent):
        if (folder / RECIPE).is_file():
            return folder
    raise UserError(
        f"{source}: this is no checkpoint of this toolkit",
        cause=f"there is no {RECIPE} in it",
        remedy="give a folder that toolkit train wrote",
    )


def _save_contract_and_data(run: Path, recipe: Recipe, plan: RunPlan, folder: Path) -> None:
    """Write the recipe, the fingerprints of the training data and the contract; a finished run's are taken over."""
    if (run / CONTRACT).is_file():
        central = read_contract(run).get("central_labels", {})
        if (run / TRAINED_ON_FILE).is_file():
            shutil.copyfile(run / TRAINED_ON_FILE, folder / TRAINED_ON_FILE)
    else:
        central = central_labels(plan.train)
        hash_sources([feed.source for feed in plan.train.feeds]).save(folder / TRAINED_ON_FILE)
    write_text(folder / RECIPE, dump_recipe(recipe))
    save_contract(recipe, plan, central, folder)


def _save_results(run: Path | None, folder: Path) -> None:
    """Copy the model card and the results of a finished run; None has none."""
    for file in (CARD, _REPORT) if run else ():
        if run and (run / file).is_file():
            write_bytes(folder / file, (run / file).read_bytes())


def _results(folder: Path) -> dict[str, Any] | None:
    """The held-out results beside a checkpoint; None if it was not measured."""
    return read_report(folder / _REPORT.parent, ("tasks",)) if (folder / _REPORT).is_file() else None


def _effort(folder: Path) -> str:
    """The sentence of a checkpoint's model card on its hardware and time; "" if there is none."""
    card = (folder / CARD).read_text(encoding="utf-8") if (folder / CARD).is_file() else ""
    found = _EFFORT.search(card)
    return found[1] if found else ""


def _draw_questions(plan: RunPlan) -> list[Sample]:
    """Some questions of the recipe: held-out ones if there are any."""
    mixtures = list(plan.held_out.values()) or [plan.train]
    return [mixtures[index % len(mixtures)][index] for index in range(SAMPLES)]


@torch.inference_mode()
def _logits(vlm: Vlm, samples: list[Sample]) -> list[torch.Tensor]:
    """The logits of the first answer token (vocabulary,), for each sample."""
    vlm.model.eval()
    batches = [encode(vlm, [sample.prompt], [sample.images]) for sample in samples]
    with clear_errors(vlm.name):
        found = [vlm.model(**batch).logits[0, -1].float().cpu() for batch in batches]
    if not all(bool(logits.isfinite().all()) for logits in found):
        raise UserError(
            f"{vlm.name}: what this model computes are no finite numbers",
            "its weights are damaged, or numbers in its config.json are",
            "download or save the model again",
        )
    return found


def _largest_difference(expected: list[torch.Tensor], found: list[torch.Tensor]) -> float:
    """The largest difference of logits, as a share of the standard deviation of the expected ones."""
    spread = max(float(torch.stack(expected).std()), 1e-12)
    pairs = zip(expected, found, strict=True)
    return max(float((one - other).abs().max()) for one, other in pairs) / spread
