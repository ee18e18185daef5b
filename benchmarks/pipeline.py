"""Measure how many samples per second one process renders, from a picture on disk to marked pixels and words.

Run it as ``python benchmarks/pipeline.py MANIFEST``. For comparison, it also decodes the same pictures without doing
anything else. The ratio says what canonicalisation, marks and words cost in addition.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2

from toolkit.config.build import make_plan
from toolkit.config.load import load_recipe
from toolkit.geometry.canonical import Canvas

cv2.setNumThreads(1)


def measure_rate(act: Callable[[int], object], count: int) -> float:
    """How many calls are made per second, after three calls as a warm-up."""
    for index in range(3):
        act(index)
    started = time.perf_counter()
    for index in range(count):
        act(index)
    return count / (time.perf_counter() - started)


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("manifest", type=Path)
    arguments.add_argument("--count", type=int, default=200)
    given = arguments.parse_args()
    source = f"sources={{photos: {{path: {given.manifest.resolve()}}}}}"
    for name, focal, canvas in (("full size", 1000, Canvas(multiple=28)), ("tiny", 80, Canvas(square=96))):
        recipe = load_recipe("depth_plus_distance", [source, f"canonical.focal={focal}"])
        mixture = make_plan(recipe, canvas).train
        frames = mixture.feeds[0].source
        samples = measure_rate(lambda index, mixture=mixture: mixture[index], given.count)
        decoded = measure_rate(
            lambda index, frames=frames: frames.frame(index % len(frames)).picture.read(), given.count
        )
        print(
            f"{name} (focal length {focal} px): {samples:.1f} samples/s; decoding alone {decoded:.1f} pictures/s; "
            f"a sample costs {decoded / samples:.1f} decodings"
        )


if __name__ == "__main__":
    main()
