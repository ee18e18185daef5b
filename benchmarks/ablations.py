"""Test the method's claims on a small scale: train each variant of a recipe with several seeds, and tabulate results.

Run it as ``python benchmarks/ablations.py``, or with the names of some comparisons to run only these. Every run is a
``toolkit train`` of ``recipes/ablations/NAME.yaml`` with the settings of its variant. Finished runs are not run again,
and variants with the same recipe are run only once.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from toolkit.config.load import dump_recipe, load_recipe
from toolkit.config.recipe import Recipe
from toolkit.modeling.checkpoint_contract import CONTRACT, RECIPE, adopt_base_contract
from toolkit.utils.files import write_text
from toolkit.utils.progress import err

TASK, NUMBER = "metric_depth", "delta1"
"""The task and the number that variants are compared by."""

_CONFIDENCE = 0.95
_SECONDS = "seconds.json"
_ALL_TASKS = (
    "tasks={metric_depth: {weight: 1, options: {decimals: 1}}, principal_axis_distance: {options: {decimals: 1}}, "
    "two_point_distance: {options: {decimals: 1}}, relative_depth: 1, camera_pose: 1}"
)

_ROOMS = 20000  # rooms of the recipe `labels`, with two pictures each: far more than a run draws


def _last_rooms(count: int) -> Sequence[str]:
    """The settings that keep only the recipe's last rooms, so that the held-out rooms, which follow, stay the same."""
    return (f"sources.rooms.settings.rooms={count}", f"sources.rooms.settings.first={_ROOMS - count}")


COMPARISONS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "reference": {
        "a mark in the picture": (),
        "coordinates in the text": ("reference=text",),
        "neither": ("reference=none",),
    },
    "cameras": {"one focal length": (), "focal lengths of their own": ("canonical.keep_focal=true",)},
    "tasks": {"metric depth alone": (), "five tasks": (_ALL_TASKS,)},
    "questions": {
        "one question per picture": (),
        "eight questions per picture": ("questions_per_image=8", "trainer.batch_size=11"),  # the same time per step
    },
    "labels": {
        "1 label per picture": (),
        "10 labels per picture": _last_rooms(256),
        "100 labels per picture": _last_rooms(26),
        "850 labels per picture": _last_rooms(3),
    },
}
"""For each comparison and variant, the settings that differ from the recipe. The first variant is the recipe itself."""


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        comparison: The name of the comparison that the run belongs to.
        variant: The variant, in words.
        seed: The seed of the run.
        root: The folder that holds all runs.
    """

    comparison: str
    variant: str
    seed: int
    root: Path

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        number = list(COMPARISONS[self.comparison]).index(self.variant)
        return self.root / f"{self.comparison}-{number}-seed-{self.seed}"

    def settings(self, more: Sequence[str]) -> list[str]:
        """The settings that replace those of the recipe; ``more`` are settings for all runs."""
        return [*COMPARISONS[self.comparison][self.variant], *more, f"seed={self.seed}"]

    def recipe(self, more: Sequence[str]) -> Recipe:
        """The recipe that the run trains by."""
        return adopt_base_contract(load_recipe(f"ablations/{self.comparison}", self.settings(more)))

    def train(self, more: Sequence[str]) -> None:
        """Train and evaluate, unless that is done already.

        Raises:
            RuntimeError: If the run fails, or if it was already done with other settings.
        """
        if (self.folder / CONTRACT).is_file():
            if load_recipe(self.folder / RECIPE) != self.recipe(more):
                raise RuntimeError(f"{self.folder}: done with other settings; choose another --output")
            return
        words = ["train", f"recipes/ablations/{self.comparison}.yaml", *self.settings(more), "--output", self.folder]
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "toolkit", *map(str, words)],
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{self.folder}: exit {done.returncode}\n{done.stderr[-2000:]}")
        write_text(self.folder / _SECONDS, json.dumps(time.monotonic() - started))
        err.print(f"{self.comparison}, {self.variant}, seed {self.seed}: {self.result():.3f}", markup=False)

    def result(self) -> float:
        """The number that the model reached."""
        return float(self._task_report()["metrics"][NUMBER])

    def floor(self) -> float:
        """The number that the best constant answer reaches on the same questions."""
        return float(self._task_report()["constant"]["metrics"][NUMBER])

    def seconds(self) -> float:
        """How long training and evaluation took [s]; NaN if the run was interrupted."""
        path = self.folder / _SECONDS
        return float(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else float("nan")

    def _task_report(self) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
        report = json.loads((self.folder / "evaluation" / "report.json").read_text(encoding="utf-8"))
        return next(task for task in report["tasks"] if task["task"] == TASK)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean, and half the width of its 95 % interval, by Student's t distribution over seeds (Student 1908)."""
    if len(values) < 2:
        return float(np.mean(values)), float("nan")
    spread = float(np.std(values, ddof=1)) / len(values) ** 0.5
    return float(np.mean(values)), float(stats.t.ppf((1 + _CONFIDENCE) / 2, len(values) - 1)) * spread


