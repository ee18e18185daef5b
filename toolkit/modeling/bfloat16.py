"""Whether this machine's CPU computes in bfloat16: without instructions for it, bfloat16 is far slower than float32."""

from pathlib import Path

import torch

_CPU_INFO = Path("/proc/cpuinfo")

_INSTRUCTIONS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""What x86 (AVX512-BF16, AMX) and ARM call their bfloat16 products, in PyTorch and in Linux alike."""


def cpu_has_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 matrices by instructions of its own, and PyTorch's oneDNN uses them."""
    return torch.backends.mkldnn.is_available() and not _INSTRUCTIONS.isdisjoint(_cpu_features())


def _cpu_features() -> set[str]:
    """The names of the CPU's features. Older versions of PyTorch do not list them; there, Linux does."""
    if hasattr(torch.cpu, "get_capabilities"):
        return {name for name, present in torch.cpu.get_capabilities().items() if present}
    return set(_CPU_INFO.read_text(encoding="utf-8").split()) if _CPU_INFO.is_file() else set()
