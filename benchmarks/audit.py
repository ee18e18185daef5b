"""Measure how well ``toolkit data audit`` finds faults, and how often it reports faults that are not there.

Run it as ``python benchmarks/audit.py``. ``--data FOLDER`` names a folder with iBims-1 (``ibims1/manifest.jsonl``) and
a walk with depth maps and poses (``hololens/manifest.jsonl``); without it, only synthetic rooms are used. Each trial
draws 24 frames, puts one fault into them, writes a manifest and audits it.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from faulty_data import Fault, Item, Items, faults, write
from PIL import Image
from rich.console import Console
from rich.table import Table

from toolkit.data.audit.audit import AuditReport, audit
from toolkit.data.synthetic.rooms import Rooms, RoomSettings
from toolkit.utils.arrays import Pixels

FRAMES = 24
ROOMS, VIEWS = 24, 4
MILLIMETRE = 0.001
ALARMS = ("fault", "suspect")


@dataclass(frozen=True)
class AuditedData:
    """A set of frames that trials draw from.

    Attributes:
        name: The name of the set in the tables.
        items: The frames in their order.
        run: How many neighbouring frames are drawn together, so that sequences stay whole.
    """

    name: str
    items: Items
    run: int

    def draw(self, rng: np.random.Generator) -> Items:
        """Draw ``FRAMES`` frames; they keep their order."""
        starts = np.arange(0, len(self.items) - self.run + 1, 1 if self.run == FRAMES else self.run)
        chosen = np.sort(rng.permutation(starts)[: FRAMES // self.run])
        return [self.items[index] for start in chosen for index in range(start, start + self.run)]

    def fits(self, fault: Fault) -> bool:
        """Whether a fault can be put into these frames."""
        row = self.items[0].row
        return (not fault.dense or "depth_map" in row) and (not fault.posed or "world_from_camera" in row)


def from_manifest(path: Path, run: int) -> AuditedData:
    """The frames of a manifest."""
    rows = [json.loads(text) for text in path.read_text().splitlines() if text.strip()]
    for row in rows:
        for key in ("image", "depth_map"):
            if key in row:
                row[key] = str((path.parent / row[key]).resolve())
    return AuditedData(path.parent.name, [Item(row) for row in rows], run)


def from_rooms(folder: Path) -> AuditedData:
    """Synthetic rooms whose depth has 0.5 % of noise and is stored in millimetres."""
    rooms, rng, items = (
        Rooms(RoomSettings(ROOMS, VIEWS, width=(160, 160), height=(120, 120))),
        np.random.default_rng(7),
        [],
    )
    for index in range(len(rooms)):
        frame = rooms.frame(index)
        camera = frame.camera
        _, depth_z = frame.labels.read(camera)
        noisy = depth_z * (1 + rng.normal(0, 0.005, depth_z.shape))
        row = {
            "intrinsics": [camera.fx, camera.fy, camera.cx, camera.cy, camera.width, camera.height],
            "depth_map": "",
            "depth_scale": MILLIMETRE,
            "depth_type": "z",
            "world_from_camera": frame.world_from_camera.tolist(),
            "sequence": frame.sequence,
        }
        shape = (camera.height, camera.width)
        items.append(Item(row, frame.picture.read(), noisy.reshape(shape) / MILLIMETRE))
    return from_manifest(write(items, folder / "rooms"), VIEWS)


def is_detected(report: AuditReport, fault: Fault) -> bool:
    """Whether an audit has found a fault."""
    for finding in report.findings:
        if finding.check in fault.checks and finding.verdict in ALARMS:
            numbers = {**finding.numbers, "verdict": finding.verdict}
            if all(numbers[key] == value for key, value in fault.found.items()):
                return True
    return False


def skies(folder: Path | None) -> list[Pixels]:
    """The upper fifths (h, w, 3) of photographs of streets if the data has them, otherwise plain gradients."""
    paths = sorted(folder.glob("ddad_like/scene_01/rgb/CAMERA_0[15]/*.jpg"))[:6] if folder else []
    if paths:
        pictures = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
        return [picture[: picture.shape[0] // 5] for picture in pictures]
    shade = np.linspace(0, 1, 64)[:, None, None]
    return [
        (np.array([110, 160, 230]) * (1 - shade) + np.array([200, 220, 245]) * shade).astype(np.uint8).repeat(64, 1)
    ]


def count_detections(
    data: AuditedData, given: argparse.Namespace, photographs: Sequence[Pixels], folder: Path, log: Console
) -> Table:
    """A table that says in how many trials each fault was found."""
    table = Table("fault", "found", "by", title=f"{data.name}: {given.trials} trials of {FRAMES} frames each")
    for number, fault in enumerate(faults(photographs)):
        if not data.fits(fault) or (given.only and given.only not in fault.name):
            continue
        hits = 0
        for trial in range(given.trials):
            rng = np.random.default_rng([given.seed, number, trial])
            hits += is_detected(
                audit(write(fault.change(data.draw(rng), rng), folder / "trial"), FRAMES, trial, fault.checks), fault
            )
        log.print(f"{data.name}: {fault.name}: {hits}/{given.trials}")
        table.add_row(fault.name, f"{hits}/{given.trials}", ", ".join(fault.checks))
    return table


def count_false_alarms(data: AuditedData, given: argparse.Namespace, folder: Path) -> Table:
    """A table that says how often each check gave each verdict on frames without a fault."""
    verdicts: dict[str, Counter[str]] = {}
    for trial in range(given.trials):
        rng = np.random.default_rng([given.seed, 999, trial])
        for finding in audit(write(data.draw(rng), folder / "clean"), FRAMES, trial).findings:
            verdicts.setdefault(finding.check, Counter())[finding.verdict] += 1
    kinds = ("ok", "cannot tell", "suspect", "fault")
    table = Table("check", *kinds, title=f"{data.name}: {given.trials} trials without a fault")
    for check, counts in verdicts.items():
        table.add_row(check, *(str(counts[kind]) for kind in kinds))
    return table


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, help="a folder with ibims1/ and hololens/")
    arguments.add_argument("--trials", type=int, default=20)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--only", default="", help="only faults whose names contain this text")
    arguments.add_argument("--sets", nargs="+", default=["rooms", "ibims1", "hololens"])
    arguments.add_argument("--part", choices=["faults", "clean", "both"], default="both")
    given = arguments.parse_args()
    log, page = Console(file=sys.stderr), Console(width=110)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sets = [from_rooms(folder)]
        for name, run in (("ibims1", 1), ("hololens", FRAMES)) if given.data else ():
            path = given.data / name / "manifest.jsonl"
            sets += [from_manifest(path, run)] if path.is_file() else []
        for data in (data for data in sets if data.name in given.sets):
            if given.part != "faults":
                page.print(count_false_alarms(data, given, folder))
            if given.part != "clean":
                page.print(count_detections(data, given, skies(given.data), folder, log))


if __name__ == "__main__":
    main()
