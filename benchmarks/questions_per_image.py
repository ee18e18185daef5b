"""Measure how many answers per second a model is trained on, with one question per picture and with several.

Run it as ``python benchmarks/questions_per_image.py``. Both sides render and collate samples and train the same tiny
model, with the same number of answers per step. The ratio is printed.
"""

import argparse
import time

import torch

from toolkit.config.build import make_plan
from toolkit.config.load import load_recipe
from toolkit.config.recipe import Recipe
from toolkit.modeling.vlm.load_vlm import prepare_training
from toolkit.modeling.vlm.vlm import Vlm
from toolkit.training.collator import Collator, make_row
from toolkit.training.open_run_model import open_base


def answers_per_second(recipe: Recipe, vlm: Vlm, batch_size: int, steps: int) -> float:
    """How many answers per second are trained on during ``steps`` steps, after one step as a warm-up."""
    mixture, collate = make_plan(recipe, vlm.geometry.canvas).train, Collator(vlm)
    optimiser = torch.optim.AdamW(vlm.model.parameters(), 1e-4)
    answers, started = 0, time.perf_counter()
    for step in range(steps + 1):
        if step == 1:
            answers, started = 0, time.perf_counter()
        samples = [mixture[index] for index in range(step * batch_size, (step + 1) * batch_size)]
        vlm.model(**collate([make_row(sample) for sample in samples])).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        answers += sum(len(sample.turns) for sample in samples)
    return answers / (time.perf_counter() - started)


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--recipe", default="depth_plus_distance")
    arguments.add_argument("--questions", type=int, default=8)
    arguments.add_argument("--picture", type=int, default=192, help="side length of the tiny model's pictures [px]")
    arguments.add_argument("--answers", type=int, default=64, help="answers per step, on both sides")
    arguments.add_argument("--steps", type=int, default=6)
    given = arguments.parse_args()
    settings = [
        "model.name=tiny-random",
        "reference=text",
        f"model.tiny.picture={given.picture}",
        f"canonical.focal={80 * given.picture / 96}",
        f"sources.rooms.settings.width=[{given.picture}, {given.picture}]",
        f"sources.rooms.settings.height=[{given.picture}, {given.picture}]",
    ]
    rates = {}
    for questions in (1, given.questions):
        recipe = load_recipe(given.recipe, [*settings, f"questions_per_image={questions}"])
        vlm = prepare_training(open_base(recipe), recipe.model)
        vlm.model.train()
        rates[questions] = answers_per_second(recipe, vlm, given.answers // questions, given.steps)
        print(f"{questions} question(s) per picture of {given.picture} px: {rates[questions]:.1f} answers/s")
    print(f"ratio: {rates[given.questions] / rates[1]:.1f}")


if __name__ == "__main__":
    main()
