"""Try thousands of mutated inputs of ten kinds on the command line, in this process.

    python benchmarks/fuzz.py --count 5000 [--seed 0] [--kind NAME …] [--start NUMBER] [--output runs/fuzz]

An input is sound or refused: exit code 0 or 2, within 20 seconds and 3 GB. Everything else is a finding, and so is
nonsense in what was accepted: numbers that are not finite or larger than any picture gives, JSON that cannot be read,
control characters, warnings of NumPy. Findings of the same error in the same function count as one. The smallest
reproducer of each is printed, and written with its files into the output folder. The exit code is 1 if there is any.

The case of a seed, kind and number is always the same: ``--kind recipes --start 17 --count 1`` runs one again. The
kinds are in ``fuzz_parts/kinds``.
"""

import argparse
import faulthandler
import os
import sys
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", OMP_NUM_THREADS="1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.fuzz_parts.campaign import Campaign, keep_reproducers, run_campaign
from benchmarks.fuzz_parts.kinds.all_kinds import KINDS


def main() -> int:
    """Run a campaign, and print what it found; returns the exit code."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--count", type=int, default=5000, help="how many inputs, of all kinds together")
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--kind", nargs="+", choices=KINDS, default=list(KINDS))
    arguments.add_argument("--start", type=int, default=0, help="the number of the first case of each kind")
    arguments.add_argument("--output", type=Path, default=Path("runs/fuzz"))
    given = arguments.parse_args()
    faulthandler.enable()
    kinds = [KINDS[name] for name in given.kind]
    campaign, page, output = Campaign(given.seed), Console(width=120), given.output.resolve()
    each = -(-given.count // len(kinds))
    terminal = Console(file=os.fdopen(os.dup(2), "w"))  # cases replace sys.stderr
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    try:
        with Progress(*columns, console=terminal, redirect_stdout=False, redirect_stderr=False) as progress:
            task = progress.add_task("", total=each * len(kinds))
            run_campaign(
                campaign,
                kinds,
                range(given.start, given.start + each),
                lambda name: progress.update(task, advance=1, description=f"{name}, {len(campaign.findings)} findings"),
            )
    except KeyboardInterrupt:
        page.print("interrupted; this was found until then")
    page.print(campaign.to_table())
    for finding in campaign.findings.values():
        page.print("\n" + finding.to_text(), markup=False, highlight=False, soft_wrap=True)
    if campaign.findings:
        keep_reproducers(campaign, KINDS, output)
        page.print(f"\nthe reproducers and their files are in {output}", soft_wrap=True)
    return 1 if campaign.findings else 0


if __name__ == "__main__":
    sys.exit(main())
