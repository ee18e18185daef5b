"""Only tokens with loss reach the head: the same loss and gradients as from all logits, in every architecture."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from trl import SFTTrainer

from tests.support.architecture_batches import every_architecture
from tests.support.training import twin_recipe
from toolkit.config.build import make_plan
from toolkit.modeling.vlm.load_vlm import prepare_training
from toolkit.training.collator import IGNORED
from toolkit.training.labelled_rows import trl_selects_rows
from toolkit.training.open_run_model import open_base
from toolkit.training.trainer import make_trainer

ROWS = 2


def trainer_of(name: str, folder: Path, *more: str) -> SFTTrainer:
    """The trainer of an architecture's twin."""
    recipe = twin_recipe(name, folder, *more)
    vlm = prepare_training(open_base(recipe), recipe.model)
    return make_trainer(vlm, make_plan(recipe, vlm.geometry.canvas).train, recipe, folder / "run")


def batch_of(trainer: SFTTrainer) -> dict[str, Any]:
    """The first rows that the trainer reads."""
    return trainer.data_collator([trainer.train_dataset[index] for index in range(ROWS)])


def gradients(trainer: SFTTrainer, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    """The gradient of each weight that is trained, by its name."""
    trainer.model.zero_grad()
    loss.backward()
    named = trainer.model.named_parameters()
    return {name: weight.grad.clone() for name, weight in named if weight.grad is not None}


def loss_from_all_logits(trainer: SFTTrainer, batch: dict[str, Any], count: int) -> torch.Tensor:
    """The loss from the model's own forward pass, which makes the logits of every token."""
    logits = trainer.model(**{key: value for key, value in batch.items() if key != "labels"}).logits
    return cross_entropy(logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten(), reduction="sum") / count


def rows_scored(trainer: SFTTrainer, batch: dict[str, Any]) -> torch.Size:
    """The shape of the log-probabilities that the head returns."""
    shapes: list[torch.Size] = []
    base = trainer.model.get_base_model() if hasattr(trainer.model, "peft_config") else trainer.model
    hook = base.register_forward_hook(lambda _module, _inputs, output: shapes.append(output.log_probs.shape))
    trainer.compute_loss(trainer.model, batch)
    hook.remove()
    return shapes[0]


def check_same_as_all_logits(trainer: SFTTrainer) -> None:
    """Compare loss and gradients with those of all logits, and count the tokens that the head scores."""
    batch = batch_of(trainer)
    count = int((batch["labels"] != IGNORED).sum())
    expected = loss_from_all_logits(trainer, batch, count)
    found = trainer.compute_loss(trainer.model, batch, num_items_in_batch=count)
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    whole, ours = gradients(trainer, expected), gradients(trainer, found)
    assert whole.keys() == ours.keys() != set()
    assert all(torch.allclose(whole[key], ours[key], atol=1e-6, rtol=0) for key in ours)
    assert rows_scored(trainer, batch) == (1, count)


@every_architecture
def test_gradients_are_those_of_all_logits(name: str, tmp_path: Path) -> None:
    check_same_as_all_logits(trainer_of(name, tmp_path))


def test_gradients_of_adapters_are_those_of_all_logits(tmp_path: Path) -> None:
    check_same_as_all_logits(trainer_of("Qwen3-VL", tmp_path, "model.lora.rank=4"))


def test_where_trl_selects_rows_its_own_way_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = trainer_of("LLaVA-SigLIP", tmp_path)
    batch = batch_of(trainer)
    ours = trainer.compute_loss(trainer.model, batch).item()
    monkeypatch.setattr("toolkit.training.trainer.trl_selects_rows", lambda device: device.type == "cpu")
    rows, length = batch["labels"].shape
    assert rows_scored(trainer, batch) == (rows, length - 1)
    assert trainer.compute_loss(trainer.model, batch).item() == pytest.approx(ours, rel=1e-6)


@pytest.mark.parametrize(
    ("device", "triton", "trl"), [("cpu", True, False), ("cuda", True, True), ("cuda", False, False)]
)
def test_trl_selects_rows_where_triton_runs(
    device: str, triton: bool, trl: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.training.labelled_rows.is_triton_available", lambda: triton)
    assert trl_selects_rows(torch.device(device)) is trl


def test_a_batch_without_loss_has_gradients_of_zero(tmp_path: Path) -> None:
    trainer = trainer_of("LLaVA-SigLIP", tmp_path)
    batch = batch_of(trainer)
    batch["labels"].fill_(IGNORED)
    loss = trainer.compute_loss(trainer.model, batch, num_items_in_batch=5)
    assert loss.item() == 0
    assert not any(gradient.any() for gradient in gradients(trainer, loss).values())
