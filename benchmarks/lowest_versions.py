"""Install the lowest versions that pyproject.toml states into a new environment, and test the toolkit with them.

Run it as ``python benchmarks/lowest_versions.py [--folder DIR]``. It makes a virtual environment in which every
dependency is pinned to its lower bound. Only torch is taken in the version of constraints.txt, because old versions
have no build for every processor. Then a short list of tests runs in it: geometry, canonicalisation, marks, manifests,
asking, and two small training runs.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXEMPT = "torch"
SMOKE = [
    "tests/geometry",
    "tests/qa/test_marker.py",
    "tests/data/manifest",
    "tests/inference/test_asker.py",
    "tests/training/test_train.py::test_every_trainable_tensor_moves",
    "tests/training/test_train.py::test_a_lora_run_saves_adapter_and_merged_model",
]


def lowest_pins() -> list[str]:
    """One pin for each dependency: its lower bound, or the version of constraints.txt for the exempt one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = re.search(rf"^{EXEMPT}==.+$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    if pinned is None:
        raise SystemExit(f"constraints.txt does not pin {EXEMPT}")
    pins = [pinned[0]]
    for stated in project["dependencies"]:
        bound = re.match(r"([\w-]+)>=([\d.]+)", stated)
        if bound is None:
            raise SystemExit(f"pyproject.toml: {stated} states no lower bound")
        if bound[1] != EXEMPT:
            pins.append(f"{bound[1]}=={bound[2]}")
    return pins


def run(*command: str | Path) -> None:
    """Run a command in the project's folder. If it fails, stop with its exit code."""
    print("$", *command, flush=True)
    code = subprocess.run([str(part) for part in command], cwd=ROOT, check=False).returncode
    if code:
        raise SystemExit(code)


def main() -> None:
    """Make the environment, install the packages, and run the tests."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="the folder of the environment; by default a temporary one")
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as temporary:
        home = folder or Path(temporary) / "lowest"
        venv.create(home, with_pip=True)
        python = home / "bin" / "python"
        run(python, "-m", "pip", "install", "--quiet", *lowest_pins(), "pytest", "pytest-timeout", "hypothesis")
        run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", ".")
        run(python, "-m", "pip", "list")
        run(python, "-m", "pytest", "--quiet", *SMOKE)


if __name__ == "__main__":
    sys.exit(main())
