"""Writing files so that a reader sees the old one or the new one, never half of it."""

import os
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text to a temporary name beside ``path``, then rename; folders are made."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes to a temporary name beside ``path``, then rename; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        scratch.write_bytes(data)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
