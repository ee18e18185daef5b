"""What the head of a model with a large vocabulary costs in one training step on a CPU, in time and in memory.

    python benchmarks/step.py [--vocabulary 150000] [--batch 8] [--rounds 5]

Three steps are compared. In "all tokens", TRL's fused head scores every token, as it does without Triton. In
"labelled", it scores the tokens that carry loss, as this toolkit lets it. In "none", no token carries loss: that is
what the step costs without logits. Times are taken in turn in one process, and the medians of their ratios are printed.
Memory is what the step adds to a process of its own at its peak, which only Linux tells.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from trl import SFTTrainer

from toolkit.config.build import make_plan
from toolkit.config.load import load_recipe
from toolkit.modeling.vlm.load_vlm import prepare_training
from toolkit.training import trainer as training
from toolkit.training.collator import IGNORED
from toolkit.training.labelled_rows import trl_selects_rows
from toolkit.training.open_run_model import open_base

KINDS = ("all tokens", "labelled", "none")
MIB = 2**20  # bytes
TINY = "{picture: 192, patch: 12, width: 64, layers: 2}"


def make_step(vocabulary: int, batch_size: int, folder: Path) -> tuple[SFTTrainer, dict[str, Any]]:
    """The trainer of a tiny model with a large vocabulary, and a batch of its samples."""
    settings = ["model.name=tiny-random", f"model.tiny={TINY}", f"trainer.batch_size={batch_size}"]
    recipe = load_recipe("depth_plus_distance", settings)
    vlm = open_base(recipe)
    vlm.model.resize_token_embeddings(vocabulary, mean_resizing=False)
    plan = make_plan(recipe, vlm.geometry.canvas)
    made = training.make_trainer(prepare_training(vlm, recipe.model), plan.train, recipe, folder)
    return made, made.data_collator([made.train_dataset[index] for index in range(batch_size)])


def take_step(trainer: SFTTrainer, batch: dict[str, Any], kind: str) -> float:
    """Compute loss and gradients in one way; how long it took [s]."""
    training.trl_selects_rows = (lambda _: True) if kind == "all tokens" else trl_selects_rows
    labels = batch["labels"] if kind != "none" else torch.full_like(batch["labels"], IGNORED)
    trainer.model.zero_grad()
    began = time.perf_counter()
    trainer.compute_loss(trainer.model, {**batch, "labels": labels}, num_items_in_batch=1).backward()
    return time.perf_counter() - began


def memory(name: str) -> int:
    """A number of /proc/self/status, such as the peak VmHWM or the present VmRSS of this process [bytes]."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


def print_added_memory(kind: str, vocabulary: int, batch_size: int) -> None:
    """Print what one step adds to the memory of this process [bytes]."""
    with tempfile.TemporaryDirectory() as folder:
        trainer, batch = make_step(vocabulary, batch_size, Path(folder))
        before = memory("VmRSS")
        take_step(trainer, batch, kind)
    print(memory("VmHWM") - before)


def added_memory(kind: str, vocabulary: int, batch_size: int) -> int:
    """What one step adds to the memory of a process of its own [bytes]."""
    words = [__file__, "--vocabulary", str(vocabulary), "--batch", str(batch_size), "--kind", kind]
    done = subprocess.run([sys.executable, *words], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1])


def compare_times(vocabulary: int, batch_size: int, rounds: int) -> None:
    """Take the steps in turn, and print their times and the medians of the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        trainer, batch = make_step(vocabulary, batch_size, Path(folder))
        for kind in KINDS:
            take_step(trainer, batch, kind)
        times = [{kind: take_step(trainer, batch, kind) for kind in KINDS} for _ in range(rounds)]
    count = int((batch["labels"] != IGNORED).sum())
    print(f"vocabulary {vocabulary}, {batch['labels'].numel()} tokens, {count} of them with loss")
    ratio = statistics.median(each["all tokens"] / each["labelled"] for each in times)
    without = statistics.median(each["labelled"] / each["none"] for each in times)
    for kind in KINDS:
        print(f"{kind:<12} {statistics.median(each[kind] for each in times):7.3f} s")
    print(f"all tokens / labelled: {ratio:.1f}x the time; labelled / none: {without:.2f}x")


def compare_memory(vocabulary: int, batch_size: int) -> None:
    """Take each step in a process of its own, and print what it adds at its peak, with the ratio for logits alone."""
    added = {kind: added_memory(kind, vocabulary, batch_size) for kind in KINDS}
    for kind in KINDS:
        print(f"{kind:<12} {added[kind] / MIB:7.0f} MiB")
    whole, ours = (added[kind] - added["none"] for kind in KINDS[:2])
    print(f"all tokens / labelled: {added['all tokens'] / added['labelled']:.1f}x the memory of the step")
    print(f"logits: {whole / MIB:.0f} MiB and {ours / MIB:.0f} MiB, {whole / max(ours, 1):.1f}x")


def main() -> None:
    """Compare times, then memory; with ``--kind``, print the memory of one step alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vocabulary", type=int, default=150_000)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--kind", choices=KINDS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.kind:
        print_added_memory(given.kind, given.vocabulary, given.batch)
        return
    compare_times(given.vocabulary, given.batch, given.rounds)
    compare_memory(given.vocabulary, given.batch)


if __name__ == "__main__":
    main()
