"""The method's claims on a small scale: each variant of a recipe trained with several seeds, and tabulated.

Run it as ``python benchmarks/ablations.py``, or with names of comparisons to run those alone. Every run is a
``toolkit train`` of ``recipes/ablations/NAME.yaml`` with the settings of its variant; finished ones are not run again,
and variants that come to the same recipe are run once.
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
from toolkit.modeling.checkpoint_contract import CONTRACT, RECIPE, based
from toolkit.utils.files import write_text
from toolkit.utils.progress import err

TASK, NUMBER = "metric_depth", "delta1"
"""What variants are compared by."""

_CONFIDENCE = 0.95
_SECONDS = "seconds.json"
_ALL_TASKS = (
    "tasks={metric_depth: {weight: 1, options: {decimals: 1}}, principal_axis_distance: {options: {decimals: 1}}, "
    "two_point_distance: {options: {decimals: 1}}, relative_depth: 1, camera_pose: 1}"
)

_ROOMS = 20000  # of the recipe `labels`, two pictures each: far more than are drawn


def _rooms(count: int) -> Sequence[str]:
    """Only the last rooms of the recipe, so that the held-out ones, which follow, are the same."""
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
        "one question a picture": (),
        "eight questions a picture": ("questions_per_image=8", "trainer.batch_size=11"),  # the same time a step
    },
    "labels": {
        "1 label a picture": (),
        "10 labels a picture": _rooms(256),
        "100 labels a picture": _rooms(26),
        "850 labels a picture": _rooms(3),
    },
}
"""By comparison and variant, the settings that differ from the recipe's; the first variant is the recipe itself."""


@dataclass(frozen=True)
class Run:
    """One training run.

    Attributes:
        comparison: Its comparison.
        variant: Its variant, in words.
        seed: Of the run.
        root: Where all runs lie.
    """

    comparison: str
    variant: str
    seed: int
    root: Path

    @property
    def folder(self) -> Path:
        """The run's folder."""
        number = list(COMPARISONS[self.comparison]).index(self.variant)
        return self.root / f"{self.comparison}-{number}-seed-{self.seed}"

    def settings(self, more: Sequence[str]) -> list[str]:
        """What replaces the recipe's own settings."""
        return [*COMPARISONS[self.comparison][self.variant], *more, f"seed={self.seed}"]

    def recipe(self, more: Sequence[str]) -> Recipe:
        """What it trains by."""
        return based(load_recipe(f"ablations/{self.comparison}", self.settings(more)))

    def train(self, more: Sequence[str]) -> None:
        """Train and measure, unless that is done already.

        Raises:
            RuntimeError: If it failed, or was done with other settings.
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
        """What it reached."""
        return float(self._measured()["metrics"][NUMBER])

    def floor(self) -> float:
        """What the best constant answer reaches on the same questions."""
        return float(self._measured()["constant"]["metrics"][NUMBER])

    def seconds(self) -> float:
        """How long it took, with measuring; not a number where it was interrupted."""
        path = self.folder / _SECONDS
        return float(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else float("nan")

    def _measured(self) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
        report = json.loads((self.folder / "evaluation" / "report.json").read_text(encoding="utf-8"))
        return next(task for task in report["tasks"] if task["task"] == TASK)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and half of the width of its 95 % interval: Student's t over seeds (Student 1908)."""
    if len(values) < 2:
        return float(np.mean(values)), float("nan")
    spread = float(np.std(values, ddof=1)) / len(values) ** 0.5
    return float(np.mean(values)), float(stats.t.ppf((1 + _CONFIDENCE) / 2, len(values) - 1)) * spread


def table(comparison: str, runs: Mapping[str, Sequence[Run]]) -> str:
    """The results of a comparison, as Markdown."""
    first, *_ = runs.values()
    trainer = load_recipe(first[0].folder / RECIPE).trainer
    lines = [
        f"### {comparison}",
        "",
        f"| | {TASK} {NUMBER} | difference | best constant | s a run |",
        "|---|---|---|---|---|",
    ]
    for variant, each in runs.items():
        mean, half = interval([run.result() for run in each])
        step, width = interval([run.result() - other.result() for run, other in zip(each, first, strict=True)])
        said = "" if each is first else f"{step:+.3f} ± {width:.3f}"
        floor, seconds = np.mean([run.floor() for run in each]), np.mean([run.seconds() for run in each])
        lines.append(f"| {variant} | {mean:.3f} ± {half:.3f} | {said} | {floor:.3f} | {seconds:.0f} |")
    count = len(first)
    said = f"{count} seeds; ± is a 95 % interval over seeds; the first variant takes {trainer.steps} steps of "
    lines += ["", f"{said}{trainer.batch_size} samples."]
    return "\n".join(lines)


def planned(names: Sequence[str], seeds: int, root: Path, more: Sequence[str]) -> dict[str, dict[str, list[Run]]]:
    """The runs of each variant of some comparisons; the same one where recipes are the same in any two comparisons.

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
    """Run and tabulate."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("names", nargs="*", help=f"comparisons, by default all: {', '.join(COMPARISONS)}")
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--jobs", type=int, default=2, help="runs at a time, each on one core")
    arguments.add_argument("--output", type=Path, default=Path("runs/ablations"))
    arguments.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for all runs")
    given = arguments.parse_args()
    if given.seeds < 2:
        arguments.error("--seeds: an interval needs two at least")
    unknown = set(given.names) - set(COMPARISONS)
    if unknown:
        arguments.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(COMPARISONS)}")
    names = list(dict.fromkeys(given.names)) or list(COMPARISONS)
    try:
        runs = planned(names, given.seeds, given.output, given.set)
    except ValueError as error:
        arguments.error(str(error))
    every = {run.folder: run for variants in runs.values() for each in variants.values() for run in each}
    pool = ThreadPoolExecutor(given.jobs)
    try:
        list(pool.map(lambda run: run.train(given.set), every.values()))
    finally:
        pool.shutdown(cancel_futures=True)
    written = "\n\n".join(table(name, variants) for name, variants in runs.items())
    write_text(given.output / "table.md", written + "\n")
    print(written)


if __name__ == "__main__":
    main()
