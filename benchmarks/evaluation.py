"""How much sooner an evaluation is done if pictures are rendered ahead, and if two ranks share the questions.

    python benchmarks/evaluation.py [--questions 2000] [--rounds 3]

The shipped tiny model is asked, with one thread for each process. First, questions about drawn photographs and about
synthetic rooms are asked in this process, with the next batches rendered meanwhile and without. A predictor that only
waits, as for a GPU or a server, is asked too. Then the command ``toolkit eval`` runs in two ranks under torchrun, and
in one rank, which is once bound to one core, and once has a second core for the thread that renders ahead. The sides
of each ratio run in turn; printed are the medians of the rounds, with the smallest and the largest ratio. Start-up is
not shared, so the ratio is also printed without the time that a command takes for one question. The records and the
reports of all sides must be the same. Another busy program on the same cores makes all gains look smaller.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import cv2
import torch
from loader import write_data

from toolkit.config.build import make_questions
from toolkit.config.load import load_recipe
from toolkit.evaluation.question_loop import EvaluationRun, ask_all
from toolkit.modeling.checkpoint import load_checkpoint
from toolkit.modeling.checkpoint_contract import adopt_contract, canvas_of
from toolkit.modeling.predictor import Predictor, Reply
from toolkit.modeling.vlm.vlm_predictor import VlmPredictor
from toolkit.qa.mixture import Mixture
from toolkit.qa.sample import Sample
from toolkit.utils.resources import model_folder

RECIPE = "depth_plus_distance"
BATCH = 32
WAIT = 0.01  # s for each question
ROOT = Path(__file__).parent.parent
TORCHRUN = ("-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29513")


def in_turn(rounds: int, *sides: Callable[[], float]) -> list[tuple[float, ...]]:
    """The seconds that each side takes, for each round."""
    return [tuple(side() for side in sides) for _ in range(rounds)]


def gain(seconds: Collection[tuple[float, ...]], slow: int, fast: int) -> str:
    """The median of the ratios of two sides, with the range of all rounds."""
    ratios = [each[slow] / each[fast] for each in seconds]
    return f"{statistics.median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})"


class Waiting:
    """A predictor that waits for each question, as for another device, and needs no core meanwhile."""

    name = "waiting"
    notes = ()

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        """Answer every question alike."""
        time.sleep(WAIT * len(samples))
        return [Reply("2 m")] * len(samples)


def make_held_out(sources: list[str], questions: int) -> Mapping[str, Mixture]:
    """The questions of the recipe about its rooms, or about other sources, as the tiny model is asked."""
    folder = Path(model_folder("tiny"))
    recipe = adopt_contract(folder, load_recipe(RECIPE, [f"evaluation.samples={questions}", *sources]))
    return make_questions(recipe, canvas_of(folder)).held_out


def measure_lookahead(name: str, predictor: Predictor, held_out: Mapping[str, Mixture], rounds: int) -> None:
    """Ask with and without rendering ahead, in this process, and print the ratio."""
    lines: dict[int, list[str]] = {}

    def ask(ahead: int) -> float:
        began = time.perf_counter()
        records = ask_all(predictor, EvaluationRun(held_out, ahead=ahead), batch_size=BATCH)
        seconds = time.perf_counter() - began
        lines[ahead] = [record.to_json_line() for record in records]
        return seconds

    ask(2)  # warm-up
    seconds = in_turn(rounds, lambda: ask(0), lambda: ask(2))
    same = "the same records" if lines[0] == lines[2] else "THE RECORDS DIFFER"
    print(f"rendered ahead, {name:<22} {gain(seconds, 0, 1)}; {same}", flush=True)


def run_command(launcher: tuple[str, ...], questions: int, output: Path, cores: Collection[int]) -> float:
    """The seconds that ``toolkit eval`` takes on some cores; its folder is new each time."""
    settings = [f"evaluation.samples={questions}", f"evaluation.batch_size={BATCH}"]
    with tempfile.TemporaryDirectory(dir=output.parent) as fresh:
        words = [sys.executable, *launcher, "-m", "toolkit", "eval", "tiny", RECIPE, *settings, "--output", fresh]
        began = time.perf_counter()
        subprocess.run(
            words,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores) if hasattr(os, "sched_setaffinity") else None,
        )
        seconds = time.perf_counter() - began
        output.mkdir(exist_ok=True)
        for name in ("report.json", "samples.jsonl"):
            Path(fresh, name).replace(output / name)
    return seconds


def measure_ranks(folder: Path, questions: int, rounds: int) -> None:
    """Run the command in one rank and in two, and print the ratios."""
    cores = sorted(os.sched_getaffinity(0))[:2] if hasattr(os, "sched_getaffinity") else [0, 1]
    if len(cores) < 2:
        sys.exit("two ranks need two cores")
    sides = (((), cores[:1]), ((), cores), (TORCHRUN, cores))
    names = ("one core", "one rank", "two ranks")

    def timed(count: int) -> list[Callable[[], float]]:
        return [
            lambda launcher=launcher, where=where, name=name: run_command(launcher, count, folder / name, where)
            for (launcher, where), name in zip(sides, names, strict=True)
        ]

    starts = [statistics.median(column) for column in zip(*in_turn(rounds, *timed(1)), strict=True)]
    whole = in_turn(rounds, *timed(questions))
    asking = [tuple(all_ - start for all_, start in zip(each, starts, strict=True)) for each in whole]
    print(f"two ranks against one rank on one core:  {gain(asking, 0, 2)}; whole command {gain(whole, 0, 2)}")
    print(f"two ranks against one rank on two cores: {gain(asking, 1, 2)}; whole command {gain(whole, 1, 2)}")
    print(f"start-up: {starts[1]:.1f} s in one rank, {starts[2]:.1f} s in two")
    written = [[(folder / name / file).read_bytes() for file in ("report.json", "samples.jsonl")] for name in names]
    print("the same reports" if all(each == written[0] for each in written) else "THE REPORTS DIFFER")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=2000, help="questions for each of the two tasks, for ranks")
    parser.add_argument("--ahead", type=int, default=160, help="questions for each task, for rendering ahead")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        photos = f"sources={{photos: {{path: {write_data(folder / 'png', 'png')}, held_out: 1}}}}"
        asked = {"rooms": make_held_out([], given.ahead), "photographs": make_held_out([photos], given.ahead)}
        vlm = VlmPredictor(load_checkpoint(Path(model_folder("tiny"))).vlm, "tiny", BATCH)
        for name, held_out in asked.items():
            measure_lookahead(name, vlm, held_out, given.rounds)
            measure_lookahead(f"{name}, waiting", Waiting(), held_out, given.rounds)
        measure_ranks(folder, given.questions, given.rounds)


if __name__ == "__main__":
    main()
