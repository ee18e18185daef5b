"""Where the project lies, and real data beside it; tests of real data are skipped where there is none."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "data"
