"""How fast one training sample is made, beside a plain loader of the same work, in turn in the same run.

    python benchmarks/loader.py [MANIFEST] [--count 24] [--rounds 5]

The plain loader is what one writes in an afternoon with Pillow: decode, resize to the canonical focal length, crop,
mark, one label. Printed are samples (or labels) per second, and the median of the ratios of the rounds. Without a
manifest, the pictures are drawn: 640 x 480 PNG with points, a driving scene's JPEG with a depth map, and a 12-megapixel
JPEG that is shrunk. Both loaders use one thread.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from toolkit.config.build import make_plan
from toolkit.config.load import load_recipe
from toolkit.geometry.canonical import Canvas

FOCAL = 1000.0
Sample = Callable[[int], object]


class PlainLoader:
    """``loader(i)`` is a picture with a red mark, and the depth of the marked pixel [m]."""

    def __init__(self, manifest: Path) -> None:
        self.folder = manifest.parent
        self.lines = [json.loads(line) for line in manifest.read_text().splitlines()]

    def __call__(self, index: int) -> tuple[Image.Image, str]:
        """The sample of that number."""
        line = self.lines[index % len(self.lines)]
        rng = random.Random(index)
        image = Image.open(self.folder / line["image"]).convert("RGB")
        fx, fy, cx, cy = line["intrinsics"][:4]
        if "distortion" in line:
            matrix = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
            image = Image.fromarray(cv2.undistort(np.array(image), matrix, np.array(line["distortion"])))
        sx, sy = FOCAL / fx, FOCAL / fy
        image = image.resize((round(image.width * sx), round(image.height * sy)))
        (u, v), depth = self._label(line, rng)
        u, v = round((u + 0.5) * sx - 0.5), round((v + 0.5) * sy - 0.5)
        width, height = min(image.width, rng.randint(1000, 1400)), min(image.height, rng.randint(700, 1200))
        left = min(max(0, u - rng.randrange(width)), image.width - width)
        top = min(max(0, v - rng.randrange(height)), image.height - height)
        image = image.crop((left, top, left + width, top + height))
        for step in range(1, 6):
            if 0 <= u - left - step < width and 0 <= v - top < height:
                image.putpixel((u - left - step, v - top), (255, 0, 0))
        return image, f"{depth:.2f} m"

    def _label(self, line: dict, rng: random.Random) -> tuple[tuple[int, int], float]:
        if "depth_map" not in line:
            k = rng.randrange(len(line["pixel_coords"]))
            return tuple(line["pixel_coords"][k]), line["depth"][k]
        stored = np.array(Image.open(self.folder / line["depth_map"]))
        rows, columns = np.nonzero(stored)
        k = rng.randrange(len(rows))
        return (int(columns[k]), int(rows[k])), float(stored[rows[k], columns[k]]) * line["depth_scale"]


def toolkit_loader(manifest: Path, questions: int = 1, reference: str = "marker") -> Sample:
    """The toolkit's training mixture of metric depth."""
    overrides = [
        f"sources={{photos: {{path: {manifest.resolve()}}}}}",
        f"canonical.focal={FOCAL}",
        "canonical.crop={width: [1000, 1400], height: [700, 1200]}",
        "tasks={metric_depth: 1}",
        f"questions_per_image={questions}",
        f"reference={reference}",
    ]
    return make_plan(load_recipe("depth_plus_distance", overrides), Canvas(multiple=28)).train.__getitem__


def draw_photograph(width: int, height: int, seed: int) -> np.ndarray:
    """Something like a photograph (height, width, 3): soft shapes and a little noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (12, 16, 3)).astype(np.float32)
    soft = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    noise = rng.normal(0, 3, (height, width, 1)).astype(np.float32)
    return np.clip(soft + noise, 0, 255).astype(np.uint8)


def write_data(folder: Path, kind: str, count: int = 12) -> Path:
    """A manifest with drawn pictures of one kind."""
    width, height, focal, ending = {
        "png": (640, 480, 560.0, "png"),
        "lens": (640, 480, 560.0, "png"),
        "driving": (1242, 375, 721.5, "jpg"),
        "large": (4032, 3024, 3100.0, "jpg"),
    }[kind]
    folder.mkdir()
    lines = []
    for index in range(count):
        Image.fromarray(draw_photograph(width, height, index)).save(folder / f"{index}.{ending}", quality=92)
        line = {
            "image": f"{index}.{ending}",
            "intrinsics": [focal, focal * 0.998, width / 2, height / 2, width, height],
            "depth_type": "z",
            "sequence": str(index),
        }
        if kind == "lens":
            line["distortion"] = [-0.28, 0.08, 0.0005, -0.0003, 0.0]
        rng = np.random.default_rng(index)
        if kind == "driving":
            depth = rng.integers(500, 20000, (height, width), dtype=np.uint16)
            cv2.imwrite(str(folder / f"{index}_depth.png"), cv2.GaussianBlur(depth, (0, 0), 8))
            line |= {"depth_map": f"{index}_depth.png", "depth_scale": 1 / 256}
        else:
            places = rng.uniform((0, 0), (width - 1, height - 1), (100, 2)).round().astype(int)
            line |= {"pixel_coords": places.tolist(), "depth": rng.uniform(1, 9, 100).round(3).tolist()}
        lines.append(json.dumps(line))
    path = folder / "manifest.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def rate(act: Sample, count: int, start: int) -> float:
    """Samples per second."""
    began = time.perf_counter()
    for index in range(start, start + count):
        act(index)
    return count / (time.perf_counter() - began)


def compare(name: str, manifest: Path, count: int, rounds: int, questions: int = 1, reference: str = "marker") -> None:
    """Run both loaders in turn, and print their rates and the median of the ratios."""
    plain, ours = PlainLoader(manifest), toolkit_loader(manifest, questions, reference)
    rate(plain, 3, 0), rate(ours, 3, 0)
    pairs = [(rate(plain, count, k * count), questions * rate(ours, count, k * count)) for k in range(rounds)]
    ratio = statistics.median(b / a for a, b in pairs)
    middle = [statistics.median(column) for column in zip(*pairs, strict=True)]
    print(f"{name:<48} plain {middle[0]:7.1f}/s   toolkit {middle[1]:8.1f}/s   {ratio:6.2f}x", flush=True)


def main() -> None:
    """Compare the loaders on a manifest, or on drawn pictures of three kinds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path, nargs="?", help="a manifest; without one, pictures are drawn")
    parser.add_argument("--count", type=int, default=24, help="samples in each round")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        manifest = given.manifest or write_data(folder / "png", "png")
        compare("one question, samples", manifest, given.count, given.rounds)
        compare("eight questions as text, labels", manifest, given.count, given.rounds, 8, "text")
        if given.manifest is None:
            lens = write_data(folder / "lens", "lens")
            compare("640 x 480 PNG through a lens, samples", lens, given.count, given.rounds)
            driving = write_data(folder / "driving", "driving")
            compare("1242 x 375 JPEG with a depth map, samples", driving, given.count, given.rounds)
            large = write_data(folder / "large", "large", 4)
            compare("4032 x 3024 JPEG, shrunk, samples", large, max(4, given.count // 3), given.rounds)


if __name__ == "__main__":
    main()
