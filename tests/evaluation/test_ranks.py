"""Ranks: questions that processes share are answered in the same batches, and make the same report."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from tests.support.command import Run
from tests.support.evaluations import Scripted, held_out
from tests.support.paths import ROOT
from toolkit.errors import UserError
from toolkit.evaluation.evaluate import EvaluationSetup, evaluate_recipe
from toolkit.evaluation.question_loop import EvaluationRun, ask_all
from toolkit.evaluation.ranks import ALONE, Ranks, joined_ranks
from toolkit.modeling.predictor import Reply
from toolkit.qa.sample import Sample


class Noting(Scripted):
    """Tells the truth, and notes how many questions it is given together."""

    def __init__(self, batches: int = 999) -> None:
        super().__init__(lambda sample: sample.completion)
        self.asked: list[list[str]] = []
        self.batches = batches

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        if len(self.asked) == self.batches:
            raise KeyboardInterrupt
        self.asked.append([sample.prompt for sample in samples])
        return super().answer(samples)


@dataclass(frozen=True)
class Scattered(Ranks):
    """One of several ranks that run one after the other, the first one last. ``said`` holds what the others gave."""

    said: list[list[str]] = field(default_factory=list)

    def gather(self, lines: Sequence[str]) -> list[str]:
        if self.number:
            self.said.append(list(lines))
            return []
        if not lines:  # the answers of an interrupted evaluation, which only the first rank reads
            return []
        return [*lines, *(line for part in self.said for line in part)]


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_every_batch_has_one_rank_and_no_rank_has_much_more(count: int) -> None:
    batches = [range(size) for size in (64, 64, 64, 8, 64, 64, 64, 8)]
    shares = [Ranks(number, count).share(batches) for number in range(count)]
    assert sorted(map(len, (batch for share in shares for batch in share))) == sorted(map(len, batches))
    loads = [sum(map(len, share)) for share in shares]
    assert max(loads) - min(loads) <= 64
    assert shares[0][0] is batches[0]
    if count == 1:
        assert shares[0] == batches
    if count == 2:
        assert loads == [200, 200]  # dealt out in their order, it would be 256 and 144


def test_more_ranks_than_batches() -> None:
    assert [len(Ranks(number, 3).share([[1, 2]])) for number in range(3)] == [1, 0, 0]


@pytest.mark.parametrize("count", [2, 7])
def test_ranks_ask_the_batches_of_one_and_keep_its_records(count: int) -> None:
    asked = EvaluationRun(held_out("metric_depth", "camera_pose", count=22))
    alone, together = Noting(), Noting()
    expected = ask_all(alone, asked, batch_size=8)
    said: list[list[str]] = []
    told: list[int] = []
    for number in reversed(range(count)):
        ranks = Scattered(number, count, said)
        records = ask_all(together, asked, told.append if ranks.is_first else lambda _: None, 8, ranks)
    assert [record.to_json_line() for record in records] == [record.to_json_line() for record in expected]
    assert sorted(together.asked) == sorted(alone.asked)
    assert told[0] == 0 and sum(told) <= 44


def test_one_process_goes_on_from_what_all_ranks_kept(tmp_path: Path) -> None:
    asked = EvaluationRun(held_out("metric_depth", "relative_depth", count=30), part=tmp_path / "part.jsonl", key="a")
    for number in (0, 1):
        with pytest.raises(KeyboardInterrupt):
            ask_all(Noting(2), asked, batch_size=8, ranks=Scattered(number, 2))
    assert (tmp_path / "part-1.jsonl").exists()
    with pytest.raises(UserError, match="another evaluation was interrupted here"):
        ask_all(Noting(), EvaluationRun(asked.held_out, part=asked.part, key="b"))
    rest = Noting()
    records = ask_all(rest, asked, batch_size=8)
    assert sum(map(len, rest.asked)) == 60 - 4 * 8
    assert not (tmp_path / "part-1.jsonl").exists()
    whole = ask_all(Noting(), EvaluationRun(asked.held_out))
    assert [record.to_json_line() for record in records] == [record.to_json_line() for record in whole]


@pytest.mark.parametrize("predictor", ["constant", "depth:some/model", "openai:name@http://localhost/v1"])
def test_other_predictors_are_refused_in_several_processes(predictor: str, quick: Path) -> None:
    from toolkit.config.load import load_recipe

    with pytest.raises(UserError, match="does not share its questions among 2 processes") as caught:
        evaluate_recipe(None, load_recipe(quick), EvaluationSetup(predictor, ranks=Ranks(0, 2)))
    assert caught.value.remedy == "give the same command without torchrun"


def test_one_process_joins_nobody_and_needs_no_torch() -> None:
    code = (
        "import sys; from toolkit.evaluation.ranks import joined_ranks\n"
        "with joined_ranks() as ranks: print(ranks, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == f"{ALONE} False"


def test_only_the_first_error_of_several_ranks_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch import distributed

    store = distributed.HashStore()
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr("torch.distributed.rendezvous", lambda _: iter([(store, 1, 2)]))
    monkeypatch.setattr("torch.distributed.init_process_group", lambda *_, **__: None)

    def fail(error: Exception) -> None:
        with joined_ranks() as ranks:
            assert ranks == Ranks(1, 2)
            raise error

    with pytest.raises(RuntimeError, match="closed by peer"):
        fail(RuntimeError("connection closed by peer"))  # the other rank has not said that it failed
    with pytest.raises(UserError, match="the picture is damaged"):
        fail(UserError("the picture is damaged"))
    for error in (UserError("the picture is damaged"), OSError(28, "full"), RuntimeError("closed by peer")):
        with pytest.raises(SystemExit) as ended:
            fail(error)
        assert ended.value.code == 2


def test_other_processes_that_cannot_be_found_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(UserError, match="the environment variable WORLD_SIZE is 2"), joined_ranks():
        pass


@pytest.mark.slow
@pytest.mark.usefixtures("figures")
def test_two_processes_write_the_report_of_one(run: Run, tmp_path: Path) -> None:
    words = ["eval", "tiny", "depth_plus_distance", "--limit", "20", "evaluation.batch_size=8", "--json", "--output"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    env = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    two = subprocess.run(
        [*torchrun, "-m", "toolkit", *words, str(tmp_path / "two")],
        capture_output=True,
        text=True,
        env=env,
        check=False,
    )
    assert two.returncode == 0, two.stderr
    assert two.stderr.count("wrote ") == 1
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in each of the two
    code, out, err = run(*words, tmp_path / "one")
    torch.set_num_threads(threads)
    assert (code, out) == (0, two.stdout), err
    one, both = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("one", "two"))
    assert one == both and set(one) >= {"report.json", "report.md", "samples.jsonl"}
