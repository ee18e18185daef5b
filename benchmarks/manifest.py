"""Measure a manifest of a million lines: its first look, opening it again, reading Frames, and a worker's memory.

Run it as ``python benchmarks/manifest.py --lines 1000000``. It makes a manifest whose lines have ``--labels`` labelled
points, a pose and a licence each, in sequences of 100 lines. The pictures are hard links: a thousand lines share one
small file, so the seeks of a disk are not measured; each line has a path of its own.

The stated alternative is a plain loop of ``json.loads`` over the lines, which checks nothing, in the same run; each
Frame that is read is compared with ``json.loads`` of its line. Reads are also given in processor time, which a busy
machine does not lengthen. Every measurement is a new process. Memory is the peak of its resident memory; for a worker,
it is also given without the pages of the index file, which processes share.
"""

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from toolkit.data.manifest.manifest import load_manifest
from toolkit.data.sources.source import overview, split

_WIDTH, _HEIGHT, _FOLDER = 64, 48, 1000


def write_manifest(folder: Path, lines: int, labels: int = 20) -> Path:
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
            file.write(json.dumps(make_line(name, index, labels, rng)) + "\n")
    return path


def make_line(name: str, index: int, labels: int, rng: np.random.Generator) -> dict[str, Any]:
    """One line of the manifest."""
    pose = np.eye(4)
    pose[:3, 3] = rng.normal(size=3).round(4)
    pixels = rng.random((labels, 2)) * (_WIDTH - 1, _HEIGHT - 1)
    return {
        "image": name,
        "intrinsics": [50.0, 50.0, 31.5, 23.5, _WIDTH, _HEIGHT],
        "pixel_coords": pixels.round(2).tolist(),
        "depth": (1 + 9 * rng.random(labels)).round(3).tolist(),
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


def peak_memory() -> float:
    """The largest resident memory that this process had so far [MiB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_time(act: Callable[[], object]) -> tuple[float, float]:
    """How long a call takes [s]: on the clock, and in processor time of all threads."""
    started, busy = time.perf_counter(), time.process_time()
    act()
    return time.perf_counter() - started, time.process_time() - busy


def measure_plain_loop(path: Path) -> tuple[float, float, float]:
    """How long the alternative takes [s], on the clock and in processor time, and its peak memory [MiB]."""
    return *measure_time(lambda: plain_loop(path)), peak_memory()


def plain_loop(path: Path) -> None:
    """Parse every line, and keep none."""
    with path.open() as file:
        for text in file:
            json.loads(text)


def measure_opening(path: Path) -> tuple[float, float, float]:
    """How long it takes to open a manifest [s], on the clock and in processor time, and the peak memory [MiB]."""
    return *measure_time(lambda: load_manifest(path)), peak_memory()


def measure_reads(path: Path, reads: int) -> dict[str, float]:
    """Measure reading Frames at random, each beside ``json.loads`` of its line [us], and the memory of a worker."""
    _, before = resident_memory()
    manifest = load_manifest(path)
    order = np.random.default_rng(1).integers(0, len(manifest), reads).tolist()
    frames = np.array([measure_time(lambda index=index: manifest.frame(index)) for index in order]) * 1e6
    whole, after = resident_memory()
    texts = (manifest.text(index) for index in order)
    loads = np.array([measure_time(lambda text=text: json.loads(text)) for text in texts]) * 1e6
    (median, busy), late = np.median(frames, axis=0), np.percentile(frames[:, 0], 99)
    loop = np.median(loads[:, 1])
    return {"median": median, "busy": busy, "late": late, "loop": loop, "more": after - before, "whole": whole}


def measure_survey(path: Path) -> tuple[float, float]:
    """How long it takes to split a manifest by sequence, and to know all licences [s]."""
    manifest = load_manifest(path)
    return (
        measure_time(lambda: split(manifest, 0.2, 0))[0],
        measure_time(lambda: overview(manifest).licenses.distinct())[0],
    )


def opening_to_text(name: str, measured: tuple[float, float, float], loop: tuple[float, float, float]) -> str:
    """One line on an opening, beside the alternative."""
    wall, busy, peak = measured
    return (
        f"{name}: {wall:.4g} s, {wall / loop[0]:.3g} of json.loads; of the processor {busy:.4g} s, "
        f"{busy / loop[1]:.3g} of json.loads; peak memory {peak:.0f} MiB"
    )


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lines", type=int, default=1_000_000)
    arguments.add_argument("--labels", type=int, default=20)
    arguments.add_argument("--reads", type=int, default=20_000)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = write_manifest(Path(folder), given.lines, given.labels)
        os.utime(path, (0, 0))
        time.sleep(2.1)  # an index of a manifest that has rested is used without reading the manifest
        print(f"{given.lines} lines of {given.labels} labels, {path.stat().st_size / 2**20:.0f} MiB")
        loop = in_new_process(measure_plain_loop, path)
        print(f"json.loads of every line: {loop[0]:.4g} s, of the processor {loop[1]:.4g} s; {loop[2]:.0f} MiB")
        print(opening_to_text("first look", in_new_process(measure_opening, path), loop))
        print(opening_to_text("opened again", in_new_process(measure_opening, path), loop))
        read = in_new_process(measure_reads, path, given.reads)
        print(
            f"a Frame: median {read['median']:.0f} us, 99th percentile {read['late']:.0f} us; of the processor "
            f"{read['busy']:.0f} us, {read['busy'] / read['loop']:.2f} of json.loads ({read['loop']:.0f} us)"
        )
        print(f"a worker: {read['more']:.1f} MiB more, {read['whole']:.0f} MiB with shared pages")
        parted, licenses = in_new_process(measure_survey, path)
        print(f"survey: {parted:.2f} s to split by sequence, {licenses:.2f} s to know all licences")


if __name__ == "__main__":
    main()
