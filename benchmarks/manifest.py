"""A manifest of a million lines: seconds to index and to open it, microseconds to a Frame, memory of a worker.

Run it as ``python benchmarks/manifest.py --lines 1000000``. It makes a manifest of lines with 20 labelled points, a
pose, a licence, and sequences of 100, whose pictures are hard links of one small file a folder of a thousand; a disk's
seeks are therefore not measured. Reads are given in processor time too, which a busy machine does not lengthen. The
stated alternative is checking every line into a list of Frames and keeping that list, measured on the first
``--alternative`` lines and scaled to all. Memory is resident memory of a process of its own: all, and without the
pages of the index file, which processes share.
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


def make(folder: Path, lines: int) -> Path:
    """The manifest and its pictures."""
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
            file.write(json.dumps(row(name, index, rng)) + "\n")
    return path


def row(name: str, index: int, rng: np.random.Generator) -> dict[str, Any]:
    """One line."""
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


def resident() -> tuple[float, float]:
    """Resident memory of this process [MiB]: all, and without mapped files."""
    found = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(found["VmRSS"].split()[0]) / 1024, int(found["RssAnon"].split()[0]) / 1024


def apart(act: Callable[..., Any], *given: Any) -> Any:
    """What a function gives in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(act, given)


def opened(path: Path, reads: int) -> dict[str, float]:
    """Open a manifest; with ``reads``, take so many Frames at random."""
    _, before = resident()
    started = time.perf_counter()
    manifest = load_manifest(path)
    seconds = time.perf_counter() - started
    order = np.random.default_rng(1).integers(0, len(manifest), reads)
    taken = [timed(lambda index=index: manifest.frame(int(index))) for index in order] or [(0.0, 0.0)]
    wall, busy = np.array(taken).T
    whole, after = resident()
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


def timed(act: Callable[[], object]) -> tuple[float, float]:
    """Seconds that something takes: on the clock, and of the processor."""
    started, busy = time.perf_counter(), time.thread_time()
    act()
    return time.perf_counter() - started, time.thread_time() - busy


def surveyed(path: Path) -> tuple[float, float]:
    """Seconds to split a manifest by sequence, and to know all licences."""
    manifest = load_manifest(path)
    return timed(lambda: split(manifest, 0.2, 0))[0], timed(lambda: overview(manifest).licenses.distinct())[0]


def alternative(path: Path, count: int) -> tuple[float, float, int]:
    """Seconds and memory [MiB] of a list of the first Frames, and how many these are."""
    _, before = resident()
    started = time.perf_counter()
    frames = []
    with path.open() as file:
        for number, text in zip(range(count), file, strict=False):
            frames.append(ManifestLine(f"{path}, line {number + 1}", path.parent, None).frame(text, decode=False))
    return time.perf_counter() - started, resident()[1] - before, len(frames)


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lines", type=int, default=1_000_000)
    arguments.add_argument("--reads", type=int, default=20_000)
    arguments.add_argument("--alternative", type=int, default=20_000)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = make(Path(folder), given.lines)
        os.utime(path, (0, 0))
        print(f"{given.lines} lines, {path.stat().st_size / 2**20:.0f} MiB; medians of {given.reads} reads")
        before, extra, count = apart(alternative, path, given.alternative)
        before, extra = before * given.lines / count, extra * given.lines / count
        time.sleep(2.1)
        index = apart(opened, path, 0)
        print(f"index:  {index['open']:.1f} s, once; {index['open'] / before:.2f} of loading everything")
        again = apart(opened, path, given.reads)
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
        parted, licenses = apart(surveyed, path)
        print(f"survey: {parted:.2f} s to split by sequence, {licenses:.2f} s to know all licences")


if __name__ == "__main__":
    main()
