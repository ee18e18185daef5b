"""Export: write a plain model folder with LoRA adapters merged, and prove that the model answers as before."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from toolkit.config.build import RunPlan, make_plan
from toolkit.config.load import dump_recipe, load_recipe
from toolkit.config.recipe import Recipe
from toolkit.errors import UserError
from toolkit.evaluation.contamination import TRAINED_ON_FILE, hash_sources
from toolkit.evaluation.evaluate import central_labels
from toolkit.modeling.checkpoint_contract import CONTRACT, RECIPE, check_same_contract, read_contract, save_contract
from toolkit.modeling.vlm.load_vlm import finished_dtype
from toolkit.modeling.vlm.lora_targets import finish_weights
from toolkit.modeling.vlm.vlm import Vlm, encode, load_vlm, save_vlm
from toolkit.qa.sample import Sample
from toolkit.training.open_run_model import open_adapted
from toolkit.training.run_folder import ADAPTER
from toolkit.utils.files import locked, make_folder, write_text
from toolkit.utils.system_errors import writing

SAMPLES = 4
"""The number of questions on which the models before and after the export are compared."""

TOLERANCE = 0.02
"""The largest allowed difference of logits, as a share of their standard deviation (bfloat16 rounds at 0.4 %)."""

_ADAPTER_CONFIG = "adapter_config.json"


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


def export(source: Path, dest: Path) -> ExportResult:
    """Write a checkpoint as a plain model folder that needs neither peft nor this toolkit.

    Args:
        source: A folder that ``toolkit train`` wrote, or a ``training/checkpoint-N`` inside it.
        dest: The folder to write, which must not exist yet.

    Raises:
        UserError: If there is no checkpoint, if ``dest`` exists already, if weights are missing, or if the exported
            model answers differently. Then nothing is left in ``dest``.
    """
    if dest.exists():
        raise UserError(f"{dest}: this is there already", remedy="choose a new folder")
    run = _find_run(source)
    if dest.resolve().is_relative_to(run.resolve()):
        raise UserError(f"{dest}: this is inside the run itself", remedy="choose a folder elsewhere")
    make_folder(dest.parent)
    recipe = load_recipe(run / RECIPE)
    if (run / CONTRACT).is_file():
        check_same_contract(run, recipe)
    adapter = next((place for place in (source, source / ADAPTER) if (place / _ADAPTER_CONFIG).is_file()), None)
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
        if source == run and (run / "README.md").is_file():  # a saved step has no results of its own
            write_text(scratch / "README.md", (run / "README.md").read_text(encoding="utf-8"))
        scratch.rename(dest)
    return ExportResult(dest, difference, adapter is not None)


@contextmanager
def _scratch_folder(place: Path) -> Iterator[Path]:
    """A path for a folder in another folder; nothing is left there, neither now nor of an export that was ended."""
    scratch = place / "model"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


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


def _draw_questions(plan: RunPlan) -> list[Sample]:
    """Some questions of the recipe: held-out ones if there are any."""
    mixtures = list(plan.held_out.values()) or [plan.train]
    return [mixtures[index % len(mixtures)][index] for index in range(SAMPLES)]


@torch.inference_mode()
def _logits(vlm: Vlm, samples: list[Sample]) -> list[torch.Tensor]:
    """The logits of the first answer token (vocabulary,), for each sample."""
    vlm.model.eval()
    batches = [encode(vlm, [sample.prompt], [sample.images]) for sample in samples]
    return [vlm.model(**batch).logits[0, -1].float().cpu() for batch in batches]


def _largest_difference(expected: list[torch.Tensor], found: list[torch.Tensor]) -> float:
    """The largest difference of logits, as a share of the standard deviation of the expected ones."""
    spread = max(float(torch.stack(expected).std()), 1e-12)
    pairs = zip(expected, found, strict=True)
    return max(float((one - other).abs().max()) for one, other in pairs) / spread
