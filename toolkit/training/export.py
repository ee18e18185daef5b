"""Export: write a plain model folder with LoRA adapters merged, and prove that the model answers as before."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from toolkit.config.build import RunPlan, make_plan
from toolkit.config.load import dump_recipe, load_recipe
from toolkit.config.recipe import Recipe
from toolkit.errors import UserError
from toolkit.evaluation.contamination import TRAINED_ON_FILE, hash_sources
from toolkit.evaluation.evaluate import central_labels
from toolkit.evaluation.reports.report import REPORT
from toolkit.modeling.checkpoint_contract import CONTRACT, RECIPE, check_same_contract, read_contract, save_contract
from toolkit.modeling.hub import clear_errors
from toolkit.modeling.vet_model import ADAPTER_CONFIG
from toolkit.modeling.vlm.load_vlm import finished_dtype
from toolkit.modeling.vlm.lora_targets import finish_weights
from toolkit.modeling.vlm.vlm import Vlm, encode, load_vlm, save_vlm
from toolkit.qa.sample import Sample
from toolkit.training.open_run_model import open_adapted
from toolkit.training.run_folder import ADAPTER
from toolkit.utils.files import write_text
from toolkit.utils.json import dump_json
from toolkit.utils.overwrite import has_mark, mark_of

SAMPLES = 4
"""The number of questions on which the models before and after the export are compared."""

TOLERANCE = 0.02
"""The largest allowed difference of logits, as a share of their standard deviation (bfloat16 rounds at 0.4 %)."""

_COMMAND = "export"

_RECORD = "export.json"
"""The file that says that an export wrote the folder."""

_WEIGHTS = "model*.safetensors*"


@dataclass(frozen=True)
class ExportResult:
    """A finished export.

    Attributes:
        folder: The folder that holds the exported model.
        difference: The largest difference of the logits before and after, as a share of their standard deviation.
        adapter: Whether an adapter was merged.
    """

    folder: Path
    difference: float
    adapter: bool


def export(source: Path, dest: Path, force: bool = False) -> ExportResult:
    """Write a checkpoint as a plain model folder that needs neither peft nor this toolkit.

    Args:
        source: A folder that ``toolkit train`` wrote, or a ``training/checkpoint-N`` inside it.
        dest: The folder to write. What an export wrote there before is replaced.
        force: Whether other files in ``dest`` may be replaced, too, by those of the same names.

    Raises:
        UserError: If there is no checkpoint, if ``dest`` holds files of another origin, if weights are missing, or if
            the exported model answers differently. Then ``dest`` stays as it is.
    """
    _check_dest(dest, force)
    run = _find_run(source)
    if dest.resolve().is_relative_to(run.resolve()):
        raise UserError(f"{dest}: this is inside the run itself", remedy="choose a folder elsewhere")
    recipe = load_recipe(run / RECIPE)
    if (run / CONTRACT).is_file():
        check_same_contract(run, recipe)
    adapter = next((place for place in (source, source / ADAPTER) if (place / ADAPTER_CONFIG).is_file()), None)
    before = open_adapted(recipe, adapter) if adapter else load_vlm(source)
    plan = make_plan(recipe, before.geometry.canvas)
    samples = _draw_questions(plan)
    expected, computed = _logits(before, samples), before.model.dtype
    finished = source == run and adapter is None
    scratch = dest.with_name(f".{dest.name}.exporting")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        save_vlm(finish_weights(before, computed if finished else finished_dtype(recipe.model)), scratch)
        difference = _largest_difference(expected, _logits(load_vlm(scratch, dtype=computed), samples))
        if not difference <= TOLERANCE:
            raise UserError(
                f"{source}: the exported model answers differently",
                cause=f"logits differ by {difference:.1%} of their spread; {TOLERANCE:.0%} is allowed",
                remedy="export from a machine with the versions in toolkit.json",
            )
        _save_contract_and_data(run, recipe, plan, scratch)
        if source == run:  # a saved step has no results of its own
            _copy_results(run, scratch)
        _place(scratch, dest)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return ExportResult(dest, difference, adapter is not None)


def _check_dest(dest: Path, force: bool) -> None:
    """Check that a folder is missing or empty, or holds an export; or anything else, by ``force``."""
    if dest.exists() and not dest.is_dir():
        raise UserError(f"{dest}: this is a file, not a folder", remedy="choose another folder")
    if dest.is_dir() and any(dest.iterdir()) and not force and not has_mark(dest / _RECORD, _COMMAND):
        raise UserError(
            f"{dest}: this folder holds something that toolkit export did not write",
            remedy="choose another folder, or write over its files with --force",
        )


def _place(scratch: Path, dest: Path) -> None:
    """Move the files of an export to their place. Weights of an earlier export that the new one lacks are removed."""
    write_text(scratch / _RECORD, dump_json({"about": mark_of(_COMMAND)}) + "\n")
    if not dest.exists():
        dest.parent.mkdir(parents=True, exist_ok=True)
        scratch.rename(dest)
        return
    fresh, exported = {path.name for path in scratch.iterdir()}, has_mark(dest / _RECORD, _COMMAND)
    shutil.copytree(scratch, dest, dirs_exist_ok=True, copy_function=os.replace)
    for path in dest.glob(_WEIGHTS) if exported else ():
        if path.name not in fresh:
            path.unlink()


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


def _copy_results(run: Path, folder: Path) -> None:
    """Copy the card of a finished run and its held-out results, of which it speaks when it is asked."""
    for name in ("README.md", f"evaluation/{REPORT}", "evaluation/report.md"):
        if (run / name).is_file():
            write_text(folder / name, (run / name).read_text(encoding="utf-8"))


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
