"""Export: one plain model folder, LoRA adapters merged, proven to answer as before."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from toolkit.config.build import Plan, make_plan
from toolkit.config.load import dump_recipe, load_recipe
from toolkit.config.recipe import Recipe
from toolkit.errors import UserError
from toolkit.evaluation.contamination import FILE as TRAINED_ON
from toolkit.evaluation.contamination import trained_on
from toolkit.evaluation.evaluate import central_labels
from toolkit.modeling.checkpoint_contract import CONTRACT, RECIPE, check_same_contract, read_contract, save_contract
from toolkit.modeling.vlm.lora_targets import merged
from toolkit.modeling.vlm.vlm import Vlm, encode, load_vlm, save_vlm
from toolkit.qa.sample import Sample
from toolkit.training.train import ADAPTER, open_adapted
from toolkit.utils.files import write_text

SAMPLES = 4
"""Questions on which the models before and after are compared."""


TOLERANCE = 0.02
"""Largest difference of logits that passes, as a share of their standard deviation (bfloat16 rounds at 0.4 %)."""


_ADAPTER_CONFIG = "adapter_config.json"


@dataclass(frozen=True)
class Exported:
    """A finished export.

    Attributes:
        folder: Where it lies.
        difference: Largest difference of logits before and after, as a share of their standard deviation.
        adapter: Whether an adapter was merged.
    """

    folder: Path
    difference: float
    adapter: bool


def export(source: Path, dest: Path) -> Exported:
    """Write a checkpoint as a plain model folder that needs neither peft nor this toolkit.

    Args:
        source: A folder that ``toolkit train`` wrote, or a ``training/checkpoint-N`` inside it.
        dest: A new folder.

    Raises:
        UserError: If there is no checkpoint, ``dest`` is there already, weights are missing, or the exported
            model answers otherwise; nothing is left in ``dest`` then.
    """
    if dest.exists():
        raise UserError(f"{dest}: this is there already", remedy="choose a new folder")
    run = _run_of(source)
    if dest.resolve().is_relative_to(run.resolve()):
        raise UserError(f"{dest}: this is inside the run itself", remedy="choose a folder elsewhere")
    recipe = load_recipe(run / RECIPE)
    if (run / CONTRACT).is_file():
        check_same_contract(run, recipe)
    adapter = next((place for place in (source, source / ADAPTER) if (place / _ADAPTER_CONFIG).is_file()), None)
    before = open_adapted(recipe, adapter) if adapter else load_vlm(source)
    plan = make_plan(recipe, before.geometry.canvas)
    samples = _samples(plan)
    expected = _logits(before, samples)
    scratch = dest.with_name(f".{dest.name}.exporting")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        save_vlm(merged(before), scratch)
        difference = _difference(expected, _logits(load_vlm(scratch), samples))
        if not difference <= TOLERANCE:
            raise UserError(
                f"{source}: the exported model answers otherwise",
                cause=f"logits differ by {difference:.1%} of their spread; {TOLERANCE:.0%} is allowed",
                remedy="export from a machine with the versions in toolkit.json",
            )
        _keep_history(run, recipe, plan, scratch)
        if source == run and (run / "README.md").is_file():  # a step on the way has no results of its own
            write_text(scratch / "README.md", (run / "README.md").read_text(encoding="utf-8"))
        dest.parent.mkdir(parents=True, exist_ok=True)
        scratch.rename(dest)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return Exported(dest, difference, adapter is not None)


def _run_of(source: Path) -> Path:
    """The run's folder: the checkpoint itself, or two above a ``training/checkpoint-N``."""
    for folder in (source, source.parent.parent):
        if (folder / RECIPE).is_file():
            return folder
    raise UserError(
        f"{source}: this is no checkpoint of this toolkit",
        cause=f"there is no {RECIPE} in it",
        remedy="give a folder that toolkit train wrote",
    )


def _keep_history(run: Path, recipe: Recipe, plan: Plan, folder: Path) -> None:
    """Write how the model was trained, on what, and how it is asked: as its run says, if that is finished."""
    if (run / CONTRACT).is_file():
        central = read_contract(run).get("central_labels", {})
        if (run / TRAINED_ON).is_file():
            shutil.copyfile(run / TRAINED_ON, folder / TRAINED_ON)
    else:
        central = central_labels(plan.train)
        trained_on([feed.source for feed in plan.train.feeds]).save(folder / TRAINED_ON)
    write_text(folder / RECIPE, dump_recipe(recipe))
    save_contract(recipe, [task for task, _ in plan.train.tasks], plan.licenses, central, folder)


def _samples(plan: Plan) -> list[Sample]:
    """Questions of the recipe: held-out ones where there are any."""
    mixtures = list(plan.held_out.values()) or [plan.train]
    return [mixtures[index % len(mixtures)][index] for index in range(SAMPLES)]


@torch.inference_mode()
def _logits(vlm: Vlm, samples: list[Sample]) -> list[torch.Tensor]:
    """Logits of the first answer token, (vocabulary,) each."""
    vlm.model.eval()
    batches = [encode(vlm, [sample.prompt], [sample.images]) for sample in samples]
    return [vlm.model(**batch).logits[0, -1].float().cpu() for batch in batches]


def _difference(expected: list[torch.Tensor], found: list[torch.Tensor]) -> float:
    spread = max(float(torch.stack(expected).std()), 1e-12)
    pairs = zip(expected, found, strict=True)
    return max(float((one - other).abs().max()) for one, other in pairs) / spread
