"""Measure training and asking on this machine's GPU with one command, in at most eight minutes.

    python benchmarks/gpu.py [--output runs/gpu.json] [--seconds 470] [--only PART …]

A Qwen2.5-VL 3B with random weights is trained through the recipe depthlm_qwen2_5_vl_3b, with one and with eight
questions a picture, with SDPA and, if it is installed, flash attention; with FSDP, with DeepSpeed if it is installed,
and with LoRA. Then 256 points of one picture are asked. The JSON file holds answers per second, the highest use of
memory, and the share of the rate of bfloat16 matrix products that is measured in the same run (``gpu_parts/flops.py``).

Every part runs in a process of its own, with a time limit of its own. A part that fails leaves the other figures; the
file is written after each part. The last parts are skipped, and said to be, if the time runs out. Without a GPU, the
same parts run on a small twin of the model; these figures say nothing about a GPU.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # a lent machine has not installed the toolkit

from benchmarks.gpu_parts.packages import ROOT, check_packages
from benchmarks.gpu_parts.plan import GRACE, PARTS, PREPARE, PROBE, Part, Surroundings
from toolkit.errors import UserError
from toolkit.utils.files import write_text

_TWIN_WARNING = "there is no GPU: a small twin of the model was used, and the figures say nothing about a GPU"
_MFU = "model FLOPs (6 per weight and token, 12 L H Q T for attention) / time / measured rate of matrix products"
_NOT_SHARDED = "not sharded: accelerate shards on GPUs only"
_TWIN_LEAST = 15  # seconds that a part takes without a GPU
_RESERVE = 5  # seconds that are kept to end the last part
_ENDING = 15  # seconds in which a process that is asked to end does so
_LOG_LINES = 25
_WHOLE_BATCH = 8  # the recipe's batch
_CHILD = ("-m", "benchmarks.gpu_parts.child")


@dataclass
class Bench:
    """A run of the benchmark.

    Attributes:
        folder: The folder of the model, the pictures and the parts' own results.
        output: The file of all results.
        deadline: When the run must be over [s of ``time.monotonic``].
        results: The results so far.
    """

    folder: Path
    output: Path
    deadline: float
    results: dict[str, Any] = field(default_factory=lambda: {"parts": {}})

    @property
    def gpu(self) -> bool:
        """Whether there is a GPU."""
        return bool(self.results.get("probe", {}).get("gpu"))

    @property
    def left(self) -> float:
        """The time that is left [s]."""
        return self.deadline - time.monotonic()

    @property
    def batch_size(self) -> int:
        """The largest batch that is worth a try: the smallest one that an earlier full fine-tuning came down to."""
        trained = [self.results["parts"].get(part.name, {}) for part in PARTS if part.trial and not part.trial.lora]
        return min((result["batch_size"] for result in trained if "batch_size" in result), default=_WHOLE_BATCH)

    def save(self) -> None:
        """Write all results so far."""
        write_text(self.output, json.dumps(self.results, indent=1) + "\n")


def reason_to_skip(part: Part, bench: Bench) -> str:
    """Why a part is not run; "" if it is."""
    least = part.least if bench.gpu else _TWIN_LEAST
    if part.package and find_spec(part.package) is None:
        return f"{part.package} is not installed"
    if part.gpu_only and not bench.gpu:
        return "it needs a GPU"
    if part is not PREPARE and bench.results["parts"].get(PREPARE.name, {}).get("status") != "done":
        return "there is no model"
    if bench.left < least + _RESERVE:
        return f"{max(bench.left, 0):.0f} s are left, and it needs {least:.0f} s"
    return ""


def run_part(part: Part, bench: Bench) -> dict[str, Any]:
    """Run a part in a process of its own; what it found, with its status."""
    started = time.monotonic()
    limit = min(part.limit, bench.left - _RESERVE)
    batch_size = _WHOLE_BATCH if part.trial and part.trial.lora else bench.batch_size
    given = Surroundings(str(bench.folder), bench.gpu, time.time() + limit - GRACE, batch_size)
    log = bench.folder / f"{part.name}.log"
    with log.open("w") as file:
        code = _run(_command(part, given), file, limit)
    status = "ended at its time limit" if code is None else "failed" if code else "done"
    found = bench.folder / f"{part.name}.json"
    result = {"status": status, "part_seconds": time.monotonic() - started}
    result |= json.loads(found.read_text()) if found.exists() else {}
    if part.launch and "fsdp" in result and not (result["fsdp"] or result["deepspeed"]):
        result["note"] = _NOT_SHARDED
    if code != 0:
        result["log"] = log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    return result


def _command(part: Part, given: Surroundings) -> list[str]:
    words = [*_CHILD, part.name, json.dumps(asdict(given))]
    if not part.launch:
        return [sys.executable, *words]
    config = ROOT / "docs" / "launch" / f"{part.launch}.yaml"
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config)]
    return [*launcher, "--num_processes", "1", *words]


def _run(command: list[str], log: Any, limit: float) -> int | None:
    """Run a command and end it, with all that it started, after ``limit`` seconds; its exit code, or None."""
    env = os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, env=env, start_new_session=True)
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started: first by asking, since launchers end their own processes then."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_ENDING)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def add_utilisation(result: dict[str, Any], probe: Mapping[str, Any]) -> None:
    """Add the share of the measured peak that a training run reached, in place."""
    if "model_flops_per_second" in result and "matmul_flops_per_second" in probe:
        result["mfu"] = result["model_flops_per_second"] / probe["matmul_flops_per_second"]


def to_line(part: Part, result: Mapping[str, Any]) -> str:
    """The most important figures of a part in one line."""
    figures = []
    if "answers_per_second" in result:
        memory = result.get("peak_allocated_gib", result.get("peak_process_gib"))
        figures += [f"{result['answers_per_second']:.2f} answers/s", f"{memory:.1f} GiB"]
        figures += [f"batch {result['batch_size']} x {result['accumulate']}"]
        figures += [f"MFU {result['mfu']:.1%}"] if "mfu" in result else []
        figures += [f"waiting {result['waiting_for_samples_share']:.0%}"]
    if "times_faster" in result:
        rates = [result[way]["points_per_second"] for way in ("shared", "alone")]
        figures += ["{:.1f} points/s shared, {:.1f} alone".format(*rates), f"{result['times_faster']:.1f} times"]
    figures += [result["note"]] if "note" in result else []
    text = ", ".join(figures) or f"{result.get('part_seconds', 0):.0f} s"
    status = "" if result["status"] == "done" else f"{result['status']}: "
    return f"{part.name:<14}{status}{result.get('reason', text)}"


def run(bench: Bench, parts: list[Part]) -> None:
    """Run the parts one after the other, and save the results after each.

    Raises:
        UserError: If not even the device can be named.
    """
    probe = run_part(PROBE, bench)
    if probe["status"] != "done":
        raise UserError("the device cannot be probed", cause="\n".join(probe["log"]))
    bench.results["probe"] = probe
    bench.results["mfu_is"] = _MFU
    bench.results["note"] = "" if bench.gpu else _TWIN_WARNING
    rate = probe["matmul_flops_per_second"] / 1e9
    print(f"{probe['device']}: {rate:.0f} GFLOP/s in {probe['matmul_dtype']}, side {probe['matmul_side']}", flush=True)
    print(f"{bench.results['note']}\n" if bench.results["note"] else "", end="", flush=True)
    for part in parts:
        reason = reason_to_skip(part, bench)
        result = {"status": "skipped", "reason": reason} if reason else run_part(part, bench)
        add_utilisation(result, probe)
        bench.results["parts"][part.name] = {"does": part.does, **result}
        bench.save()
        print(to_line(part, result), flush=True)


def main() -> None:
    """Check the packages, run all parts, and write the results."""
    began = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/gpu.json"))
    parser.add_argument("--seconds", type=float, default=470, help="the time limit of the whole run")
    parser.add_argument("--folder", type=Path, help="where the model of 8 GB is written; it is removed at the end")
    parser.add_argument("--only", nargs="*", choices=[part.name for part in PARTS], help="the parts that are run")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that parts are ended and the folder is removed
    try:
        check_packages()
        with tempfile.TemporaryDirectory(prefix="gpu-benchmark-", dir=given.folder) as folder:
            wanted = [part for part in PARTS if not given.only or part is PREPARE or part.name in given.only]
            bench = Bench(Path(folder), given.output.resolve(), began + given.seconds)
            run(bench, wanted)
            bench.results["seconds"] = time.monotonic() - began
            bench.save()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"written to {given.output} after {bench.results['seconds']:.0f} s")


if __name__ == "__main__":
    main()
