"""Measure a manifest of a million lines: the time to index and open it and to read Frames, and a worker's memory.

Run it as ``python benchmarks/manifest.py --lines 1000000``. It makes a manifest whose lines have 20 labelled points, a
pose and a licence each, in sequences of 100 lines. The pictures are hard links: a thousand lines share one small file,
so the seeks of a disk are not measured. Reads are also given in processor time, which a busy machine does not
lengthen. For comparison, every line is checked and turned into a Frame, and all Frames are kept in a list; this is
measured on the first ``--alternative`` lines and scaled to all lines. Memory is the resident memory of a separate
process: all of it, and without the pages of the index file, which processes share.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from toolkit.data.manifest.manifest import load_manifest
from toolkit.data.manifest.parse_line import ManifestLine
from toolkit.data.sources.source import overview, split

_WIDTH, _HEIGHT, _POINTS, _FOLDER = 64, 48, 20, 1000


def write_manifest(folder: Path, lines: int) -> Path:
    """Write the manifest and its pictures; the manifest's path is returned."""
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 255, (_HEIGHT, _WIDTH, 3), dtype=np.uint8))
    path = folder / "manifest.jsonl"
    with path.open("w") as file:
        for index in range(lines):
            name = f"{index // _FOLDER:04d}/{index % _FOLDER:03d}.png"
            if index % _FOLDER == 0:  # file systems allow some ten thousand links to one file
                first = folder / name
                first.parent.mkdir()
                picture.save(first)
            else:
                (folder / name).hardlink_to(first)
            file.write(json.dumps(make_line(name, index, rng)) + "\n")
    return path


def make_line(name: str, index: int, rng: np.random.Generator) -> dict[str, Any]:
    """One line of the manifest."""
    pose = np.eye(4)
    pose[:3, 3] = rng.normal(size=3).round(4)
    pixels = rng.random((_POINTS, 2)) * (_WIDTH - 1, _HEIGHT - 1)
    return {
        "image": name,
        "intrinsics": [50.0, 50.0, 31.5, 23.5, _WIDTH, _HEIGHT],
        "pixel_coords": pixels.round(2).tolist(),
        "depth": (1 + 9 * rng.random(_POINTS)).round(3).tolist(),
        "depth_type": "z",
        "world_from_camera": pose.tolist(),
        "sequence": f"walk {index // 100}",
        "license": "CC0-1.0",
    }


def resident_memory() -> tuple[float, float]:
    """The resident memory of this process [MiB]: all of it, and without mapped files."""
    found = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(found["VmRSS"].split()[0]) / 1024, int(found["RssAnon"].split()[0]) / 1024


def in_new_process(act: Callable[..., Any], *given: Any) -> Any:
    """What a function returns when it is called in a new process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(act, given)


def measure_opening(path: Path, reads: int) -> dict[str, float]:
    """Measure opening a manifest, and reading ``reads`` of its Frames at random."""
    _, before = resident_memory()
    started = time.perf_counter()
    manifest = load_manifest(path)
    seconds = time.perf_counter() - started
    order = np.random.default_rng(1).integers(0, len(manifest), reads)
    taken = [measure_time(lambda index=index: manifest.frame(int(index))) for index in order] or [(0.0, 0.0)]
    wall, busy = np.array(taken).T
    whole, after = resident_memory()
    return {
        "open": seconds,
        **{
            name: float(np.percentile(times, share)) * 1e6
            for name, times, share in (
                ("median", wall, 50),
                ("p99", wall, 99),
                ("busy", busy, 50),
                ("busy99", busy, 99),
            )
        },
        "before": before,
        "after": after,
        "whole": whole,
    }


def measure_time(act: Callable[[], object]) -> tuple[float, float]:
    """How long a call takes [s]: on the clock, and in processor time."""
    started, busy = time.perf_counter(), time.thread_time()
    act()
    return time.perf_counter() - started, time.thread_time() - busy


def measure_survey(path: Path) -> tuple[float, float]:
    """How long it takes to split a manifest by sequence, and to know all licences [s]."""
    manifest = load_manifest(path)
    return (
        measure_time(lambda: split(manifest, 0.2, 0))[0],
        measure_time(lambda: overview(manifest).licenses.distinct())[0],
    )


def measure_alternative(path: Path, count: int) -> tuple[float, float, int]:
    """The time [s] and the memory [MiB] of a list of the first Frames, and how many Frames these are."""
    _, before = resident_memory()
    started = time.perf_counter()
    frames = []
    with path.open() as file:
        for number, text in zip(range(count), file, strict=False):
            frames.append(ManifestLine(f"{path}, line {number + 1}", path.parent, None).frame(text, decode=False))
    return time.perf_counter() - started, resident_memory()[1] - before, len(frames)


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lines", type=int, default=1_000_000)
    arguments.add_argument("--reads", type=int, default=20_000)
    arguments.add_argument("--alternative", type=int, default=20_000)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = write_manifest(Path(folder), given.lines)
        os.utime(path, (0, 0))
        print(f"{given.lines} lines, {path.stat().st_size / 2**20:.0f} MiB; medians of {given.reads} reads")
        before, extra, count = in_new_process(measure_alternative, path, given.alternative)
        before, extra = before * given.lines / count, extra * given.lines / count
        time.sleep(2.1)
        index = in_new_process(measure_opening, path, 0)
        print(f"index:  {index['open']:.1f} s, once; {index['open'] / before:.2f} of loading everything")
        again = in_new_process(measure_opening, path, given.reads)
        print(f"open:   {again['open']:.4f} s; {again['open'] / before:.6f} of loading everything ({before:.0f} s)")
        print(
            f"read:   median {again['median']:.0f} us, 99th percentile {again['p99']:.0f} us; "
            f"of the processor {again['busy']:.0f} us, {again['busy99']:.0f} us"
        )
        more = again["after"] - again["before"]
        print(
            f"memory: a worker {again['before']:.0f} MiB before, {again['after']:.0f} MiB after; {more:.1f} MiB more, "
            f"{more / extra:.4f} of loading everything ({extra:.0f} MiB); {again['whole']:.0f} MiB with shared pages"
        )
        parted, licenses = in_new_process(measure_survey, path)
        print(f"survey: {parted:.2f} s to split by sequence, {licenses:.2f} s to know all licences")


if __name__ == "__main__":
    main()
