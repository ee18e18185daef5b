"""A campaign: many mutated inputs, counted by kind and exit code, and one small reproducer of every fault."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from rich.table import Table

from benchmarks.fuzz_parts.case import Case, Kind
from benchmarks.fuzz_parts.shrink import shrink
from benchmarks.fuzz_parts.workbench import Fault, Outcome, Workbench


@dataclass
class Finding:
    """A fault, with the first case that showed it.

    Attributes:
        kind: The name of the kind.
        number: The number of the case.
        fault: What went wrong.
        case: The case, made smaller.
        count: How many cases showed it.
    """

    kind: str
    number: int
    fault: Fault
    case: Case
    count: int = 1

    def to_text(self) -> str:
        """The finding for people."""
        title = f"{self.fault.what} in {self.fault.where}: {self.count} cases, the first is {self.kind} {self.number}"
        return "\n".join([title, *([f"  {self.fault.detail}"] if self.fault.detail else []), self.case.to_text()])


@dataclass
class Campaign:
    """What a campaign has found so far.

    Attributes:
        seed: The seed of all cases.
        codes: How many cases of a kind (the first key) ended with an exit code (the second).
        seconds: The time of all cases of a kind, and of the slowest.
        findings: The findings by kind and signature.
    """

    seed: int
    codes: Counter[tuple[str, int]] = field(default_factory=Counter)
    seconds: dict[str, tuple[float, float]] = field(default_factory=dict)
    findings: dict[tuple[str, ...], Finding] = field(default_factory=dict)

    def try_case(self, bench: Workbench, kind: Kind, number: int, seconds: float) -> None:
        """Run a case, and keep what it shows. Its reproducer is made smaller for some seconds."""
        case = draw_case(bench, kind, self.seed, number)
        outcome = bench.run(kind, case)
        self._count(kind, outcome)
        if outcome.fault is None:
            return
        key = (kind.name, *outcome.fault.signature)
        if key in self.findings:
            self.findings[key].count += 1
            return
        signature = outcome.fault.signature

        def fails(smaller: Case) -> bool:
            fault = bench.run(kind, smaller).fault
            return fault is not None and fault.signature == signature

        self.findings[key] = Finding(kind.name, number, outcome.fault, shrink(case, fails, seconds))

    def _count(self, kind: Kind, outcome: Outcome) -> None:
        self.codes[kind.name, outcome.code] += 1
        total, slowest = self.seconds.get(kind.name, (0.0, 0.0))
        self.seconds[kind.name] = total + outcome.seconds, max(slowest, outcome.seconds)

    def to_table(self) -> Table:
        """The counts by kind and exit code, with times and findings."""
        ends = sorted({code for _, code in self.codes})
        table = Table("kind", *(f"exit {code}" for code in ends), "seconds", "slowest", "faulty", "findings")
        for name, (total, slowest) in self.seconds.items():
            found = [finding for finding in self.findings.values() if finding.kind == name]
            counts = (str(self.codes[name, code]) for code in ends)
            faulty = sum(finding.count for finding in found)
            table.add_row(name, *counts, f"{total:.0f}", f"{slowest:.1f}", str(faulty), str(len(found)))
        return table


def draw_case(bench: Workbench, kind: Kind, seed: int, number: int) -> Case:
    """The case of a kind with a number. It depends on nothing else."""
    return kind.draw(bench.sound(kind), Random(f"{seed} {kind.name} {number}"))


def run_campaign(
    campaign: Campaign,
    kinds: Iterable[Kind],
    numbers: Iterable[int],
    progress: Callable[[str], None] = lambda kind: None,
    seconds: float = 15.0,
) -> None:
    """Run the cases with some numbers of each kind. An interrupt leaves what was found so far in ``campaign``.

    Args:
        campaign: What is found is added to it.
        kinds: The kinds.
        numbers: The numbers of the cases of each kind.
        progress: A function that is called with the name of a kind after each case.
        seconds: How long each reproducer is made smaller.
    """
    kinds = list(kinds)
    with Workbench() as bench:
        for number in numbers:
            for kind in kinds:
                campaign.try_case(bench, kind, number, seconds)
                progress(kind.name)


def keep_reproducers(campaign: Campaign, kinds: dict[str, Kind], folder: Path) -> None:
    """Write every reproducer into a folder of its own, with all files that its command reads."""
    with Workbench() as bench:
        for index, finding in enumerate(campaign.findings.values()):
            bench.lay_out(kinds[finding.kind], finding.case)
            target = folder / f"{index:02d}-{finding.kind}"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(bench.folder, target)
            (target / "finding.txt").write_text(finding.to_text() + "\n", encoding="utf-8", errors="backslashreplace")
