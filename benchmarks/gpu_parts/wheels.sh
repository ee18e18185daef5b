#!/usr/bin/env bash
# bash benchmarks/gpu_parts/wheels.sh [PYTHON_VERSION] [PYTHON]
#
# Fetches the wheels that a GPU machine needs beside PyTorch and its usual company into the folder .whl, which git
# ignores (22 MB). PYTHON_VERSION is the Python of that machine (3.12 by default), PYTHON the one whose pip fetches
# (.venv's by default). On the GPU machine, in a copy of this checkout with .whl:
#
#   python3 -m pip install -q --no-index --no-deps --target /tmp/site .whl/*.whl
#   PYTHONPATH=/tmp/site python benchmarks/gpu.py
#
# That machine is expected to have torch, numpy, pandas, pyarrow, scipy, OpenCV, pillow, jinja2, pyyaml, regex, rich,
# typer, tokenizers, safetensors, huggingface-hub, fsspec and psutil. `python benchmarks/gpu.py` says what is missing
# or too old. Flash attention has no wheel there, and must be built with that machine's CUDA.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=${1:-3.12}
python=${2:-.venv/bin/python}
platforms=()
for tag in manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014; do platforms+=(--platform "${tag}_x86_64"); done
rm -rf .whl
"$python" -m pip download --quiet --no-deps --only-binary=:all: --constraint constraints.txt --dest .whl \
    --python-version "$version" --implementation cp "${platforms[@]}" --requirement benchmarks/gpu_parts/wheels.txt
# DeepSpeed comes as source; without its own kernels, which ZeRO-3 does not need, its wheel fits every machine.
DS_BUILD_OPS=0 "$python" -m pip wheel --quiet --no-deps --wheel-dir .whl deepspeed==0.19.8
du -sh .whl
