"""One part of the benchmark, in a process of its own: ``python -m benchmarks.gpu_parts.child PART SURROUNDINGS``.

What it finds is written to ``PART.json`` in the folder of the benchmark, again and again, so that a part that is ended
leaves what it had.
"""

import json
import os
import platform
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

from benchmarks.gpu_parts.device import GIB, between, mark
from benchmarks.gpu_parts.plan import ASK, GRACE, MODEL, PARTS, PICTURES, PREPARE, PROBE, Surroundings
from benchmarks.loader import write_data
from toolkit.errors import UserError
from toolkit.utils.files import write_text
from toolkit.utils.json import to_json
from toolkit.utils.progress import is_first_process
from toolkit.utils.versions import version_of

Report = Callable[[dict[str, Any]], None]
"""Takes all figures so far."""

_PACKAGES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "flash_attn", "deepspeed", "triton")
_SIDE_ON_GPU, _SIDE_ON_CPU = 8192, 1024
_ROUNDS = 10
_DISK_NEEDED = 9e9  # bytes: the weights of the model, and pictures
_PICTURES = 16


def probe(given: Surroundings, report: Report) -> None:
    """Name the device and the versions, and measure the rate of large matrix products on random numbers."""
    gpu = torch.cuda.is_available()
    figures: dict[str, Any] = {
        "gpu": gpu,
        "device": torch.cuda.get_device_name() if gpu else f"CPU ({platform.machine()})",
        "memory_gib": torch.cuda.get_device_properties(0).total_memory / GIB if gpu else None,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "versions": {name: version_of(name) for name in _PACKAGES},
        "cuda": torch.version.cuda,
    }
    side, dtype = (_SIDE_ON_GPU, torch.bfloat16) if gpu else (_SIDE_ON_CPU, torch.float32)
    left, right = (torch.randn(side, side, device="cuda" if gpu else "cpu", dtype=dtype) for _ in range(2))
    seconds = median(_time_product(left, right) for _ in range(_ROUNDS))
    figures |= {"matmul_side": side, "matmul_dtype": str(dtype), "matmul_flops_per_second": 2 * side**3 / seconds}
    report(figures)


def _time_product(left: torch.Tensor, right: torch.Tensor) -> float:
    """How long one product of two matrices takes, after one as a warm-up [s]."""
    left @ right
    start = mark()
    left @ right
    end = mark()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return between(start, end)


def prepare(given: Surroundings, report: Report) -> None:
    """Write the model and the pictures into the folder of the benchmark.

    Raises:
        UserError: If the disk has too little room for the model.
    """
    from benchmarks.gpu_parts.random_model import REAL, TWIN, write_model

    folder = Path(given.folder)
    free = shutil.disk_usage(folder).free
    if given.gpu and free < _DISK_NEEDED:
        raise UserError(
            f"{folder}: {free / 1e9:.1f} GB are free, and the model needs {_DISK_NEEDED / 1e9:.0f} GB",
            remedy="name a folder on another disk with --folder",
        )
    started = time.perf_counter()
    parameters = write_model(REAL if given.gpu else TWIN, "cuda" if given.gpu else "cpu", folder / MODEL)
    figures: dict[str, Any] = {"parameters": parameters, "model_seconds": time.perf_counter() - started}
    report(figures)
    write_data(folder / PICTURES, "large" if given.gpu else "png", _PICTURES)
    report({**figures, "pictures": _PICTURES, "seconds": time.perf_counter() - started})


def run_part(name: str, given: Surroundings, report: Report) -> None:
    """Run the part of that name."""
    if name == PROBE.name:
        probe(given, report)
    elif name == PREPARE.name:
        prepare(given, report)
    elif name == ASK.name:
        from benchmarks.gpu_parts.timed_asking import time_asking

        time_asking(given, report)
    else:
        from benchmarks.gpu_parts.timed_training import time_training

        (trial,) = (part.trial for part in PARTS if part.name == name)
        assert trial is not None, name
        time_training(trial, given, report)


def main() -> None:
    """Run one part. The system ends this process if it takes much longer than it may."""
    name, given = sys.argv[1], Surroundings(**json.loads(sys.argv[2]))
    signal.alarm(max(1, round(given.until + GRACE - time.time())))
    if name != PROBE.name and not given.gpu:
        torch.set_num_threads(1)  # the products of the twin are too small to be shared
    path = Path(given.folder) / f"{name}.json"

    def report(figures: dict[str, Any]) -> None:
        if is_first_process():
            write_text(path, json.dumps(to_json(figures)))

    try:
        run_part(name, given, report)
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
