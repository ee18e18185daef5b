"""The fuzzer: sound inputs are accepted, 300 mutated ones do no harm, and harm would be seen."""

import os
import random
import socket
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.fuzz_parts import workbench
from benchmarks.fuzz_parts.campaign import Campaign, draw_case, run_campaign
from benchmarks.fuzz_parts.case import Case, Kind
from benchmarks.fuzz_parts.kinds.all_kinds import KINDS
from benchmarks.fuzz_parts.mutations import DEEP, HUGE, dump_json, mutate_bytes, mutate_json, mutate_text
from benchmarks.fuzz_parts.nonsense import nonsense_in
from benchmarks.fuzz_parts.shrink import shrink
from benchmarks.fuzz_parts.workbench import Workbench
from toolkit.errors import UserError

pytestmark = pytest.mark.slow

CASES = 30  # of each kind
SEED = 17


@pytest.fixture(scope="module")
def bench() -> Iterator[Workbench]:
    with Workbench() as made:
        yield made


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_sound_inputs_are_accepted(kind: Kind, bench: Workbench) -> None:
    for words in dict.fromkeys(kind.sound):
        outcome = bench.run(kind, Case(words))
        assert (outcome.code, outcome.fault) == (0, None), words


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_mutated_inputs_do_no_harm(kind: Kind, bench: Workbench) -> None:
    campaign = Campaign(SEED)
    for number in range(CASES):
        campaign.try_case(bench, kind, number, seconds=2)
    if campaign.findings:
        pytest.fail("\n\n".join(finding.to_text() for finding in campaign.findings.values()), pytrace=False)
    assert campaign.codes[kind.name, 2] > 0  # some inputs were refused
    assert campaign.codes[kind.name, 0] > 0  # and others accepted


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_case_is_always_the_same(kind: Kind, bench: Workbench) -> None:
    assert draw_case(bench, kind, SEED, 3) == draw_case(bench, kind, SEED, 3)
    assert len({draw_case(bench, kind, SEED, number).to_text() for number in range(20)}) > 10


def as_command(monkeypatch: pytest.MonkeyPatch, work: Any) -> None:
    """Let the fuzzer run a function in place of the command line."""
    monkeypatch.setattr(workbench, "main", work)


NOTHING = Kind("nothing", lambda: None, lambda folder, rng: Case(("ask",)), ())


@pytest.mark.parametrize(
    ("work", "what"),
    [
        (lambda: {}["missing"], "KeyError"),
        (lambda: sys.exit(1), "exit code 1"),
        (lambda: sys.exit(2), "nonsense: exit code 2 without a word"),
        (lambda: print("\x1b[31m"), "nonsense: control character U+001B in the output"),
        (lambda: print("value nan m"), "nonsense: 'nan' in the output"),
        (lambda: warnings.warn("overflow", RuntimeWarning, stacklevel=1), "nonsense: RuntimeWarning: overflow"),
        (lambda: bytearray(1 << 34), "MemoryError"),
        (lambda: time.sleep(9), "Hang"),
    ],
)
def test_harm_is_seen(work: Any, what: str, bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbench, "SECONDS", 0.5)
    as_command(monkeypatch, work)
    fault = bench.run(NOTHING, Case(("ask",))).fault
    assert fault is not None
    assert fault.what == what


def test_a_case_changes_nothing_outside_its_folder(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("kept")
    for work in (
        lambda: (tmp_path / "new.txt").write_text("x"),
        lambda: (tmp_path / "new").mkdir(),
        kept.unlink,
        lambda: Path("0.txt").write_text("x") and os.replace("0.txt", kept),
        lambda: socket.create_connection(("192.0.2.1", 9), timeout=1),
    ):
        as_command(monkeypatch, work)
        fault = bench.run(NOTHING, Case(("ask",))).fault
        assert fault is not None
        assert fault.what in ("PermissionError", "ConnectionRefusedError")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["kept"]


def test_users_mistakes_are_no_harm(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistake() -> None:
        print("error: no", file=sys.stderr)
        sys.exit(2)

    as_command(monkeypatch, mistake)
    assert bench.run(NOTHING, Case(("ask",))).fault is None


def test_a_fault_is_placed_in_the_deepest_function_of_the_toolkit(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toolkit.utils import json as own_json

    class Broken(dict[str, int]):
        def items(self) -> Any:
            raise OSError("broken")

    as_command(monkeypatch, lambda: own_json.to_json(Broken()))
    fault = bench.run(NOTHING, Case(("ask",))).fault
    assert fault is not None
    assert fault.signature == ("OSError", "toolkit/utils/json.py:to_json")


@pytest.mark.parametrize(
    ("out", "words", "wrong"),
    [
        ('{"a": NaN}', ["ask", "--json"], "the output is not JSON: NaN is no JSON"),
        ('{"a": [1, {"b": 1e300}]}', ["ask", "--json"], "the number 1e+300 under 'b'"),
        ('{"ratio": 1e300}', ["eval", "--json"], ""),
        ('{"seed": 1e15, "value": 2.4}', ["ask", "--json"], ""),
        ("to infinity.jpg, 3 m\n", ["ask"], ""),
    ],
)
def test_nonsense(out: str, words: list[str], wrong: str) -> None:
    assert nonsense_in(0, out, "", words) == wrong


def test_equal_faults_count_once_and_are_made_smaller(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    def work() -> None:
        if b"bad" in (Path.cwd() / "a.txt").read_bytes():
            raise UserError("this escaped")

    as_command(monkeypatch, work)
    monkeypatch.setattr(workbench, "_ROOT", Path(__file__).parent)
    kind = Kind("texts", lambda: None, lambda folder, rng: Case(("ask", "x"), {"a.txt": b"a bad text " * 9}), ())
    campaign = Campaign(0)
    run_campaign(campaign, [kind], range(4))
    (finding,) = campaign.findings.values()
    assert finding.count == 4
    assert finding.case == Case(("ask",), {"a.txt": b"bad"})
    assert "a.txt = 'bad'" in finding.to_text()
    assert campaign.codes == {("texts", 1): 4}


def test_json_is_made_smaller_value_by_value() -> None:
    content = dump_json({"a": [1, 2, {"key": HUGE, "other": "x" * 50}], "b": {"c": 5}}).encode()
    small = shrink(Case(("ask",), {"a.json": content}), lambda case: b'"key"' in case.files.get("a.json", b""), 9)
    assert small.files["a.json"] == b'"key"'


def test_mutations_differ_and_can_be_repeated() -> None:
    for change, value in (
        (mutate_json, {"a": [1, 2.5, "text"], "b": {"c": None}}),
        (mutate_text, "how far is 2.5 m"),
        (mutate_bytes, bytes(range(99))),
    ):
        first, again = ([change(value, random.Random(seed)) for seed in range(50)] for _ in range(2))
        assert repr(first) == repr(again)
        assert len({repr(each) for each in first}) > 30


def test_what_python_cannot_write_is_written() -> None:
    assert dump_json([DEEP, HUGE]) == "[" + "[" * 10_000 + "]" * 10_000 + ", 1" + "0" * 5999 + "]"
