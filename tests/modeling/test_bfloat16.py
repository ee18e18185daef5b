"""Which CPUs compute in bfloat16, told from what PyTorch or Linux lists."""

from pathlib import Path

import pytest
import torch

from toolkit.modeling.bfloat16 import cpu_has_bfloat16

NAMES = [("avx512_bf16", True), ("amx_bf16", True), ("bf16", True), ("avx512f", False), ("amx_tile", False)]


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_pytorch_lists_the_features(name: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = {"architecture": "any", "avx512_bf16": False, "amx_bf16": False, "bf16": False} | {name: True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: listed, raising=False)
    assert cpu_has_bfloat16() is expected
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not cpu_has_bfloat16()


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_linux_lists_them_where_pytorch_does_not(
    name: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    monkeypatch.setattr("toolkit.modeling.bfloat16._CPU_INFO", tmp_path / "cpuinfo")
    assert not cpu_has_bfloat16()
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nflags\t\t: fpu avx2 {name} lahf_lm\n")
    assert cpu_has_bfloat16() is expected