def to_text(comparison: str, runs: Mapping[str, Sequence[Run]]) -> str:
    """The results of a comparison, as a table in Markdown."""
    first, *_ = runs.values()
    trainer = load_recipe(first[0].folder / RECIPE).trainer
    lines = [
        f"### {comparison}",
        "",
        f"| | {TASK} {NUMBER} | difference | best constant | s per run |",
        "|---|---|---|---|---|",
    ]
    for variant, each in runs.items():
        mean, half = interval([run.result() for run in each])
        step, width = interval([run.result() - other.result() for run, other in zip(each, first, strict=True)])
        difference = "" if each is first else f"{step:+.3f} ± {width:.3f}"
        floor, seconds = np.mean([run.floor() for run in each]), np.mean([run.seconds() for run in each])
        lines.append(f"| {variant} | {mean:.3f} ± {half:.3f} | {difference} | {floor:.3f} | {seconds:.0f} |")
    lines += [
        "",
        f"{len(first)} seeds; ± is a 95 % interval over seeds; the first variant takes {trainer.steps} steps of "
        f"{trainer.batch_size} samples.",
    ]
    return "\n".join(lines)


def plan_runs(names: Sequence[str], seeds: int, root: Path, more: Sequence[str]) -> dict[str, dict[str, list[Run]]]:
    """The runs of each variant of some comparisons. Where two comparisons have the same recipe, they share the run.

    Raises:
        ValueError: If ``more`` makes two variants of a comparison the same.
    """
    known: dict[str, Run] = {}
    runs: dict[str, dict[str, list[Run]]] = {
        name: {variant: [] for variant in COMPARISONS[name]} for name in COMPARISONS
    }
    for name, seed in itertools.product(COMPARISONS, range(seeds)):
        for variant in COMPARISONS[name]:
            run = Run(name, variant, seed, root)
            runs[name][variant].append(known.setdefault(dump_recipe(run.recipe(more)), run))
        if len({each[seed] for each in runs[name].values()}) < len(COMPARISONS[name]):
            raise ValueError(f"{', '.join(more)} makes two variants of {name!r} the same")
    return {name: runs[name] for name in names}


def main() -> None:
    """Run the comparisons, and write and print their tables."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("names", nargs="*", help=f"comparisons, by default all: {', '.join(COMPARISONS)}")
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--jobs", type=int, default=2, help="how many runs at a time, each on one core")
    arguments.add_argument("--output", type=Path, default=Path("runs/ablations"))
    arguments.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting for all runs")
    given = arguments.parse_args()
    if given.seeds < 2:
        arguments.error("--seeds: an interval needs at least two")
    unknown = set(given.names) - set(COMPARISONS)
    if unknown:
        arguments.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(COMPARISONS)}")
    names = list(dict.fromkeys(given.names)) or list(COMPARISONS)
    try:
        runs = plan_runs(names, given.seeds, given.output, given.set)
    except ValueError as error:
        arguments.error(str(error))
    every = {run.folder: run for variants in runs.values() for each in variants.values() for run in each}
    pool = ThreadPoolExecutor(given.jobs)
    try:
        list(pool.map(lambda run: run.train(given.set), every.values()))
    finally:
        pool.shutdown(cancel_futures=True)
    written = "\n\n".join(to_text(name, variants) for name, variants in runs.items())
    write_text(given.output / "table.md", written + "\n")
    print(written)


if __name__ == "__main__":
    main()
