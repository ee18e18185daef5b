"""The device's clock and memory: of the GPU, or without one of this process."""

import resource
import time
from typing import Any

import torch

GIB = 2**30
"""Bytes in a GiB."""

_KIB = 2**10  # bytes
_MS = 1e-3  # s


def reset_peak_memory() -> None:
    """Forget the highest use of the GPU's memory so far."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_memory() -> dict[str, float]:
    """The highest use of memory so far [GiB]: of the GPU, or without one of this process."""
    if not torch.cuda.is_available():
        return {"peak_process_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB / GIB}
    return {
        "peak_allocated_gib": torch.cuda.max_memory_allocated() / GIB,
        "peak_reserved_gib": torch.cuda.max_memory_reserved() / GIB,
    }


def now() -> float:
    """The time [s of ``time.perf_counter``] when the device has finished its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def mark() -> Any:
    """A mark in the device's work, without waiting for it; without a GPU, the time [s]."""
    if not torch.cuda.is_available():
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def between(start: Any, end: Any) -> float:
    """The time between two marks [s]."""
    return end - start if isinstance(start, float) else start.elapsed_time(end) * _MS
